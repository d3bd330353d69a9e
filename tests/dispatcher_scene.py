"""A dispatcher at work over real rows, with a backend that says what a test wants to hear."""

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from archive.store import DecisionRecord, StoredObject
from sandbox.trees import tree_digest
from strongroom.audit import AuditEvent
from strongroom.database import migrate, now, open_database, reading, transaction
from strongroom.folders import folder_digest
from strongroom.settings import Settings, Tes
from tes.backends import Launch, Tell
from tes.dispatcher import Dispatcher
from tes.reports import report
from tes.store import Attempt, Task, next_seq
from tes.tasks import Cause

CONFIG = json.dumps({"config": {}}).encode()
MANIFEST = json.dumps({"config": {"digest": f"sha256:{hashlib.sha256(CONFIG).hexdigest()}"}, "layers": []}).encode()
IMAGE = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
RUN = "r" * 32
WELL = report(Cause.EXITED, exit_code=0)


class Silent:
    """A backend that takes what it is given; a test says what becomes of it."""

    name, keeps = "words", False

    def __init__(self) -> None:
        self.told: dict[str, Tell] = {}
        self.canceled: list[str] = []
        self.fails = 0

    def submit(self, launch: Launch, tell: Tell) -> None:
        if self.fails:
            self.fails -= 1
            raise OSError("no more threads")
        self.told[launch.attempt] = tell

    def resume(self, launch: Launch, tell: Tell) -> None:
        raise AssertionError

    def cancel(self, attempt: str) -> None:
        self.canceled.append(attempt)

    def status(self, attempt: str) -> str | None:
        return None

    def sweep(self) -> None:
        return


class Scene:
    """A dispatcher at work over real rows."""

    def __init__(self, home: Path, cores: float) -> None:
        (home / "trust").mkdir(parents=True)
        public = Ed25519PrivateKey.generate().public_key()
        trusted = home / "trust" / "broker.pem"
        trusted.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        self.settings = Settings(home=home, tes=Tes(cores=cores, cores_ahead=0, memory_gb=8))
        self.settings.sockets.mkdir()
        image = self.settings.images_folder / IMAGE.replace(":", "/")
        (image / "rootfs").mkdir(parents=True)
        (image / "config.json").write_bytes(CONFIG)
        (image / "manifest.json").write_bytes(MANIFEST)
        self.settings.image_trees.mkdir()
        (self.settings.image_trees / IMAGE.removeprefix("sha256:")).write_text(tree_digest(image / "rootfs"))
        workflow = home / "workflow"
        workflow.mkdir()
        (workflow / "Snakefile").write_text("rule all:\n")
        self.digest = folder_digest(workflow)
        content = home / "catalogue" / "content"
        content.mkdir(parents=True)
        workflow.rename(content / self.digest.removeprefix("sha256:"))
        migrate(self.settings.database)
        self.engine = open_database(self.settings.database)
        self.decide()
        self.backend = Silent()
        self.dispatcher = Dispatcher(self.settings, self.engine, self.backend)
        self.dispatcher.recover()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        with contextlib.suppress(SystemExit):
            self.dispatcher.run()

    def close(self) -> None:
        """Let the dispatcher end, which works for ever, and all that it holds go."""

        def end() -> bool:
            raise SystemExit

        self.dispatcher._turn = end  # type: ignore[method-assign]
        self._thread.join(20)
        self.engine.dispose()

    def decide(self) -> None:
        with transaction(self.engine) as session:
            decision = DecisionRecord(run=RUN, workflow_digest=self.digest, images={"i": IMAGE}, policy_version=1)
            words = {"person": "ruth", "project": "p", "workflow": "w", "version": "1.0.0"}
            facts = {**words, "envelope": {}, "datasets": [], "created": now(), "expires": now() + timedelta(hours=1)}
            for name, value in facts.items():
                setattr(decision, name, value)
            session.add(decision)

    def task(self, *, run: str = RUN, image: str = IMAGE) -> str:
        """Queue a task and return its id."""
        streams = dict.fromkeys(("stdin", "stdout", "stderr"))
        executor = {"image": image, "command": ["/bin/true"], "workdir": None, "env": {}, **streams}
        size = {"cores": 1, "memory": 1 << 20, "scratch": 1 << 20, "seconds": 60}
        with transaction(self.engine) as session:
            seq = next_seq(session)
            task = Task(
                id=f"{seq:032x}", seq=seq, state="QUEUED", client="tests", idempotency_key=str(seq), body_digest="",
                run=run, project="p", person="ruth", coarse=False, name="task", request={}, policy_version=1,
                plan={"executors": [executor], "inputs": [], "outputs": [], **size}, created=now(), attempts=0,
            )  # fmt: skip
            session.add(task)
            return task.id

    def left(self, attempt: str, object_id: str) -> None:
        """Have an object, as if the broker had signed that this attempt left it."""
        words = {"purpose": "run", "owner": RUN, "project": "p", "run": RUN, "kind": "task", "role": "output"}
        numbers = dict.fromkeys(("version", "size", "body_length", "segments", "key_version", "policy_version"), 1)
        digests = dict.fromkeys(("plaintext_hmac", "body_sha256", "header_sha256"), "0" * 64)
        row = StoredObject(id=object_id, attempt=attempt, persons=[], ancestors=[], signature=b"s", created=now())
        for name, value in {**words, **numbers, **digests, "header": b"h"}.items():
            setattr(row, name, value)
        with transaction(self.engine) as session:
            session.add(row)

    def state(self, task: str) -> str:
        with reading(self.engine) as session:
            return str(session.scalar(sa.select(Task.state).where(Task.id == task)))

    def becomes(self, task: str, state: str) -> bool:
        return self.until(lambda: self.state(task) == state)

    def until(self, true: Callable[[], Any]) -> bool:
        end = time.monotonic() + 20
        while not true() and time.monotonic() < end:
            time.sleep(0.005)
        return bool(true())

    def attempts(self, task: str) -> list[Attempt]:
        with reading(self.engine) as session:
            return list(session.scalars(sa.select(Attempt).where(Attempt.task == task).order_by(Attempt.number)))

    def tell(self, number: int = 1) -> Tell:
        """Wait for so many attempts and return what the last one tells."""
        assert self.until(lambda: len(self.backend.told) >= number)
        return list(self.backend.told.values())[number - 1]

    def moves(self, task: str) -> list[str]:
        with reading(self.engine) as session:
            query = sa.select(AuditEvent.body).where(AuditEvent.subject == task).order_by(AuditEvent.seq)
            return [json.loads(body)["facts"]["to"] for body in session.scalars(query)]

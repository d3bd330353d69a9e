"""What the dispatcher hears is written down once, in few transactions, before whoever told it may forget it."""

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from archive.store import DecisionRecord
from sandbox.trees import tree_digest
from strongroom.audit import AuditEvent
from strongroom.database import migrate, now, open_database, reading, transaction
from strongroom.folders import folder_digest
from strongroom.settings import Settings, Tes
from tes import chronicle
from tes.backends import Launch, Tell
from tes.dispatcher import RUNNING_AFTER, Dispatcher
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


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    one = Scene(tmp_path / "home", cores=2)
    yield one
    one.close()


def test_who_tells_an_end_is_let_go_only_when_it_is_written_down(scene: Scene, monkeypatch: Any) -> None:
    task = scene.task()
    tell, writable = scene.tell(), threading.Event()

    def write(*given: Any, **more: Any) -> frozenset[str]:
        if not writable.is_set():
            raise sa.exc.OperationalError("a full disk", None, Exception())
        return original(*given, **more)

    original = chronicle.write
    monkeypatch.setattr(chronicle, "write", write)
    telling = threading.Thread(target=tell.ended, args=(WELL,), daemon=True)
    telling.start()
    telling.join(1.5)
    assert telling.is_alive()
    assert scene.state(task) == "INITIALIZING"
    writable.set()
    telling.join(20)
    assert not telling.is_alive()
    assert scene.state(task) == "COMPLETE"


def test_a_short_task_is_written_down_as_one_that_ran_and_ended(scene: Scene) -> None:
    task = scene.task()
    tell = scene.tell()
    tell.started()
    tell.ended(WELL)
    assert scene.moves(task) == ["INITIALIZING", "RUNNING", "COMPLETE"]


def test_a_long_task_is_seen_running(scene: Scene) -> None:
    task = scene.task()
    began = time.monotonic()
    scene.tell().started()
    assert scene.becomes(task, "RUNNING")
    assert time.monotonic() - began >= RUNNING_AFTER
    scene.tell().ended(WELL)
    assert scene.moves(task) == ["INITIALIZING", "RUNNING", "COMPLETE"]


def test_an_attempt_that_its_backend_does_not_take_is_lost_and_another_one_made(scene: Scene) -> None:
    scene.backend.fails = 1
    task = scene.task()
    scene.tell().ended(WELL)
    first, second = scene.attempts(task)
    assert first.report is not None
    assert first.report["cause"] == "lost"
    assert second.report == WELL
    assert scene.state(task) == "COMPLETE"


def test_a_task_that_cannot_be_prepared_takes_nothing_of_the_node(scene: Scene) -> None:
    refused = [scene.task(image=f"sha256:{'0' * 64}"), scene.task(run="x" * 32)]
    assert all(scene.becomes(task, "SYSTEM_ERROR") for task in refused)
    reasons = [(row.report or {})["reason"] for task in refused for row in scene.attempts(task)]
    assert reasons == [
        "Its image is not here as it was imported.",
        "This run has ended or its permission has expired; submit it again.",
    ]
    for number in (1, 2):
        scene.task()
        scene.tell(number)


def test_what_does_not_fit_waits_in_order(scene: Scene) -> None:
    tasks = [scene.task() for _ in range(5)]
    scene.tell(2)
    time.sleep(0.3)
    assert len(scene.backend.told) == 2
    for number in range(1, 6):
        scene.tell(number).ended(WELL)
    assert [scene.attempts(task)[0].id for task in tasks] == list(scene.backend.told)


def test_a_task_that_is_canceled_while_it_is_prepared_is_not_started(scene: Scene, monkeypatch: Any) -> None:
    original, task = chronicle.write, list[str]()

    def canceled_first(session: Any, news: Any, *given: Any, **more: Any) -> frozenset[str]:
        for one in news.prepared:
            session.execute(sa.update(Task).where(Task.id == one.task).values(state="CANCELED"))
            task.append(one.task)
        return original(session, news, *given, **more)

    monkeypatch.setattr(chronicle, "write", canceled_first)
    canceled = scene.task()
    assert scene.until(lambda: task)
    monkeypatch.setattr(chronicle, "write", original)
    assert scene.becomes(canceled, "CANCELED")  # once what was written is there for others
    assert scene.attempts(canceled) == []
    for _ in range(2):  # the node has all its room
        scene.task()
    scene.tell(2)


def test_canceling_kills_what_lives_and_ends_what_does_not(scene: Scene) -> None:
    alive, gone = scene.task(), scene.task()
    scene.tell(2)
    scene.dispatcher._running.pop(gone)  # its process died with its backend
    with transaction(scene.engine) as session:
        session.execute(sa.update(Task).values(state="CANCELING"))
    assert scene.becomes(gone, "CANCELED")
    attempt = scene.attempts(alive)[0].id
    assert scene.until(lambda: attempt in scene.backend.canceled)
    scene.backend.told[attempt].ended(report(Cause.CANCELED))
    assert scene.state(alive) == "CANCELED"

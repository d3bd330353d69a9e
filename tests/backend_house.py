"""What every backend needs round it in tests: rows, a signer and a broker that believe everybody, and attempts."""

import base64
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sandbox_broker import Broker
from sandbox_lab import MIB, Lab, executor

from sandbox.pod.places import LAUNCHER
from sandbox.spec import spec_digest
from strongroom.database import migrate, now, open_database, transaction
from strongroom.doors import Message, listen, serve
from strongroom.objects import open_store
from strongroom.settings import Settings
from tes import body_door
from tes.backends import Backend, Launch, Tell
from tes.pledges import Pledges
from tes.reports import Report
from tes.store import Attempt, Task, next_seq

PROJECT = "cohort"
OURS = ("sandbox.pod seal", f"{LAUNCHER} ", "runc")  # what stands round a task in its pod, and what is about to be it


class Told:
    """One attempt as a test follows it: what its backend told, and how often."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.started = threading.Event()
        self.over = threading.Event()
        self.reports: list[Report] = []
        self.alive_at_end: list[str] = []
        self.processes: Callable[[], list[str]] = list

    @property
    def attempt(self) -> str:
        """Its id."""
        return self.launch.attempt

    def tell(self) -> Tell:
        """Return what a backend is given."""
        return Tell(self.started.set, self._ended)

    def _ended(self, report: Report) -> None:
        self.alive_at_end = self.processes()
        self.reports.append(report)
        self.over.set()

    def end(self, within: float = 60) -> Report:
        """Wait for the report and return it."""
        assert self.over.wait(within), f"attempt {self.attempt} has no report"
        return self.reports[0]

    def ends(self, within: float = 60) -> tuple[str, int | None]:
        """Wait for the report and return cause and exit code."""
        said = self.end(within)
        return said["cause"], said["exit_code"]


class House:
    """A home with a database, a signer and a broker; `uids` of attempts are its own."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.lab = Lab(folder)
        for name in ("home", "home/sockets", "home/objects"):
            (folder / name).mkdir()
        self.settings = Settings(home=folder / "home", **settings)
        migrate(self.settings.database)
        self.engine = open_database(self.settings.database)
        self.pledges = Pledges(self.engine)
        self.signer = self.settings.sockets / "signer.sock"
        self.broker = Broker(self.lab)
        if self.settings.objects.store == "s3":
            self.broker.body = self._body
        (self.settings.sockets / "broker.sock").symlink_to(self.broker.path)
        self.claims: list[str] = []
        self._uids = iter(range(200_000 + os.getpid() % 10_000 * 50, 1 << 31))
        door = listen(self.signer)
        threading.Thread(
            target=serve, args=(door,), kwargs={"allowed": {0}, "answer": self._sign}, daemon=True
        ).start()

    def close(self) -> None:
        """Let go of what a process has only so many of."""
        self.broker.close()
        self.engine.dispose()

    def launch(self, backend: str, keys_at: Path, *commands: Sequence[str], **changes: Any) -> Launch:
        """Return an attempt at these commands, with its rows; `plan` changes what the backend is told of its size.

        `each` says more of each executor.
        """
        attempt, project = uuid.uuid4().hex, changes.pop("project", PROJECT)
        plan = {"cores": 1, "memory": 64 * MIB, "scratch": 32 * MIB, "seconds": 60, **changes.pop("plan", {})}
        limits = {"memory_bytes": plan["memory"], "cpu_cores": plan["cores"], "scratch_bytes": plan["scratch"]}
        limits |= {"wall_seconds": plan["seconds"]}
        key = base64.b64encode(self.broker.key.public_key().public_bytes_raw()).decode()
        keys = {"type": "broker", "socket": str(keys_at), "broker_public_key": key}
        if self.settings.objects.store == "s3":
            changes["inputs"] = [self._put(one) for one in changes.get("inputs", ())]
            asked_at = keys_at if backend == "slurm" else self.settings.sockets / body_door.NAME
            changes["store"] = {"socket": str(asked_at)}
        given = {"attempt": attempt, "uid": next(self._uids), "keys": keys, "limits": limits, **changes}
        each = given.pop("each", ({},) * len(commands))
        executors = [executor(command, **more) for command, more in zip(commands, each, strict=True)]
        spec = self.lab.spec(**{**given, "executors": executors})
        if "store" in spec:
            del spec["bodies"]
        raw = json.dumps(spec).encode()
        objects = [one["object"] for one in spec["inputs"] if "object" in one]
        order = {"kind": "task", "project": project, "objects": objects}
        launch = Launch(attempt, raw, order, plan)
        self._record(launch, backend)
        return launch

    def opened(self, report: Report) -> dict[str, bytes]:
        """Return the outputs of a report by name, opened with the recipient's key."""
        wanted = {output["object"] for output in report["outputs"]}
        rows = [row for row in self.broker.registered if row["object"] in wanted]
        return {row["path"].rpartition("/")[2]: self.broker.open(row) for row in rows}

    def row(self, attempt: str) -> Attempt:
        """Return the row of an attempt."""
        with transaction(self.engine) as session:
            row = session.get_one(Attempt, attempt)
            session.expunge(row)
            return row

    def ended(self, attempt: str, report: Report) -> None:
        """Write an end down, as a dispatcher does."""
        with transaction(self.engine) as session:
            row = session.get_one(Attempt, attempt)
            row.ended, row.report = now(), report

    def _put(self, given: dict[str, Any]) -> dict[str, Any]:
        """Have the body of an input in the object store alone."""
        rest = dict(given)
        if "body" in rest:
            body = Path(rest.pop("body"))
            open_store(self.settings).put(rest["object"], iter([body.read_bytes()]))
            body.unlink()
        return rest

    def _body(self, name: str) -> bytes:
        return b"".join(open_store(self.settings).read(name))

    def _record(self, launch: Launch, backend: str) -> None:
        kept = {"spec": launch.spec.decode(), "order": launch.order, "plan": launch.plan}
        project = launch.order["project"]
        with transaction(self.engine) as session:
            task = Task(
                id=uuid.uuid4().hex, seq=next_seq(session), state="INITIALIZING", client="tests",
                idempotency_key=launch.attempt, body_digest="", run="r" * 32, project=project, person="ruth",
                coarse=False, name="task", request={}, plan=launch.plan, policy_version=1, created=now(), attempts=1,
            )  # fmt: skip
            session.add(task)
            session.flush()
            session.add(
                Attempt(
                    id=launch.attempt,
                    task=task.id,
                    number=1,
                    decision="r" * 32,
                    project=project,
                    backend=backend,
                    spec_sha256=spec_digest(launch.spec),
                    started=now(),
                    launch=kept,
                )
            )

    def _sign(self, message: Message, _caller: object) -> Message:
        self.claims.append(message["attempt"])
        names = ("attempt", "public_key", "signing_key", "spec_sha256")
        claim = {name: message[name] for name in names}
        return {"order": {"claim": claim, "objects": message["objects"]}}


def processes_of(launch: Launch) -> list[str]:
    """Return the task's processes: under the kernel uid of an attempt, with what they run, and none of ours."""
    uid, found = json.loads(launch.spec)["uid"], []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            words = (folder / "cmdline").read_text().replace("\0", " ")
            gone = state == "Z" or not words  # it has given its memory back: it ends now
            if folder.stat().st_uid == uid and not gone and not any(one in words for one in OURS):
                found.append(words)
        except OSError:
            continue
    return found


def eventually(found: Callable[[], Any], what: str, *, within: float = 30) -> Any:
    """Return what `found` returns once it is true."""
    end = time.monotonic() + within
    while not (value := found()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return value


def follow(backend: Backend, launch: Launch, *, resumed: bool = False) -> Told:
    """Hand an attempt to a backend, or have it taken up."""
    told = Told(launch)
    told.processes = lambda: processes_of(launch)
    (backend.resume if resumed else backend.submit)(launch, told.tell())
    return told

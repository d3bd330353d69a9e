"""A cluster made of words, with real rows: for tests of what happens round a scheduler."""

import base64
import threading
import time
from collections.abc import Callable, Collection, Hashable, Mapping
from pathlib import Path
from typing import Any

from sandbox.signing import AttemptKey
from sandbox.spec import spec_digest
from strongroom.database import Base, now, open_database, transaction
from strongroom.errors import NotAllowed
from tes.backends import Launch, Tell
from tes.backends.remote import Remote
from tes.backends.schedulers import Carried, Proof, SchedulerUnavailable, Seen
from tes.pledges import Pledges
from tes.reports import Report
from tes.store import Attempt, Task
from tes.tasks import TaskState

HERE = Proof("n1")
RUNNING = Seen(TaskState.RUNNING, "RUNNING")


class Words:
    """A `Scheduler` that says what a test wants to hear."""

    name = "words"

    def __init__(self) -> None:
        self.said: dict[str, Seen] = {}
        self.placed: list[str] = []
        self.stopped: list[str] = []
        self.forgotten: list[str] = []
        self.fail: list[Exception] = []
        self.silent = False
        self.carries = True
        self.carried: list[tuple[str, str]] = []

    def place(self, launch: Launch) -> None:
        if self.fail:
            raise self.fail.pop(0)
        self.placed.append(launch.attempt)
        self.said[launch.attempt] = RUNNING

    def look(self, attempts: Collection[str]) -> Mapping[str, Seen]:
        if self.silent:
            raise SchedulerUnavailable("silent")
        return {one: self.said[one] for one in attempts if one in self.said}

    def stop(self, attempt: str) -> None:
        self.stopped.append(attempt)
        self.said.pop(attempt, None)

    def forget(self, attempt: str) -> None:
        self.forgotten.append(attempt)

    def prove(self, attempt: str, proof: Proof) -> str:
        if proof != HERE:
            raise NotAllowed("elsewhere")
        return "n1"

    def shape(self, launch: Launch) -> Hashable | None:
        return launch.plan.get("shape")

    def carry(self, done: str, launch: Launch, proof: Proof) -> Carried | None:
        if proof != HERE:
            raise NotAllowed("elsewhere")
        if self.fail:
            raise self.fail.pop(0)
        if not self.carries:
            return None
        self.carried.append((done, launch.attempt))
        self.said[launch.attempt] = RUNNING
        return Carried("n1", done)

    def pause(self) -> None:
        time.sleep(0.005)

    def everything(self) -> Collection[str]:
        return list(self.said)


class Room:
    """A backend of words over real rows."""

    def __init__(self, folder: Path) -> None:
        self.engine = open_database(f"sqlite:///{folder}/rows.db")
        Base.metadata.create_all(self.engine)
        self.words = Words()
        self.pledges = Pledges(self.engine)
        self.reports: list[Report] = []
        self.ended = threading.Event()
        self.remote = self.another()

    def another(self) -> Remote:
        """Return what a dispatcher that was started again has."""
        remote = Remote(self.words, self.pledges, Path("/nowhere"), stuck_seconds=1)
        remote.sweep()
        return remote

    def launch(self, attempt: str = "a" * 32, spec: bytes = b"{}", order: dict[str, Any] | None = None) -> Launch:
        words = dict.fromkeys(("client", "body_digest", "run", "project", "person", "name"), "x")
        numbers = {"policy_version": 1, "attempts": 1, "seq": 1}
        task = Task(id=attempt, state="INITIALIZING", idempotency_key=attempt, coarse=True, created=now())
        for name, value in {**words, **numbers, "request": {}, "plan": {}}.items():
            setattr(task, name, value)
        row = Attempt(id=attempt, task=attempt, number=1, decision="d", project="p", backend="words")
        row.launch = {"spec": spec.decode(), "order": order or {}}
        row.started = now()
        with transaction(self.engine) as session:
            session.add(task)
            session.flush()
            session.add(row)
        return Launch(attempt, spec, order or {}, {"cores": 1})

    def tell(self) -> Tell:
        def ended(said: Report) -> None:
            self.reports.append(said)
            self.ended.set()

        return Tell(started=lambda: None, ended=ended)

    def submitted(self) -> str:
        launch = self.launch()
        self.remote.submit(launch, self.tell())
        until(lambda: self.words.placed == [launch.attempt])
        return launch.attempt

    def claimed(self, attempt: str) -> AttemptKey:
        self.remote.begin(attempt, HERE)
        own = AttemptKey()
        claim = {"spec_sha256": spec_digest(self.remote._known(attempt).launch.spec), "public_key": "x"}
        self.remote.claim(attempt, {**claim, "signing_key": base64.b64encode(own.public_key).decode()})
        return own


def until(happened: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.005)

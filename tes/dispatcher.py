"""Hands queued tasks to the backend and has written down what becomes of them: a process of its own."""

import json
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
import structlog
from sqlalchemy import orm

from archive import bodies
from sandbox import images, scratch_gocryptfs
from strongroom.bells import Bell, ring
from strongroom.database import reading, transaction
from strongroom.errors import StrongroomError
from strongroom.settings import Settings
from tes import body_door, chronicle
from tes.backends import Backend, Launch, Tell
from tes.chronicle import News
from tes.launch import Keys
from tes.node import Node, Size
from tes.preparation import Preparation, Prepared
from tes.reports import UNLIKE, Report, report
from tes.store import Attempt, Task
from tes.tasks import AGAIN, Cause, TaskState

MOST_AT_ONCE = 64
FEW = 4  # plans that are read before it is known whether they fit
# A task that ends sooner is written down once, as one that ran and ended. On a cluster nobody looks that closely.
RUNNING_AFTER, RUNNING_AFTER_FAR = 0.1, 0.5  # seconds
# A cluster takes longer than this to start anything, and what comes meanwhile is written down together.
GATHERED = 0.06  # seconds
# The database, or its disk, is away for a while: no news are to blame.
NOBODYS = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError, OSError)
log = structlog.get_logger()
_TASKS = Task.metadata.tables["tasks"]
# Made once: they are asked at every ring.
_STOPPING = sa.select(_TASKS.c.id).where(_TASKS.c.state == TaskState.CANCELING.value)
_WAITING = (
    sa.select(_TASKS.c.id, _TASKS.c.run, _TASKS.c.plan)
    .where(_TASKS.c.state == TaskState.QUEUED.value)
    .order_by(_TASKS.c.number)
    .limit(MOST_AT_ONCE)
    .execution_options(yield_per=FEW)
)


@dataclass(frozen=True)
class Ending:
    """How an attempt ended, and whether that is written down."""

    said: Report
    written: threading.Event = field(default_factory=threading.Event)


class Dispatcher:
    """The living part: what runs now, and on what; backends tell it from their threads, and `run` alone writes."""

    def __init__(self, settings: Settings, engine: sa.Engine, backend: Backend) -> None:
        self.settings = settings
        self.engine = engine
        self.backend = backend
        self.node = Node.of(settings, elsewhere=backend.keeps)
        asked = _asked_at(settings, backend)
        self.keys = Keys(
            _broker_socket(settings, backend),
            bodies.broker_public_key(settings),
            store=None if settings.objects.store == "folder" else asked,
            outside=asked,
        )
        self._bell = settings.sockets / "dispatcher.bell"
        self._running_after = RUNNING_AFTER_FAR if backend.keeps else RUNNING_AFTER
        self._running: dict[str, str] = {}  # task -> attempt
        # What backends told and is not written down yet: since when walls are up, by task; ends, by attempt.
        self._up: dict[str, float] = {}
        self._over: dict[str, Ending] = {}

    def recover(self) -> None:
        """Take up, or end, the attempts of an earlier life; a task whose attempt is lost gets another one."""
        if self.settings.tes.scratch_disk_gb:
            self.settings.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Whatever the driver is now; fscrypt's disks never have a name, so of them nothing can be left.
            scratch_gocryptfs.sweep(self.settings.scratch)
        with reading(self.engine) as session:
            left = list(session.scalars(sa.select(Attempt).where(Attempt.ended.is_(None))))
        for row in left:
            if row.backend == self.backend.name and row.launch is not None:
                self._resume(row)
            else:
                self._over[row.id] = Ending(report(Cause.LOST, "The node was restarted."))
        self.backend.sweep()

    def run(self) -> None:
        """Work for ever: start what fits, cancel what shall stop; a ring or a second wakes us."""
        with Bell(self._bell) as bell:
            while True:
                try:
                    while self._turn():
                        bell.quiet()
                except Exception:  # what was not written down is still known
                    log.exception("dispatcher.failure")
                    time.sleep(1)
                self._rest(bell)

    def _rest(self, bell: Bell) -> None:
        end = time.monotonic() + 1
        while time.monotonic() < end and not self._long_up():
            if bell.wait(self._running_after if self._running else 1):
                if self.backend.keeps:
                    time.sleep(GATHERED)
                break
        bell.quiet()

    def _turn(self) -> bool:
        """Look once, and write all news in one transaction; say whether more tasks may wait than were looked at."""
        over, up = self._over.copy(), self._long_up()
        with reading(self.engine) as session:
            stopping = session.connection().execute(_STOPPING).scalars().all()
            prepared, refused = self._prepare(session)
        dead = [task for task in stopping if not self._stop(task)]
        news = News({attempt: one.said for attempt, one in over.items()}, up, prepared, refused, dead)
        try:
            begun = self._write(news)
        except NOBODYS:
            raise
        except Exception:
            if not over:
                raise
            log.exception("dispatcher.failure")
            self._write_alone(over)
            return True
        for attempt in over:
            self._is_written(attempt)
        for task in up:
            self._up.pop(task, None)
        for one in prepared:
            if one.launch.attempt in begun:
                self._submit(one)
            else:
                self.node.give_back(*one.size, one.uid)
        if over or refused or dead:
            ring(self.settings.sockets / "tasks.bell")
        again = any(said["cause"] in AGAIN for said in news.over.values())
        return again or len(prepared) + len(refused) == MOST_AT_ONCE

    def _write(self, news: News) -> Collection[str]:
        if not news:
            return ()
        try:
            with transaction(self.engine) as session:
                return chronicle.write(session, news, self.backend, attempts=self.settings.tes.attempts)
        except BaseException:
            self._give_back(news.prepared)
            raise

    def _write_alone(self, over: Mapping[str, Ending]) -> None:
        """Write each end down by itself, so that one that cannot be written keeps no other waiting (T22)."""
        for attempt, ending in over.items():
            for said in (ending.said, report(Cause.SYSTEM, UNLIKE)):
                try:
                    self._write(News({attempt: said}, (), (), {}, ()))
                    break
                except NOBODYS:
                    raise
                except Exception:
                    log.exception("end.refused", attempt=attempt, alarm=True)
            # Of what cannot be written at all the next life says that it was lost.
            self._is_written(attempt)
        ring(self.settings.sockets / "tasks.bell")

    def _is_written(self, attempt: str) -> None:
        self._over.pop(attempt).written.set()

    def _prepare(self, session: orm.Session) -> tuple[list[Prepared], dict[str, str]]:
        """Return the attempts that fit on the node now, which are set aside for, and why others cannot be."""
        prepared, refused = list[Prepared](), dict[str, str]()
        if self.node.is_full():
            return prepared, refused
        preparation = Preparation(session, self.settings, self.keys)
        try:
            for row in session.connection().execute(_WAITING):
                size = Size.of(row.plan)
                uid = self.node.take(*size)
                if uid is None:
                    break  # in order: a large task is not passed by small ones for ever
                try:
                    prepared.append(preparation.of(row.id, row.run, row.plan, uid=uid))
                except (StrongroomError, images.ImageError) as error:
                    log.error("task.refused", task=row.id, detail=str(error))
                    refused[row.id] = getattr(error, "sentence", "Its image is not here as it was imported.")
                    self.node.give_back(*size, uid)
        except BaseException:  # they wait on; what was set aside for them must not be lost to others
            self._give_back(prepared)
            raise
        return prepared, refused

    def _give_back(self, prepared: Sequence[Prepared]) -> None:
        for one in prepared:
            self.node.give_back(*one.size, one.uid)

    def _submit(self, one: Prepared) -> None:
        tell = self._tell(one.task, one.launch, uid=one.uid)
        try:
            self.backend.submit(one.launch, tell)
        except Exception:
            log.exception("attempt.not_submitted", attempt=one.launch.attempt)
            threading.Thread(target=tell.ended, args=(report(Cause.LOST, "It could not be started."),)).start()

    def _resume(self, row: Attempt) -> None:
        assert row.launch is not None
        launch = Launch(row.id, row.launch["spec"].encode(), row.launch["order"], row.launch["plan"])
        uid, size = json.loads(launch.spec)["uid"], Size.of(launch.plan)
        self.node.hold(*size, uid)
        self.backend.resume(launch, self._tell(row.task, launch, uid=uid))

    def _tell(self, task: str, launch: Launch, *, uid: int) -> Tell:
        self._running[task] = launch.attempt
        size = Size.of(launch.plan)

        def started() -> None:
            self._up[task] = time.monotonic()

        def ended(said: Report) -> None:
            self._up.pop(task, None)
            ending = self._over[launch.attempt] = Ending(said)
            self._running.pop(task, None)
            self.node.give_back(*size, uid)
            ring(self._bell)
            ending.written.wait()  # who tells us may forget it then, and we may be killed before

        return Tell(started=started, ended=ended)

    def _long_up(self) -> list[str]:
        moment = time.monotonic()
        return [task for task, since in self._up.copy().items() if moment - since >= self._running_after]

    def _stop(self, task: str) -> bool:
        """Have the attempt of this task killed; say whether there is any."""
        attempt = self._running.get(task)
        if attempt is None:
            return False
        self.backend.cancel(attempt)
        return True


def _broker_socket(settings: Settings, backend: Backend) -> Path:
    """Return where an attempt asks for its keys: on a node of SLURM its agent carries the words to the broker."""
    return (settings.slurm.agent if backend.name == "slurm" else settings.sockets) / "broker.sock"


def _asked_at(settings: Settings, backend: Backend) -> Path:
    """Return where an attempt asks for URLs: of its node's agent on SLURM, else of the dispatcher."""
    return settings.slurm.agent / "broker.sock" if backend.name == "slurm" else settings.sockets / body_door.NAME

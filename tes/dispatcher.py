"""Hands queued tasks to the backend and writes down what becomes of them: a process of its own."""

import json
import select
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import orm

from archive import bodies, decisions
from sandbox import images, scratch_gocryptfs
from sandbox.spec import spec_digest
from strongroom import audit
from strongroom.audit import Entry, Event
from strongroom.bells import Bell, ring
from strongroom.database import now, reading, transaction
from strongroom.errors import NotAllowed, StrongroomError
from strongroom.folders import folder_digest
from strongroom.settings import Settings
from tes.admission import images_of
from tes.backends import Backend, Launch, Tell
from tes.launch import Image, Keys, Place, task_spec
from tes.node import Node
from tes.reports import Report, report
from tes.resolution import resolved
from tes.store import Attempt, Task, find, move, record_outputs
from tes.tasks import AGAIN, TERMINAL, Cause, TaskState, outcome

ACTOR = "tes.dispatcher"
MOST_AT_ONCE = 64
log = structlog.get_logger()
_TASKS = Task.metadata.tables["tasks"]
# Made once: they are asked at every ring.
_STOPPING = sa.select(_TASKS.c.id).where(_TASKS.c.state == TaskState.CANCELING.value)
_WAITING = (
    sa.select(_TASKS.c.id, _TASKS.c.run, _TASKS.c.plan)
    .where(_TASKS.c.state == TaskState.QUEUED.value)
    .order_by(_TASKS.c.number)
    .limit(MOST_AT_ONCE)
)


class Dispatcher:
    """The living part: what runs now, and on what."""

    def __init__(self, settings: Settings, engine: sa.Engine, backend: Backend) -> None:
        self.settings = settings
        self.engine = engine
        self.backend = backend
        self.node = Node.of(settings, elsewhere=backend.keeps)
        self.keys = Keys(_broker_socket(settings, backend), bodies.broker_public_key(settings))
        self._bell = settings.sockets / "dispatcher.bell"
        self._running: dict[str, str] = {}  # task -> attempt
        self._records: dict[str, images.ImageRecord] = {}  # by digest of the image

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
                self._ended(row.id, report(Cause.LOST, "The node was restarted."))
        self.backend.sweep()

    def run(self) -> None:
        """Work for ever: start what fits, cancel what shall stop; a ring or a second wakes us."""
        bell = Bell(self._bell)
        while True:
            try:
                self._look()
            except Exception:
                log.exception("dispatcher.failure")
            select.select([bell], [], [], 1.0)
            bell.quiet()

    def _look(self) -> None:
        with reading(self.engine) as session:
            stopping = session.connection().execute(_STOPPING).scalars().all()
            waiting = session.connection().execute(_WAITING).all()
        for task in stopping:
            self._cancel(task)
        for row in waiting:
            size = _need(row.plan)
            uid = self.node.take(*size)
            if uid is None:
                return  # in order: a large task is not passed by small ones for ever
            try:
                self._start(row.id, row.run, row.plan, uid=uid)
            except (StrongroomError, images.ImageError) as error:
                self.node.give_back(*size, uid)
                log.error("task.refused", task=row.id, detail=str(error))
                self._refuse(
                    row.id, error.sentence if isinstance(error, StrongroomError) else "Its image is not here."
                )
            except Exception:  # it waits on; what was set aside for it must not be lost to others
                self.node.give_back(*size, uid)
                raise

    def _start(self, task: str, run: str, plan: dict[str, Any], *, uid: int) -> None:
        attempt = uuid.uuid4().hex
        with reading(self.engine) as session:
            decision = decisions.open_decision(session, run)
            sensitivity = decisions.sensitivity(session, decision)
            plan = {**plan, "inputs": resolved(session, plan["inputs"], decision)}
            objects = [i["object"] for i in plan["inputs"] if "object" in i]
            facts = bodies.facts_of(session, objects, self.settings)
        place = Place(
            uid=uid,
            sensitivity=sensitivity,
            images={image: self._image(image) for image in images_of(plan)},
            code={"/run/workflow": self._workflow(decision.workflow_digest)},
        )
        spec = task_spec(plan, attempt=attempt, facts=facts, place=place, keys=self.keys, settings=self.settings)
        order = {
            "kind": "task",
            "decision": run,
            "project": decision.project,
            "person": decision.person,
            "objects": objects,
            "images": images_of(plan),
        }
        launch = Launch(attempt, spec, order, plan)
        with transaction(self.engine) as session:
            row = find(session, task)
            if row is None or row.state != TaskState.QUEUED.value:
                raise NotAllowed("This task does not wait any more.")
            moved = move(session, row, TaskState.INITIALIZING, actor=ACTOR)
            row.attempts += 1
            session.add(
                Attempt(
                    id=attempt,
                    task=task,
                    number=row.attempts,
                    decision=row.run,
                    project=row.project,
                    backend=self.backend.name,
                    spec_sha256=spec_digest(spec),
                    started=now(),
                    launch=_kept(launch) if self.backend.keeps else None,
                )
            )
            facts_of_start = {"task": task, "number": row.attempts, "spec_sha256": spec_digest(spec)}
            audit.append(session, moved, Entry(Event.ATTEMPT_STARTED, ACTOR, attempt, row.project, facts_of_start))
        self.backend.submit(launch, self._tell(task, launch, uid=uid))

    def _resume(self, row: Attempt) -> None:
        assert row.launch is not None
        launch = Launch(row.id, row.launch["spec"].encode(), row.launch["order"], row.launch["plan"])
        uid = json.loads(launch.spec)["uid"]
        self.node.hold(*_need(launch.plan), uid)
        self.backend.resume(launch, self._tell(row.task, launch, uid=uid))

    def _tell(self, task: str, launch: Launch, *, uid: int) -> Tell:
        self._running[task] = launch.attempt
        size = (*_need(launch.plan), uid)

        def ended(said: Report) -> None:
            self.node.give_back(*size)
            self._running.pop(task, None)
            self._write_down(launch.attempt, said)

        return Tell(started=lambda: self._started(task), ended=ended)

    def _workflow(self, digest: str) -> Any:
        folder = self.settings.home / "catalogue" / "content" / digest.removeprefix("sha256:")
        if folder_digest(folder) != digest:  # T23: verified at each use
            raise NotAllowed("The workflow's stored files are not the ones that were signed.")
        return folder

    def _image(self, digest: str) -> Image:
        store = self.settings.images_folder
        if digest not in self._records:
            self._records[digest] = images.read_image(store, digest)
        return Image(images.open_image(store, digest), self._records[digest])

    def _started(self, task: str) -> None:
        with transaction(self.engine) as session:
            row = find(session, task)
            if row is None or row.state != TaskState.INITIALIZING.value:
                return
            # No ring: who waits for changes acts on ends only, and sees the rest within a second.
            audit.append(session, move(session, row, TaskState.RUNNING, actor=ACTOR))

    def _write_down(self, attempt: str, said: Report) -> None:
        """Record the end of an attempt, however often the database fails: nobody else will tell it again."""
        while True:
            try:
                return self._ended(attempt, said)
            except sa.exc.DBAPIError:
                log.exception("attempt.not_written", attempt=attempt)
                time.sleep(1)

    def _ended(self, attempt: str, said: Report) -> None:
        with transaction(self.engine) as session:
            row = session.get(Attempt, attempt)
            if row is None or row.ended is not None:
                return
            task = find(session, row.task)
            assert task is not None
            row.ended, row.report = now(), said
            entries = list(self._settle(session, task, row, said))
            audit.append(session, *entries)
        ring(self.settings.sockets / "tasks.bell")
        ring(self._bell)

    def _settle(self, session: orm.Session, task: Task, attempt: Attempt, said: Report) -> Iterator[Entry]:
        cause = Cause(said["cause"])
        facts = {
            "task": task.id,
            "cause": cause.value,
            "exit_code": said.get("exit_code"),
            "outputs": sorted(output["object"] for output in said.get("outputs", [])),
        }
        yield Entry(Event.ATTEMPT_ENDED, ACTOR, attempt.id, task.project, facts)
        again = task.attempts < self.settings.tes.attempts
        states = after(TaskState(task.state), cause, said.get("exit_code"), again=again)
        if TaskState.COMPLETE in states:
            record_outputs(session, task, said)
        yield from _moves(session, task, states)

    def _cancel(self, task: str) -> None:
        attempt = self._running.get(task)
        if attempt is not None:
            self.backend.cancel(attempt)
            return
        with transaction(self.engine) as session:
            row = find(session, task)
            if row is not None and row.state == TaskState.CANCELING.value:
                audit.append(session, move(session, row, TaskState.CANCELED, actor=ACTOR))
        ring(self.settings.sockets / "tasks.bell")

    def _refuse(self, task: str, reason: str) -> None:
        with transaction(self.engine) as session:
            row = find(session, task)
            if row is None or row.state != TaskState.QUEUED.value:
                return
            row.attempts += 1
            session.add(
                Attempt(
                    id=uuid.uuid4().hex,
                    task=task,
                    number=row.attempts,
                    decision=row.run,
                    project=row.project,
                    backend=self.backend.name,
                    started=now(),
                    ended=now(),
                    report=report(Cause.SYSTEM, reason),
                )
            )
            audit.append(session, move(session, row, TaskState.SYSTEM_ERROR, actor=ACTOR))
        ring(self.settings.sockets / "tasks.bell")


def _broker_socket(settings: Settings, backend: Backend) -> Path:
    """Return where an attempt asks for its keys: on a node of SLURM its agent carries the words to the broker."""
    return (settings.slurm.agent if backend.name == "slurm" else settings.sockets) / "broker.sock"


def _kept(launch: Launch) -> dict[str, Any]:
    return {"spec": launch.spec.decode(), "order": launch.order, "plan": launch.plan}


def _need(plan: dict[str, Any]) -> tuple[float, int, int]:
    """Return cores, bytes of memory and bytes of encrypted disk."""
    on_disk = plan.get("scratch_on_disk", False)
    return plan["cores"], plan["memory"] + (0 if on_disk else plan["scratch"]), plan["scratch"] if on_disk else 0


def after(state: TaskState, cause: Cause, exit_code: int | None, *, again: bool) -> Sequence[TaskState]:
    """Return the moves of a task in `state` whose attempt ended with `cause` (pure)."""
    if state in TERMINAL or state is TaskState.QUEUED:
        return ()
    if state is TaskState.CANCELING:
        return (TaskState.CANCELED,)
    if cause in AGAIN and again:
        return (TaskState.QUEUED,)
    end = outcome(cause, exit_code)
    if end is TaskState.CANCELED:
        return (TaskState.CANCELING, TaskState.CANCELED)
    if state is TaskState.INITIALIZING and end is not TaskState.SYSTEM_ERROR:
        return (TaskState.RUNNING, end)
    return (end,)


def _moves(session: orm.Session, task: Task, states: Sequence[TaskState]) -> Iterator[Entry]:
    for state in states:
        yield move(session, task, state, actor=ACTOR)

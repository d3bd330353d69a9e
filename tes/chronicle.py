"""Writes down the news of tasks: what begins, runs, ends, is refused or canceled, in the caller's transaction."""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import orm

from archive import bodies
from strongroom import audit
from strongroom.audit import Entry, Event
from strongroom.database import now, plainly
from tes.backends import Backend, Launch
from tes.preparation import Prepared
from tes.reports import UNLIKE, Report, report
from tes.store import Moving, Task, move, record_outputs
from tes.tasks import Cause, TaskState, after

ACTOR = "tes.dispatcher"
log = structlog.get_logger()
# Made once, and plain: each task comes by here twice, and the ORM would cost it several times as much.
_TASKS, _ATTEMPTS = (Task.metadata.tables[name] for name in ("tasks", "attempts"))
_IDS: sa.BindParameter[str] = sa.bindparam("ids", expanding=True)
_NAMED = sa.select(*(_TASKS.c[one.name] for one in fields(Moving))).where(_TASKS.c.id.in_(_IDS))
_MOVE = sa.update(_TASKS).where(_TASKS.c.number == sa.bindparam("of"))
_ENDING = sa.select(_ATTEMPTS.c.id, _ATTEMPTS.c.task).where(_ATTEMPTS.c.id.in_(_IDS), _ATTEMPTS.c.ended.is_(None))
_BEGIN = sa.insert(_ATTEMPTS)
_END = sa.update(_ATTEMPTS).where(_ATTEMPTS.c.id == sa.bindparam("of"))


@dataclass(frozen=True)
class News:
    """What happened since the dispatcher wrote last."""

    over: Mapping[str, Report]  # how attempts ended, by their ids
    up: Collection[str]  # tasks whose walls are up
    prepared: Sequence[Prepared]  # attempts that can be started
    refused: Mapping[str, str]  # why no attempt at a task can be started, by the task's id
    dead: Collection[str]  # tasks to cancel of which no process lives

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return bool(self.over or self.up or self.prepared or self.refused or self.dead)


def write(session: orm.Session, news: News, backend: Backend, *, attempts: int) -> frozenset[str]:
    """Record all `news` and return the attempts that are to be started; a task gets up to `attempts` of them.

    Of what is news no more nothing is written: an attempt that ended before, a task that waits no more.
    """
    ended = dict(map(tuple, plainly(session, _ENDING, {"ids": list(news.over)}))) if news.over else {}
    ids = {*ended.values(), *(one.task for one in news.prepared)}
    tasks = _Tasks(session, ids.union(news.up, news.refused, news.dead))
    entries = [
        *_ends(session, tasks, ended, news.over, attempts=attempts),
        *_moves(session, tasks.now_in(TaskState.INITIALIZING, news.up), TaskState.RUNNING),
        *_begins(session, tasks, news.prepared, backend),
        *_refusals(session, tasks, news.refused, backend),
        *_moves(session, tasks.now_in(TaskState.CANCELING, news.dead), TaskState.CANCELED),
    ]
    tasks.write(session)
    audit.append(session, *entries)
    return frozenset(entry.subject for entry in entries if entry.event is Event.ATTEMPT_STARTED)


class _Tasks(dict[str, Moving]):
    """The tasks that the news are about."""

    def __init__(self, session: orm.Session, ids: Collection[str]) -> None:
        super().__init__((row.id, Moving(**row)) for row in plainly(session, _NAMED, {"ids": list(ids)}).mappings())
        self._seen = {task.id: task.seq for task in self.values()}

    def write(self, session: orm.Session) -> None:
        """Write down all that moved."""
        moved = [task for task in self.values() if task.seq != self._seen[task.id]]
        if moved:
            plainly(session, _MOVE, [{"of": task.number, **task.changed()} for task in moved])

    def now_in(self, state: TaskState, wanted: Collection[str]) -> list[Moving]:
        """Return those of the wanted tasks that are in `state` now."""
        return [self[one] for one in wanted if one in self and self[one].state == state.value]


def _ends(
    session: orm.Session, tasks: _Tasks, ended: Mapping[str, str], reports: Mapping[str, Report], *, attempts: int
) -> Iterator[Entry]:
    reports = _own_only(session, {one: reports[one] for one in ended})
    if ended:
        plainly(session, _END, [{"of": one, "ended": now(), "report": said} for one, said in reports.items()])
    for one, said in reports.items():
        task, cause = tasks[ended[one]], Cause(said["cause"])
        facts = {
            "task": task.id,
            "cause": cause.value,
            "exit_code": said.get("exit_code"),
            "outputs": sorted(output["object"] for output in said.get("outputs", [])),
        }
        yield Entry(Event.ATTEMPT_ENDED, ACTOR, one, task.project, facts)
        again = task.attempts < attempts
        states = after(TaskState(task.state), cause, said.get("exit_code"), again=again)
        if TaskState.COMPLETE in states:
            record_outputs(session, task.run, said)
        for state in states:
            yield move(session, task, state, actor=ACTOR)


def _own_only(session: orm.Session, reports: Mapping[str, Report]) -> Mapping[str, Report]:
    """Return the reports, with a failure in place of each that names an object which another attempt left (T19, T22).

    The broker signed what an attempt left before its result was told.
    """
    named = [output["object"] for said in reports.values() for output in said.get("outputs", ())]
    by = bodies.attempts_of(session, named) if named else {}
    foreign = {
        attempt
        for attempt, said in reports.items()
        if any(by.get(o["object"]) != attempt for o in said.get("outputs", ()))
    }
    for attempt in foreign:
        log.error("result.foreign", attempt=attempt, alarm=True)
    return {one: report(Cause.SYSTEM, UNLIKE) if one in foreign else said for one, said in reports.items()}


def _moves(session: orm.Session, tasks: Collection[Moving], to: TaskState) -> Iterator[Entry]:
    for task in tasks:
        yield move(session, task, to, actor=ACTOR)


def _begins(session: orm.Session, tasks: _Tasks, prepared: Sequence[Prepared], backend: Backend) -> Iterator[Entry]:
    ready = {one.task: one for one in prepared}
    rows = list[dict[str, Any]]()
    for task in tasks.now_in(TaskState.QUEUED, ready):
        one = ready[task.id]
        yield move(session, task, TaskState.INITIALIZING, actor=ACTOR)
        kept = {"launch": _kept(one.launch)} if backend.keeps else {}
        row = {**_attempt(task, one.launch.attempt, backend), "spec_sha256": one.spec_sha256, **kept}
        rows.append(row)
        facts = {"task": task.id, "number": row["number"], "spec_sha256": one.spec_sha256}
        yield Entry(Event.ATTEMPT_STARTED, ACTOR, row["id"], task.project, facts)
    if rows:
        plainly(session, _BEGIN, rows)


def _refusals(session: orm.Session, tasks: _Tasks, reasons: Mapping[str, str], backend: Backend) -> Iterator[Entry]:
    for task in tasks.now_in(TaskState.QUEUED, reasons):
        row = _attempt(task, uuid.uuid4().hex, backend)
        plainly(session, _BEGIN, {**row, "ended": now(), "report": report(Cause.SYSTEM, reasons[task.id])})
        yield move(session, task, TaskState.SYSTEM_ERROR, actor=ACTOR)


def _attempt(task: Moving, identifier: str, backend: Backend) -> dict[str, Any]:
    task.attempts += 1
    return {
        "id": identifier,
        "task": task.id,
        "number": task.attempts,
        "decision": task.run,
        "project": task.project,
        "backend": backend.name,
        "started": now(),
    }


def _kept(launch: Launch) -> dict[str, Any]:
    return {"spec": launch.spec.decode(), "order": launch.order, "plan": launch.plan}

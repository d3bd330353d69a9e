"""Remembers tasks and their attempts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.sql.base import ExecutableOption

from sandbox.fields import WORK
from strongroom.audit import Entry, Event
from strongroom.database import Base, Json, UtcTime, letters, now, plainly
from strongroom.states import step
from tes.tasks import STEPS, TERMINAL, TaskState

AT_ONCE = 500


class Task(Base):
    """One job of a run; `seq` grows with every move, so that watchers ask for what is new."""

    __tablename__ = "tasks"
    __table_args__ = (
        sa.UniqueConstraint("client", "idempotency_key"),
        sa.Index("ix_tasks_run_seq", "run", "seq"),
        sa.Index("ix_tasks_person_number", "person", "number"),
        sa.Index("ix_tasks_person_state_number", "person", "state", "number"),
        sa.Index("ix_tasks_person_name_number", "person", "name", "number"),
        sa.Index("ix_tasks_state_number", "state", "number"),
        sa.Index("ix_tasks_name_number", "name", "number"),
    )

    number: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    id: orm.Mapped[str] = orm.mapped_column(sa.String(32), unique=True)
    seq: orm.Mapped[int] = orm.mapped_column(index=True)
    state: orm.Mapped[str] = orm.mapped_column(sa.String(20))
    client: orm.Mapped[str] = orm.mapped_column(sa.String(100))
    idempotency_key: orm.Mapped[str] = orm.mapped_column(sa.String(100))
    body_digest: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    run: orm.Mapped[str] = orm.mapped_column(sa.String(32))  # also its decision
    project: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    coarse: orm.Mapped[bool]
    name: orm.Mapped[str] = orm.mapped_column(letters(200))
    request: orm.Mapped[dict[str, Any]] = orm.mapped_column(Json)
    plan: orm.Mapped[dict[str, Any]] = orm.mapped_column(Json)
    policy_version: orm.Mapped[int]
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    started: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    ended: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    attempts: orm.Mapped[int]


class TaskTag(Base):
    """One tag of a task, by the task's number: a list that asks for it walks an index in the list's own order."""

    __tablename__ = "task_tags"
    __table_args__ = (
        sa.Index("ix_task_tags_person_key_value_number", "person", "key", "value", "number"),
        sa.Index("ix_task_tags_person_key_number", "person", "key", "number"),
    )

    number: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("tasks.number"), primary_key=True)
    key: orm.Mapped[str] = orm.mapped_column(sa.String(255), primary_key=True)
    value: orm.Mapped[str] = orm.mapped_column(sa.String(1000))
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200))


class TaskOutput(Base):
    """A file that a task of a run left when it was COMPLETE, by its path in the run; of one path the last counts."""

    __tablename__ = "task_outputs"
    __table_args__ = (sa.Index("ix_task_outputs_run_path", "run", "path"),)

    number: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    run: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    path: orm.Mapped[str] = orm.mapped_column(letters(1100))
    object: orm.Mapped[str] = orm.mapped_column(sa.String(32))


class Attempt(Base):
    """One try at a task; what its sandbox reported stands in `report`."""

    __tablename__ = "attempts"
    __table_args__ = (sa.UniqueConstraint("task", "number"),)

    id: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    task: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("tasks.id"))
    number: orm.Mapped[int]
    decision: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    project: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    backend: orm.Mapped[str] = orm.mapped_column(sa.String(20))
    spec_sha256: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    started: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    ended: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime, index=True)
    report: orm.Mapped[dict[str, Any] | None] = orm.mapped_column(Json)
    # Of attempts that outlive the dispatcher: what they were started with, who took them, and what they claimed with.
    launch: orm.Mapped[dict[str, Any] | None] = orm.mapped_column(Json)
    begun: orm.Mapped[dict[str, Any] | None] = orm.mapped_column(Json)
    claim: orm.Mapped[dict[str, Any] | None] = orm.mapped_column(Json)


class FederatedTask(Base):
    """Whose a federated task is, and where its outputs go once released; `settled` when its run is closed (T29)."""

    __tablename__ = "federated_tasks"

    task: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("tasks.id"), primary_key=True)
    run: orm.Mapped[str] = orm.mapped_column(sa.String(32), unique=True)
    client: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    issuer: orm.Mapped[str] = orm.mapped_column(sa.String(300))
    profile: orm.Mapped[str] = orm.mapped_column(sa.String(150))
    digest: orm.Mapped[str] = orm.mapped_column(sa.String(80))
    datasets: orm.Mapped[list[str]] = orm.mapped_column(Json)
    deliveries: orm.Mapped[list[dict[str, str]]] = orm.mapped_column(Json)  # path below /run/work, url
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    settled: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime, index=True)
    trouble: orm.Mapped[str | None] = orm.mapped_column(sa.String(300))


# Made once: each move of a task asks for it.
_LAST_SEQ = sa.select(sa.func.max(Base.metadata.tables["tasks"].c.seq))
_ADD_OUTPUTS = sa.insert(Base.metadata.tables["task_outputs"])
_REPORTS = (
    sa.select(Attempt.task, Attempt.report)
    .where(Attempt.task.in_(sa.bindparam("tasks", expanding=True)))
    .order_by(Attempt.number)
)


@dataclass
class Moving:
    """What of a task its moves need, and what they change; no session holds it."""

    number: int
    id: str
    run: str
    project: str
    seq: int
    state: str
    started: datetime | None
    ended: datetime | None
    attempts: int

    def changed(self) -> dict[str, Any]:
        """Return the columns that moves change."""
        return {name: getattr(self, name) for name in ("seq", "state", "started", "ended", "attempts")}


def move(session: orm.Session, task: Task | Moving, to: TaskState, *, actor: str) -> Entry:
    """Move `task` if the table allows it; return the audit entry that the caller appends."""
    before = TaskState(task.state)
    after = step(STEPS, before, to)
    task.seq, task.state = next_seq(session), after.value
    if to is TaskState.INITIALIZING and task.started is None:
        task.started = now()
    if to in TERMINAL:
        task.ended = now()
    return Entry(
        Event.TASK_STATE, actor, task.id, task.project, {"from": before.value, "to": to.value, "run": task.run}
    )


def next_seq(session: orm.Session) -> int:
    """Return the next change number; the writing transaction is exclusive, so it is given once."""
    last = session.info.get(_LAST_SEQ) or session.connection().execute(_LAST_SEQ).scalar() or 0
    session.info[_LAST_SEQ] = last + 1  # a session is one transaction
    return int(last) + 1


def record_outputs(session: orm.Session, run: str, report: dict[str, Any]) -> None:
    """Remember what a COMPLETE task of a run left, for inputs of it that name it."""
    rows = [
        {"run": run, "path": one["path"].removeprefix(WORK).removeprefix("/"), "object": one["object"]}
        for one in report.get("outputs", [])
        if one.get("role", "output") == "output"
    ]
    if rows:
        plainly(session, _ADD_OUTPUTS, rows)


def find(session: orm.Session, task: str, *options: ExecutableOption) -> Task | None:
    """Return the task of this id."""
    return session.scalar(sa.select(Task).where(Task.id == task).options(*options))


def last_attempt(session: orm.Session, task: str) -> Attempt | None:
    """Return the newest attempt of a task."""
    return session.scalar(sa.select(Attempt).where(Attempt.task == task).order_by(Attempt.number.desc()).limit(1))


def attempts_of(session: orm.Session, tasks: Sequence[str]) -> dict[str, list[Attempt]]:
    """Return the attempts of each of these tasks, oldest first."""
    found: dict[str, list[Attempt]] = {task: [] for task in tasks}
    for first in range(0, len(tasks), AT_ONCE):
        of_some = Attempt.task.in_(tasks[first : first + AT_ONCE])
        for attempt in session.scalars(sa.select(Attempt).where(of_some).order_by(Attempt.number)):
            found[attempt.task].append(attempt)
    return found


def last_reports(session: orm.Session, tasks: Sequence[str]) -> dict[str, dict[str, Any] | None]:
    """Return what the newest attempt at each of these tasks reported, as far as there is one."""
    found: dict[str, dict[str, Any] | None] = {}
    for first in range(0, len(tasks), AT_ONCE):
        some = plainly(session, _REPORTS, {"tasks": list(tasks[first : first + AT_ONCE])})
        found.update((row.task, row.report) for row in some)  # the last one counts
    return found

"""Remembers runs, the files that each run owns, and the jobs that its engine asked for."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.audit import Entry, Event
from strongroom.database import Base, Json, UtcTime, now
from strongroom.states import step
from wes.runs import STEPS, TERMINAL, RunState


class Run(Base):
    """One execution of a vetted workflow version."""

    __tablename__ = "runs"

    number: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    id: orm.Mapped[str] = orm.mapped_column(sa.String(32), unique=True)
    state: orm.Mapped[str] = orm.mapped_column(sa.String(20), index=True)
    project: orm.Mapped[str] = orm.mapped_column(sa.String(64), index=True)
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200), index=True)
    coarse: orm.Mapped[bool]
    workflow: orm.Mapped[str] = orm.mapped_column(sa.String(100))
    version: orm.Mapped[str] = orm.mapped_column(sa.String(40))
    digest: orm.Mapped[str] = orm.mapped_column(sa.String(80))
    contract_schema: orm.Mapped[int]
    policy_version: orm.Mapped[int]
    request: orm.Mapped[dict[str, Any]] = orm.mapped_column(Json)
    config: orm.Mapped[dict[str, Any]] = orm.mapped_column(Json)
    datasets: orm.Mapped[list[str]] = orm.mapped_column(Json)
    reason: orm.Mapped[str | None] = orm.mapped_column(sa.String(300))
    planned_tasks: orm.Mapped[int | None]
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    started: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    ended: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    launches: orm.Mapped[int]
    lease_owner: orm.Mapped[str | None] = orm.mapped_column(sa.String(100))
    lease_until: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)


class RunFile(Base):
    """One file of a run as engine and tasks name it; what the engine sees of it is `stub_size` and `mtime_ns`."""

    __tablename__ = "run_files"

    run: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("runs.id"), primary_key=True)
    path: orm.Mapped[str] = orm.mapped_column(sa.String(500), primary_key=True)  # relative to /run/work
    object: orm.Mapped[str | None] = orm.mapped_column(sa.String(32))  # None: a touch() output, empty
    stub_size: orm.Mapped[int] = orm.mapped_column(sa.BigInteger)
    mtime_ns: orm.Mapped[int] = orm.mapped_column(sa.BigInteger)
    rule: orm.Mapped[str | None] = orm.mapped_column(sa.String(100))  # None: an input of the run
    task: orm.Mapped[str | None] = orm.mapped_column(sa.String(32))
    directory: orm.Mapped[str | None] = orm.mapped_column(sa.String(500))


class RunTask(Base):
    """One job that the engine asked for, and the TES task that it became."""

    __tablename__ = "run_tasks"
    __table_args__ = (sa.UniqueConstraint("run", "key", "repeat"), sa.UniqueConstraint("run", "rule", "index"))

    number: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    run: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("runs.id"))
    key: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    repeat: orm.Mapped[int]
    rule: orm.Mapped[str] = orm.mapped_column(sa.String(100))
    index: orm.Mapped[int]
    task: orm.Mapped[str] = orm.mapped_column(sa.String(32), unique=True)
    state: orm.Mapped[str] = orm.mapped_column(sa.String(20))
    exit_code: orm.Mapped[int | None]
    directories: orm.Mapped[list[str]] = orm.mapped_column(Json)
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    started: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    ended: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)

    @property
    def name(self) -> str:
        """The signed rule's name and an index: never a wildcard or a command (T4)."""
        return f"{self.rule}-{self.index}"


class RemoteJob(Base):
    """A job of a run whose task runs at another site, and the tickets by which its outputs come home."""

    __tablename__ = "remote_jobs"

    task: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)  # ours: the id that the engine knows
    run: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("runs.id"), index=True)
    key: orm.Mapped[str] = orm.mapped_column(sa.String(100))
    rule: orm.Mapped[str] = orm.mapped_column(sa.String(100))
    site: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    request: orm.Mapped[dict[str, Any]] = orm.mapped_column(Json)  # the TES task as the site gets it
    tickets: orm.Mapped[dict[str, str]] = orm.mapped_column(Json)  # path relative to /run/work: word
    theirs: orm.Mapped[str | None] = orm.mapped_column(sa.String(200))  # the site's own id of the task
    state: orm.Mapped[str] = orm.mapped_column(sa.String(20), index=True)
    canceled: orm.Mapped[bool]
    outputs: orm.Mapped[list[dict[str, Any]]] = orm.mapped_column(Json)
    trouble: orm.Mapped[str | None] = orm.mapped_column(sa.String(300))
    next_try: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    ended: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)


def find(session: orm.Session, run: str) -> Run | None:
    """Return the run of this id."""
    return session.scalar(sa.select(Run).where(Run.id == run))


def move(run: Run, to: RunState, *, actor: str, reason: str | None = None) -> Entry:
    """Move `run` if the table allows it; return the audit entry that the caller appends."""
    before = RunState(run.state)
    run.state = step(STEPS, before, to).value
    if to is RunState.RUNNING and run.started is None:
        run.started = now()
    if to in TERMINAL:
        run.ended, run.reason = now(), reason
        run.lease_owner = run.lease_until = None
    facts = {"from": before.value, "to": to.value} | ({"reason": reason} if reason else {})
    return Entry(Event.RUN_STATE, actor, run.id, run.project, facts)


def files_of(session: orm.Session, run: str) -> dict[str, RunFile]:
    """Return the files of a run by path relative to /run/work."""
    return {row.path: row for row in session.scalars(sa.select(RunFile).where(RunFile.run == run))}


def tasks_of(session: orm.Session, run: str) -> list[RunTask]:
    """Return the jobs of a run, oldest first."""
    return list(session.scalars(sa.select(RunTask).where(RunTask.run == run).order_by(RunTask.number)))

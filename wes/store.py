"""Remembers runs, the files that each run owns, and the jobs that its engine asked for."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.audit import Entry, Event
from strongroom.database import Base, Json, UtcTime, index_where, letters, now
from strongroom.states import step
from wes.quiet import told_at
from wes.runs import LIVE, STEPS, TERMINAL, RunState


class Run(Base):
    """One execution of a vetted workflow version."""

    __tablename__ = "runs"
    __table_args__ = (
        sa.Index("ix_runs_person_number", "person", "number"),
        sa.Index("ix_runs_person_state_number", "person", "state", "number"),
        sa.Index("ix_runs_person_name_number", "person", "name", "number"),
        sa.Index("ix_runs_person_workflow_number", "person", "workflow", "number"),
        sa.Index("ix_runs_person_created", "person", "created"),
        sa.Index("ix_runs_project_state", "project", "state"),
        sa.Index("ix_runs_project_turn", "project", "turn"),
        sa.Index("ix_runs_person_quiet_state", "person", "quiet", "state"),
        index_where("emptied IS NULL", "ix_runs_to_empty", "ended"),
        # Without these every submission would look at all runs that ever were.
        *(index_where("told IS NOT NULL", f"ix_runs_{whose}_told", whose, "told") for whose in ("project", "person")),
    )

    number: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    id: orm.Mapped[str] = orm.mapped_column(sa.String(32), unique=True)
    state: orm.Mapped[str] = orm.mapped_column(sa.String(20), index=True)
    project: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    name: orm.Mapped[str] = orm.mapped_column(letters(200))  # its tag `name`, else NAME/VERSION of its workflow
    tags: orm.Mapped[dict[str, str]] = orm.mapped_column(Json)
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
    data_dependent: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)  # since when its plan follows data
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    started: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    ended: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    quiet: orm.Mapped[bool] = orm.mapped_column(default=False)  # about few persons: how it ends is not told (T6)
    told: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime, index=True)  # when a quiet one's end is told
    closed: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)  # since when its key and files go (T12)
    emptied: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)  # when they were gone
    launches: orm.Mapped[int]
    resumed: orm.Mapped[int]  # how often its owner resumed it
    turn: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)  # when it last left the queue
    lease_owner: orm.Mapped[str | None] = orm.mapped_column(sa.String(100))
    lease_until: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)


class RunTag(Base):
    """One tag of a run, by the run's number: a list that asks for it walks an index in the list's own order."""

    __tablename__ = "run_tags"
    __table_args__ = (
        sa.Index("ix_run_tags_person_key_value_number", "person", "key", "value", "number"),
        sa.Index("ix_run_tags_person_key_number", "person", "key", "number"),
    )

    number: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("runs.number"), primary_key=True)
    key: orm.Mapped[str] = orm.mapped_column(sa.String(255), primary_key=True)
    value: orm.Mapped[str] = orm.mapped_column(sa.String(1000))
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200))


class RunFile(Base):
    """One file of a run as engine and tasks name it; what the engine sees of it is `stub_size` and `mtime_ns`."""

    __tablename__ = "run_files"
    __table_args__ = (sa.Index("ix_run_files_run_moment", "run", "mtime_ns"),)

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
    __table_args__ = (
        sa.UniqueConstraint("run", "key", "repeat"),
        sa.UniqueConstraint("run", "rule", "index"),
        sa.Index("ix_run_tasks_run_number", "run", "number"),
        sa.Index("ix_run_tasks_run_state", "run", "state"),
    )

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
    printed: orm.Mapped[dict[str, str]] = orm.mapped_column(Json, default=dict)  # by stream, what a COMPLETE one said
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


_RUN = sa.select(Run).where(Run.id == sa.bindparam("run"))  # made once: whoever waits for a run asks for it


def find(session: orm.Session, run: str) -> Run | None:
    """Return the run of this id."""
    return session.scalar(_RUN, {"run": run})


def move(run: Run, to: RunState, *, actor: str, reason: str | None = None) -> Entry:
    """Move `run` if the table allows it; return the audit entry that the caller appends."""
    before = RunState(run.state)
    run.state = step(STEPS, before, to).value
    if to is RunState.RUNNING and run.started is None:
        run.started = now()
    if to is RunState.QUEUED:
        run.ended = run.reason = None
    if to in TERMINAL:
        run.ended, run.reason = now(), reason
        run.told = told_at(run.started, run.ended) if run.quiet and run.started is not None else None
        run.lease_owner = run.lease_until = None
    facts = {"from": before.value, "to": to.value} | ({"reason": reason} if reason else {})
    return Entry(Event.RUN_STATE, actor, run.id, run.project, facts)


def files_of(session: orm.Session, run: str) -> dict[str, RunFile]:
    """Return the files of a run by path relative to /run/work."""
    return {row.path: row for row in session.scalars(sa.select(RunFile).where(RunFile.run == run))}


def tasks_of(session: orm.Session, run: str) -> list[RunTask]:
    """Return the jobs of a run, oldest first."""
    return list(session.scalars(sa.select(RunTask).where(RunTask.run == run).order_by(RunTask.number)))


# Made once. Of a project, then of a person: how many are live, and how many are open as far as is told (T6).
_OPEN = sa.select(
    *(
        sa.select(sa.func.count()).select_from(Run).where(whose, is_open).scalar_subquery()
        for whose in (Run.project == sa.bindparam("project"), Run.person == sa.bindparam("person"))
        for is_open in (Run.state.in_(LIVE), Run.told > sa.bindparam("moment", type_=UtcTime))
    )
)


def open_runs(session: orm.Session, *, project: str, person: str) -> tuple[int, int]:
    """Return how many runs of a project, and of a person, wait or work as far as is told."""
    asked = {"project": project, "person": person, "moment": now()}
    live_of_project, told_of_project, live_of_person, told_of_person = session.execute(_OPEN, asked).one()
    return live_of_project + told_of_project, live_of_person + told_of_person

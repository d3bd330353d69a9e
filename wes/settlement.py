"""Writes down what became of a run's jobs: rows first, then stubs, and only then may the engine hear of it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.database import now, transaction
from wes.rules import WORK, Held, Job
from wes.store import RunFile, RunTask
from wes.stubs import rounded, write_stub

TICK = 1_000_000  # the run's own clock: one millisecond a file, no matter when it was made (T4)
KNOWN_EXITS = frozenset({0, 1, 130, 137, 143})


def record(engine: sa.Engine, run: str, job: Job, *, task: str, repeat: int, index: int) -> RunTask:
    """Write down a job that became a task; a job that is known already is returned as it is."""
    with transaction(engine) as session:
        row = session.scalar(sa.select(RunTask).where(RunTask.task == task))
        if row is None:
            row = RunTask(
                run=run,
                key=job.key,
                repeat=repeat,
                rule=job.rule,
                index=index,
                task=task,
                state="QUEUED",
                directories=list(job.directories),
                created=now(),
            )
            session.add(row)
            for path in job.touches:
                session.merge(_file(session, run, path, object_id=None, size=0, row=row))
    return row


def note(engine: sa.Engine, row: RunTask, change: dict[str, Any]) -> None:
    """Write down that a job moved without ending."""
    with transaction(engine) as session:
        _copy(row, change)
        session.merge(row)


def settle(engine: sa.Engine, tree: int, row: RunTask, change: dict[str, Any]) -> dict[str, Held]:
    """Write down that a job ended, and show its files to the engine; return the files that the run now has."""
    with transaction(engine) as session:
        _copy(row, change)
        session.merge(row)
        files = [
            _file(session, row.run, _inside(output), object_id=output["object"], size=output["size"], row=row)
            for output in (change["outputs"] if change["state"] == "COMPLETE" else [])
        ]
        for n, file in enumerate(files):
            file.mtime_ns += n * TICK
            session.merge(file)
    show(tree, files)
    return {file.path: Held(file.object, is_input=False, directory=file.directory) for file in files}


def show(tree: int, files: Iterable[RunFile]) -> None:
    """Write the stubs of `files` into the engine's tree."""
    for file in files:
        if file.object is not None:
            write_stub(tree, file.path, size=file.stub_size, mtime_ns=file.mtime_ns)


def told_exit_code(state: str, exit_code: int | None) -> int | None:
    """Return the exit code that an engine may know: 0, 1, 130, 137 or 143 (T4)."""
    if state == "COMPLETE":
        return 0
    return exit_code if exit_code in KNOWN_EXITS and exit_code != 0 else 1


def _copy(row: RunTask, change: dict[str, Any]) -> None:
    row.state, row.exit_code = change["state"], change["exit_code"]
    row.started, row.ended = _moment(change["started"]), _moment(change["ended"])


def _moment(value: float | None) -> datetime | None:
    return datetime.fromtimestamp(value, tz=UTC) if value is not None else None


def _inside(output: dict[str, Any]) -> str:
    return str(output["path"]).removeprefix(WORK)


def _file(session: orm.Session, run: str, path: str, *, object_id: str | None, size: int, row: RunTask) -> RunFile:
    latest = session.scalar(sa.select(sa.func.max(RunFile.mtime_ns)).where(RunFile.run == run))
    born = int(row.created.timestamp()) * 1_000_000_000
    return RunFile(
        run=run,
        path=path,
        object=object_id,
        stub_size=rounded(size),
        mtime_ns=(latest or born) + TICK,
        rule=row.rule,
        task=row.task,
        directory=next((d for d in row.directories if path.startswith(d + "/")), None),
    )

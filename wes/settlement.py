"""Writes down what became of a run's jobs: rows first, then stubs, and only then may the engine hear of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from archive import decisions
from strongroom.audit import Entry, Event, append
from strongroom.database import now, plainly, transaction
from wes.glimpses import NONE, Glimpses, Left, text_of, within
from wes.rules import WORK, Held, Job
from wes.store import Run, RunFile, RunTask, files_of
from wes.stubs import make_directory, rounded, write_stub

NOTHING: Mapping[str, Left] = {}
ACTOR = "wes.gateway"
TICK = 1_000_000  # the run's own clock: one millisecond a file, no matter when it was made (T4)
NOBODY = ""  # the rule of an input that a task passes on: no contract names it, so it never leaves by that path
KNOWN_EXITS = frozenset({0, 1, 130, 137, 143})
# Made once, and plain: each job comes by here twice, and the ORM would read each row before it wrote it.
_JOBS, _FILES = (Run.metadata.tables[name] for name in ("run_tasks", "run_files"))
_KNOWN = sa.select(_JOBS.c.number).where(_JOBS.c.task == sa.bindparam("task"))
_ADD = sa.insert(_JOBS).returning(_JOBS.c.number)
_MOVE = sa.update(_JOBS).where(_JOBS.c.number == sa.bindparam("of"))
_LATEST = sa.select(sa.func.max(_FILES.c.mtime_ns)).where(_FILES.c.run == sa.bindparam("run"))
_REPLACE = sa.delete(_FILES).where(_FILES.c.run == sa.bindparam("of"), _FILES.c.path == sa.bindparam("at"))
_KEEP = sa.insert(_FILES)


def record(engine: sa.Engine, run: str, job: Job, *, task: str, repeat: int, index: int) -> RunTask:
    """Write down a job that became a task; a job that is known already is returned as it is."""
    with transaction(engine) as session:
        number = plainly(session, _KNOWN, {"task": task}).scalar_one_or_none()
        if number is not None:
            return session.get_one(RunTask, number)
        facts = {
            "run": run,
            "key": job.key,
            "repeat": repeat,
            "rule": job.rule,
            "index": index,
            "task": task,
            "state": "QUEUED",
            "directories": list(job.directories),
            "printed": {},
            "created": now(),
        }
        row = RunTask(**facts, number=plainly(session, _ADD, facts).scalar_one())
        if job.touches:
            first = _next_moment(session, row)
            touched = enumerate(job.touches)
            _keep(session, [_file(p, object_id=None, size=0, row=row, mtime_ns=first + n * TICK) for n, p in touched])
    return row


def note(engine: sa.Engine, rows: Collection[RunTask]) -> None:
    """Write down that jobs moved without ending."""
    with transaction(engine) as session:
        plainly(session, _MOVE, [_moved(row) for row in rows])


def settle(
    engine: sa.Engine, tree: int | None, row: RunTask, change: dict[str, Any], glimpses: Glimpses = NONE
) -> dict[str, Held]:
    """Write down that a job ended, and show its files in the engine's tree; return the files that the run now has."""
    with transaction(engine) as session:
        copy(row, change)
        left = left_by(row, change)
        told = within(glimpses, row.rule, left)
        if told is not None:
            _note_told(session, row, fits=told)
            if not told:  # its files stay sealed, unnamed: the job failed, as far as its engine may know
                row.state, row.exit_code, change = "EXECUTOR_ERROR", 1, {**change, "state": "EXECUTOR_ERROR"}
        row.printed = dict(change.get("printed") or {}) if change["state"] == "COMPLETE" else {}
        plainly(session, _MOVE, {**_moved(row), "printed": row.printed})
        outputs = change["outputs"] if change["state"] == "COMPLETE" else []
        first = _next_moment(session, row) if outputs else 0
        files = [
            _file(_inside(one), object_id=one["object"], size=one["size"], row=row, mtime_ns=first + n * TICK)
            for n, one in enumerate(outputs)
        ]
        _keep(session, files)
    if tree is not None:
        show(tree, files, glimpses, {one.path: one for one in left})
    return {file.path: Held(file.object, is_input=False, directory=file.directory) for file in files}


def pass_on(engine: sa.Engine, tree: int, run: str, passed: Mapping[str, str]) -> dict[str, Held]:
    """Give files of a run the other paths by which a task passes them on, and show them there; return what is new."""
    with transaction(engine) as session:
        rows, new = [], {}
        for path, source in passed.items():
            row = session.get(RunFile, (run, path))
            if row is None:
                before = session.get(RunFile, (run, source))
                assert before is not None
                row = copied(before, path)
                session.add(row)
                new[path] = Held(row.object, is_input=False)
            rows.append(row)
        session.flush()
        show(tree, rows)
    return new


def copied(row: RunFile, path: str) -> RunFile:
    """Return the same file under another path: who made it stays as it is (T16)."""
    return RunFile(
        run=row.run,
        path=path,
        object=row.object,
        stub_size=row.stub_size,
        mtime_ns=row.mtime_ns,
        rule=row.rule or NOBODY,
        task=row.task,
        directory=None,
    )


def sweep(session: orm.Session, run: Run, removed: Collection[str]) -> Entry | None:
    """Forget the files of a run whose stubs its engine removed, as temp() asks; return the audit entry, if any.

    Only files that tasks of this run made: an engine removes no input. The objects stay sealed to the run's key,
    which dies with the run's retention; nobody can name them any more.
    """
    rows = [row for path, row in files_of(session, run.id).items() if row.task is not None and path in removed]
    for row in rows:
        session.delete(row)
    return Entry(Event.RUN_FILES_REMOVED, ACTOR, run.id, run.project, {"files": len(rows)}) if rows else None


def left_by(row: RunTask, change: dict[str, Any]) -> list[Left]:
    """Return what a job left, as far as its engine could see of it."""
    left = []
    for output in change["outputs"] if change["state"] == "COMPLETE" else []:
        path, told = _inside(output), output.get("told")
        left.append(Left(path, _directory(row, path), None if told is None else tuple(told)))
    return left


def _note_told(session: orm.Session, row: RunTask, *, fits: bool) -> None:
    """Write down that a run depends on data from here on, or that a task would have told more than was granted."""
    run = session.scalar(sa.select(Run).where(Run.id == row.run))
    if run is None:
        return
    if not fits:
        append(session, Entry(Event.RUN_GLIMPSE_REFUSED, ACTOR, run.id, run.project, {"task": row.name}))
    else:
        follows_data(session, run.id, {"task": row.name})


def follows_data(session: orm.Session, run_id: str, facts: Mapping[str, Any]) -> None:
    """Write down that a run's plan follows data from now on, if it did not before."""
    run = session.scalar(sa.select(Run).where(Run.id == run_id))
    if run is not None and run.data_dependent is None:
        run.data_dependent = now()
        decisions.follow_data(session, run.id, since=run.data_dependent)
        append(session, Entry(Event.RUN_DATA_DEPENDENT, ACTOR, run.id, run.project, dict(facts)))


def show(tree: int, files: Iterable[RunFile], glimpses: Glimpses = NONE, left: Mapping[str, Left] = NOTHING) -> None:
    """Write the stubs of `files` into the engine's tree; names that data chose are shown by grant alone (T4)."""
    for file in files:
        if file.object is None:
            continue
        if file.directory is not None and file.rule not in glimpses.names:
            make_directory(tree, file.directory)
        else:
            text = text_of(glimpses, left[file.path]) if file.path in left else None
            write_stub(tree, file.path, size=file.stub_size, mtime_ns=file.mtime_ns, content=text or b"")


def told_exit_code(state: str, exit_code: int | None) -> int | None:
    """Return the exit code that an engine may know: 0, 1, 130, 137 or 143 (T4)."""
    if state == "COMPLETE":
        return 0
    return exit_code if exit_code in KNOWN_EXITS and exit_code != 0 else 1


def copy(row: RunTask, change: dict[str, Any]) -> None:
    """Note in memory that a job moved."""
    row.state, row.exit_code = change["state"], change["exit_code"]
    row.started, row.ended = _moment(change["started"]), _moment(change["ended"])


def _moment(value: float | None) -> datetime | None:
    return datetime.fromtimestamp(value, tz=UTC) if value is not None else None


def _inside(output: dict[str, Any]) -> str:
    return str(output["path"]).removeprefix(WORK)


def _directory(row: RunTask, path: str) -> str | None:
    return next((d for d in row.directories if path.startswith(d + "/")), None)


def _next_moment(session: orm.Session, row: RunTask) -> int:
    """Return when the next file of a run was made, by the run's own clock."""
    latest: int | None = plainly(session, _LATEST, {"run": row.run}).scalar()
    return (latest or int(row.created.timestamp()) * 1_000_000_000) + TICK


def _moved(row: RunTask) -> dict[str, Any]:
    said = {name: getattr(row, name) for name in ("state", "exit_code", "started", "ended")}
    return {"of": row.number, **said}


def _keep(session: orm.Session, files: Sequence[RunFile]) -> None:
    """Write down files of a run; of one path the last counts."""
    rows = {one.path: {column.name: getattr(one, column.name) for column in _FILES.c} for one in files}
    if rows:
        plainly(session, _REPLACE, [{"of": row["run"], "at": path} for path, row in rows.items()])
        plainly(session, _KEEP, list(rows.values()))


def _file(path: str, *, object_id: str | None, size: int, row: RunTask, mtime_ns: int) -> RunFile:
    return RunFile(
        run=row.run,
        path=path,
        object=object_id,
        stub_size=rounded(size),
        mtime_ns=mtime_ns,
        rule=row.rule,
        task=row.task,
        directory=_directory(row, path),
    )

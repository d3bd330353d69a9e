"""Shows runs and their tasks as WES 1.1 has them, and coarse where a dataset says so (T4)."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.database import now
from wes import quiet
from wes.runs import TERMINAL, RunState
from wes.schemas import Log, RunLog, RunRequest, TaskLog
from wes.settlement import told_exit_code
from wes.store import Run, RunFile, RunTask

PREFIX = "/ga4gh/wes/v1"
TES = "/ga4gh/tes/v1/tasks"
STREAMS = ("stdout", "stderr")
ENDED = frozenset({"COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED", "PREEMPTED"})


def line(run: Run) -> dict[str, Any]:
    """Return the `RunSummary` of a run."""
    times = {"start_time": _time(run.started, coarse=run.coarse), "end_time": _time(end_of(run), coarse=run.coarse)}
    known = {name: moment for name, moment in times.items() if moment is not None}
    return {"run_id": run.id, "state": state_of(run), **known, "tags": run.tags}


def state_of(run: Run) -> RunState:
    """Return the state of a run as its person is told now."""
    return quiet.told_state(run.told, now()) if is_quiet(run) else RunState(run.state)


def end_of(run: Run) -> datetime | None:
    """Return the end of a run as its person is told now."""
    return quiet.told_end(run.told, now()) if is_quiet(run) else run.ended


def is_quiet(run: Run) -> bool:
    """Say whether of a run only one end is told (T6); one that never began read nothing and hides nothing."""
    return run.quiet and run.started is not None


def whole(run: Run, files: dict[str, RunFile], *, done: int, base: str) -> RunLog:
    """Return the `RunLog` of a run."""
    at = f"{base}{PREFIX}/runs/{run.id}"
    logs = _logs(at) if run.started is not None else {}
    return RunLog(
        run_id=run.id,
        request=RunRequest(**run.request),
        state=state_of(run),
        run_log=Log(
            name=f"{run.workflow}/{run.version}",
            start_time=_time(run.started, coarse=run.coarse),
            end_time=_time(end_of(run), coarse=run.coarse),
            exit_code=_exit_code(run),
            system_logs=_said(run),
            **logs,
        ),
        task_logs_url=f"{at}/tasks",
        outputs=_outputs(run, files, done),
    )


def task(run: Run, row: RunTask, *, base: str) -> TaskLog:
    """Return the `TaskLog` of a task."""
    state, started, ended = _told(run, row)
    has_code = state in ENDED and state != "CANCELED" and not run.coarse
    return TaskLog(
        id=row.task,
        name=row.name,
        start_time=_time(started, coarse=run.coarse),
        end_time=_time(ended, coarse=run.coarse),
        exit_code=told_exit_code(state, row.exit_code) if has_code else None,
        system_logs=[state],
        tes_uri=f"{base}{TES}/{row.task}",
        **(_logs(f"{base}{PREFIX}/runs/{run.id}/tasks/{row.task}") if started is not None else {}),
    )


def shown_tasks(run: Run) -> list[sa.ColumnElement[bool]]:
    """Return what tasks of a run its researcher sees: none that data called for, unless all data is open (T4, T6)."""
    if is_quiet(run):
        return [sa.false()]
    if _follows_data(run):
        return [RunTask.run == run.id, RunTask.created <= run.data_dependent]
    return [RunTask.run == run.id]


def done(session: orm.Session, run: Run) -> int:
    """Return how many tasks of a run are COMPLETE; of a coarse one as it was when this minute began (T4)."""
    count = sa.select(sa.func.count()).select_from(RunTask)
    count = count.where(*shown_tasks(run), RunTask.state == "COMPLETE")
    if run.coarse and RunState(run.state) not in TERMINAL:
        count = count.where(RunTask.ended < now().replace(second=0, microsecond=0))
    if _just_works(run):
        count = count.where(RunTask.ended <= run.data_dependent)
    return session.scalar(count) or 0


def planned(run: Run) -> int | None:
    """Return how many tasks a run will have, as far as its researcher may know."""
    return None if _follows_data(run) or is_quiet(run) else run.planned_tasks


def _logs(at: str) -> dict[str, str]:
    # Complete URLs that the same credentials open: what was printed passes the airlock before anyone reads it there.
    return {stream: f"{at}/logs/{stream}" for stream in STREAMS}


def _said(run: Run) -> list[str]:
    if is_quiet(run):
        return [quiet.FINISHED] if state_of(run) in TERMINAL else []
    return [run.reason] if run.reason else []


def _exit_code(run: Run) -> int | None:
    match RunState(run.state):
        case RunState.COMPLETE:
            code = 0
        case RunState.EXECUTOR_ERROR | RunState.SYSTEM_ERROR:
            code = 1
        case _:
            return None
    return None if run.coarse else code


def _outputs(run: Run, files: dict[str, RunFile], done: int) -> dict[str, Any]:
    # Results leave through the airlock; here stands only how far the work is (T4).
    progress = {"tasks_done": done, "tasks_planned": planned(run)}
    if run.state != RunState.COMPLETE.value or is_quiet(run):
        return {"progress": progress}
    names = [] if run.coarse else sorted(path for path, file in files.items() if file.rule is not None)
    return {"progress": progress, "files": names, "airlock": f"/api/airlock/v1/outputs?run={run.id}"}


def _follows_data(run: Run) -> bool:
    return run.coarse and run.data_dependent is not None


def _just_works(run: Run) -> bool:
    # T4: when its tasks end from here on may hang on what data called for beside them.
    return _follows_data(run) and RunState(run.state) not in TERMINAL


def _told(run: Run, row: RunTask) -> tuple[str, datetime | None, datetime | None]:
    """Return state, start and end of a task; of a run that just works as they were when it began to follow data."""
    since = run.data_dependent
    if since is None or not _just_works(run) or (row.ended is not None and row.ended <= since):
        return row.state, row.started, row.ended
    return "RUNNING", row.started if row.started is not None and row.started <= since else None, None


def _time(value: datetime | None, *, coarse: bool) -> str | None:
    if value is None:
        return None
    moment = value.replace(second=0, microsecond=0) if coarse else value.replace(microsecond=0)
    return moment.isoformat().replace("+00:00", "Z")

"""Leads what tasks and engines print to the airlock, where a contract promises it, and a log's URL to its release."""

from collections.abc import Collection, Iterator

import sqlalchemy as sa
from fastapi.responses import RedirectResponse
from sqlalchemy import orm

from airlock import intake
from airlock.contract import ENGINE, STREAMS, Contract, log_path
from strongroom.errors import Conflict, NotFound
from wes.store import Run, RunTask

MOST_LOGS = 100  # of a run: each is inspected, and read by two persons
INSIDE = (
    "What engines and tasks print stays inside, because it may hold data. States, times and reasons are in the "
    "run's and its tasks' logs; have the workflow write what you need into an output of its contract, or have the "
    "contract promise what the rule or the engine prints (`stream`), and ask for its release."
)
WAITS = "This log waits in the airlock among the outputs of its run. Ask for its release; then it can be had here."


def offered(
    session: orm.Session, run: Run, contract: Contract, *, taken: Collection[str], log: intake.OfferedFile | None
) -> Iterator[intake.OfferedFile]:
    """Return what COMPLETE tasks, and the engine (`log`), printed that the contract promises.

    A path that a file of the run has is its own.

    None of a coarse run: that a task printed at all may hang on data, and a list of files would tell it (T4, T5).
    """
    promised = {(one.rule, one.stream) for one in contract.rules if one.stream}
    if run.coarse or not promised:
        return
    if log is not None and (log.rule, log.stream) in promised and log.path not in taken:
        yield log
    of_run = (RunTask.run == run.id, RunTask.state == "COMPLETE", RunTask.rule.in_({rule for rule, _ in promised}))
    found = 0
    for row in session.scalars(sa.select(RunTask).where(*of_run).order_by(RunTask.number)):
        for stream in STREAMS:
            path, made = log_path(row.name, stream), row.printed.get(stream)
            if made is None or (row.rule, stream) not in promised or path in taken or found == MOST_LOGS:
                continue
            found += 1
            yield intake.OfferedFile(path=path, object=made, rule=row.rule, task=row.task, stream=stream)


def at_its_release(
    session: orm.Session, run: Run, row: RunTask | None, stream: str, *, base: str
) -> RedirectResponse:
    """Return the way to a released log; raise with what to do for any other. No row is the engine's own log."""
    if stream not in STREAMS:
        raise NotFound("A log is stdout or stderr.")
    if run.coarse:
        raise Conflict(INSIDE)
    if row is None:  # both of an engine's streams are in the one log
        found = intake.where_is(session, run.id, path=log_path("", ENGINE), task=None)
    else:
        found = intake.where_is(session, run.id, path=log_path(row.name, stream), task=row.task)
    if found is None:
        raise Conflict(INSIDE)
    if found.link is None:
        raise Conflict(WAITS)
    return RedirectResponse(f"{base}{found.link}", status_code=303)

"""Ends runs whose time is over: they get no more keys, and hold places that others wait for (T30)."""

import asyncio
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import orm

from archive import decisions
from strongroom import audit, queue
from strongroom.database import reading, transaction
from strongroom.queue import Context
from wes import ends
from wes.runs import RunState
from wes.store import Run, find, move

ACTOR = "wes.supervisor"
OVER = "This run reached the longest life that a run may have here. What is done is kept: the run can be resumed."


_WAITING = (Run.state == RunState.QUEUED.value, Run.lease_owner.is_(None))


def is_over(session: orm.Session, run: str) -> bool:
    """Say whether the time of a run's decision is over."""
    return bool(decisions.expired(session, [run]))


@queue.sweep
def over(context: Context) -> Iterable[tuple[str, str]]:
    """Find runs whose time is over while they wait for a place; of one at work its supervisor knows."""
    with reading(context.engine) as session:
        waiting = list(session.scalars(sa.select(Run.id).where(*_WAITING)))
        return [("wes.time_over", run) for run in sorted(decisions.expired(session, waiting))]


@queue.job("wes.time_over")
def end_waiting(context: Context, run_id: str) -> None:
    """End a run that waits and whose time is over; safe to call at any time and any number of times."""
    with transaction(context.engine) as session:
        run = find(session, run_id)
        # One that a supervisor took meanwhile is ended by it.
        if run is None or run.state != RunState.QUEUED.value or run.lease_owner is not None:
            return
        if is_over(session, run_id):
            moved = move(run, RunState.SYSTEM_ERROR, actor=ACTOR, reason=OVER)
            audit.append(session, moved, *decisions.close(session, run_id, RunState.SYSTEM_ERROR.value.lower()))


async def end_begun(context: Context, run_id: str) -> None:
    """End a run that was begun, when none of its tasks is alive any more; its caller holds its lease."""
    await ends.cancel_tasks(context, run_id)
    await asyncio.to_thread(ends.end, context, run_id, RunState.SYSTEM_ERROR, reason=OVER)

"""Brings runs that are not COMPLETE to an end: first their tasks, then their state and decision."""

import asyncio
import contextlib

from archive import decisions
from strongroom import audit
from strongroom.database import transaction
from strongroom.errors import StrongroomError
from strongroom.queue import Context
from wes import remote_jobs
from wes.runs import TERMINAL, RunState
from wes.store import find, move
from wes.tes_door import SOCKET, TesDoor

ACTOR = "wes.supervisor"


async def cancel(context: Context, run_id: str) -> None:
    """End a canceled run: CANCELED only when all of its tasks are gone."""
    await cancel_tasks(context, run_id)
    await asyncio.to_thread(end, context, run_id, RunState.CANCELED, reason=None)


async def cancel_tasks(context: Context, run_id: str) -> None:
    """Return when no task of the run is alive."""
    async with contextlib.aclosing(TesDoor(context.settings.sockets / SOCKET)) as tes:
        while True:
            with contextlib.suppress(StrongroomError, OSError, ValueError, KeyError):
                away = await asyncio.to_thread(_cancel_remote, context, run_id)
                answer = await tes.ask("POST", f"/runs/{run_id}:cancel")
                if answer["live"] + away == 0:
                    return
            await asyncio.sleep(0.1)


def _cancel_remote(context: Context, run_id: str) -> int:
    """Have the run's jobs at other sites canceled; return how many have not ended."""
    with transaction(context.engine) as session:
        return remote_jobs.cancel(session, run=run_id)


def end(context: Context, run_id: str, state: RunState, *, reason: str | None) -> None:
    """Move a run to its end, unless it has one; a run that is being canceled ends as CANCELED."""
    with transaction(context.engine) as session:
        run = find(session, run_id)
        if run is None or RunState(run.state) in TERMINAL:
            return
        if RunState(run.state) is RunState.CANCELING:
            state, reason = RunState.CANCELED, None
        entries = [
            move(run, state, actor=ACTOR, reason=reason),
            *decisions.close(session, run_id, state.value.lower()),
        ]
        audit.append(session, *entries)

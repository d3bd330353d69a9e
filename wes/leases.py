"""Gives each run to one supervisor at a time; what a dead one left, the next takes at once, and others in turn."""

import os
import socket
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.database import now
from strongroom.running import Wes
from wes.runs import LIVE, TERMINAL, RunState
from wes.store import Run
from wes.turns import Limits, Place, in_order

SECONDS = 30
_COLUMNS = orm.load_only(
    Run.id, Run.number, Run.state, Run.project, Run.person, Run.lease_owner, Run.lease_until, Run.turn
)


def owner() -> str:
    """Return the name of this process: host, pid and start time, so that a reused pid is another owner."""
    return f"{socket.gethostname()}:{os.getpid()}:{_born(os.getpid())}"


def take(session: orm.Session, run: Run, *, wes: Wes) -> bool:
    """Take the run's lease for this process if it is free and this run's turn; say whether."""
    if RunState(run.state) in TERMINAL or not _is_free(run):
        return False
    if run.id not in waiting(session, wes=wes):
        return False
    if run.state == RunState.QUEUED.value:
        run.turn = now()
    run.lease_owner, run.lease_until = owner(), now() + timedelta(seconds=SECONDS)
    return True


def renew(run: Run) -> bool:
    """Hold the lease for another while; say whether it is still ours."""
    if run.lease_owner != owner():
        return False
    run.lease_until = now() + timedelta(seconds=SECONDS)
    return True


def waiting(session: orm.Session, *, wes: Wes) -> list[str]:
    """Return the runs that have work, no living supervisor and a place: what was begun first, then by turns (T30)."""
    live = sa.select(Run).where(Run.state.in_(LIVE)).order_by(Run.number).options(_COLUMNS)
    rows = list(session.scalars(live))
    held = [row for row in rows if not _is_free(row)]
    left = [row for row in rows if _is_free(row) and row.state != RunState.QUEUED.value]
    queued = [_place(row) for row in rows if _is_free(row) and row.state == RunState.QUEUED.value]
    limits = Limits(wes.project_runs_at_once or wes.runs_at_once, wes.person_runs_at_once or wes.runs_at_once)
    last = _last_turns(session, {place.project for place in queued})
    then = in_order(queued, [_place(row) for row in [*held, *left]], last=last, limits=limits)
    return [*(row.id for row in left), *then][: max(wes.runs_at_once - len(held), 0)]


def _last_turns(session: orm.Session, projects: set[str]) -> dict[str, datetime]:
    found = {}
    for project in projects:
        last = sa.select(Run.turn).where(Run.project == project, Run.turn.is_not(None))
        if (turn := session.scalar(last.order_by(Run.turn.desc()).limit(1))) is not None:
            found[project] = turn
    return found


def _place(run: Run) -> Place:
    return Place(run.id, run.number, run.project, run.person)


def _is_free(run: Run) -> bool:
    if run.lease_owner is None or run.lease_until is None or run.lease_until <= now():
        return True
    host, pid, born = run.lease_owner.rsplit(":", 2)
    return host == socket.gethostname() and _born(int(pid)) != born


def _born(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "gone"

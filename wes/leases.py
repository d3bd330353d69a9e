"""Gives each run to one supervisor at a time; what a dead one left, the next one takes at once."""

import os
import socket
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.database import now
from wes.runs import TERMINAL, RunState
from wes.store import Run

SECONDS = 30


def owner() -> str:
    """Return the name of this process: host, pid and start time, so that a reused pid is another owner."""
    return f"{socket.gethostname()}:{os.getpid()}:{_born(os.getpid())}"


def take(session: orm.Session, run: Run, *, most: int) -> bool:
    """Take the run's lease for this process if it is free and fewer than `most` runs are held; say whether."""
    if RunState(run.state) in TERMINAL or not _is_free(run):
        return False
    if held(session) >= most:
        return False
    run.lease_owner, run.lease_until = owner(), now() + timedelta(seconds=SECONDS)
    return True


def renew(run: Run) -> bool:
    """Hold the lease for another while; say whether it is still ours."""
    if run.lease_owner != owner():
        return False
    run.lease_until = now() + timedelta(seconds=SECONDS)
    return True


def waiting(session: orm.Session) -> list[str]:
    """Return the runs that have work and no living supervisor, oldest first."""
    ended = [state.value for state in TERMINAL]
    rows = session.scalars(sa.select(Run).where(Run.state.not_in(ended)).order_by(Run.number))
    return [row.id for row in rows if _is_free(row)]


def held(session: orm.Session) -> int:
    """Return how many runs have a living supervisor."""
    rows = session.scalars(sa.select(Run).where(Run.lease_owner.is_not(None)))
    return sum(not _is_free(row) for row in rows)


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

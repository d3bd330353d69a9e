"""Counts what attempts used and how they ended, for the operator's metrics."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.database import now
from tes.store import Attempt
from tes.tasks import Cause

SETTLED = timedelta(minutes=5)  # no transaction that writes an end takes so long


@dataclass(frozen=True)
class Measures:
    """Sums over all attempts: T24 allows no project, run or task among them."""

    ended: Mapping[Cause, int]
    running: int
    cpu_seconds: float
    peak_memory_bytes: int  # of the attempt that used most

    def __add__(self, other: "Measures") -> "Measures":
        """Return the sums over both."""
        return Measures(
            {cause: self.ended.get(cause, 0) + other.ended.get(cause, 0) for cause in Cause},
            self.running + other.running,
            self.cpu_seconds + other.cpu_seconds,
            max(self.peak_memory_bytes, other.peak_memory_bytes),
        )


_NOTHING = Measures({}, 0, 0.0, 0)


class Meter:
    """Keeps the sums up: an attempt that ended long ago is looked at once in the life of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = datetime.fromtimestamp(0, UTC)
        self._long_ago = _NOTHING

    def read(self, session: orm.Session) -> Measures:
        """Return the sums as they stand."""
        with self._lock:
            settled = max(self._until, now() - SETTLED)  # a clock that is set back counts nothing twice
            self._long_ago += _ended(session, Attempt.ended > self._until, Attempt.ended <= settled)
            self._until = settled
            lately = _ended(session, Attempt.ended > settled)
            running = session.scalar(sa.select(sa.func.count()).where(Attempt.ended.is_(None))) or 0
            return self._long_ago + replace(lately, running=running)


def _ended(session: orm.Session, *when: sa.ColumnElement[bool]) -> Measures:
    report = sa.type_coerce(Attempt.report, sa.JSON)
    cause = report["cause"].as_string()
    rows = session.execute(
        sa.select(
            cause,
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(report["cpu_seconds"].as_float()), 0.0),
            sa.func.coalesce(sa.func.max(report["peak_memory_bytes"].as_float()), 0.0),
        )
        .where(*when)
        .group_by(cause)
    ).all()
    counts = {Cause(name): count for name, count, _, _ in rows if name is not None}
    return Measures(
        counts, 0, sum(float(cpu) for *_, cpu, _ in rows), max((int(peak) for *_, peak in rows), default=0)
    )

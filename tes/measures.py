"""Counts what attempts used and how they ended, for the operator's metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import orm

from tes.store import Attempt
from tes.tasks import Cause


@dataclass(frozen=True)
class Measures:
    """Sums over all attempts: T24 allows no project, run or task among them."""

    ended: Mapping[Cause, int]
    running: int
    cpu_seconds: float
    peak_memory_bytes: int  # of the attempt that used most


def measures(session: orm.Session) -> Measures:
    """Return the sums as they stand."""
    report = sa.type_coerce(Attempt.report, sa.JSON)
    cause = report["cause"].as_string()
    over = Attempt.ended.is_not(None)
    counted = session.execute(sa.select(cause, sa.func.count()).where(over).group_by(cause))
    ended = dict.fromkeys(Cause, 0) | {Cause(name): count for name, count in counted if name is not None}
    cpu, peak = session.execute(
        sa.select(
            sa.func.coalesce(sa.func.sum(report["cpu_seconds"].as_float()), 0.0),
            sa.func.coalesce(sa.func.max(report["peak_memory_bytes"].as_float()), 0.0),
        ).where(over)
    ).one()
    running = session.scalar(sa.select(sa.func.count()).where(Attempt.ended.is_(None))) or 0
    return Measures(ended, running, float(cpu), int(peak))

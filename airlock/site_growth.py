"""Remembers which places of the genome left of each dataset: the more there are, the more they tell who is in it."""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import blocks
from airlock.checks.codes import Code
from airlock.checks.sites import NONE, Sketch
from airlock.intake_files import Verdict, worst
from airlock.store import Name
from strongroom.database import Base, Json

_WARN_FROM = 3, 4  # of the budget


class ReleasedSites(Base):
    """The sketch of all places that left of a dataset, by whatever project: hashes, in hexadecimal."""

    __tablename__ = "released_sites"

    dataset: orm.Mapped[str] = orm.mapped_column(Name, primary_key=True)
    smallest: orm.Mapped[list[str]] = orm.mapped_column(Json)


def together(sketches: Iterable[Sketch]) -> Sketch:
    """Return the sketch of all places of these."""
    return reduce(or_, sketches, NONE)


def findings(session: orm.Session, lineage: Sequence[str], own: Sketch | None, *, most: int) -> list[dict[str, Any]]:
    """Return what the places of a file come to with all that left; those that left before cost nothing."""
    if own is None:
        return []
    after = {dataset: (left, left | own) for dataset, left in zip(lineage, _left(session, lineage), strict=True)}
    verdicts = {dataset: _severity(*grown, most) for dataset, grown in after.items()}
    told = worst(verdicts.values())
    if told is Verdict.PASS:
        return []
    spent = [(dataset, after[dataset][1].places) for dataset, verdict in verdicts.items() if verdict is told]
    return [blocks.finding(Code.SITE_BUDGET, told, spent)]


def remember(session: orm.Session, lineage: Sequence[str], own: Sketch) -> None:
    """Add what leaves to each dataset, in the transaction of the release."""
    if own == NONE:
        return
    for dataset, left in zip(lineage, _left(session, lineage), strict=True):
        all_of_it = [f"{number:016x}" for number in (left | own).smallest]
        session.merge(ReleasedSites(dataset=dataset, smallest=all_of_it))


def _left(session: orm.Session, lineage: Sequence[str]) -> list[Sketch]:
    rows = session.scalars(sa.select(ReleasedSites).where(ReleasedSites.dataset.in_(lineage)))
    known = {row.dataset: Sketch(tuple(int(number, 16) for number in row.smallest)) for row in rows}
    return [known.get(dataset, NONE) for dataset in lineage]


def _severity(left: Sketch, after: Sketch, most: int) -> Verdict:
    part, whole = _WARN_FROM
    if after == left or after.places * whole <= most * part:
        return Verdict.PASS
    return Verdict.BLOCK if after.places > most else Verdict.WARN

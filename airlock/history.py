"""Remembers the counts of released files, so that new ones are held against them across projects (O7, T7)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import blocks
from airlock.blocks import Conflicting
from airlock.checks.cells import Cells
from airlock.checks.codes import Code
from airlock.intake_files import Verdict
from strongroom.database import Base

_AT_ONCE = 400
_Id = sa.String(32)


class ReleasedCell(Base):
    """One count of one released file of one dataset; row and column are as `Cell` has them."""

    __tablename__ = "released_cells"
    __table_args__ = (sa.Index("ix_released_cells_dataset_key", "dataset", "key"),)

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    dataset: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    key: orm.Mapped[str] = orm.mapped_column(sa.String(16))
    value: orm.Mapped[int] = orm.mapped_column(sa.BigInteger)
    rounded: orm.Mapped[bool]
    request: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("releases.request"), index=True)
    file: orm.Mapped[str] = orm.mapped_column(_Id)
    row: orm.Mapped[int]
    column: orm.Mapped[int]


@dataclass(frozen=True)
class Near:
    """A count that lies 1 to k - 1 from a released one; for stewards who may read that release."""

    row: int
    column: int
    value: int
    released: int
    request: str
    file: str
    rounded: bool
    number: int  # of the released count; newer ones have higher ones

    def finding(self) -> dict[str, Any]:
        """Return the finding as it is kept: code, severity and place, and no figure of the other release."""
        place = {name: number for name, number in (("row", self.row), ("column", self.column)) if number}
        severity = Verdict.WARN if self.rounded else Verdict.BLOCK
        return {"code": Code.DIFFERENCING.value, "severity": severity.value, "place": place}


def wait_for_others(session: orm.Session) -> None:
    """Let no other release end between this one's comparison and its commit; SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.text("SELECT pg_advisory_xact_lock(742160019)"))


def remember(session: orm.Session, datasets: Sequence[str], cells: Cells, *, request: str, file: str) -> None:
    """Write the counts of a file that leaves, in the transaction of its release."""
    session.add_all(
        ReleasedCell(
            dataset=dataset,
            key=cell.key,
            value=cell.value,
            rounded=cells.rounded,
            request=request,
            file=file,
            row=cell.row,
            column=cell.column,
        )
        for dataset in datasets
        for cell in cells.cells
    )


def compare(session: orm.Session, datasets: Sequence[str], cells: Cells, *, least: int, but: str = "") -> list[Near]:
    """Return the counts that, with releases of the same data but this one, show a count below `least`.

    A count is named once for each release that it is near to, and each figure there.
    """
    released: defaultdict[str, dict[tuple[str, int], ReleasedCell]] = defaultdict(dict)
    for row in _with_keys(session, datasets, sorted({cell.key for cell in cells.cells})):
        if row.request == but:
            continue
        known = released[row.key].get((row.request, row.value))
        if known is None or (row.rounded, row.id) < (known.rounded, known.id):
            released[row.key][row.request, row.value] = row
    return [
        Near(
            cell.row, cell.column, cell.value, row.value, row.request, row.file, row.rounded or cells.rounded, row.id
        )
        for cell in cells.cells
        for row in released.get(cell.key, {}).values()
        if 0 < abs(cell.value - row.value) < least
    ]


def near_ones(
    session: orm.Session, datasets: Sequence[str], cells: Cells | None, *, least: int, but: str = ""
) -> list[Near]:
    """Return what the history says of a file: the worst first, and of those what left last."""
    if cells is None:
        return []
    near = compare(session, datasets, cells, least=least, but=but)
    return sorted(near, key=lambda one: (one.rounded, -one.number, one.row, one.column, one.value))


def findings(near: Iterable[Near], cells: Cells | None) -> list[dict[str, Any]]:
    """Return the findings of what is near, one a place; a file with too many counts to compare is a warning."""
    told = blocks.by_place(
        Code.DIFFERENCING,
        (Conflicting(one.row, one.column, one.rounded, (one.value, one.request, one.released)) for one in near),
    )
    if cells is not None and not cells.complete:
        told.append({"code": Code.DIFFERENCING.value, "severity": Verdict.WARN.value, "place": {}})
    return told


def released_counts(session: orm.Session, dataset: str) -> int:
    """Return how many counts of a dataset have left so far, without our own sums (O8)."""
    return (
        session.scalar(sa.select(sa.func.count()).where(ReleasedCell.dataset == dataset, ReleasedCell.column > 0))
        or 0
    )


def _with_keys(session: orm.Session, datasets: Sequence[str], keys: Sequence[str]) -> Iterable[ReleasedCell]:
    for start in range(0, len(keys), _AT_ONCE):
        yield from session.scalars(
            sa.select(ReleasedCell).where(
                ReleasedCell.dataset.in_(datasets), ReleasedCell.key.in_(keys[start : start + _AT_ONCE])
            )
        )

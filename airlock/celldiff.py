"""Lays a table beside an earlier version of itself, cell by cell (pure)."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Change(StrEnum):
    """What became of a cell, row or column since the earlier version."""

    SAME = "same"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True)
class Sheet:
    """The drawn rows of a table; not `whole` where there are more."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    whole: bool


@dataclass(frozen=True)
class ComparedCell:
    """One cell as it is and as it was; `by` is the difference of two whole numbers."""

    text: str
    before: str
    change: Change
    by: int | None = None


@dataclass(frozen=True)
class ComparedRow:
    """One row, with its number in the table under review, or in the earlier one where it was removed."""

    number: int
    change: Change
    cells: tuple[ComparedCell, ...]


@dataclass(frozen=True)
class Compared:
    """Both tables in one: columns and rows of the newer one, those that are gone in their old places."""

    columns: tuple[tuple[str, Change], ...]
    rows: tuple[ComparedRow, ...]
    whole: bool

    def count(self, change: Change) -> int:
        """Return how many cells changed, or were added or removed with or without their rows."""
        return sum(cell.change is change for row in self.rows for cell in row.cells)


def compare(old: Sheet, new: Sheet, keys: Collection[str]) -> Compared:
    """Return the tables beside each other; rows meet by their keys, and equal keys in their order.

    Of tables that are drawn in part, rows after the last that both show are left out: nobody knows of them.
    """
    columns = [(name, Change.SAME if name in old.columns else Change.ADDED) for name in new.columns]
    columns += [(name, Change.REMOVED) for name in old.columns if name not in new.columns]
    shared = [name for name in new.columns if name in keys and name in old.columns]
    was, now = _named(old, shared), _named(new, shared)
    if not (old.whole and new.whole):
        was, now = _until_last_shared(was, now), _until_last_shared(now, was)
    rows = tuple(_rows(was, now, [name for name, _ in columns]))
    return Compared(tuple(columns), rows, old.whole and new.whole)


Name = tuple[str, ...]
Row = tuple[int, Mapping[str, str]]  # its number and its cells by column


def _named(sheet: Sheet, keys: Sequence[str]) -> dict[Name, Row]:
    seen: Counter[Name] = Counter()
    named: dict[Name, Row] = {}
    for number, cells in enumerate(sheet.rows, start=1):
        by_column = dict(zip(sheet.columns, cells, strict=False))
        key = tuple(by_column.get(name, "") for name in keys)
        seen[key] += 1
        named[(*key, str(seen[key]))] = (number, by_column)
    return named


def _until_last_shared(rows: dict[Name, Row], others: Collection[Name]) -> dict[Name, Row]:
    last = max((place for place, name in enumerate(rows) if name in others), default=-1)
    return dict(list(rows.items())[: last + 1])


def _rows(was: dict[Name, Row], now: dict[Name, Row], columns: Sequence[str]) -> Iterator[ComparedRow]:
    gone = [(number, cells) for name, (number, cells) in was.items() if name not in now]
    for name, (number, cells) in now.items():
        before = was.get(name)
        while before is not None and gone and gone[0][0] < before[0]:
            yield _row(gone.pop(0), None, columns)
        yield _row(before, (number, cells), columns)
    for one in gone:
        yield _row(one, None, columns)


def _row(before: Row | None, after: Row | None, columns: Sequence[str]) -> ComparedRow:
    was, now = (before[1] if before else {}), (after[1] if after else {})
    cells = tuple(_cell(was.get(name), now.get(name)) for name in columns)
    if before is None or after is None:
        present = after or before
        assert present is not None
        return ComparedRow(present[0], Change.REMOVED if after is None else Change.ADDED, cells)
    changed = any(cell.change is not Change.SAME for cell in cells)
    return ComparedRow(after[0], Change.CHANGED if changed else Change.SAME, cells)


def _cell(was: str | None, now: str | None) -> ComparedCell:
    if was is None:
        return ComparedCell(now or "", "", Change.SAME if now is None else Change.ADDED)
    if now is None:
        return ComparedCell("", was, Change.REMOVED)
    if was == now:
        return ComparedCell(now, was, Change.SAME)
    return ComparedCell(now, was, Change.CHANGED, _difference(was, now))


def _difference(was: str, now: str) -> int | None:
    try:
        return int(now) - int(was)
    except ValueError:
        return None

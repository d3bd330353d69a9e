"""Reads a table as counts in cells, with the sums that its total rows and columns claim."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from ..formats.table import counted
from ..promise import Kind, Promise
from ..subject import Table
from .column_names import is_known_other, is_percent, is_total

_HIDDEN = re.compile(
    r"|\*{1,3}|\.{1,2}|-{1,2}|[xX#]|na|nan|n/a|null|\[?c\]?|\[low\]|low|suppressed|redacted|masked|hidden|withheld",
    re.IGNORECASE,
)
_BELOW = re.compile(r"(?:n\s*)?(<|<=|≤)\s*(\d{1,6})", re.IGNORECASE)
_BETWEEN = re.compile(r"(\d{1,6})\s*(?:-|–|to)\s*(\d{1,6})")
_MOST_COLUMNS = 60
_MOST_ROWS = 2000

Spot = tuple[int, int]  # row and column, from 0


@dataclass(frozen=True, slots=True)
class Hidden:
    """A count that was not written: what is said of it; `high` None where nothing is."""

    low: int = 0
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Sum:
    """A claim of the table: `whole` is the sum of `parts`."""

    whole: Spot
    parts: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Counts by spot, label columns, count columns, and the rows and columns that are totals."""

    cells: dict[Spot, int | Hidden]
    labels: tuple[int, ...]
    columns: tuple[int, ...]
    rows: int
    sums: tuple[Sum, ...]

    def spots(self) -> Iterator[tuple[Spot, int]]:
        """Yield every count that is written."""
        yield from ((spot, cell) for spot, cell in self.cells.items() if isinstance(cell, int))


def read_cell(text: str, *, decimal_comma: bool = False) -> int | Hidden | None:
    """Return a count, what is said of a hidden one, or None for something else."""
    plain = text.strip()
    number = counted(plain, decimal_comma=decimal_comma)
    if number is not None:
        return number if number >= 0 else None
    if below := _BELOW.fullmatch(plain):
        return Hidden(0, int(below[2]) - (1 if below[1] == "<" else 0))
    if (between := _BETWEEN.fullmatch(plain)) and int(between[1]) <= int(between[2]):
        return Hidden(int(between[1]), int(between[2]))
    return Hidden() if _HIDDEN.fullmatch(plain) else None


def read_grid(table: Table, promise: Promise | None) -> Grid | None:
    """Return the table as counts, or None where there are none or too many to reason about."""
    if not table.rows or len(table.rows) > _MOST_ROWS or len(table.header) > _MOST_COLUMNS:
        return None
    columns = _count_columns(table, promise)
    if not columns:
        return None
    labels = tuple(at for at in range(columns[0]) if at not in columns)
    cells: dict[Spot, int | Hidden] = {}
    for column in columns:
        for row, text in enumerate(table.column(column)):
            cell = read_cell(text, decimal_comma=table.decimal_comma)
            if cell is not None:
                cells[row, column] = cell
    sums = (*_down(cells, columns, names_of(table, labels)), *_across(cells, columns, table.header, len(table.rows)))
    return Grid(cells, labels, columns, len(table.rows), sums)


def _count_columns(table: Table, promise: Promise | None) -> tuple[int, ...]:
    if promise is not None:
        counts = {one.name for one in promise.columns if one.kind is Kind.COUNT}
        return tuple(at for at, name in enumerate(table.header) if name in counts)
    return tuple(at for at in range(1, len(table.header)) if _holds_counts(table, at))


def _holds_counts(table: Table, at: int) -> bool:
    name = table.header[at]
    if is_percent(name) or (is_known_other(name) and not is_total(name)):
        return False
    cells = [read_cell(cell, decimal_comma=table.decimal_comma) for cell in table.column(at)]
    return None not in cells and any(isinstance(cell, int) for cell in cells)


def _value(cells: dict[Spot, int | Hidden], spots: Sequence[Spot]) -> list[int] | None:
    found = [cells.get(spot) for spot in spots]
    numbers = [cell for cell in found if isinstance(cell, int)]
    return numbers if len(numbers) == len(found) else None


def _agrees(cells: dict[Spot, int | Hidden], claim: Sum) -> bool | None:
    """Return whether a claim that is all written holds; None where a part of it is hidden."""
    written = _value(cells, (claim.whole, *claim.parts))
    return None if written is None else written[0] == sum(written[1:])


def _trusted(cells: dict[Spot, int | Hidden], claims: list[Sum], *, named: bool) -> list[Sum]:
    """Return claims of one kind: named totals unless the written ones contradict, others if enough agree."""
    claims = [one for one in claims if len(one.parts) > 1 and {one.whole, *one.parts} <= cells.keys()]
    answers = [answer for one in claims if (answer := _agrees(cells, one)) is not None]
    parts = max((len(one.parts) for one in claims), default=0)
    if not all(answers) or (not answers and not named):
        return []
    return claims if named or len(answers) > 1 or parts > 2 else []


def total_rows(names: Sequence[Sequence[str]]) -> Iterator[tuple[int, list[int]]]:
    """Yield each row that is a total on one axis of labels, with the rows that it sums: everything else alike."""
    total = [[is_total(name) for name in row] for row in names]
    for row, labels in enumerate(names):
        for axis, name in enumerate(labels):
            if not is_total(name):
                continue
            yield (
                row,
                [
                    other
                    for other, beside in enumerate(names)
                    if not total[other][axis]
                    and all(beside[at] == labels[at] for at in range(len(labels)) if at != axis)
                ],
            )


def names_of(table: Table, labels: Sequence[int]) -> list[list[str]]:
    """Return the labels of each row."""
    return [[row[at] if at < len(row) else "" for at in labels] for row in table.rows]


def _down(cells: dict[Spot, int | Hidden], columns: Sequence[int], names: list[list[str]]) -> Iterator[Sum]:
    """Yield sums of rows: a total on one axis of labels, everything else alike."""
    axes = range(len(names[0]))
    total = [[is_total(name) for name in row] for row in names]
    for row, parts in total_rows(names):
        yield from _trusted(cells, _by_column(row, parts, columns), named=True)
    for row, marks in enumerate(total):
        if marks and marks[0] and len(axes) > 1 and all(m or not n for m, n in zip(marks, names[row], strict=True)):
            yield from _blocks(cells, columns, names, row)
    if axes and not any(any(marks) for marks in total) and len(names) > 2:
        last = len(names) - 1
        yield from _trusted(cells, _by_column(last, list(range(last)), columns), named=False)


def _blocks(
    cells: dict[Spot, int | Hidden], columns: Sequence[int], names: list[list[str]], row: int
) -> Iterator[Sum]:
    """Yield the sums of a table of several variables below each other, each adding up to one total."""
    groups: dict[str, list[int]] = {}
    for other, labels in enumerate(names):
        if labels[0] and not is_total(labels[0]):
            groups.setdefault(labels[0], []).append(other)
    claims = [claim for parts in groups.values() for claim in _by_column(row, parts, columns)]
    if any(_agrees(cells, one) for one in claims):
        yield from (one for one in claims if _agrees(cells, one) is None and {one.whole, *one.parts} <= cells.keys())


def _by_column(row: int, parts: list[int], columns: Sequence[int]) -> list[Sum]:
    return [Sum((row, column), tuple((part, column) for part in parts)) for column in columns]


def _across(
    cells: dict[Spot, int | Hidden], columns: Sequence[int], header: Sequence[str], rows: int
) -> Iterator[Sum]:
    """Yield sums of columns: one named as total of all others, or equal to some others in every row."""
    seen: set[Sum] = set()
    for column in columns:
        others = [at for at in columns if at != column and not is_total(header[at])]
        named = is_total(header[column])
        choices = [others] if len(others) > 1 else []
        if len(others) <= 8:
            choices += [list(pair) for pair in combinations(others, 2)]
        for chosen in choices:
            claims = [Sum((row, column), tuple((row, at) for at in chosen)) for row in range(rows)]
            sure = named and chosen is choices[0]
            for one in _trusted(cells, claims, named=sure):
                if one not in seen:
                    seen.add(one)
                    yield one

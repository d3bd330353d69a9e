"""Finds a small group that was left out of a table and that its total still counts: the total less all its parts."""

from collections.abc import Iterator, Sequence

from ..findings import Code, Finding, found
from ..subject import Subject, Table
from .column_names import is_total
from .grid import Grid, Spot, names_of, read_grid, total_rows
from .rounding import is_rounded
from .row_level import is_public_key
from .shares import is_sum_over

_FIVE = 5
_FEWEST_GUESSED = 2  # parts beside each other without a promise; of one part `differences` knows more


def check(subject: Subject) -> Iterator[Finding]:
    """Judge total rows, then total columns; what stands in each must be the sum of its parts, or far from it."""
    table = subject.model
    if not isinstance(table, Table) or (subject.promise is not None and subject.promise.unit != "person"):
        return
    grid = read_grid(table, subject.promise)
    if grid is None or is_rounded(grid, subject.policy):
        return
    if any(is_public_key(row[0]) for row in table.rows if row):
        return  # rows are genes or variants, of which a table shows a choice
    fewest = _FEWEST_GUESSED if subject.promise is None else 1
    least = subject.policy.min_count
    for row, column in sorted({*_down(table, grid, least), *_across(table, grid, least, fewest=fewest)}):
        yield found(Code.SECONDARY_DISCLOSURE, row=row + 1, column=column + 1)


def _gap(grid: Grid, whole: Spot, parts: Sequence[Spot]) -> int | None:
    """Return what a total counts beyond its parts; None where one is not written, or all were rounded to five.

    A table of few counts is not known as rounded by them all.
    """
    cells = [grid.cells.get(spot) for spot in (whole, *parts)]
    values = [cell for cell in cells if isinstance(cell, int)]
    if len(values) < len(cells) or not parts:
        return None
    gap = values[0] - sum(values[1:])
    return None if gap and all(value % _FIVE == 0 for value in values) else gap


def _down(table: Table, grid: Grid, least: int) -> Iterator[Spot]:
    names = names_of(table, grid.labels)
    for row, parts in (*total_rows(names), *_blocks(grid, names)):
        for column in grid.columns:
            gap = _gap(grid, (row, column), [(part, column) for part in parts])
            if gap is not None and 0 < gap < least:
                yield row, column


def _blocks(grid: Grid, names: Sequence[Sequence[str]]) -> Iterator[tuple[int, list[int]]]:
    """Yield the total of several variables below each other with each of them, if one of them adds up to it."""
    groups: dict[str, list[int]] = {}
    for row, labels in enumerate(names):
        if len(labels) > 1 and labels[0] and not is_total(labels[0]):
            groups.setdefault(labels[0], []).append(row)
    for row, labels in enumerate(names):
        if len(labels) > 1 and is_total(labels[0]) and not any(labels[1:]):
            gaps = [
                _gap(grid, (row, column), [(part, column) for part in parts])
                for parts in groups.values()
                for column in grid.columns
            ]
            yield from ((row, parts) for parts in groups.values() if 0 in gaps)


def _across(table: Table, grid: Grid, least: int, *, fewest: int) -> Iterator[Spot]:
    """Yield what columns leave of one named as their total; where they are more than it, they are no parts of it."""
    others = [at for at in grid.columns if not is_total(table.header[at])]
    if len(others) < fewest:
        return
    for column in grid.columns:
        if not is_total(table.header[column]) or (len(others) == 1 and is_sum_over(table, column, others[0])):
            continue
        gaps = {row: _gap(grid, (row, column), [(row, at) for at in others]) for row in range(grid.rows)}
        if any(gap is not None and gap < 0 for gap in gaps.values()):
            continue
        yield from ((row, column) for row, gap in gaps.items() if gap is not None and 0 < gap < least)

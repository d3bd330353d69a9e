"""Finds groups whose every member, or no member, has a property."""

from collections.abc import Iterator

from ..findings import Code, Finding, Severity, found
from ..subject import Subject, Table
from .column_names import MEANS, is_at_risk, is_count, is_percent, is_survival, is_total, words
from .grid import Grid, Hidden, read_grid
from .row_level import is_public_key
from .shares import is_share_of_all, is_total_row, numbers, whole_of

_MOST_GROUPS = 500
_MIDDLES, _SPREADS = MEANS | {"median"}, frozenset({"sd", "std", "iqr", "variance", "var"})
_PROPERTY = frozenset(
    {"positive", "negative", "yes", "no", "ja", "nein", "alive", "dead", "exposed", "unexposed", "affected"}
    | {"unaffected", "with", "without", "treated", "untreated", "carrier", "noncarrier"}
)


def check(subject: Subject) -> Iterator[Finding]:
    """Judge percentages of 0 and 100, then rows where one category holds everyone."""
    table = subject.model
    if not isinstance(table, Table) or not 0 < len(table.rows) <= _MOST_GROUPS:
        return
    if subject.promise is not None and subject.promise.unit != "person":
        return
    if any(is_at_risk(name) or is_survival(name) for name in table.header):
        return  # nobody of an interval is a class of its own; its steps have a check
    if any(is_public_key(row[0]) for row in table.rows if row):
        return  # rows are genes or variants, not groups of persons
    severity = Severity.BLOCK if subject.policy.block_class_disclosure else None
    grid = read_grid(table, subject.promise)
    for row, column in sorted({*_percents(table), *_alike(table), *(_one_class(table, grid) if grid else ())}):
        yield found(Code.CLASS_DISCLOSURE, severity, row=row + 1, column=column + 1)


def _alike(table: Table) -> Iterator[tuple[int, int]]:
    """Yield groups whose values do not differ at all: their mean is everybody's value."""
    if not any(is_count(name) for name in table.header) or not any(words(name) & _MIDDLES for name in table.header):
        return
    for column, name in enumerate(table.header):
        if words(name) & _SPREADS:
            yield from ((row, column) for row, spread in enumerate(numbers(table, column)) if spread == 0)


def _percents(table: Table) -> Iterator[tuple[int, int]]:
    if not any(is_count(name) for name in table.header):
        return
    for column, name in enumerate(table.header):
        if not is_percent(name):
            continue
        shares = numbers(table, column)
        if is_share_of_all(table, column):
            continue
        whole = whole_of(name, shares)
        for row, share in enumerate(shares):
            if share is not None and share in (0, whole) and not is_total_row(table.rows[row]):
                yield row, column


def _one_class(table: Table, grid: Grid) -> Iterator[tuple[int, int]]:
    """Yield the one filled cell of a row among sibling counts, none of which is a total."""
    totals = {one.whole[1] for one in grid.sums if len({part[0] for part in one.parts}) == 1}
    siblings = [at for at in grid.columns if at not in totals and not is_total(table.header[at])]
    named = sum(1 for at in siblings if is_count(table.header[at]) or words(table.header[at]) & _PROPERTY)
    if len(siblings) < 2 or not (totals or named == len(siblings)):
        return
    for row in range(grid.rows):
        cells = [grid.cells.get((row, at)) for at in siblings]
        if any(cell is None or isinstance(cell, Hidden) for cell in cells) or is_total_row(table.rows[row]):
            continue
        filled = [at for at, cell in zip(siblings, cells, strict=True) if cell]
        if len(filled) == 1:
            yield row, filled[0]

"""Finds what a reader of a table would not see: odd characters, nameless columns, formulas, long cells."""

import re
from collections.abc import Iterator

from ..findings import Code, Finding, found
from ..formats.table import number, strange_character, whole
from ..subject import Prose, Sites, Subject, Table
from ..thresholds import Policy

_FORMULA_STARTS = ("=", "+", "@", "-")
_CHROMOSOME = re.compile(r"(?:chr)?(?:\d{1,2}|[XYM]|MT)")


def check(subject: Subject) -> Iterator[Finding]:
    """Look at every character once, then at the table's outline."""
    model = subject.model
    if isinstance(model, Prose):
        yield from _characters(enumerate(((line,) for line in model.lines), start=1))
    elif isinstance(model, Sites):
        yield from _characters(enumerate(((line,) for line in model.meta), start=1))
    elif isinstance(model, Table):
        yield from _characters(enumerate((model.header, *model.rows)))
        yield from _outline(model)
        yield from _cells(model, policy=subject.policy)


def _characters(rows: Iterator[tuple[int, tuple[str, ...]]]) -> Iterator[Finding]:
    for row, cells in rows:
        for column, cell in enumerate(cells, start=1):
            if (odd := strange_character(cell)) is not None:
                yield found(odd[1], row=row, column=column, offset=odd[0])


def _outline(table: Table) -> Iterator[Finding]:
    width = len(table.header)
    if any(whole(cell) is not None for cell in table.header) and not _is_intervals(table):
        yield found(Code.UNCLEAR_COLUMN, row=0)
    for index, name in enumerate(table.header):
        if not name and any(cell.strip() for cell in table.column(index)):
            yield found(Code.HIDDEN_COLUMNS, column=index + 1)
    nameless = [index for index, name in enumerate(table.header) if not name]
    if nameless and nameless[0] < width - 1 and any(table.header[nameless[0] :]) and nameless[0] > 0:
        yield found(Code.HIDDEN_COLUMNS, column=nameless[0] + 1)
    for row, cells in enumerate(table.rows, start=1):
        if len(cells) != width:
            yield found(Code.RAGGED_ROWS, row=row)


def _is_intervals(table: Table) -> bool:
    """Return whether this is BED, the one table without a header line: chromosome, start, end."""
    return all(
        len(row) >= 3 and _CHROMOSOME.fullmatch(row[0]) and whole(row[1]) is not None and whole(row[2]) is not None
        for row in (table.header, *table.rows)
    )


def _cells(table: Table, *, policy: Policy) -> Iterator[Finding]:
    for row, cells in enumerate((table.header, *table.rows)):
        for column, cell in enumerate(cells, start=1):
            if len(cell) > policy.max_cell_length:
                yield found(Code.HIDDEN_COLUMNS, row=row, column=column)
            if (
                cell.startswith(_FORMULA_STARTS)
                and len(cell) > 1
                and number(cell, decimal_comma=table.decimal_comma) is None
            ):
                yield found(Code.FORMULA, row=row, column=column)

"""Finds what a reader of a table would not see: odd characters, nameless columns, formulas, long cells."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ..findings import Code, Finding, Severity, found
from ..formats.table import number, strange_character, whole
from ..subject import Prose, Sites, Subject, Table
from ..thresholds import Policy

_FORMULA_STARTS = ("=", "+", "@", "-")
_BLANK_LINES, _BLANK_LENGTHS = 20, 4
_SIGNS = re.compile(r"[-+?0]{2,60}")  # directions of effect in the studies of a meta-analysis
_KEYWORD = re.compile(r"@(?:id|type|context|graph|value|language|list|set|reverse|base|vocab)")  # of JSON-LD
_LOGARITHM = re.compile(r"-log(?:2|10)? ?[(_]?[A-Za-z][A-Za-z_. -]{0,20}\)?", re.IGNORECASE)  # of a p-value
_LONG_LINE, _LONGEST_LINE = 4000, 20_000  # what the readers of tables in text, and all checks of text, look at
_YEARS = range(1900, 2101)
_LEAST_END = 1000  # of a position; ages, heights and pressures of persons are less
_CHROMOSOME = re.compile(r"(?:chr)?(?:\d{1,2}|[XYM]|MT)")


def check(subject: Subject) -> Iterator[Finding]:
    """Look at every character once, then at the table's outline."""
    model = subject.model
    if isinstance(model, Prose):
        yield from _characters(enumerate(((line,) for line in model.lines), start=1))
        yield from _far(model.lines)
        blanks = Counter(len(line) - len(line.rstrip(" \t")) for line in model.lines)
        del blanks[0]
        if sum(blanks.values()) >= _BLANK_LINES and len(blanks) >= _BLANK_LENGTHS:
            yield found(Code.HIDDEN_CHARACTERS, Severity.WARN)  # as many as say something, and nobody sees them
    elif isinstance(model, Sites):
        yield from _characters(enumerate(((line,) for line in model.meta), start=1))
    elif isinstance(model, Table):
        yield from _characters(enumerate((model.header, *model.rows)))
        yield from _outline(model)
        yield from _cells(model, policy=subject.policy)


def _far(lines: Sequence[str]) -> Iterator[Finding]:
    """Judge what stands so far to the right that tables in text are not read there, or nothing is."""
    for row, line in enumerate(lines, start=1):
        if len(line) > _LONG_LINE:
            yield found(Code.HIDDEN_COLUMNS, Severity.BLOCK if len(line) > _LONGEST_LINE else Severity.WARN, row=row)


def _characters(rows: Iterator[tuple[int, tuple[str, ...]]]) -> Iterator[Finding]:
    for row, cells in rows:
        for column, cell in enumerate(cells, start=1):
            if (odd := strange_character(cell)) is not None:
                yield found(odd[1], row=row, column=column, offset=odd[0])


def _outline(table: Table) -> Iterator[Finding]:
    width = len(table.header)
    if not _is_named(table.header) and not is_intervals(table):
        yield found(Code.UNCLEAR_COLUMN, row=0)
    for index, name in enumerate(table.header):
        labels = index == 0 and width > 1 and all(table.header[1:])  # as R and pandas write the names of rows
        if not name and not labels and any(cell.strip() for cell in table.column(index)):
            yield found(Code.HIDDEN_COLUMNS, column=index + 1)
    nameless = [index for index, name in enumerate(table.header) if not name]
    if nameless and nameless[0] < width - 1 and any(table.header[nameless[0] :]) and nameless[0] > 0:
        yield found(Code.HIDDEN_COLUMNS, column=nameless[0] + 1)
    for row, cells in enumerate(table.rows, start=1):
        if len(cells) != width:
            yield found(Code.RAGGED_ROWS, row=row)


def _is_named(header: Sequence[str]) -> bool:
    """Return whether the first line names columns: with words, or with years in their order."""
    numbers = [value for cell in header if (value := whole(cell)) is not None]
    return all(value in _YEARS for value in numbers) and numbers == sorted(set(numbers))


def is_intervals(table: Table) -> bool:
    """Return whether this is BED, the one table without a header line: chromosome, start, end."""
    ends = [0]
    for row in (table.header, *table.rows):
        if len(row) < 3 or not _CHROMOSOME.fullmatch(row[0]):
            return False
        start, end = whole(row[1]), whole(row[2])
        if start is None or end is None or start > end:
            return False
        ends.append(end)
    return max(ends) >= _LEAST_END


def _cells(table: Table, *, policy: Policy) -> Iterator[Finding]:
    for row, cells in enumerate((table.header, *table.rows)):
        for column, cell in enumerate(cells, start=1):
            if len(cell) > policy.max_cell_length:
                yield found(Code.HIDDEN_COLUMNS, row=row, column=column)
            if (
                cell.startswith(_FORMULA_STARTS)
                and len(cell) > 1
                and not _SIGNS.fullmatch(cell)
                and not _LOGARITHM.fullmatch(cell)
                and not _KEYWORD.fullmatch(cell)
                and number(cell, decimal_comma=table.decimal_comma) is None
            ):
                yield found(Code.FORMULA, row=row, column=column)

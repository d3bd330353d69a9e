"""Finds small counts in tables that count persons by their shape alone: groups of persons, beside whole numbers."""

import re
from collections.abc import Iterator, Sequence

from ..findings import Code, Finding, found
from ..formats.table import whole
from ..subject import Subject, Table
from ..thresholds import Policy
from .column_names import any_of, is_count, is_known_other, is_total, words
from .grid import read_grid
from .rounding import midpoint_columns

_GROUPS = any_of(
    "sex gender age band region arm group groupe grupo grupp gruppe groep ethnicity ancestry diagnosis outcome "
    "status ward smoker smoking treatment exposure bmi class education county country municipality diabetes race "
    "genotype sexe sexo geschlecht altersgruppe"
)
_LABELS = any_of("f m male female men women yes no case control cases controls exposed unexposed alive dead")
_THINGS = any_of(
    "dose mg ml beds hospitals threads seconds items questions points visits reads genes variants snps sites "
    "copies exons models files columns rows rank version id cluster k"
)
_TRIPLE = re.compile(r"(\d{1,7})/(\d{1,7})/(\d{1,7})")
_CALLS = any_of("geno genotype genotypes")
_TABLE_OF_FOUR = frozenset("abcd")
_SIDE = 2


def check(subject: Subject) -> Iterator[Finding]:
    """Judge cross tables, two-by-two tables, and genotypes counted in one cell; a contract names its counts."""
    table = subject.model
    if not isinstance(table, Table) or subject.promise is not None or not table.rows:
        return
    least = subject.policy.min_count
    for at, name in enumerate(table.header):
        if words(name) & _CALLS or name.strip().lower() in _TABLE_OF_FOUR:
            yield from _cells(table, at, name, least)
    counts = _crossed(table, policy=subject.policy)
    for at in counts:
        for row, cell in enumerate(table.column(at), start=1):
            value = whole(cell)
            if value is not None and 0 < value < least:
                yield found(Code.SMALL_COUNT, row=row, column=at + 1)


def _cells(table: Table, at: int, name: str, least: int) -> Iterator[Finding]:
    four = {other.strip().lower() for other in table.header} >= _TABLE_OF_FOUR
    for row, cell in enumerate(table.column(at), start=1):
        parts = _TRIPLE.fullmatch(cell.strip())
        counts: Sequence[int | None] = [int(part) for part in parts.groups()] if parts else []
        if four and name.strip().lower() in _TABLE_OF_FOUR:
            counts = [whole(cell)]
        if any(count is not None and 0 < count < least for count in counts):
            yield found(Code.SMALL_COUNT, row=row, column=at + 1)


def _crossed(table: Table, *, policy: Policy) -> list[int]:
    """Return the columns of a cross table that are not named like counts; none where any cell is no whole number."""
    width = len(table.header)
    rows = [row for row in table.rows if any(cell.strip() for cell in row[1:])]
    if width < _SIDE or not rows:
        return []
    labelled = words(table.header[0]) & _GROUPS or {row[0].strip().lower() for row in rows} <= _LABELS
    labelled = labelled or {name.strip().lower() for name in table.header[1:]} <= _LABELS
    sides = [at for at in range(1, width) if all(at < len(row) and whole(row[at]) is not None for row in rows)]
    labels = [at for at in range(1, width) if at not in sides]
    alone = len(sides) == 1 and bool(words(table.header[sides[0]]) & {"frequency", "frequencies"})
    if (
        not labelled
        or (len(sides) < _SIDE and not alone)
        or any(whole(row[at]) is not None for row in rows for at in labels if at < len(row))
    ):
        return []
    if labels and max(labels) > min(sides):
        return []
    names = [table.header[at] for at in sides]
    if any(
        words(name) & _THINGS or (is_known_other(name) and whole(name) is None and not is_total(name))
        for name in names
    ):
        return []
    rounded = midpoint_columns(table, read_grid(table, None), policy)
    return [at for at in sides if not is_count(table.header[at]) and at not in rounded]

"""Finds small counts in what columns leave of each other: steps of a running sum, a total less its one part."""

from collections.abc import Iterator
from itertools import pairwise

from ..findings import Code, Finding, found
from ..formats.table import counted
from ..subject import Subject, Table
from .column_names import any_of, is_count, is_known_other, is_percent, is_total, words
from .grid import read_grid
from .rounding import is_rounded
from .row_level import is_public_key

_RUNNING = any_of("cumulative cum cumulated kumulativ kumuliert running cumulé")
_COMPLETE = 2  # a total and one part


def check(subject: Subject) -> Iterator[Finding]:
    """Judge tables without a promise: its author said which numbers belong together."""
    table = subject.model
    if not isinstance(table, Table) or subject.promise is not None or not table.rows:
        return
    grid = read_grid(table, None)
    if grid is not None and is_rounded(grid, subject.policy):
        return
    least = subject.policy.min_count
    for at, name in enumerate(table.header):
        if words(name) & _RUNNING and (is_count(name) or is_count(table.header[0])) and not is_percent(name):
            values = [counted(cell) for cell in table.column(at)]
            for row, (before, after) in enumerate(pairwise(values), start=2):
                if before is not None and after is not None and 0 < after - before < least:
                    yield found(Code.SECONDARY_DISCLOSURE, row=row, column=at + 1)
    if not any(is_public_key(row[0]) for row in table.rows if row):
        yield from _left(table, least=least)


def _left(table: Table, *, least: int) -> Iterator[Finding]:
    """Judge the one part that stands beside a total, with nothing else that is counted."""
    counts = [
        at
        for at, name in enumerate(table.header)
        if not is_percent(name)
        and (is_total(name) or not is_known_other(name))
        and all(counted(cell) is not None for cell in table.column(at))
    ]
    totals = [at for at in counts if is_total(table.header[at])]
    if len(counts) != _COMPLETE or len(totals) != 1:
        return
    (whole,), (part,) = totals, [at for at in counts if at not in totals]
    for row, cells in enumerate(table.rows, start=1):
        left = (counted(cells[whole]) or 0) - (counted(cells[part]) or 0)
        if 0 < left < least and not is_total(cells[0]):
            yield found(Code.SECONDARY_DISCLOSURE, row=row, column=part + 1)

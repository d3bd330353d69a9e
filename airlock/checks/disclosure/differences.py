"""Finds small counts in what columns leave of each other: steps of a running sum, a total less its one part."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from ..findings import Code, Finding, found
from ..formats.table import counted
from ..subject import Subject, Table
from .column_names import any_of, is_base, is_count, is_known_other, is_percent, is_total, words
from .grid import read_grid
from .rounding import is_rounded
from .row_level import is_public_key
from .shares import is_sum_over, numbers, whole_of

_RUNNING = any_of("cumulative cum cumulated kumulativ kumuliert running cumulé")
_DISTRIBUTION = any_of("ecdf cdf")
_HALF, _HUNDRED = Decimal("0.5"), Decimal(100)
_COMPLETE = 2  # a total and one part


def check(subject: Subject) -> Iterator[Finding]:
    """Judge what runs along, then the one part of a total; with a promise `left_out` knows which parts there are."""
    table = subject.model
    if not isinstance(table, Table) or not table.rows:
        return
    if subject.promise is not None and subject.promise.unit != "person":
        return
    least = subject.policy.min_count
    yield from _running_shares(table, least=least)
    grid = read_grid(table, subject.promise)
    if grid is not None and is_rounded(grid, subject.policy):
        return
    for at, name in enumerate(table.header):
        if words(name) & _RUNNING and (is_count(name) or is_count(table.header[0])) and not is_percent(name):
            values = [counted(cell) for cell in table.column(at)]
            for row, (before, after) in enumerate(pairwise(values), start=2):
                if before is not None and after is not None and 0 < after - before < least:
                    yield found(Code.SECONDARY_DISCLOSURE, row=row, column=at + 1)
    if subject.promise is None and not any(is_public_key(row[0]) for row in table.rows if row):
        yield from _left(table, least=least)


def _running_shares(table: Table, *, least: int) -> Iterator[Finding]:
    """Judge steps of a running share of all persons, whose number stands in every row."""
    bases = [numbers(table, at) for at, name in enumerate(table.header) if is_base(name)]
    alike = [base[0] for base in bases if base[0] and len(set(base)) == 1]
    for at, name in enumerate(table.header):
        if not words(name) & (_RUNNING | _DISTRIBUTION):
            continue
        column = numbers(table, at)
        shares = [share for share in column if share is not None and 0 <= share <= _HUNDRED]
        if len(shares) < len(column):
            continue
        whole = whole_of(name, column)
        for row, (before, after) in enumerate(pairwise(shares), start=2):
            if any(_HALF <= abs(after - before) / whole * count < least - _HALF for count in alike):
                yield found(Code.SECONDARY_DISCLOSURE, row=row, column=at + 1)


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
    if is_sum_over(table, whole, part):
        return
    for row, cells in enumerate(table.rows, start=1):
        left = (counted(cells[whole]) or 0) - (counted(cells[part]) or 0)
        if 0 < left < least and not is_total(cells[0]):
            yield found(Code.SECONDARY_DISCLOSURE, row=row, column=part + 1)

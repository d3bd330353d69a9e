"""Finds percentages that, with their total, give away a count below the threshold."""

from collections.abc import Iterator
from decimal import Decimal

from ..findings import Code, Finding, found
from ..formats.table import number
from ..subject import Subject, Table
from ..thresholds import Policy
from .column_names import is_count, is_percent

_HALF = Decimal("0.5")


def check(subject: Subject) -> Iterator[Finding]:
    """Multiply each share by each total of its row; a contract may say that the totals are not of persons."""
    table = subject.model
    if not isinstance(table, Table) or (subject.promise is not None and subject.promise.unit != "person"):
        return
    totals = [_numbers(table, index) for index, name in enumerate(table.header) if is_count(name)]
    for index, name in enumerate(table.header):
        if not totals or not is_percent(name):
            continue
        shares = _numbers(table, index)
        known = [share for share in shares if share is not None]
        whole_is = Decimal(1) if known and max(known) <= 1 and "percent" not in name.lower() else Decimal(100)
        for row, share in enumerate(shares, start=1):
            if share is None or not 0 <= share <= whole_is:
                continue
            beside = [column[row - 1] for column in totals]
            if any(n is not None and _small(share / whole_is * n, n, policy=subject.policy) for n in beside):
                yield found(Code.SMALL_COUNT, row=row, column=index + 1)


def _numbers(table: Table, index: int) -> list[Decimal | None]:
    return [number(cell, decimal_comma=table.decimal_comma) for cell in table.column(index)]


def _small(part: Decimal, total: Decimal, *, policy: Policy) -> bool:
    """Return whether the part, or what it leaves of the total, is a small count."""
    limit = policy.min_count - _HALF
    return _HALF <= part < limit or _HALF <= total - part < limit

"""Finds sums that one or two units make up nearly alone."""

from collections.abc import Iterator
from decimal import Decimal

from ..findings import Code, Finding, found
from ..formats.table import number
from ..subject import Subject, Table
from .column_names import words

_LARGEST = frozenset({"max", "largest", "top", "top1", "top2"})
_SUM = frozenset({"sum", "total"})


def check(subject: Subject) -> Iterator[Finding]:
    """Compare each largest or top-two column with the sum column of its row."""
    table = subject.model
    if not isinstance(table, Table):
        return
    sums = [at for at, name in enumerate(table.header) if words(name) & _SUM and not words(name) & _LARGEST]
    for index, name in enumerate(table.header):
        if not words(name) & _LARGEST:
            continue
        for sum_at in sums:
            for row, (top, whole) in enumerate(zip(table.column(index), table.column(sum_at), strict=True), start=1):
                part, total = number(top), number(whole)
                if part is None or total is None or total <= 0 or part > total:
                    continue
                if part * Decimal(100) > total * subject.policy.dominance_percent:
                    yield found(Code.DOMINANCE, row=row, column=index + 1)

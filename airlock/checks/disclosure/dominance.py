"""Finds sums that one or two units make up nearly alone."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import product

from ..findings import Code, Finding, found
from ..subject import Subject, Table
from .column_names import MEANS, is_count, is_mean, is_percent, words
from .shares import numbers, whole_of

_LARGEST = frozenset({"max", "maximum", "largest", "top", "top1", "top2", "biggest"})
_TOP_TWO = frozenset({"top2", "two"})
_SUM = frozenset({"sum", "total"})


def check(subject: Subject) -> Iterator[Finding]:
    """Compare each largest or top-two column with the sum of its row, then what is left with the largest (p%)."""
    table = subject.model
    if not isinstance(table, Table):
        return
    sums = [at for at, name in enumerate(table.header) if words(name) & _SUM and not words(name) & _LARGEST]
    tops = [at for at, name in enumerate(table.header) if words(name) & _LARGEST]
    twos = [at for at in tops if words(table.header[at]) & _TOP_TWO or {"top", "2"} <= words(table.header[at])]
    for top_at in tops:
        if is_percent(table.header[top_at]):
            yield from _shares(table, top_at, most=subject.policy.dominance_percent)
            continue
        for sum_at in sums:
            for row, (top, whole) in enumerate(_rows(table, top_at, sum_at), start=1):
                if top is None or whole is None or whole <= 0 or top > whole:
                    continue
                if top * Decimal(100) > whole * subject.policy.dominance_percent:
                    yield found(Code.DOMINANCE, row=row, column=top_at + 1)
    if not sums and (subject.promise is None or subject.promise.unit == "person"):
        yield from _of_means(table, tops, most=subject.policy.dominance_percent)
    least = subject.policy.dominance_rest_percent
    for sum_at, two_at, top_at in product(sums, twos, [at for at in tops if at not in twos]):
        for row, (whole, two, top) in enumerate(_rows(table, sum_at, two_at, top_at), start=1):
            if whole is None or two is None or top is None or not 0 < top <= two <= whole:
                continue
            if (whole - two) * 100 < top * least:
                yield found(Code.DOMINANCE, row=row, column=two_at + 1)


def _of_means(table: Table, tops: list[int], *, most: int) -> Iterator[Finding]:
    """Compare each largest with the sum that a mean and its count make; of several means, that of the same words."""
    counts = [at for at, name in enumerate(table.header) if is_count(name)]
    means = [at for at, name in enumerate(table.header) if is_mean(name)]
    for top_at, mean_at, count_at in product(tops, means, counts[:1]):
        topic = words(table.header[top_at]) - _LARGEST
        if len(means) > 1 and topic != words(table.header[mean_at]) - MEANS:
            continue
        for row, (top, mean, count) in enumerate(_rows(table, top_at, mean_at, count_at), start=1):
            if top is None or mean is None or count is None or not 0 < top <= mean * count:
                continue
            if top * 100 > mean * count * most:
                yield found(Code.DOMINANCE, row=row, column=top_at + 1)


def _rows(table: Table, *columns: int) -> Iterator[tuple[Decimal | None, ...]]:
    return zip(*(numbers(table, at) for at in columns), strict=True)


def _shares(table: Table, at: int, *, most: int) -> Iterator[Finding]:
    shares = numbers(table, at)
    whole = whole_of(table.header[at], shares)
    for row, share in enumerate(shares, start=1):
        if share is not None and share * 100 > whole * most:
            yield found(Code.DOMINANCE, row=row, column=at + 1)

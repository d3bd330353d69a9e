"""Finds percentages that, with their total, give away a count below the threshold."""

import re
from collections.abc import Iterator
from decimal import Decimal

from ..findings import Code, Finding, found
from ..subject import Subject, Table
from ..thresholds import Policy
from .column_names import is_base, is_percent, is_population
from .shares import base_in_row, half_step, numbers, total_behind, whole_of

_HALF, _HUNDRED = Decimal("0.5"), Decimal(100)
SAID = re.compile(r"(?<![A-Za-z])[nN] ?= ?(\d{1,3}(?:,\d{3}){1,3}|\d{1,9})(?!\d)")


def check(subject: Subject) -> Iterator[Finding]:
    """Multiply each share by what it is a share of; a contract may say that the totals are not of persons."""
    table = subject.model
    if not isinstance(table, Table) or (subject.promise is not None and subject.promise.unit != "person"):
        return
    for index, name in enumerate(table.header):
        yield from _of_said(table, index, policy=subject.policy)
        if not is_percent(name) or not any(is_base(other) for other in table.header):
            continue
        if (behind := total_behind(table, index)) is not None:
            yield from _hidden_counts(table, index, behind, policy=subject.policy)
        else:
            yield from _of_its_row(table, index, policy=subject.policy)


def _of_said(table: Table, index: int, *, policy: Policy) -> Iterator[Finding]:
    """Judge shares of as many persons as the name of their column says: `Cases (N=240)`."""
    said = SAID.search(table.header[index])
    if said is None:
        return
    persons, named = Decimal(said[1].replace(",", "")), is_percent(table.header[index])
    for row, (cell, share) in enumerate(zip(table.column(index), numbers(table, index), strict=True), start=1):
        if share is None or not (named or "%" in cell) or not 0 <= share <= _HUNDRED:
            continue
        if is_small(share / _HUNDRED * persons, persons, policy):
            yield found(Code.SMALL_COUNT, row=row, column=index + 1)


def _of_its_row(table: Table, index: int, *, policy: Policy) -> Iterator[Finding]:
    """Judge shares of a count in the same row: the one that explains all shares, else any."""
    base = base_in_row(table, index)
    among = is_population if any(map(is_population, table.header)) else is_base
    names = enumerate(table.header)
    totals = [numbers(table, at) for at, name in names if (among(name) if base is None else at == base)]
    shares = numbers(table, index)
    whole_is = whole_of(table.header[index], shares)
    for row, share in enumerate(shares, start=1):
        if share is None or not 0 <= share <= whole_is:
            continue
        beside = [column[row - 1] for column in totals]
        if any(n is not None and is_small(share / whole_is * n, n, policy) for n in beside):
            yield found(Code.SMALL_COUNT, row=row, column=index + 1)


def _hidden_counts(table: Table, index: int, behind: tuple[int, Decimal], *, policy: Policy) -> Iterator[Finding]:
    """Judge shares of all rows together, where a count is suppressed and its share is not."""
    at, every = behind
    counts, shares = numbers(table, at), numbers(table, index)
    whole_is, slack = whole_of(table.header[index], shares), half_step(shares)
    for row, (count, share) in enumerate(zip(counts, shares, strict=True), start=1):
        if count is not None or share is None:
            continue
        low, high = ((share - slack) / whole_is * every, (share + slack) / whole_is * every)
        if high - low < policy.min_count - 1 and _HALF <= share / whole_is * every < policy.min_count - _HALF:
            yield found(Code.SECONDARY_DISCLOSURE, row=row, column=index + 1)


def is_small(part: Decimal, total: Decimal, policy: Policy) -> bool:
    """Return whether the part, or what it leaves of the total, is a small count."""
    limit = policy.min_count - _HALF
    return _HALF <= part < limit or _HALF <= total - part < limit

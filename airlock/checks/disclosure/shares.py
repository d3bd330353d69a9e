"""Tells what a column of percentages is a share of: a count of its row, or all rows together."""

from collections.abc import Sequence
from decimal import Decimal
from operator import itemgetter

from ..formats.table import number
from ..subject import Table
from .column_names import is_base, is_count, is_mean, is_total, per_many

_LEAST_ROWS = 2


def numbers(table: Table, column: int) -> list[Decimal | None]:
    """Return a column as numbers."""
    return [number(cell, decimal_comma=table.decimal_comma) for cell in table.column(column)]


def whole_of(name: str, shares: Sequence[Decimal | None]) -> Decimal:
    """Return what stands for all: 1 for fractions, 100 for percentages, 1000 for rates per thousand."""
    if (many := per_many(name)) is not None:
        return Decimal(many)
    written = [share for share in shares if share is not None]
    return Decimal(1) if written and max(written) <= 1 and "percent" not in name.lower() else Decimal(100)


def half_step(shares: Sequence[Decimal | None]) -> Decimal:
    """Return half of the last written decimal place, by which a rounded share may be off."""
    places = [int(share.as_tuple().exponent) for share in shares if share is not None]
    return Decimal(1).scaleb(min(places, default=0)) / 2


def is_total_row(cells: Sequence[str]) -> bool:
    """Return whether a row's labels speak of all categories together."""
    return any(is_total(cell) for cell in cells[:3] if number(cell) is None)


def is_share_of_all(table: Table, column: int) -> bool:
    """Return whether each share is its row's count of the sum of that count over all rows."""
    return total_behind(table, column) is not None


def total_behind(table: Table, column: int) -> tuple[int, Decimal] | None:
    """Return the count column that the shares are shares of, with its total, if there is one."""
    shares = numbers(table, column)
    whole, slack = whole_of(table.header[column], shares), half_step(shares)
    totals = [is_total_row(row) for row in table.rows]
    for at, name in enumerate(table.header):
        if at == column or not is_count(name):
            continue
        counts = numbers(table, at)
        parts = [count for count, total in zip(counts, totals, strict=True) if count is not None and not total]
        candidates = {count for count, total in zip(counts, totals, strict=True) if total and count}
        if sum(1 for count in parts if count) >= _LEAST_ROWS:
            candidates.add(sum(parts, Decimal(0)))
        pairs = [
            (count, share)
            for count, share, total in zip(counts, shares, totals, strict=True)
            if count is not None and share is not None and not total
        ]
        if None in counts and pairs and (largest := max(pairs, key=itemgetter(1)))[1] > 0:
            candidates.add(round(largest[0] / largest[1] * whole, 0))  # what is hidden is part of all
        for every in sorted(candidates):
            if (
                every
                and len(pairs) >= _LEAST_ROWS
                and all(abs(count / every * whole - share) <= slack * 2 for count, share in pairs)
            ):
                return at, every
    return None


def base_in_row(table: Table, column: int) -> int | None:
    """Return the count column of which, in every row, another count is the written share; None if there is none."""
    shares = numbers(table, column)
    whole, slack = whole_of(table.header[column], shares), half_step(shares)
    counts = [at for at, name in enumerate(table.header) if is_count(name) and at != column]
    bases = [at for at, name in enumerate(table.header) if is_base(name) and at != column]
    for base in bases:
        below = numbers(table, base)
        for part in counts:
            if part == base:
                continue
            triples = [
                (a, b, share)
                for a, b, share in zip(numbers(table, part), below, shares, strict=True)
                if a is not None and b and share is not None
            ]
            if triples and all(abs(a / b * whole - share) <= slack * 2 for a, b, share in triples):
                return base
    return None


def is_sum_over(table: Table, total: int, count: int) -> bool:
    """Return whether a column is the sum of what was measured, as another is its mean over the count of each row."""
    for at, name in enumerate(table.header):
        if not is_mean(name):
            continue
        means = numbers(table, at)
        slack = half_step(means) * 2
        triples = zip(numbers(table, total), numbers(table, count), means, strict=True)
        if all(a is not None and b and mean is not None and abs(a / b - mean) <= slack for a, b, mean in triples):
            return True
    return False

"""Finds shares of persons by their arithmetic, whatever their column is called: each times its count is whole."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from ..findings import Code, Finding, Severity, found
from ..promise import Kind, Promise
from ..subject import Subject, Table
from ..thresholds import Policy
from .column_names import any_of, is_at_risk, is_base, is_count, is_percent, is_plain_id, is_quality, words
from .rounding import are_rounded
from .shares import half_step, numbers
from .variant_tables import FREQUENCY, is_of_variants

_CERTAIN, _LIKELY = any_of("fraction frac risk frequency freq"), any_of("rate rates")
_NO_SHARES = any_of("discovery false error learning heart hazard growth relative")
_CHANCE_NAMED, _CHANCE, _CHANCE_SEEN = Decimal("0.25"), Decimal("0.001"), Decimal("0.02")
_FLOAT = Decimal("0.000001")  # what a float may be off
_HALF = Decimal("0.5")
_FEWEST_SEEN = 2

Pair = tuple[int, Decimal, Decimal]  # row, share, and the count beside it


def check(subject: Subject) -> Iterator[Finding]:
    """Hold each column of numbers up to one or a hundred against each count of its row."""
    table = subject.model
    if not isinstance(table, Table) or (subject.promise is not None and subject.promise.unit != "person"):
        return
    named = {at: numbers(table, at) for at, name in enumerate(table.header) if _is_base(name, subject.promise)}
    bases = {at: column for at, column in named.items() if _are_whole(column)}
    if not bases:
        return
    exact = [
        base
        for base in bases.values()
        if not are_rounded([int(count) for count in base if count is not None], subject.policy)
    ]
    variants = is_of_variants(table)
    for at, name in enumerate(table.header):
        if at in bases or is_percent(name) or is_quality(name) or is_plain_id(name):
            continue
        if variants and words(name) & FREQUENCY:
            continue  # of alleles, two a person
        beside = [*bases.values()] if _is_named(name) else exact
        yield from _column(numbers(table, at), beside, at, name, policy=subject.policy)


def _is_base(name: str, promise: Promise | None) -> bool:
    declared = promise is not None and any(one.name == name and one.kind is Kind.COUNT for one in promise.columns)
    return declared or is_count(name) or is_base(name)


def _is_named(name: str) -> bool:
    return bool(words(name) & (_CERTAIN | _LIKELY))


def _are_whole(values: Sequence[Decimal | None]) -> bool:
    return all(value is None or value == int(value) for value in values)


def _column(
    shares: Sequence[Decimal | None], bases: Sequence[Sequence[Decimal | None]], at: int, name: str, *, policy: Policy
) -> Iterator[Finding]:
    written = [share for share in shares if share is not None]
    if not written or min(written) < 0 or max(written) > 100 or all(share in (0, 1, 100) for share in written):
        return
    if not _is_named(name) and _are_whole(written):
        return  # doses, ages and other round numbers, of which round counts make whole ones too
    whole = Decimal(1) if max(written) <= 1 else Decimal(100)
    step = half_step(shares)
    for base in bases:
        severity = _severity(name, _chance(_pairs(shares, base), step, whole), len(written))
        if severity is None:
            continue
        for row, share, count in _pairs(shares, base):
            if _is_small(share / whole * count, count, policy=policy):
                yield found(Code.SMALL_COUNT, severity, row=row, column=at + 1)
        return


def _pairs(shares: Sequence[Decimal | None], base: Sequence[Decimal | None]) -> Iterator[Pair]:
    for row, (share, count) in enumerate(zip(shares, base, strict=True), start=1):
        if share is not None and count and count > 0:
            yield row, share, count


def _chance(pairs: Iterator[Pair], step: Decimal, whole: Decimal) -> Decimal | None:
    """Return how likely other numbers would be whole too once multiplied; None where one of these is not."""
    chance = Decimal(1)
    seen: set[tuple[Decimal, Decimal]] = set()
    for _, share, count in pairs:
        if not 0 < share < whole or (share, count) in seen:
            continue
        seen.add((share, count))
        part, slack = share / whole * count, step / whole * count + _FLOAT
        if abs(part - round(part)) > slack:
            return None
        chance *= min(Decimal(1), 2 * slack)
    return chance


def _severity(name: str, chance: Decimal | None, rows: int) -> Severity | None:
    parts = words(name)
    if chance is None:
        return None
    may_be = not parts & _NO_SHARES and not is_at_risk(name)
    if chance <= _CHANCE or (may_be and (parts & _CERTAIN or (parts & _LIKELY and chance <= _CHANCE_NAMED))):
        return Severity.BLOCK
    return Severity.WARN if chance <= _CHANCE_SEEN and rows >= _FEWEST_SEEN else None


def _is_small(part: Decimal, total: Decimal, *, policy: Policy) -> bool:
    limit = policy.min_count - _HALF
    return _HALF <= part < limit or _HALF <= total - part < limit

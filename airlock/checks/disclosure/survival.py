"""Finds survival curves whose steps are single persons."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from ..findings import Code, Finding, Severity, found
from ..subject import Subject, Table
from .column_names import is_at_risk, is_base, is_percent, is_survival, words
from .shares import numbers

_HALF = Decimal("0.5")
_EVENTS = frozenset(
    {"event", "events", "deaths", "died", "death", "failures", "censored", "censor", "d", "observed", "removed"}
)
_TIME = frozenset({"time", "days", "day", "months", "month", "weeks", "week", "years", "year", "t", "interval"})
_FINE = 20


def check(subject: Subject) -> Iterator[Finding]:
    """Judge events a step, falls of those at risk, and falls of the curve itself."""
    table = subject.model
    if not isinstance(table, Table) or len(table.rows) < 2:
        return
    if subject.promise is not None and subject.promise.unit != "person":
        return
    curves = [at for at, name in enumerate(table.header) if is_survival(name)]
    risks = [at for at, name in enumerate(table.header) if is_at_risk(name)]
    if not curves and not risks:
        return
    if not any(words(name) & _TIME or {"event", "at"} <= words(name) for name in table.header):
        return
    least = subject.policy.min_count
    for at, name in enumerate(table.header):
        if words(name) & _EVENTS and at not in risks and not is_percent(name):
            yield from _few(numbers(table, at), at, least)
    for at in risks:
        yield from _falls(numbers(table, at), at, least)
    for at in curves:
        yield from _curve(table, at, risks, least)
        if not risks:
            yield from _of_all(table, at, least)


def _of_all(table: Table, at: int, least: int) -> Iterator[Finding]:
    """Judge each fall times all persons of its row: of a curve without those at risk, no fall is of more."""
    curve = numbers(table, at)
    written = [value for value in curve if value is not None]
    whole = Decimal(1) if max(written, default=Decimal(0)) <= 1 else Decimal(100)
    for base in (numbers(table, other) for other, name in enumerate(table.header) if is_base(name)):
        for row, ((before, one), (after, other)) in enumerate(pairwise(zip(curve, base, strict=True)), start=2):
            if before is None or after is None or one is None or one != other:
                continue
            if _HALF <= (before - after) / whole * one < least - _HALF:
                yield found(Code.SURVIVAL_STEPS, row=row, column=at + 1)


def _few(counts: list[Decimal | None], at: int, least: int) -> Iterator[Finding]:
    for row, count in enumerate(counts, start=1):
        if count is not None and 0 < count < least:
            yield found(Code.SURVIVAL_STEPS, row=row, column=at + 1)


def _falls(risk: list[Decimal | None], at: int, least: int) -> Iterator[Finding]:
    for row, (before, after) in enumerate(pairwise(risk), start=2):
        if before is not None and after is not None and 0 < before - after < least:
            yield found(Code.SURVIVAL_STEPS, row=row, column=at + 1)


def _curve(table: Table, at: int, risks: list[int], least: int) -> Iterator[Finding]:
    """Judge each fall times those at risk; without them a fine-stepped curve is for stewards."""
    curve = numbers(table, at)
    written = [value for value in curve if value is not None]
    if not written or min(written) < 0:
        return
    whole = Decimal(1) if max(written) <= 1 else Decimal(100)
    risk = numbers(table, risks[0]) if risks else [None] * len(curve)
    before, steps = whole, 0
    for row, (value, persons) in enumerate(zip(curve, risk, strict=True), start=1):
        if value is None:
            continue
        if value > before:  # another group's curve starts again
            before = whole
        if value < before:
            steps += 1
            if persons is not None and before and _HALF <= (1 - value / before) * persons < least - _HALF:
                yield found(Code.SURVIVAL_STEPS, row=row, column=at + 1)
        before = value
    if not risks and steps > _FINE:
        yield found(Code.SURVIVAL_STEPS, Severity.WARN, column=at + 1)

"""Finds minima, maxima and percentiles of few, each of which is one person's value."""

import re
from collections.abc import Iterator
from decimal import Decimal

from ..findings import Code, Finding, Severity, found
from ..formats.table import number
from ..subject import Subject, Table
from .column_names import any_of, is_count, is_endpoint, words
from .shares import numbers

_PERCENTILE = re.compile(
    r"(?:.{0,40}[_ .])?(?:p|pct|perc|percentile|q)[_ .]?(\d{1,3}(?:\.\d{1,3})?)"
    r"|(\d{1,3}(?:\.\d{1,3})?)(?:%|th percentile)",
    re.IGNORECASE,
)
_NAMED = {"q1": Decimal(25), "q3": Decimal(75), "median": Decimal(50)}
_LEVELS = any_of("quantile quantiles percentile percentiles")
_ENDS = (Decimal(0), Decimal(100))
_HUNDRED = Decimal(100)
_FEWEST_LEVELS = 3


def check(subject: Subject) -> Iterator[Finding]:
    """Judge headers and percentiles beside few persons, then the labels of rows."""
    table = subject.model
    if not isinstance(table, Table):
        return
    severity = Severity.BLOCK if subject.policy.block_endpoints else None
    of_persons = subject.promise is None or subject.promise.unit == "person"
    counts = [numbers(table, at) for at, name in enumerate(table.header) if is_count(name)] if of_persons else []
    for index, name in enumerate(table.header):
        level = _level(name)
        if is_endpoint(name) or level in _ENDS:
            yield found(Code.ENDPOINTS, severity, column=index + 1)
        elif level is not None:
            for row in _of_few(level, counts, least=subject.policy.min_count):
                yield found(Code.ENDPOINTS, row=row, column=index + 1)
        elif words(name) & _LEVELS:
            for row in _ends(numbers(table, index)):
                yield found(Code.ENDPOINTS, severity, row=row, column=index + 1)
    for row, cells in enumerate(table.rows, start=1):
        if cells and (is_endpoint(cells[0]) or (_level(cells[0]) in _ENDS and _is_level(cells[0]))):
            yield found(Code.ENDPOINTS, severity, row=row, column=1)


def _level(name: str) -> Decimal | None:
    """Return which percentile a name speaks of: 5 of `p5`, 25 of `q1`, 50 of `median_bmi`."""
    plain = name.strip().lower()
    for word, level_of_it in _NAMED.items():
        if plain == word or plain.startswith((f"{word}_", f"{word} ")) or plain.endswith((f"_{word}", f" {word}")):
            return level_of_it
    match = _PERCENTILE.fullmatch(plain)
    level = number(match[1] or match[2]) if match is not None else None
    return level if level is not None and level <= _HUNDRED else None


def _is_level(label: str) -> bool:
    return number(label) is None or "%" in label


def _of_few(level: Decimal, counts: list[list[Decimal | None]], *, least: int) -> Iterator[int]:
    """Yield the rows where fewer than the threshold lie beyond a percentile."""
    beyond = min(level, _HUNDRED - level) / _HUNDRED
    for row, beside in enumerate(zip(*counts, strict=True), start=1):
        if any(count is not None and 0 < count * beyond < least for count in beside):
            yield row


def _ends(levels: list[Decimal | None]) -> Iterator[int]:
    """Yield the rows of the lowest and highest of a column of levels, where they are 0 and 1 or 100."""
    written = {level for level in levels if level is not None}
    if len(written) < _FEWEST_LEVELS:
        return
    whole = Decimal(1) if max(written) <= 1 else _HUNDRED
    yield from (row for row, level in enumerate(levels, start=1) if level in (Decimal(0), whole))

"""Finds places that are exact to a few houses, and columns of persons' names."""

import re
from collections.abc import Iterator, Sequence

from ..findings import Code, Finding, Severity, found
from ..subject import Prose, Subject, Table
from .column_names import words

_LATITUDE = frozenset({"lat", "latitude", "breite", "breitengrad"})
_LONGITUDE = frozenset({"lon", "lng", "long", "longitude", "länge", "längengrad"})
_FINE = re.compile(r"-?\d{1,3}[.,]\d{3,}")
_NAME = re.compile(r"(?:Dr\.? )?[A-ZÄÖÜÅØÉ][a-zäöüßåøéèñçí'-]+(?: [A-Z]\.)?(?: [A-ZÄÖÜÅØÉ][a-zäöüßåøéèñçí'-]+){1,2}")
_NAMED = frozenset({"name", "names", "fullname", "contact"})
_FEW = 5


def check(subject: Subject) -> Iterator[Finding]:
    """Judge pairs of fine coordinates, columns called names, and text that is nothing but names."""
    model = subject.model
    if isinstance(model, Prose):
        lines = [line.strip() for line in model.lines if line.strip()]
        if _are_names(lines):
            yield found(Code.IDENTIFIER, Severity.WARN)
    if not isinstance(model, Table):
        return
    named = [words(name) for name in model.header]
    if any(one & _LATITUDE for one in named) and any(one & _LONGITUDE for one in named):
        for at, one in enumerate(named):
            cells = model.column(at)
            if one & _LATITUDE and any(_FINE.fullmatch(cell.strip()) for cell in cells):
                yield found(Code.IDENTIFIER, Severity.WARN, column=at + 1)
    if model.header and _NAME.fullmatch(model.header[0].strip()) and _are_names(_stripped(model, 0)):
        yield found(Code.IDENTIFIER, Severity.WARN, column=1)  # names from the first line on
    for at, one in enumerate(named):
        if one & _NAMED and len(one) <= 2 and _are_names(_stripped(model, at)):
            yield found(Code.ROW_LEVEL, column=at + 1)


def _stripped(table: Table, column: int) -> list[str]:
    return [cell.strip() for cell in table.column(column)]


def _are_names(texts: Sequence[str]) -> bool:
    return len(texts) >= _FEW and sum(1 for text in texts if _NAME.fullmatch(text)) > 0.8 * len(texts)

"""Finds tables of persons inside text: printed data frames, pasted rows, literals of code."""

from collections.abc import Iterator

from ..findings import Code, Finding, Severity, found
from ..formats import prose
from ..formats.json_file import MANY_VALUES
from ..subject import Format, Prose, Subject, Table
from . import row_level

_TOO_LONG = 200_000


def check(subject: Subject) -> Iterator[Finding]:
    """Judge each table in the text as row_level judges a file of its own."""
    model = subject.model
    if not isinstance(model, Prose):
        return
    if sum(map(len, model.lines)) > _TOO_LONG * 100:
        yield found(Code.TOO_LARGE)
        return
    for line, table in prose.tables(model.lines):
        if any(row_level.check(_alone(table, subject))):
            yield found(Code.ROW_LEVEL, row=line)
    if prose.longest_list(model.lines) >= MANY_VALUES:
        yield found(Code.ROW_LEVEL, Severity.WARN)


def _alone(table: Table, subject: Subject) -> Subject:
    return Subject("table", Format.TABLE, table, subject.policy)

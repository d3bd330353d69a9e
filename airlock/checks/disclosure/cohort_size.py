"""Finds tables that have about as many rows as the data has persons (D9)."""

from collections.abc import Iterator

from ..findings import Code, Finding, found
from ..promise import Kind, Promise
from ..subject import Subject, Table
from .row_level import is_public_key

_FEWEST = 10  # of fewer persons any small table would do
_NEAR = 50  # one row of fifty more or less: some persons are left out, a total is added


def check(subject: Subject) -> Iterator[Finding]:
    """Hold the number of rows against the cohort's size; categories of a closed list, each once, are no persons."""
    table, persons = subject.model, len(subject.people.digests)
    if not isinstance(table, Table) or persons < _FEWEST:
        return
    if abs(len(table.rows) - persons) > max(1, persons // _NEAR):
        return
    if any(is_public_key(row[0]) for row in table.rows[:50] if row) or _are_categories(table, subject.promise):
        return
    yield found(Code.COHORT_SIZE)


def _are_categories(table: Table, promise: Promise | None) -> bool:
    keys = [column for column in promise.columns if column.kind is Kind.KEY] if promise is not None else []
    if not keys or not all(column.values and column.name in table.header for column in keys):
        return False
    places = [table.header.index(column.name) for column in keys]
    return len({tuple(row[at] for at in places if at < len(row)) for row in table.rows}) == len(table.rows)

"""Finds columns and rows of minima and maxima, each of which is one person's value."""

from collections.abc import Iterator

from ..findings import Code, Finding, Severity, found
from ..subject import Subject, Table
from .column_names import is_endpoint


def check(subject: Subject) -> Iterator[Finding]:
    """Judge headers, then the labels of rows."""
    table = subject.model
    if not isinstance(table, Table):
        return
    severity = Severity.BLOCK if subject.policy.block_endpoints else None
    for index, name in enumerate(table.header):
        if is_endpoint(name):
            yield found(Code.ENDPOINTS, severity, column=index + 1)
    for row, cells in enumerate(table.rows, start=1):
        if cells and is_endpoint(cells[0]):
            yield found(Code.ENDPOINTS, severity, row=row, column=1)

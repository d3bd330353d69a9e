"""Finds tables and site lists that are too large for a person to review."""

from collections.abc import Iterator

from ..findings import Code, Finding, Severity, found
from ..subject import Sites, Subject, Table


def check(subject: Subject) -> Iterator[Finding]:
    """Count rows and sites; the contract's own limit is held when the clean copy is written."""
    model = subject.model
    if isinstance(model, Table):
        if not model.rows:
            yield found(Code.EMPTY)
        if len(model.rows) > subject.policy.max_rows:
            yield found(Code.TOO_MANY_ROWS, row=subject.policy.max_rows + 1)
        if max(len(model.header), *(len(row) for row in model.rows), 0) > subject.policy.max_columns:
            yield found(Code.TOO_MANY_ROWS, Severity.BLOCK, column=subject.policy.max_columns + 1)
    elif isinstance(model, Sites):
        if not model.sites:
            yield found(Code.EMPTY)
        if len(model.sites) > subject.policy.max_sites:
            yield found(Code.TOO_MANY_SITES, row=subject.policy.max_sites + 1)

"""Holds the file against what its workflow's contract promised."""

from collections.abc import Iterator

from ..findings import Code, Finding, Refused, Severity, found
from ..formats import json_leaves, opening, writing
from ..formats.table import whole
from ..promise import Kind, Promise, Promised
from ..subject import Bundle, Subject, Table
from ..thresholds import Policy


def check(subject: Subject) -> Iterator[Finding]:
    """Try to write the file as promised; then look for the numbers behind a picture."""
    if subject.promise is None:
        return
    try:
        writing.clean_copy(subject, subject.promise, policy=subject.policy)
    except Refused as refused:
        yield refused.finding
    if subject.promise.format is Promised.JSON and isinstance(subject.model, Bundle):
        yield from _small_leaves(subject.model.source, subject.promise, policy=subject.policy)
    for needed in subject.promise.needs:
        if not _is_table(subject, needed, policy=subject.policy):
            yield found(Code.CONTRACT_NUMBERS_MISSING)
    if subject.promise.format is Promised.PNG and not subject.promise.needs:
        yield found(Code.CONTRACT_NUMBERS_MISSING, Severity.BLOCK)


def _small_leaves(source: bytes, promise: Promise, *, policy: Policy) -> Iterator[Finding]:
    """Judge declared counts, which the names of leaves need not show."""
    try:
        said = json_leaves.leaves(source)
    except Refused:
        return  # the clean copy was refused for the same reason
    for number, column in enumerate(promise.columns, start=1):
        value = whole(said.get(column.name, ""))
        if column.kind is Kind.COUNT and value is not None and 0 < value < policy.min_count:
            yield found(Code.SMALL_COUNT, column=number)


def _is_table(subject: Subject, name: str, *, policy: Policy) -> bool:
    path = subject.supporting.get(name)
    if path is None:
        return False
    try:
        opened = opening.open_subject(path, name, policy=policy)
    except Refused:
        return False
    return isinstance(opened.subject.model, Table) and bool(opened.subject.model.rows)

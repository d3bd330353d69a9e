"""Holds the file against what its workflow's contract promised."""

from collections.abc import Iterator

from ..findings import Code, Finding, Refused, Severity, found
from ..formats import opening, writing
from ..promise import Promised
from ..subject import Subject, Table
from ..thresholds import Policy


def check(subject: Subject) -> Iterator[Finding]:
    """Try to write the file as promised; then look for the numbers behind a picture."""
    if subject.promise is None:
        return
    try:
        writing.clean_copy(subject, subject.promise, policy=subject.policy)
    except Refused as refused:
        yield refused.finding
    for needed in subject.promise.needs:
        if not _is_table(subject, needed, policy=subject.policy):
            yield found(Code.CONTRACT_NUMBERS_MISSING)
    if subject.promise.format is Promised.PNG and not subject.promise.needs:
        yield found(Code.CONTRACT_NUMBERS_MISSING, Severity.BLOCK)


def _is_table(subject: Subject, name: str, *, policy: Policy) -> bool:
    path = subject.supporting.get(name)
    if path is None:
        return False
    try:
        opened = opening.open_subject(path, name, policy=policy)
    except Refused:
        return False
    return isinstance(opened.subject.model, Table) and bool(opened.subject.model.rows)

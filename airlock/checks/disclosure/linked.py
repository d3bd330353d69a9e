"""Finds counts below the threshold that lie between two tables, or JSON, of one run."""

from collections.abc import Iterator

from ..cells import Cells, by_key, cells_of, close
from ..findings import Code, Finding, Refused, Severity, found
from ..formats import opening
from ..promise import Promised
from ..subject import Subject

BESIDE = "beside-"  # names of clean copies that are handed in to be compared, not because a promise needs them
_LEAST_ALIKE = 6


def check(subject: Subject) -> Iterator[Finding]:
    """Hold the counts against those of each file beside: equal keys, totals less parts, the same in another order.

    Of a table every count counts, promised or not; of JSON whose promise is not at hand every whole number.
    """
    promise = subject.promise
    beside = sorted((name, path) for name, path in subject.supporting.items() if name.startswith(BESIDE))
    if not beside or (promise is not None and promise.unit != "person"):
        return
    mine = cells_of(
        subject.model,
        promise if promise is not None and promise.format is Promised.JSON else None,
        subject.policy,
    )
    if mine is None:
        return
    for name, path in beside:
        try:
            other = opening.open_subject(path, name, policy=subject.policy).subject.model
        except Refused:
            continue  # that file has findings of its own
        theirs = cells_of(other, None, subject.policy)
        if theirs is not None:
            yield from _compare(mine, theirs, least=subject.policy.min_count)


def _compare(mine: Cells, theirs: Cells, *, least: int) -> Iterator[Finding]:
    severity = Severity.WARN if mine.rounded or theirs.rounded else None
    for cell, _ in close(mine, by_key(theirs.cells), least=least):
        yield found(Code.LINKED_TABLES, severity, row=cell.row or None, column=cell.column or None)
    written = sorted(cell.value for cell in mine.cells if cell.column)
    others = sorted(cell.value for cell in theirs.cells if cell.column)
    if len(written) >= _LEAST_ALIKE and written == others:
        yield found(Code.NEAR_DUPLICATE)

"""Finds tables inside text: printed data frames, pasted rows, literals of code, cells of several lines."""

from collections.abc import Iterator
from hashlib import blake2b

from ..findings import Code, Finding, Severity, found
from ..formats import prose
from ..formats.json_file import MANY_VALUES
from ..subject import Check, Format, Prose, Subject, Table
from . import (
    class_disclosure,
    contingency,
    dominance,
    endpoints,
    genotypes,
    left_out,
    percents,
    row_level,
    secondary,
    small_counts,
    survival,
    turned,
    variant_tables,
)
from .column_names import is_count, is_statistic, words

# What judges a table that a report shows as one: whatever else is set in columns may be no table, as a log's numbers.
_OF_SHOWN: tuple[Check, ...] = (
    row_level.check,
    turned.check,
    small_counts.check,
    contingency.check,
    percents.check,
    secondary.check,
    left_out.check,
    class_disclosure.check,
    survival.check,
    variant_tables.check,
    dominance.check,
    endpoints.check,
    genotypes.check,
)
# What is set in columns and says itself what it counts: curves with those at risk, sexes and outcomes crossed.
_OF_SET: tuple[Check, ...] = (survival.check, contingency.check)
_TOO_LONG = 200_000
_Judged = tuple[Code, Severity | None]


def check(subject: Subject) -> Iterator[Finding]:
    """Judge each table in the text as one of a file of its own; the place is its first line."""
    model = subject.model
    if isinstance(model, Table):
        yield from _cells(model, subject)
    if not isinstance(model, Prose):
        return
    if sum(map(len, model.lines)) > _TOO_LONG * 100:
        yield found(Code.TOO_LARGE)
        return
    try:
        yield from _tables(model, subject)
    except prose.Unread:
        yield found(Code.TOO_MANY_MEMBERS)  # what was not read is not clean
    if prose.longest_list(model.lines) >= MANY_VALUES:
        yield found(Code.ROW_LEVEL, Severity.WARN)


def _tables(model: Prose, subject: Subject) -> Iterator[Finding]:
    judged: dict[bytes, tuple[_Judged, ...]] = {}
    for line, table in prose.tables(model.lines):
        # Two gaps are spaces and tabs are both: the same block is found up to three times, and judged once.
        block = _digest(table)
        if block not in judged:
            judged[block] = tuple(dict.fromkeys(_set_in_columns(_alone(table, subject))))
        for one in judged[block]:
            yield found(*one, row=line)
    for line, table in prose.marked(model.lines):
        alone = _alone(table, subject)
        for one in {(finding.code, finding.severity) for check in _OF_SHOWN for finding in check(alone)}:
            yield found(*one, row=line)


def _set_in_columns(alone: Subject) -> Iterator[_Judged]:
    """Say what is wrong with a block whose columns are made by gaps."""
    if any(row_level.check(alone)) or any(turned.check(alone)):
        yield Code.ROW_LEVEL, None
    model = alone.model
    of_set = (*_OF_SET, small_counts.check) if isinstance(model, Table) and _is_of_groups(model.header) else _OF_SET
    for check_set in of_set:
        yield from ((finding.code, finding.severity) for finding in check_set(alone))


def _digest(table: Table) -> bytes:
    """Return what two tables have in common only if all their cells are alike: digests are kept, and no cells."""
    cells = blake2b()
    for row in (table.header, *table.rows):
        cells.update(repr(row).encode())
    return cells.digest()


def _is_of_groups(header: tuple[str, ...]) -> bool:
    """Return whether names speak of counts and of what is worked out from as many, as summaries of groups do."""
    return any(is_count(name) or "frequency" in words(name) for name in header) and any(map(is_statistic, header))


def _cells(table: Table, subject: Subject) -> Iterator[Finding]:
    """Judge cells of several lines, in which a reader of the table would not look for another."""
    for row, cells in enumerate((table.header, *table.rows)):
        for column, cell in enumerate(cells, start=1):
            if "\n" not in cell:
                continue
            yield found(Code.CONTROL_CHARACTERS, Severity.WARN, row=row, column=column)
            inner = Subject("cell", Format.TEXT, Prose(tuple(cell.splitlines())), subject.policy)
            if any(finding.code is Code.ROW_LEVEL for finding in check(inner)):
                yield found(Code.ROW_LEVEL, row=row, column=column)


def _alone(table: Table, subject: Subject) -> Subject:
    return Subject("table", Format.TABLE, table, subject.policy)

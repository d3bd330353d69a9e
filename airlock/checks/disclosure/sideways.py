"""Finds small counts in what shares and counts below each other say together, as in JSON and lists of statistics."""

from collections.abc import Iterator
from dataclasses import replace

from ..findings import Finding, Place
from ..formats.table import number
from ..subject import Subject, Table
from . import like_shares, percents
from .column_names import is_base, is_other_unit

_MOST = 200


def check(subject: Subject) -> Iterator[Finding]:
    """Turn a table whose first cells name what stands beside them, and judge its shares as any other's."""
    table = subject.model
    if not isinstance(table, Table) or (subject.promise is not None and subject.promise.unit != "person"):
        return
    found = turned(table)
    if found is None:
        return
    upright, rows = found
    for check_shares in (percents.check, like_shares.check):
        for finding in check_shares(replace(subject, model=upright, promise=None)):
            place = finding.place
            row = None if place.column is None else rows[place.column - 1] + 1
            column = None if place.row is None else place.row + 1
            yield replace(finding, place=Place(row, column))


def turned(table: Table) -> tuple[Table, list[int]] | None:
    """Return columns as rows under the labels of the first, and which rows these are; None where none is a count.

    Labels are names, each once; those of genes, reads and other things that are no persons are left out.
    """
    labels = [label.strip() for label in table.column(0)] if table.header else []
    if not 1 < len(labels) <= _MOST or len(set(labels)) < len(labels):
        return None
    if any(number(label) is not None for label in labels) or any(len(row) != len(table.header) for row in table.rows):
        return None
    kept = [at for at, label in enumerate(labels) if not is_other_unit(label)]
    if not any(is_base(labels[at]) for at in kept):
        return None
    columns = tuple(tuple(table.rows[at][column] for at in kept) for column in range(1, len(table.header)))
    header = tuple(labels[at] for at in kept)
    return Table(header, columns, table.delimiter, table.encoding, table.decimal_comma), kept

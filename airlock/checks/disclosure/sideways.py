"""Finds small counts in what shares and counts below each other say together, as in JSON and lists of statistics."""

from collections.abc import Iterator
from dataclasses import replace

from ..findings import Finding, Place
from ..formats.table import number
from ..subject import Subject, Table
from . import like_shares, percents
from .column_names import is_base

_MOST = 200


def check(subject: Subject) -> Iterator[Finding]:
    """Turn a table whose first cells name what stands beside them, and judge its shares as any other's."""
    table = subject.model
    if not isinstance(table, Table) or (subject.promise is not None and subject.promise.unit != "person"):
        return
    upright = turned(table)
    if upright is None:
        return
    for check_shares in (percents.check, like_shares.check):
        for finding in check_shares(replace(subject, model=upright, promise=None)):
            place = finding.place
            row = place.column
            column = None if place.row is None else place.row + 1
            yield replace(finding, place=Place(row, column))


def turned(table: Table) -> Table | None:
    """Return columns as rows under the labels of the first; None where they are no names, each once."""
    labels = [label.strip() for label in table.column(0)] if table.header else []
    if not 1 < len(labels) <= _MOST or len(set(labels)) < len(labels) or not any(map(is_base, labels)):
        return None
    if any(number(label) is not None for label in labels) or any(len(row) != len(table.header) for row in table.rows):
        return None
    columns = tuple(table.column(at) for at in range(1, len(table.header)))
    return Table(tuple(labels), columns, table.delimiter, table.encoding, table.decimal_comma)

"""Finds persons in tables that are turned: long, with a fact a row, or on their side, with a person a column."""

from collections import Counter
from collections.abc import Iterator

from ..findings import Code, Finding, found
from ..formats.table import in_order, number
from ..subject import Subject, Table
from .column_names import is_count, is_person_fact, is_statistic
from .row_level import rows_are_persons

_FEW, _PERSONS, _WIDEST = 5, 15, 6
_MOST_FACTS = 60
_FACTS = 2


def check(subject: Subject) -> Iterator[Finding]:
    """Turn the table upright, then judge its rows as any other's."""
    table = subject.model
    if not isinstance(table, Table) or subject.promise is not None or not table.rows:
        return
    upright = _from_long(table) or _from_side(table)
    if upright is not None and len(upright.rows) >= _PERSONS and rows_are_persons(upright):
        yield found(Code.ROW_LEVEL)


def _from_long(table: Table) -> Table | None:
    """Return a row for each key, where one column names facts and another holds them."""
    width = len(table.header)
    if not 2 < width <= _WIDEST or any(is_count(name) or is_statistic(name) for name in table.header):
        return None
    for names in range(width):
        often = Counter(table.column(names))
        facts = list(often)
        if len(facts) > _MOST_FACTS or sum(map(is_person_fact, facts)) < _FACTS or min(often.values()) < _FEW:
            continue
        for keys in range(width):
            values = next((at for at in reversed(range(width)) if at not in (names, keys)), None)
            if keys == names or values is None:
                continue
            cells = {(key, fact): value for key, fact, value in _triples(table, keys, names, values)}
            persons = list(dict.fromkeys(key for key, _ in cells))
            if len(cells) > 0.9 * len(table.rows) and len(persons) >= _PERSONS:
                rows = tuple(tuple(cells.get((key, fact), "") for fact in facts) for key in persons)
                return Table(tuple(facts), rows, "", table.encoding)
    return None


def _triples(table: Table, *columns: int) -> Iterator[tuple[str, ...]]:
    return (tuple(row[at] if at < len(row) else "" for at in columns) for row in table.rows)


def _from_side(table: Table) -> Table | None:
    """Return columns as rows, where the first cells of rows name facts; the first line may be one of them."""
    if len(table.header) <= _PERSONS or len(table.rows) > _MOST_FACTS:
        return None
    rows = [row for row in (table.header, *table.rows) if len(row) == len(table.header)]
    facts = [row for row in rows if is_person_fact(row[0])]
    values = [number(name) for name in table.header[1:]]
    along = [value for value in values if value is not None]
    axis = len(along) == len(values) and in_order(along) and not is_person_fact(table.header[0])
    if len(facts) < _FACTS or axis or any(is_count(row[0]) or is_statistic(row[0]) for row in rows):
        return None
    return Table(tuple(row[0] for row in facts), tuple(zip(*(row[1:] for row in facts), strict=True)), "", "utf-8")

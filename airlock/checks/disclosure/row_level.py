"""Finds tables whose rows are single persons or samples."""

import re
from collections.abc import Iterator, Sequence

from ..findings import Code, Finding, found
from ..formats.table import number
from ..subject import Subject, Table
from .column_names import is_count, is_person_fact, is_person_id

_DATE = re.compile(r"(?:19|20)\d\d-\d\d-\d\d|\d\d?[./]\d\d?[./](?:19|20)\d\d")
_PERSON_KEY = re.compile(r"[A-Za-z]{1,6}[-_]?\d{5,12}(?:[-_][A-Za-z0-9]{1,3})?|[0-9a-f]{8}-[0-9a-f-]{27}")
_PUBLIC_KEY = re.compile(r"(?:rs|ENS[A-Z]*[GTPE]|NM_|NR_|NP_|HGNC:|COSM|GO:|HP:|chr)\w*\d+(?:\.\d+)?")
_FEW = 5


def check(subject: Subject) -> Iterator[Finding]:
    """Look for keys of persons, then for rows of personal facts that hardly repeat."""
    table = subject.model
    if not isinstance(table, Table) or not table.rows:
        return
    keys = [index for index, name in enumerate(table.header) if _is_key(name, table.column(index))]
    for index in keys:
        yield found(Code.ROW_LEVEL, column=index + 1)
    if not keys and _rows_are_persons(table):
        yield found(Code.ROW_LEVEL)


def _is_key(name: str, cells: Sequence[str]) -> bool:
    values = [cell.strip() for cell in cells if cell.strip()]
    if len(values) < 2:
        return bool(values) and is_person_id(name) and number(values[0]) is None
    unique = len(set(values)) / len(values)
    if is_person_id(name):
        return unique > 0.5 and not all("-" in value and len(value) < 8 for value in values)
    keyed = sum(1 for value in values if _PERSON_KEY.fullmatch(value) and not _PUBLIC_KEY.fullmatch(value))
    return len(values) >= _FEW and unique > 0.9 and keyed > 0.8 * len(values)


def _rows_are_persons(table: Table) -> bool:
    """Return whether several personal facts stand beside each other, without a count, hardly ever twice alike."""
    if any(is_count(name) for name in table.header) or len(table.rows) < _FEW:
        return False
    facts = [
        index for index, name in enumerate(table.header) if is_person_fact(name) or _mostly_dates(table.column(index))
    ]
    if len(facts) < 2:
        return False
    combinations = {tuple(row[index] for index in facts if index < len(row)) for row in table.rows}
    return len(combinations) > 0.5 * len(table.rows)


def _mostly_dates(cells: Sequence[str]) -> bool:
    return sum(1 for cell in cells if _DATE.fullmatch(cell.strip())) > 0.8 * len(cells)

"""Reads JSON and JSON lines into the tables and words that they hold."""

import json
import re
from collections.abc import Sequence
from typing import Any

from ..findings import Code, Finding, Severity, found, refuse
from ..subject import Bundle, Format, Prose, Subject, Table
from ..thresholds import Policy

Value = Any  # what json.loads returns; it is walked here and never leaves this module
_MAX_DEPTH = 24
_MAX_NODES = 1_000_000
_MAX_TABLES = 2000
_MAX_CELLS = 2_000_000
# Where models that keep what they were trained on write it.
_TRAINING = frozenset({"sv", "support_vectors", "x_train", "train_x", "fit_x", "training_data", "exemplars"})
_LONG = 200
_LONGEST_FLOAT = 25  # letters; nothing writes a float of 64 bits with more
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BLANKS = re.compile(r"[ \t\r\n]+")
_MIXED = re.compile(r" \t|\t ")
_MANY_BLANKS, _BLANK_LENGTHS = 8, 8
_FLAT, _FEW_PLACES, _MANY_LISTS = 3, 4, 15
# A list this long has a value for each person more often than a point for each step of a curve.
MANY_VALUES = 500
_PERSONLESS = frozenset(
    {
        "MeasureReport",
        "Measure",
        "CapabilityStatement",
        "CodeSystem",
        "ConceptMap",
        "ImplementationGuide",
        "Library",
        "Organization",
        "OperationOutcome",
        "SearchParameter",
        "StructureDefinition",
        "ValueSet",
    }
)
_PACKET = frozenset(
    {
        "phenotypicFeatures",
        "biosamples",
        "interpretations",
        "diseases",
        "medicalActions",
        "pedigree",
        "proband",
        "relatives",
    }
)


class _Doubled(ValueError):
    """An object names a key twice."""


def parse(content: str) -> Value:
    """Return the value; refuses what is broken, too deep, or says one key twice."""
    try:
        return json.loads(content, object_pairs_hook=_object, parse_float=_float)
    except RecursionError:
        raise refuse(Code.TOO_DEEP) from None
    except _Doubled:
        raise refuse(Code.HIDDEN_CELLS) from None
    except (ValueError, MemoryError):
        raise refuse(Code.BROKEN_FILE) from None


def parse_lines(text: str) -> list[Value] | None:
    """Return one value a line, or None where the first lines are not JSON each."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or not lines[0].lstrip().startswith(("{", "[")) or not lines[0].rstrip().endswith(("}", "]")):
        return None
    return [parse(line) for line in lines]


def _float(written: str) -> float | str:
    """Return the number, or as it is written what has more digits than a number keeps: they would go unseen."""
    return float(written) if len(written) <= _LONGEST_FLOAT else written


def spacing(text: str) -> Finding | None:
    """Return what is odd about the blanks between values, which no reader sees and every parser skips."""
    blanks = [one for one in _BLANKS.findall(_STRING.sub('""', text)) if len(one) > 1]
    mixed = sum(len(_MIXED.findall(one)) for one in blanks)
    lengths = {len(one) for one in blanks if "\n" not in one}
    if mixed >= _MANY_BLANKS or len(lengths) > _BLANK_LENGTHS:
        return found(Code.HIDDEN_CHARACTERS)
    return None


def _object(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Doubled
    return made


def read(value: Value, *, policy: Policy) -> Bundle:
    """Return every table in the tree, all words, and what speaks of one person by its shape."""
    walk = _Walk()
    walk.visit(value, "value", 0)
    members = [Subject("table", Format.TABLE, table, policy) for table in walk.tables]
    if walk.words:
        members.append(Subject("words", Format.TEXT, Prose(tuple(walk.words)), policy))
    if not members:
        walk.seen.append(found(Code.EMPTY))
    return Bundle(tuple(members), tuple(walk.seen))


class _Walk:
    """One walk over a tree, bounded in depth, nodes and tables."""

    def __init__(self) -> None:
        self.tables: list[Table] = []
        self.words: list[str] = []
        self.seen: list[Finding] = []
        self.nodes = self.cells = 0

    def visit(self, value: Value, name: str, depth: int) -> None:
        self.nodes += 1
        if depth > _MAX_DEPTH:
            raise refuse(Code.TOO_DEEP)
        if self.nodes > _MAX_NODES:
            raise refuse(Code.TOO_LARGE)
        if isinstance(value, dict):
            self._object(value, name, depth)
        elif isinstance(value, list):
            self._list(value, name, depth)
        elif isinstance(value, str):
            self.words += value.splitlines()

    def _object(self, value: dict[str, Value], name: str, depth: int) -> None:
        if _is_person(value):
            self.seen.append(found(Code.ROW_LEVEL, row=self.nodes))
        if (table := _split(value) or _by_column(value) or _by_row(value)) is not None:
            self._add(table)
        scalars = [(key, _cell(one)) for key, one in value.items() if not isinstance(one, (dict, list))]
        if scalars:
            self._add(_table(("key", name), scalars))
        if any(map(_is_number, value.values())) and any(isinstance(one, dict) for one in value.values()):
            beside = {key: one for key, one in _flat(value).items() if _is_number(one)}
            self._add(_table(tuple(beside), [tuple(map(_cell, beside.values()))]))  # a size, and shares of it below
        self._keys(value)
        for key, one in value.items():
            if isinstance(one, (dict, list)) or (isinstance(one, str) and _is_prose(one)):
                self.visit(one, key, depth + 1)

    def _list(self, value: list[Value], name: str, depth: int) -> None:
        objects = [one for one in value if isinstance(one, dict)]
        lists = [one for one in value if isinstance(one, list)]
        scalars = [one for one in value if not isinstance(one, (dict, list))]
        if len(objects) > 1:
            spread = [_flat(one) for one in objects]
            names = list(dict.fromkeys(key for one in spread for key in one))
            if len(names) * len(objects) > _MAX_CELLS:
                raise refuse(Code.TOO_LARGE)
            self._add(_table(tuple(names), [tuple(_cell(one.get(key)) for key in names) for one in spread]))
        if lists and name.lower().strip("_") in _TRAINING:
            self.seen.append(found(Code.ROW_LEVEL, row=self.nodes))
        if len(lists) > 1 and len({len(one) for one in lists}) == 1:
            self._add(_headed(lists))
        if len(scalars) >= MANY_VALUES and len(set(map(_cell, scalars))) > 2:
            self.seen.append(found(Code.ROW_LEVEL, Severity.WARN, row=self.nodes))
        if len(scalars) > 1:
            self._add(_table((name,), [(_cell(one),) for one in scalars]))
        for one in value:
            # What a table of objects shows already is not shown again object by object.
            flat = len(objects) > 1 and isinstance(one, dict)
            if flat:
                self._inside(one, depth)
            else:
                self.visit(one, name, depth + 1)

    def _inside(self, value: dict[str, Value], depth: int) -> None:
        if _is_person(value):
            self.seen.append(found(Code.ROW_LEVEL, row=self.nodes))
        self._keys(value)
        for key, one in value.items():
            if isinstance(one, (dict, list)) or (isinstance(one, str) and _is_prose(one)):
                self.visit(one, key, depth + 1)

    def _keys(self, value: dict[str, Value]) -> None:
        """Keep as words the keys that no table shows, or not whole."""
        for key, one in value.items():
            if len(key) > _LONG or isinstance(one, (dict, list)):
                self.words += key.splitlines()

    def _add(self, table: Table) -> None:
        self.cells += len(table.rows) * len(table.header)
        if len(self.tables) >= _MAX_TABLES or self.cells > _MAX_CELLS:
            raise refuse(Code.TOO_MANY_MEMBERS)
        self.tables.append(table)


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _flat(value: dict[str, Value], depth: int = 0) -> dict[str, Value]:
    """Return what an object holds as one row, what stands deeper by its path: `demographics.age`, `coordinates.1`."""
    row: dict[str, Value] = {}
    for key, inside in value.items():
        few = isinstance(inside, list) and 0 < len(inside) <= _FEW_PLACES and not _nested(inside)
        one = {str(at): cell for at, cell in enumerate(inside, start=1)} if few else inside
        if isinstance(one, dict) and one and depth < _FLAT:
            row |= {f"{key}.{inner}": cell for inner, cell in _flat(one, depth + 1).items()}
        else:
            row[key] = one
    return row


def _is_prose(text: str) -> bool:
    return len(text) > _LONG or "\n" in text


def _is_person(value: dict[str, Value]) -> bool:
    """Return whether the object has the shape of FHIR's or GA4GH's record of one person."""
    kind = value.get("resourceType")
    if isinstance(kind, str):
        return kind not in _PERSONLESS and kind != "Bundle"
    subject = value.get("subject") or value.get("individual")
    packet = len(_PACKET & set(value)) > 0 and ("id" in value or isinstance(subject, dict))
    born = any(key.lower().replace("_", "") in ("dateofbirth", "birthdate", "dob") for key in value)
    return packet or born


def _split(value: dict[str, Value]) -> Table | None:
    """A data frame as pandas writes it with orient `split`."""
    columns, rows = value.get("columns"), value.get("data")
    if not isinstance(columns, list) or not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        return None
    return _table(tuple(_cell(one) for one in columns), [tuple(_cell(cell) for cell in row) for row in rows])


def _by_column(value: dict[str, Value]) -> Table | None:
    """An object of lists of one length, or of objects with the same keys: columns beside each other."""
    lists = {key: one for key, one in value.items() if isinstance(one, list) and one and not _nested(one)}
    if len(lists) > 1 and len({len(one) for one in lists.values()}) == 1:
        width = len(next(iter(lists.values())))
        if len(lists) > max(_MANY_LISTS, width):  # more of them than they are long: each is a row
            return _table(
                ("key", *(f"column {n}" for n in range(1, width + 1))),
                [(key, *(_cell(cell) for cell in one)) for key, one in lists.items()],
            )
        return _table(
            tuple(lists), list(zip(*([_cell(cell) for cell in one] for one in lists.values()), strict=True))
        )
    return None


def _by_row(value: dict[str, Value]) -> Table | None:
    inner = [one for one in value.values() if isinstance(one, dict)]
    if len(inner) < 2 or len(inner) < len(value) or not inner[0]:
        return None
    keys = list(inner[0])
    if any(list(one) != keys for one in inner) or any(_nested(list(one.values())) for one in inner):
        return None
    down = [(outer, *(_cell(one[key]) for key in keys)) for outer, one in value.items()]
    if len(keys) > len(inner):  # pandas' orient `columns`: the outer keys are the columns
        across = [(key, *(_cell(one[key]) for one in inner)) for key in keys]
        return _table(("key", *value), across)
    return _table(("key", *keys), down)


def _nested(values: list[Value]) -> bool:
    return any(isinstance(one, (dict, list)) for one in values)


def _headed(lists: list[list[Value]]) -> Table:
    rows = [tuple(_cell(cell) for cell in one) for one in lists]
    if all(isinstance(cell, str) for cell in lists[0]):
        return _table(rows[0], rows[1:])
    return _table(tuple(f"column {n}" for n in range(1, len(rows[0]) + 1)), rows)


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    return Table(tuple(one[:_LONG].strip() for one in header), tuple(rows), "", "utf-8")


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return "…"
    text = str(value)
    return "…" if isinstance(value, str) and _is_prose(text) else text

"""Writes the clean copy of JSON: declared leaves, typed as a table's cells, in canonical order."""

import json
from collections.abc import Iterator

from ..findings import Code, refuse
from ..promise import Column, Kind, Promise
from ..thresholds import Policy
from . import json_file, table
from .json_file import Value

_MAX_LEVELS = 4
Tree = dict[str, "Tree | str"]


def leaves(source: bytes) -> dict[str, str]:
    """Return every leaf by its path with dots; refuses lists, empty objects and dots in keys."""
    found: dict[str, str] = {}
    for path, value in _walk(json_file.parse(source.decode()), (), 0):
        if any("." in key for key in path):
            raise refuse(Code.CONTRACT_COLUMNS)
        found[".".join(path)] = value
    return found


def _walk(value: Value, path: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict) and value and depth < _MAX_LEVELS:
        for key, one in value.items():
            yield from _walk(one, (*path, key), depth + 1)
    elif isinstance(value, (dict, list, bool)) or not path:
        raise refuse(Code.CONTRACT_VALUE)
    else:
        yield path, "" if value is None else str(value)


def write(source: bytes, promise: Promise, *, policy: Policy) -> bytes:
    """Return nested objects of exactly the declared leaves; raises `Refused` for any other (T13)."""
    said = leaves(source)
    if sorted(said) != sorted(column.name for column in promise.columns):
        raise refuse(Code.CONTRACT_COLUMNS)
    tree: Tree = {}
    for number, column in enumerate(promise.columns, start=1):
        cell = table.clean_cell(said[column.name], column, policy=policy)
        if cell is None:
            raise refuse(Code.CONTRACT_VALUE, column=number)
        *way, last = column.name.split(".")
        here = tree
        for key in way:
            below = here.setdefault(key, {})
            if isinstance(below, str):
                raise refuse(Code.CONTRACT_COLUMNS)
            here = below
        here[last] = _written(cell, column)
    return (_told(tree, 0) + "\n").encode("ascii")


def _written(cell: str, column: Column) -> str:
    if column.kind is Kind.KEY:
        return json.dumps(cell)
    return "null" if cell == table.MISSING else cell


def _told(tree: Tree, depth: int) -> str:
    pad = " " * (depth + 1)
    lines = [
        f"{pad}{json.dumps(key)}: {one if isinstance(one, str) else _told(one, depth + 1)}"
        for key, one in sorted(tree.items())
    ]
    return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"

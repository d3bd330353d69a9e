"""Turns a table or JSON into counts that can be held against those of others, a table's marginal sums with them."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from .disclosure.column_names import is_total
from .disclosure.grid import Grid, read_grid
from .disclosure.rounding import are_rounded
from .disclosure.row_level import is_public_key
from .findings import Refused
from .formats import json_leaves
from .formats.table import whole
from .promise import Kind, Promise
from .subject import Bundle, Model, Table
from .thresholds import Policy

MOST_CELLS = 4000
_MOST_AXES = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """One count of persons: `key` digests its column and categories, or its path in JSON.

    Row and column are 0 for a sum of ours; a leaf of JSON has no row, and as column its number among the promised.
    """

    key: str
    value: int
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Cells:
    """The counts of one file; not `complete` where there were more than are kept."""

    cells: tuple[Cell, ...]
    rounded: bool
    complete: bool

    def as_json(self) -> dict[str, Any]:
        """Return plain facts for answer.json."""
        rows = [[cell.key, cell.value, cell.row, cell.column] for cell in self.cells]
        return {"rounded": self.rounded, "complete": self.complete, "cells": rows}


def cells_of(model: Model, promise: Promise | None, policy: Policy) -> Cells | None:
    """Return the counts of persons in a table or in JSON; None for a file without any."""
    if promise is not None and promise.unit != "person":
        return None
    match model:
        case Table():
            return _of_table(model, promise, policy)
        case Bundle(source=source) if source:
            return _of_json(source, promise, policy)
        case _:
            return None


def _of_json(source: bytes, promise: Promise | None, policy: Policy) -> Cells | None:
    """Return the leaves that are promised as counts, or without a promise all that hold a whole number.

    A leaf is known by its path alone: other words beside it do not make it another count.
    """
    try:
        said = json_leaves.leaves(source)
    except Refused:
        return None  # of such a file there is no clean copy either
    names = list(said) if promise is None else [c.name if c.kind is Kind.COUNT else None for c in promise.columns]
    counted = [(at, name, whole(said.get(name, ""))) for at, name in enumerate(names, start=1) if name is not None]
    written = [(at, name, value) for at, name, value in counted if value is not None and value >= 0]
    found = [Cell(_key(name, ()), value, 0, at) for at, name, value in written[:MOST_CELLS]]
    return Cells(tuple(found), are_rounded([cell.value for cell in found], policy), len(written) <= MOST_CELLS)


def _of_table(table: Table, promise: Promise | None, policy: Policy) -> Cells | None:
    """Return the counts of a table and their sums over each category."""
    if any(is_public_key(row[0]) for row in table.rows[:50] if row):
        return None  # rows are genes or variants
    if len(table.rows) > MOST_CELLS // 2:
        return Cells((), rounded=False, complete=False)
    grid = read_grid(table, promise)
    if grid is None:
        return None
    found = list(dict.fromkeys([*_written(table, grid), *_sums(table, grid)]))
    return Cells(
        tuple(found[:MOST_CELLS]), are_rounded([count for _, count in grid.spots()], policy), len(found) <= MOST_CELLS
    )


def close(new: Cells, old: Mapping[str, Iterable[int]], *, least: int) -> Iterator[tuple[Cell, int]]:
    """Yield each count of `new` that differs from one of the same key by 1 to `least` - 1, with the other count."""
    for cell in new.cells:
        for value in old.get(cell.key, ()):
            if 0 < abs(cell.value - value) < least:
                yield cell, value
                break


def by_key(cells: Iterable[Cell]) -> dict[str, list[int]]:
    """Return the counts of each key."""
    values: defaultdict[str, list[int]] = defaultdict(list)
    for cell in cells:
        values[cell.key].append(cell.value)
    return values


def _key(column: str, categories: Iterable[tuple[str, str]]) -> str:
    plain = json.dumps([column.strip().lower(), sorted(categories)])
    return hashlib.blake2b(plain.encode(), digest_size=8).hexdigest()


def _categories(table: Table, grid: Grid, row: int) -> tuple[tuple[str, str], ...]:
    """Return names and words of the categories of one row; a total has none on its axis."""
    cells = table.rows[row]
    return tuple(
        (table.header[at].strip().lower(), cells[at].strip().lower())
        for at in grid.labels
        if at < len(cells) and cells[at].strip() and not is_total(cells[at])
    )


def _written(table: Table, grid: Grid) -> Iterator[Cell]:
    for (row, column), value in grid.spots():
        key = _key(table.header[column], _categories(table, grid, row))
        yield Cell(key, value, row + 1, column + 1)


def _sums(table: Table, grid: Grid) -> Iterator[Cell]:
    """Yield the sums of the finest cells over every choice of axes; where one is hidden, the sum is without it."""
    axes = len(grid.labels)
    if not 0 < axes <= _MOST_AXES:
        return
    finest = [(row, _categories(table, grid, row)) for row in range(grid.rows)]
    finest = [(row, categories) for row, categories in finest if len(categories) == axes]
    for column in grid.columns:
        for kept in (chosen for size in range(axes) for chosen in combinations(range(axes), size)):
            groups: defaultdict[tuple[tuple[str, str], ...], list[int]] = defaultdict(list)
            for row, categories in finest:
                value = grid.cells.get((row, column))
                if isinstance(value, int):
                    groups[tuple(categories[at] for at in kept)].append(value)
            for categories, values in groups.items():
                if len(values) > 1:
                    yield Cell(_key(table.header[column], categories), sum(values), 0, 0)

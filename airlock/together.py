"""Holds the counts of all files that leave at once against each other, however many they are (pure, T7)."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import product
from typing import Any

from airlock import blocks
from airlock.blocks import Conflicting
from airlock.checks.cells import Cells
from airlock.checks.codes import Code


def findings(counts: Mapping[str, Cells], *, least: int) -> dict[str, list[dict[str, Any]]]:
    """Return by file what its counts come to with those of the others: a block where one differs by 1 to `least` - 1.

    It is a warning where one of the two files is rounded. Every pair is compared, so nothing is left out.
    """
    holders: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for file, cells in counts.items():
        for cell in cells.cells:
            holders[cell.key, cell.value].add(file)
    steps = [step for step in range(1 - least, least) if step]
    empty, told = frozenset[str](), {}
    for file, cells in counts.items():
        near = []
        for cell, step in product(cells.cells, steps):
            others = sorted(holders.get((cell.key, cell.value + step), empty) - {file})
            exact = [other for other in others if not cells.rounded and not counts[other].rounded]
            if others:
                near.append(Conflicting(cell.row, cell.column, not exact, (cell.value, step, *(exact or others))))
        told[file] = blocks.by_place(Code.LINKED_TABLES, sorted(near, key=lambda one: one.mild))
    return told

"""Tells whether the counts of a table were rounded, so that none of them is exact."""

from collections.abc import Collection

from ..subject import Table
from ..thresholds import Policy
from .grid import Grid


def is_midpoint_six(counts: Collection[int], policy: Policy) -> bool:
    """Return whether all counts are 0 or the middle of a band of six (3, 9, 15 ...), too many for chance."""
    some = [count for count in counts if count]
    return len(some) >= policy.rounded_cells and len(set(some)) > 1 and all(count % 6 == 3 for count in some)


def is_to_five(counts: Collection[int], policy: Policy) -> bool:
    """Return whether all counts are multiples of five, too many for chance."""
    some = [count for count in counts if count]
    return len(some) >= policy.rounded_cells and all(count % 5 == 0 for count in some)


def is_rounded(grid: Grid, policy: Policy) -> bool:
    """Return whether all counts of a table were rounded in one of the two ways; one that comes again says nothing."""
    counts = [count for _, count in grid.spots()]
    return len({count for count in counts if count}) > 1 and are_rounded(counts, policy)


def are_rounded(counts: Collection[int], policy: Policy) -> bool:
    """Return whether these counts were rounded in one of the two ways."""
    return is_to_five(counts, policy) or is_midpoint_six(counts, policy)


def midpoint_columns(table: Table, grid: Grid | None, policy: Policy) -> frozenset[int]:
    """Return the columns whose counts are midpoints of six, where a 3 stands for 1 to 6 persons."""
    if grid is None or not table.rows:
        return frozenset()
    by_column: dict[int, list[int]] = {}
    for (_, column), count in grid.spots():
        by_column.setdefault(column, []).append(count)
    everything = [count for counts in by_column.values() for count in counts]
    if is_midpoint_six(everything, policy):
        return frozenset(by_column)
    return frozenset(column for column, counts in by_column.items() if is_midpoint_six(counts, policy))

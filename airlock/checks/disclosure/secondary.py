"""Finds suppressed cells that the table's own totals give away again."""

from collections.abc import Iterator

from ..findings import Code, Finding, Severity, found
from ..subject import Subject, Table
from .grid import Grid, Hidden, Spot, Sum, read_grid
from .margins import Equation, solve
from .rounding import is_rounded

_NARROW = 1


def check(subject: Subject) -> Iterator[Finding]:
    """Solve the margins, then judge each hidden cell and each sum of hidden cells."""
    table = subject.model
    if not isinstance(table, Table) or (subject.promise is not None and subject.promise.unit != "person"):
        return
    grid = read_grid(table, subject.promise)
    if grid is None or not any(isinstance(cell, Hidden) for cell in grid.cells.values()):
        return
    if is_rounded(grid, subject.policy):
        return  # what is left of a rounded total is not exact
    yield from judge(grid, least=subject.policy.min_count)


def judge(grid: Grid, *, least: int) -> Iterator[Finding]:
    """Yield what a reader with pencil and paper learns about hidden cells."""
    hidden = {spot: cell for spot, cell in grid.cells.items() if isinstance(cell, Hidden)}
    equations = [_equation(grid, one) for one in grid.sums]
    answer = solve({spot: (cell.low, cell.high) for spot, cell in hidden.items()}, equations)
    told: set[Spot] = set()
    for group, total in answer.groups:
        if 0 < total < least:
            told.update(group)
    for spot, (low, high) in answer.bounds.items():
        if low == high and 0 < low < _sensitive_below(hidden[spot], least):
            told.add(spot)
    yield from (found(Code.SECONDARY_DISCLOSURE, row=row + 1, column=column + 1) for row, column in sorted(told))
    for spot, (low, high) in sorted(answer.bounds.items()):
        said = hidden[spot]
        narrower = said.high is None or high - low < said.high - said.low
        if spot not in told and narrower and low > 0 and high < least and high - low <= _NARROW:
            yield found(Code.SECONDARY_DISCLOSURE, Severity.WARN, row=spot[0] + 1, column=spot[1] + 1)


def _sensitive_below(cell: Hidden, least: int) -> int:
    """Return below what a solved count is one that its author hid: what the table says, else twice k."""
    return 2 * least if cell.high is None else max(least, cell.high + 1)


def _equation(grid: Grid, claim: Sum) -> Equation:
    terms: dict[Spot, int] = {}
    total = 0
    for spot, factor in ((claim.whole, -1), *((part, 1) for part in claim.parts)):
        cell = grid.cells[spot]
        if isinstance(cell, Hidden):
            terms[spot] = terms.get(spot, 0) + factor
        else:
            total -= factor * cell
    return Equation({spot: factor for spot, factor in terms.items() if factor}, total)

"""Solves for suppressed cells: small bounds on whole numbers, tightened by every sum of the table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .grid import Spot

_MOST_UNKNOWN = 400
_MOST_SUMS = 1200
_ROUNDS = 40
_FAR = 10**12


@dataclass(frozen=True, slots=True)
class Equation:
    """The sum of coefficients times unknowns is `total`."""

    terms: Mapping[Spot, int]
    total: int


@dataclass(frozen=True, slots=True)
class Solved:
    """What can be known: bounds of each unknown, and sums of several unknowns that are known exactly."""

    bounds: dict[Spot, tuple[int, int]]
    groups: tuple[tuple[tuple[Spot, ...], int], ...]


def solve(unknown: Mapping[Spot, tuple[int, int | None]], equations: Sequence[Equation]) -> Solved:
    """Return the bounds of every unknown, and each group of unknowns whose sum is fixed."""
    bounds = {name: (low, _FAR if high is None else high) for name, (low, high) in unknown.items()}
    known = [one for one in equations if one.terms]
    rows = known[:_MOST_SUMS]
    if len(unknown) <= _MOST_UNKNOWN:
        rows = [*rows, *_eliminated(rows)]
    _tighten(bounds, rows)
    groups = {
        tuple(one.terms): one.total if next(iter(one.terms.values())) > 0 else -one.total
        for one in rows
        if len({*one.terms.values()}) == 1 and abs(next(iter(one.terms.values()))) == 1
    }
    return Solved(bounds, tuple(groups.items()))


def _tighten(bounds: dict[Spot, tuple[int, int]], rows: Sequence[Equation]) -> None:
    """Narrow bounds until nothing changes; bounds that contradict each other are left alone."""
    for _ in range(_ROUNDS):
        changed = False
        for one in rows:
            low = sum(c * bounds[n][0 if c > 0 else 1] for n, c in one.terms.items())
            high = sum(c * bounds[n][1 if c > 0 else 0] for n, c in one.terms.items())
            for name, factor in one.terms.items():
                mine = bounds[name]
                rest_low = low - factor * mine[0 if factor > 0 else 1]
                rest_high = high - factor * mine[1 if factor > 0 else 0]
                ends = sorted((Fraction(one.total - rest_low, factor), Fraction(one.total - rest_high, factor)))
                new = max(mine[0], -((-ends[0]) // 1)), min(mine[1], ends[1] // 1)
                if new != mine and new[0] <= new[1]:
                    low += factor * (new[0] - mine[0]) if factor > 0 else factor * (new[1] - mine[1])
                    high += factor * (new[1] - mine[1]) if factor > 0 else factor * (new[0] - mine[0])
                    bounds[name] = new
                    changed = True
        if not changed:
            return


def _eliminated(rows: Iterable[Equation]) -> list[Equation]:
    """Return the equations in reduced form: combinations of sums that single out few unknowns."""
    done: list[tuple[Spot, dict[Spot, Fraction], Fraction]] = []
    for one in rows:
        terms = {name: Fraction(factor) for name, factor in one.terms.items() if factor}
        total = Fraction(one.total)
        for pivot, other, rest in done:
            if pivot in terms:
                total -= terms[pivot] * rest
                _subtract(terms, other, terms[pivot])
        if not terms:
            continue
        pivot = next(iter(terms))
        factor = terms[pivot]
        terms, total = {name: value / factor for name, value in terms.items()}, total / factor
        for at, (name, other, rest) in enumerate(done):
            if pivot in other:
                by = other[pivot]
                _subtract(other, terms, by)
                done[at] = (name, other, rest - by * total)
        done.append((pivot, terms, total))
    return [
        Equation({name: int(value) for name, value in terms.items()}, int(total))
        for _, terms, total in done
        if total.denominator == 1 and all(value.denominator == 1 for value in terms.values())
    ]


def _subtract(terms: dict[Spot, Fraction], other: Mapping[Spot, Fraction], factor: Fraction) -> None:
    for name, value in other.items():
        left = terms.get(name, Fraction(0)) - factor * value
        if left:
            terms[name] = left
        else:
            terms.pop(name, None)

"""Decides whether a new cohort, combined with earlier ones, singles out fewer than k persons (pure, T7)."""

# A cohort is the names of its members, `NAME` bytes each, one after the other. A combination gives a few cohorts a
# coefficient of -2 to 2; its support are the persons for whom the sum of the coefficients of their cohorts is not 0,
# which is whom a researcher learns of by adding and subtracting what was released of each cohort.

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from random import Random

NAME = 8  # bytes of a member's name
COEFFICIENTS = (1, -1, 2, -2)
WORK = 3_000_000  # sums that one examination may form, a few seconds
MOST_MEMBERS = 10_000_000  # of all cohorts together
_PRIME = 2**61 - 1
Patterns = Mapping[int, int]  # which cohorts persons are in, as bits -> how many persons
_Half = tuple[tuple[int, int], ...]  # cohorts by number with their coefficients


@dataclass(frozen=True)
class Examined:
    """What was found: a combination (number of a cohort, its coefficient) with its support; 0 is the new cohort.

    Not `complete` where the work was bounded before all was tried, and nothing was found.
    """

    combination: _Half = ()
    support: int = 0
    complete: bool = True


def examine(new: bytes, earlier: Sequence[bytes], *, least: int, work: int = WORK) -> Examined:
    """Return the first combination of `new` and at most five earlier cohorts that has a support below `least`."""
    if len(new) + sum(map(len, earlier)) > MOST_MEMBERS * NAME:
        return Examined(complete=False)
    patterns = patterns_of([new, *earlier])
    left = _Work(work)
    try:
        return _examine(patterns, 1 + len(earlier), least=least, left=left)
    except _Spent:
        return Examined(complete=False)


def patterns_of(cohorts: Sequence[bytes]) -> dict[int, int]:
    """Return how many persons are in exactly which cohorts."""
    memberships: defaultdict[bytes, int] = defaultdict(int)
    for number, cohort in enumerate(cohorts):
        for at in range(0, len(cohort), NAME):
            memberships[cohort[at : at + NAME]] |= 1 << number
    counted: defaultdict[int, int] = defaultdict(int)
    for pattern in memberships.values():
        counted[pattern] += 1
    return dict(counted)


def is_independent(new: bytes, earlier: Sequence[bytes]) -> bool:
    """Say whether no sum of multiples of the earlier cohorts is the new one: it adds to their rank."""
    return not _involved(sorted(patterns_of([new, *earlier])), 1 + len(earlier), _Work(None))


def support_of(combination: Iterable[tuple[int, int]], patterns: Patterns) -> int:
    """Return for how many persons the sum of the coefficients is not 0."""
    chosen = tuple(combination)
    return sum(
        count
        for pattern, count in patterns.items()
        if sum(factor for number, factor in chosen if pattern >> number & 1)
    )


class _Spent(Exception):
    """More work than may be done."""


class _Work:
    """Counts what is left of the work; None is without end."""

    def __init__(self, left: int | None) -> None:
        self._left = left

    def take(self, steps: int) -> None:
        if self._left is not None:
            self._left -= steps
            if self._left < 0:
                raise _Spent

    def allows(self, steps: int) -> bool:
        return self._left is None or self._left >= steps


def _examine(patterns: Patterns, size: int, *, least: int, left: _Work) -> Examined:
    # Of a combination with a support below k, each group of k persons in the same cohorts sums up to 0. The others
    # go into k parts: fewer than k persons are not in all of them, so in one part everything sums up to 0 as well.
    heavy = [pattern for pattern, count in patterns.items() if count >= least]
    light = sorted(pattern for pattern, count in patterns.items() if count < least)
    parts = [light[at::least] for at in range(least)] if len(light) >= least else [[]]
    left.take(2 * len(patterns) * size)
    nearest = _by_distance(patterns, size)
    complete = True
    for at, part in enumerate(parts):
        silent = [*heavy, *part]
        active = _involved(silent, size, left)
        for depth in ((0, 1), (1, 2), (2, 3)):
            chosen = [number for number in nearest if number in active]
            while chosen and not left.allows(_steps(len(chosen), depth) * (len(parts) - at)):
                chosen.pop()
            complete = complete and len(chosen) + 1 >= len(active)
            found = _search(patterns, silent, chosen, depth, least=least, left=left) if 0 in active else None
            if found is not None:
                return found
    return Examined(complete=complete)


def _by_distance(patterns: Patterns, size: int) -> list[int]:
    """Return the earlier cohorts, those first that differ from the new one by the fewest persons."""
    apart = [0] * size
    for pattern, count in patterns.items():
        differing = pattern ^ ((1 << size) - 1 if pattern & 1 else 0)
        for number in _bits(differing):
            apart[number] += count
    return sorted(range(1, size), key=lambda number: apart[number])


def _involved(patterns: Iterable[int], size: int, left: _Work) -> set[int]:
    """Return which cohorts are in any combination, of whatever coefficients, that is 0 for these patterns.

    Empty if none of them has the new cohort. Counted modulo a large prime: at worst a cohort too many is returned.
    """
    basis = [[int(row == column) for column in range(size)] for row in range(size)]
    for pattern in patterns:
        numbers = list(_bits(pattern))
        left.take(len(basis) * len(numbers) // 8 + 1)
        sums = [sum(row[number] for number in numbers) % _PRIME for row in basis]
        at = next((n for n, value in enumerate(sums) if value), None)
        if at is None:
            continue
        pivot, inverse = basis.pop(at), pow(sums.pop(at), -1, _PRIME)
        left.take(len(basis) * size // 8 + 1)
        for n, value in enumerate(sums):
            if value:
                factor = value * inverse % _PRIME
                basis[n] = [(one - factor * two) % _PRIME for one, two in zip(basis[n], pivot, strict=True)]
        if not any(row[0] for row in basis):
            return set()
    return {number for number in range(size) if any(row[number] for row in basis)}


def _search(
    patterns: Patterns,
    silent: Sequence[int],
    chosen: Sequence[int],
    depth: tuple[int, int],
    *,
    least: int,
    left: _Work,
) -> Examined | None:
    """Find a combination that is 0 for the silent patterns: halves whose sums meet, as in meet in the middle."""
    near, far = depth
    weights = _weights(silent, [0, *chosen])
    sums: defaultdict[int, list[_Half]] = defaultdict(list)
    left.take(_steps(len(chosen), depth))
    for own in (1, 2):
        for half in _halves(chosen, near):
            sums[(own * weights[0] + _sum(half, weights)) % _PRIME].append(((0, own), *half))
    for half in _halves(chosen, far):
        for other in sums.get(-_sum(half, weights) % _PRIME, ()):
            if {number for number, _ in other} & {number for number, _ in half}:
                continue
            left.take(len(patterns))
            support = support_of((*other, *half), patterns)
            if 0 < support < least:
                return Examined((*other, *half), support)
    return None


def _steps(count: int, depth: tuple[int, int]) -> int:
    """Return how many halves there are for so many cohorts."""
    steps, product_ = 0, 1
    for size in range(depth[1] + 1):
        steps += product_ * (3 if size <= depth[0] else 1)
        product_ = product_ * 4 * (count - size) // (size + 1)
    return steps


def _halves(chosen: Sequence[int], most: int) -> Iterator[_Half]:
    for size in range(min(most, len(chosen)) + 1):
        for numbers in combinations(chosen, size):
            for factors in product(COEFFICIENTS, repeat=size):
                yield tuple(zip(numbers, factors, strict=True))


def _sum(half: _Half, weights: Mapping[int, int]) -> int:
    return sum(factor * weights[number] for number, factor in half)


def _weights(silent: Sequence[int], numbers: Sequence[int]) -> dict[int, int]:
    """Return one number for each cohort: a combination that is 0 for all patterns is 0 of these too."""
    random = Random(len(silent))  # noqa: S311 - who guesses it makes us look once more, and hides nothing
    drawn = [random.randrange(1, _PRIME) for _ in silent]
    return {
        number: sum(one for one, pattern in zip(drawn, silent, strict=True) if pattern >> number & 1) % _PRIME
        for number in numbers
    }


def _bits(pattern: int) -> Iterator[int]:
    while pattern:
        yield (pattern & -pattern).bit_length() - 1
        pattern &= pattern - 1

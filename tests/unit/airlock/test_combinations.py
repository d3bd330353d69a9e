"""Combinations of cohorts that single out a few persons are found, as trying them all would find them."""

from itertools import combinations as chosen_of
from itertools import pairwise, product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlock import combinations
from airlock.combinations import Examined, patterns_of, support_of

Cohort = frozenset[bytes]


def people(*spans: tuple[int, int]) -> Cohort:
    """Return persons by number, from and to."""
    return frozenset(b"%08d" % n for first, last in spans for n in range(first, last))


def packed(cohort: Cohort) -> bytes:
    return b"".join(sorted(cohort))


def examine(new: Cohort, earlier: list[Cohort], *, least: int, work: int = combinations.WORK) -> Examined:
    return combinations.examine(packed(new), [packed(one) for one in earlier], least=least, work=work)


def by_force(new: Cohort, earlier: list[Cohort], least: int) -> bool:
    """Say whether there is a combination, by trying each of them."""
    everyone = sorted(new.union(*earlier))
    rows = [[int(person in cohort) for person in everyone] for cohort in (new, *earlier)]
    for size in range(min(5, len(earlier)) + 1):
        for numbers in chosen_of(range(1, len(rows)), size):
            for factors in product((1, -1, 2, -2), repeat=size):
                for own in (1, 2):
                    chosen = [(own, rows[0]), *((f, rows[n]) for f, n in zip(factors, numbers, strict=True))]
                    sums = [sum(f * row[at] for f, row in chosen) for at in range(len(everyone))]
                    if 0 < sum(one != 0 for one in sums) < least:
                        return True
    return False


def check_true(found: Examined, new: Cohort, earlier: list[Cohort], least: int) -> None:
    """Have what was found counted once more."""
    assert found.support == support_of(found.combination, patterns_of([packed(one) for one in (new, *earlier)]))
    assert 0 < found.support < least
    numbers = [number for number, _ in found.combination]
    assert 0 in numbers
    assert len(numbers) == len(set(numbers)) <= 6
    assert all(-2 <= factor <= 2 and factor for _, factor in found.combination)


@st.composite
def cohorts(draw: st.DrawFn) -> list[Cohort]:
    """Return cohorts of groups of persons of all sizes, some of which are sums or differences of others."""
    sizes = draw(st.lists(st.integers(1, 7), min_size=2, max_size=7))
    starts = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    groups = [people((first, last)) for first, last in pairwise(starts)]
    picks = st.lists(st.booleans(), min_size=len(groups), max_size=len(groups))
    return [
        frozenset().union(*(group for group, taken in zip(groups, draw(picks), strict=True) if taken))
        for _ in range(draw(st.integers(2, 5)))
    ]


@settings(max_examples=150, deadline=None)
@given(cohorts(), st.integers(2, 6))
def test_all_that_trying_finds_is_found_and_nothing_else(made: list[Cohort], least: int) -> None:
    new, earlier = made[0], made[1:]
    found = examine(new, earlier, least=least)
    assert found.complete
    assert bool(found.combination) == by_force(new, earlier, least)
    if found.combination:
        check_true(found, new, earlier, least)


HUNDRED = people((0, 100))


@pytest.mark.parametrize(
    ("new", "earlier"),
    [
        (people((0, 99)), [HUNDRED]),  # all but one
        (people((0, 4)), []),  # a cohort of four
        (people((1, 100)), [people((0, 50)), people((50, 100))]),  # parts whose sum is all
        (people((0, 30)), [HUNDRED, people((30, 60)), people((60, 97))]),  # all less three parts
        (
            people((0, 20)),
            [HUNDRED, people((20, 40)), people((40, 60)), people((60, 80)), people((80, 99))],  # six cohorts
        ),
        # twice the new one, with a coefficient of 2
        (people((0, 50)), [people((0, 50), (60, 80)), people((0, 50), (80, 99)), people((60, 99), (200, 203))]),
    ],
)
def test_t7_combinations_of_up_to_six_cohorts_are_found(new: Cohort, earlier: list[Cohort]) -> None:
    found = examine(new, earlier, least=5)
    check_true(found, new, earlier, 5)


@pytest.mark.parametrize(
    ("new", "earlier"),
    [
        (HUNDRED, [HUNDRED]),  # the same once more says nothing
        (people((0, 95)), [HUNDRED]),  # five persons are enough
        (people((0, 50)), [HUNDRED, people((50, 100))]),  # what subtracting tells anyway
        (HUNDRED, [people((200, 300)), people((300, 400))]),
        (people((0, 5)), []),
        # eight of them would: all less seven parts is one person
        (people((0, 14)), [people((14 * n, 14 * n + 14)) for n in range(1, 7)] + [people((0, 99))]),
    ],
)
def test_what_singles_out_nobody_passes(new: Cohort, earlier: list[Cohort]) -> None:
    assert examine(new, earlier, least=5) == Examined()


def test_one_among_forty_random_cohorts_is_proved_to_be_apart_or_found() -> None:
    random = Random(7)
    everyone = sorted(people((0, 1000)))
    earlier = [frozenset(random.sample(everyone, 500)) for _ in range(40)]
    new = frozenset(random.sample(everyone, 500))
    assert examine(new, earlier, least=5) == Examined()
    near = earlier[30] ^ frozenset(everyone[:3])
    check_true(examine(near, earlier, least=5), near, earlier, 5)


def test_what_is_too_much_work_is_said_to_be_unfinished() -> None:
    parts = [people((10 * n, 10 * n + 10), (500, 503)) for n in range(40)]
    sums = [parts[n] | parts[n + 1] for n in range(39)]
    new = parts[0] | parts[5] | parts[9] | people((600, 640))
    assert not examine(new, [*parts, *sums, new - people((0, 10))], least=5, work=1000).complete


def test_what_is_found_before_the_work_is_done_counts() -> None:
    parts = [people((10 * n, 10 * n + 10)) for n in range(40)]
    new = parts[3] | people((600, 602))
    check_true(examine(new, parts, least=5, work=40_000), new, parts, 5)


@pytest.mark.parametrize(
    ("new", "earlier", "independent"),
    [
        (HUNDRED, [], True),
        (HUNDRED, [HUNDRED], False),
        (HUNDRED, [people((0, 50)), people((50, 100))], False),
        (people((0, 50)), [HUNDRED, people((50, 100))], False),
        (people((0, 50)), [HUNDRED, people((50, 99))], True),
    ],
)
def test_a_cohort_adds_to_the_rank_unless_others_make_it_up(
    new: Cohort, earlier: list[Cohort], independent: bool
) -> None:
    assert combinations.is_independent(packed(new), [packed(one) for one in earlier]) is independent

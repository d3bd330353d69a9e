"""How many attempts of one shape are handed to a cluster, and which wait for a job that runs already."""

import pytest

from tes.backends.held import FIRST, ROUND, Held

MANY = [f"{number:032x}" for number in range(100)]


@pytest.fixture
def held() -> Held:
    made = Held()
    for attempt in MANY:
        made.add(attempt, "shape", 0.0)
    return made


def test_a_few_go_at_once_in_order_and_each_once(held: Held) -> None:
    assert held.let_in(0.0) == MANY[:FIRST]
    assert held.let_in(ROUND - 0.1) == []
    assert [held.holds(one) for one in MANY[FIRST - 1 : FIRST + 1]] == [False, True]


def test_an_attempt_that_is_over_makes_room_for_one(held: Held) -> None:
    held.let_in(0.0)
    held.remove(MANY[0])
    assert held.let_in(0.1) == [MANY[FIRST]]


def test_what_a_running_job_takes_on_needs_no_other(held: Held) -> None:
    held.let_in(0.0)
    assert held.take("shape") == MANY[FIRST]
    held.remove(MANY[0])
    assert held.let_in(0.1) == []
    held.put_back(MANY[FIRST])
    assert held.let_in(0.2) == [MANY[FIRST]]


def test_where_attempts_end_soon_their_jobs_double_with_each_round(held: Held) -> None:
    held.let_in(0.0)
    held.take("shape")
    held.remove(MANY[0])
    assert len(held.let_in(ROUND)) == FIRST
    held.take("shape")
    held.remove(MANY[1])
    assert len(held.let_in(2 * ROUND)) == 2 * FIRST


def test_where_none_ends_for_a_round_all_are_handed_in(held: Held) -> None:
    held.let_in(0.0)
    assert held.let_in(ROUND) == MANY[FIRST:]


def test_shapes_do_not_wait_for_each_other_and_begin_anew(held: Held) -> None:
    held.let_in(0.0)
    held.add("f" * 32, "another", 1.0)
    assert held.take("a third") is None
    assert held.let_in(1.0) == ["f" * 32]
    held.remove("f" * 32)
    held.add("e" * 32, "another", 100.0)
    assert held.let_in(100.0)[0] == MANY[FIRST]  # its round is over; the other's has begun
    for attempt in [*MANY, "e" * 32, "unknown"]:
        held.remove(attempt)
    assert held.take("shape") is None

"""Whose run is next: projects take turns, persons within them too, and limits hold (T30)."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import TooMany
from wes.turns import Limits, Place, check_room, in_order

MANY = Limits(1000, 1000)


def places(*wanted: str, first: int = 1) -> list[Place]:
    """Return runs named by project, person and number, as in "a:ruth"."""
    return [Place(f"{who}:{n}", n, *who.split(":")) for n, who in enumerate(wanted, first)]


def order(waiting: list[Place], running: list[Place] = [], limits: Limits = MANY, **last: int) -> list[str]:  # noqa: B006
    turns = {project: datetime(2026, 1, 1, minute, tzinfo=UTC) for project, minute in last.items()}
    return [run.rsplit(":", 1)[0] for run in in_order(waiting, running, last=turns, limits=limits)]


def test_a_project_with_a_hundred_runs_does_not_hold_up_another() -> None:
    waiting = places(*["a:ruth"] * 100, "b:rob", "b:rob")
    assert order(waiting)[:4] == ["a:ruth", "b:rob", "a:ruth", "b:rob"]


def test_with_one_place_projects_take_turns() -> None:
    waiting = places("a:ruth", "a:ruth", "b:rob")
    assert order(waiting, a=5)[0] == "b:rob"
    assert order(waiting, a=5, b=6)[0] == "a:ruth"


def test_who_has_fewer_runs_at_work_comes_first() -> None:
    assert order(places("a:ruth", "b:rob", first=9), running=places("a:ruth", "a:ruth", "b:rob"))[0] == "b:rob"


def test_persons_of_a_project_take_turns_too() -> None:
    assert order(places("a:ruth", "a:ruth", "a:rita"))[:3] == ["a:ruth", "a:rita", "a:ruth"]


def test_limits_hold_while_others_go_on() -> None:
    waiting = places("a:ruth", "a:ruth", "a:rita", "b:ruth")
    assert order(waiting, limits=Limits(project=2, person=1)) == ["a:ruth", "a:rita"]
    assert order(waiting, limits=Limits(project=1, person=9)) == ["a:ruth", "b:ruth"]
    assert order(waiting, running=places("a:ruth", first=50), limits=Limits(1, 9)) == ["b:ruth"]


who = st.sampled_from(["a:ruth", "a:rita", "b:rob", "c:ruth", "c:rex"])


@given(st.lists(who, max_size=30), st.lists(who, max_size=6), st.integers(1, 5), st.integers(1, 5))
def test_nobody_goes_beyond_a_limit_and_nobody_within_is_left_out(
    waiting: list[str], running: list[str], project: int, person: int
) -> None:
    limits, begun = Limits(project, person), places(*running, first=1000)
    found = order(places(*waiting), running=begun, limits=limits)
    started = Counter(one.split(":")[0] for one in found), Counter(one.split(":")[1] for one in found)
    before = Counter(p.project for p in begun), Counter(p.person for p in begun)
    assert all(before[0][name] + count <= project for name, count in started[0].items())
    assert all(before[1][name] + count <= person for name, count in started[1].items())
    for one, count in (Counter(waiting) - Counter(found)).items():
        name, human = one.split(":")
        assert count
        assert before[0][name] + started[0][name] >= project or before[1][human] + started[1][human] >= person


def test_t30_one_run_too_many_is_refused_with_what_to_do() -> None:
    check_room(project=9, person=4, most=Limits(10, 5))
    for counts in ({"project": 10, "person": 0}, {"project": 5, "person": 5}):
        with pytest.raises(TooMany, match="cancel one") as refusal:
            check_room(**counts, most=Limits(10, 5))
        assert (refusal.value.status, refusal.value.seconds) == (429, 60)

"""The airlock's figures, from moves, votes and files alone."""

from datetime import UTC, datetime, timedelta

from airlock_scene import API, TSV, VCF, Scene, scene

from airlock.figures import (
    Checked,
    Moved,
    Spent,
    Voted,
    compute,
    disagreement_rate,
    first_pass_rate,
    spent,
    time_in_states,
    turnarounds,
)
from airlock.release_requests import RequestState as S

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)


def moved(request: str, turn: int, **hours: float) -> list[Moved]:
    return [Moved(request, S[name], turn, MONDAY + timedelta(hours=after)) for name, after in hours.items()]


ONE = moved("one", 1, READY=0, SUBMITTED=1, FIRST_REVIEW=3, CONSOLIDATING=4, APPROVED=5, RELEASED=6)
TWO = [
    *moved("two", 1, READY=0, SUBMITTED=2, FIRST_REVIEW=4, CONSOLIDATING=8, RETURNED=12),
    *moved("two", 2, DRAFT=100, READY=101, SUBMITTED=200, FIRST_REVIEW=201, CONSOLIDATING=202, APPROVED=220),
]


def test_the_median_and_the_90th_percentile_are_hours_that_were_spent() -> None:
    assert spent([]) == Spent(0, 0.0, 0.0)
    assert spent([5.0]) == Spent(1, 5.0, 5.0)
    assert spent([float(n) for n in range(1, 11)]) == Spent(10, 5.0, 9.0)


def test_the_turnaround_counts_the_stewards_time_and_not_the_requesters() -> None:
    assert turnarounds(ONE) == [4.0]
    assert turnarounds([*ONE, *TWO]) == [4.0, 10.0, 20.0]
    assert time_in_states(TWO)[S.RETURNED] == [88.0]


def test_the_first_pass_rate_is_of_what_was_decided() -> None:
    assert first_pass_rate([]) is None
    assert first_pass_rate([*ONE, *TWO, *moved("three", 1, SUBMITTED=1)]) == 0.5


def test_disagreement_is_counted_where_two_voted() -> None:
    votes = [
        Voted("one", 1, "f", "sam", yes=True),
        Voted("one", 1, "f", "sina", yes=True),
        Voted("two", 1, "f", "sam", yes=True),
        Voted("two", 1, "f", "sina", yes=False),
        Voted("two", 2, "f", "sam", yes=False),
    ]
    assert disagreement_rate(votes) == 0.5
    assert disagreement_rate(votes[-1:]) is None


def test_the_whole() -> None:
    files = [Checked("one", "f", "pass", (), 10), Checked("two", "g", "pass", ("small-count", "small-count"), 20)]
    votes = [Voted("two", 1, "g", "sam", yes=False)]
    found = compute([*ONE, *TWO, *moved("three", 1, SUBMITTED=400)], votes, files, lifted=3, released={"one": 10})
    assert (found.waiting, found.decided, found.returned, found.lifted) == (1, 3, 1, 3)
    assert found.findings == {"small-count": 1}
    assert found.passed_and_refused == 1
    weeks = {week.week: week for week in found.weeks}
    assert set(weeks) == {"2026-11-23", "2026-11-30", "2026-12-07"}
    first = weeks["2026-11-23"]
    assert (first.requests, first.files, first.bytes, first.released) == (2, 2, 10, 1)


def test_figures_come_out_of_the_log_and_are_of_ones_own_projects() -> None:
    with scene() as stage:
        stage.released(stage.complete_run({TSV: "count", VCF: "sites"}))
        _compare(stage)


def _compare(stage: Scene) -> None:
    found = stage.ask("sam").get(f"{API}/figures").json()
    assert [(week["requests"], week["files"], week["bytes"], week["released"]) for week in found["weeks"]] == [
        (1, 2, 188, 1)
    ]
    assert (found["first_pass_rate"], found["disagreement_rate"], found["waiting"]) == (1.0, 0.0, 0)
    assert stage.ask("ruth").get(f"{API}/figures").json() == found
    assert stage.ask("nobody").get(f"{API}/figures").json()["weeks"] == []
    # T24: no label names a project, a run or a person.
    said = str(found)
    assert not [word for word in ("cohort", "ruth", "sam@", TSV) if word in said]

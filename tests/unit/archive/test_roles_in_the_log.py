"""When a role counts by the log alone: two different operators, not for themselves, and a day later."""

from datetime import UTC, datetime, timedelta

import pytest

from archive.keys.ballots import ExportRefused, Line
from archive.keys.entitled import ENDED, GRANTED, PROPOSED, check_granted, counts_from
from strongroom.persons import NOBODY, Joined

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
OPERATORS = frozenset({"olga@x", "otto@x", "ola@clinic"})
SAM = "sam@x"


def line(
    event: str,
    actor: str,
    *,
    person: str = SAM,
    project: str = "p1",
    role: str = "steward",
    hours: int | None = 0,
) -> Line:
    time = None if hours is None else START + timedelta(hours=hours)
    return Line(0, event, actor, person, project, {"role": role}, "", "", time)


def since(*lines: Line, joined: Joined = NOBODY) -> datetime | None:
    return counts_from(lines, SAM, "p1", "steward", may_grant=OPERATORS.__contains__, wait=DAY, joined=joined)


GOOD = (line(PROPOSED, "olga@x"), line(GRANTED, "otto@x", hours=2))


def test_two_operators_grant_and_the_role_counts_a_day_later() -> None:
    assert since(*GOOD) == START + timedelta(hours=26)
    assert since() is None
    assert since(GOOD[0]) is None


@pytest.mark.parametrize(
    "lines",
    [
        (line(GRANTED, "otto@x"),),
        (line(PROPOSED, "otto@x"), line(GRANTED, "otto@x")),
        (line(PROPOSED, "olga@x"), line(GRANTED, "eve@x")),
        (line(PROPOSED, "eve@x"), line(GRANTED, "otto@x")),
        (line(GRANTED, "otto@x"), line(PROPOSED, "olga@x")),
        (line(PROPOSED, "olga@x"), line(GRANTED, "otto@x", hours=None)),
        (line(PROPOSED, "olga@x"), line(ENDED, "olga@x"), line(GRANTED, "otto@x")),
        (line(PROPOSED, "olga@x", role="researcher"), line(GRANTED, "otto@x")),
        (line(PROPOSED, "olga@x", project="p2"), line(GRANTED, "otto@x")),
        (line(PROPOSED, "olga@x", person="sina@x"), line(GRANTED, "otto@x")),
        (*GOOD, line(ENDED, "olga@x")),
        # One proposal is good for one grant.
        (*GOOD, line(ENDED, "olga@x"), line(GRANTED, "otto@x")),
    ],
)
def test_t28_anything_else_in_the_log_is_no_grant(lines: tuple[Line, ...]) -> None:
    assert since(*lines) is None


def test_t28_one_human_with_two_identities_grants_nothing() -> None:
    both = (line(PROPOSED, "olga@x"), line(GRANTED, "ola@clinic"))
    assert since(*both) is not None
    assert since(*both, joined=Joined((("olga@x", "ola@clinic"),))) is None
    # Nor does one who would hold the role.
    assert since(*GOOD, joined=Joined((("olga@x", SAM),))) is None
    assert since(*GOOD, joined=Joined((("otto@x", SAM),))) is None


def test_a_bad_grant_takes_nothing_from_a_good_one_and_a_new_one_begins_anew() -> None:
    assert since(*GOOD, line(GRANTED, "eve@x", hours=50)) == START + timedelta(hours=26)
    again = (line(PROPOSED, "otto@x", hours=50), line(GRANTED, "olga@x", hours=51))
    assert since(*GOOD, line(ENDED, "olga@x", hours=40), *again) == START + timedelta(hours=75)


@pytest.mark.parametrize(("hours", "good"), [(0, False), (25, False), (26, True), (99, True), (None, False)])
def test_t28_a_vote_counts_once_the_role_does(hours: int | None, good: bool) -> None:
    vote = line("vote.cast", SAM, hours=hours)
    terms = {"may_grant": OPERATORS.__contains__, "wait": DAY, "joined": NOBODY}
    if good:
        check_granted(vote, GOOD, "steward", **terms)  # type: ignore[arg-type]
        return
    with pytest.raises(ExportRefused, match="did not count yet"):
        check_granted(vote, GOOD, "steward", **terms)  # type: ignore[arg-type]
    with pytest.raises(ExportRefused, match="did not grant"):
        check_granted(vote, GOOD[1:], "steward", **terms)  # type: ignore[arg-type]

"""Which policy counts: two different entitled persons, versions that rise, nowhere laxer; all else is refused."""

from typing import Any

import pytest

from archive.keys.appetite import (
    CREATED,
    FLOORS_PROPOSED,
    FLOORS_SIGNED,
    PROPOSED,
    SIGNED,
    check_judged_under,
    in_force,
)
from archive.keys.ballots import ExportRefused, Line, Submitted
from strongroom.canonical import digest
from strongroom.persons import NOBODY, Joined
from strongroom.thresholds import FLOOR, MORE_IS_STRICTER, UNSIGNED, unsigned

DAN, SEN, SAM, DORA = "dan", "sen", "sam", "dora"
OF_THE_DAC = frozenset({DAN, DORA})
DATA = frozenset({"calls", "parent"})
ENTITLED = frozenset({DAN, SEN})
ALONE = unsigned(FLOOR)
TEN = {**ALONE, "min_count": 10}


def line(event: str, actor: str, subject: str = "p1", **facts: Any) -> Line:
    return Line(0, event, actor, subject, subject, facts, "", "")


def version(number: int, limits: dict[str, int], first: str = DAN, second: str = SEN) -> list[Line]:
    said = {"version": number, "sha256": digest(limits)}
    return [line(PROPOSED, first, thresholds=limits, **said), line(SIGNED, second, **said)]


def floors(number: int, limits: dict[str, int], *signers: str, dataset: str = "calls") -> list[Line]:
    said = {"version": number, "sha256": digest(limits)}
    first, second = signers or (DAN, DORA)
    return [
        line(FLOORS_PROPOSED, first, dataset, thresholds=limits, **said),
        line(FLOORS_SIGNED, second, dataset, **said),
    ]


def judge(
    policy: dict[str, int],
    lines: list[Line],
    *,
    least: int = 5,
    datasets: frozenset[str] = frozenset(),
    joined: Joined = NOBODY,
) -> None:
    submitted = Submitted("r", "ruth", "p1", 1, b"k" * 32, {"o": "d"}, policy=policy, seq=9)
    check_judged_under(
        submitted,
        lines,
        least_count=least,
        may_sign=ENTITLED.__contains__,
        datasets=datasets,
        may_set_floors=OF_THE_DAC.__contains__,
        joined=joined,
    )


def test_the_floor_holds_where_nobody_signed() -> None:
    judge({**ALONE, "version": UNSIGNED}, [])
    for number in (0, 2):
        with pytest.raises(ExportRefused, match="another policy"):
            judge({**ALONE, "version": number}, [])
    with pytest.raises(ExportRefused, match="another policy"):
        judge({}, [])


@pytest.mark.parametrize("name", sorted(FLOOR))
def test_no_threshold_is_laxer_than_the_floor_or_what_was_signed(name: str) -> None:
    step = -1 if name in MORE_IS_STRICTER else 1
    for change in ({name: ALONE[name] + step}, {name: None}):
        policy = {key: value for key, value in {**ALONE, "version": UNSIGNED, **change}.items() if value is not None}
        with pytest.raises(ExportRefused, match="laxer policy"):
            judge(policy, [])
    stricter = {**ALONE, name: ALONE[name] - step}
    judge({**stricter, "version": UNSIGNED}, [])
    with pytest.raises(ExportRefused, match="laxer policy"):
        judge({**ALONE, "version": 2}, version(2, stricter))
    judge({**stricter, "version": 2}, version(2, stricter))


def test_the_floor_is_held_though_two_persons_signed_less() -> None:
    lax = {**ALONE, "min_dof": 1}
    with pytest.raises(ExportRefused, match="laxer policy"):
        judge({**lax, "version": 2}, version(2, lax))


def test_t7_only_two_persons_let_results_go_whose_members_nobody_knows() -> None:
    judge({**FLOOR, "version": 2}, version(2, dict(FLOOR)))
    with pytest.raises(ExportRefused, match="laxer policy"):
        judge({**FLOOR, "version": UNSIGNED}, [])
    older = {name: value for name, value in FLOOR.items() if name != "block_unknown_members"}
    with pytest.raises(ExportRefused, match="laxer policy"):
        judge({**FLOOR, "version": 2}, version(2, older))
    with pytest.raises(ExportRefused, match="floors of its data"):
        judge(
            {**FLOOR, "version": 2},
            [*version(2, dict(FLOOR)), *floors(1, {"block_unknown_members": 1})],
            datasets=DATA,
        )


def test_a_policy_of_before_a_threshold_was_there_counts_with_the_floors_own() -> None:
    older = {name: value for name, value in TEN.items() if name != "max_cohorts"}
    judge({**TEN, "version": 2}, version(2, older))
    with pytest.raises(ExportRefused, match="laxer policy"):
        judge({**TEN, "max_cohorts": ALONE["max_cohorts"] + 1, "version": 2}, version(2, older))
    with pytest.raises(ExportRefused, match="cannot be read"):
        judge({**TEN, "version": 2}, version(2, {**TEN, "max_cohrots": 1}))


def test_counts_of_platform_and_project_are_part_of_the_floor() -> None:
    judge({**TEN, "version": UNSIGNED}, [], least=10)
    with pytest.raises(ExportRefused, match="laxer policy"):
        judge({**TEN, "version": UNSIGNED}, [], least=11)
    made = line(CREATED, "olga", min_count=12)
    with pytest.raises(ExportRefused, match="laxer policy"):
        judge({**TEN, "version": UNSIGNED}, [made])
    judge({**TEN, "version": UNSIGNED}, [line(CREATED, "olga", "p2", min_count=12)])


@pytest.mark.parametrize(("first", "second"), [(DAN, DAN), (SAM, SEN), (DAN, SAM), (SAM, SAM), (SAM, "sid")])
def test_two_different_entitled_persons_sign(first: str, second: str) -> None:
    with pytest.raises(ExportRefused, match="two different entitled persons"):
        judge({**TEN, "version": 2}, version(2, TEN, first, second))


def test_t28_one_person_with_two_identities_signs_no_policy_and_no_floors() -> None:
    joined = Joined((("elsewhere@x", DAN, SEN), (DORA, "dora@x")))
    with pytest.raises(ExportRefused, match="two different entitled persons"):
        judge({**TEN, "version": 2}, version(2, TEN), joined=joined)
    judge({**TEN, "version": 2}, version(2, TEN), joined=Joined(((DAN, DORA), (SEN, "sen@x"))))
    same = Joined(((DAN, DORA),))
    with pytest.raises(ExportRefused, match="two different entitled persons"):
        judge({**TEN, "version": UNSIGNED}, floors(1, TEN), datasets=frozenset({"calls"}), joined=same)


def test_a_proposal_alone_changes_nothing() -> None:
    judge({**ALONE, "version": UNSIGNED}, version(2, TEN)[:1])
    assert in_force(version(2, TEN)[:1], "p1", may_sign=ENTITLED.__contains__, joined=NOBODY) is None


def test_the_newest_that_was_signed_counts() -> None:
    twenty = {**ALONE, "min_count": 20}
    lines = [*version(2, TEN), *version(3, twenty)]
    with pytest.raises(ExportRefused, match="another policy"):
        judge({**TEN, "version": 2}, lines)
    with pytest.raises(ExportRefused, match="laxer policy"):
        judge({**TEN, "version": 3}, lines)
    judge({**twenty, "version": 3}, lines)


@pytest.mark.parametrize(
    "lines",
    [
        [version(2, TEN)[1]],  # signed, never proposed
        [*version(3, TEN), *version(2, TEN)],  # back to an older number
        [*version(2, TEN), *version(2, ALONE | {"min_count": 6})],
        [version(2, TEN)[0], version(2, ALONE | {"min_count": 6})[0]],
        [version(2, TEN)[0], version(2, ALONE | {"min_count": 6})[1]],  # signed for other thresholds
        version(1, TEN),
        version(2, {"min_count": 10}),
        version(2, {**ALONE, "min_count": True}),
        [line(PROPOSED, DAN, version="2"), line(SIGNED, SEN, version="2")],
        [line(PROPOSED, DAN), line(SIGNED, SEN)],
    ],
)
def test_what_the_log_cannot_say_stops_the_release(lines: list[Line]) -> None:
    for policy in ({**TEN, "version": 2}, {**ALONE, "version": UNSIGNED}):
        with pytest.raises(ExportRefused):
            judge(policy, lines)
    judge({**ALONE, "version": UNSIGNED}, [line(one.event, one.actor, "p2", **one.facts) for one in lines])


def test_t7_no_threshold_is_laxer_than_the_floors_of_any_data_of_the_run() -> None:
    lines = [*floors(1, {"max_rows": 100}), *floors(1, {"min_count": 20}, dataset="parent")]
    lines += floors(1, {"min_count": 90}, dataset="elsewhere")
    for lax in ({}, {"max_rows": 100}, {"min_count": 20}, {"max_rows": 101, "min_count": 20}):
        with pytest.raises(ExportRefused, match="floors of its data"):
            judge({**ALONE, "version": UNSIGNED, **lax}, lines, datasets=DATA)
    judge({**ALONE, "version": UNSIGNED, "max_rows": 100, "min_count": 20}, lines, datasets=DATA)
    judge({**ALONE, "version": UNSIGNED}, lines)


def test_the_newest_floors_count_and_a_proposal_alone_does_not() -> None:
    lines = [*floors(1, {"min_count": 20}), *floors(2, {"min_count": 9})]
    judge({**ALONE, "version": UNSIGNED, "min_count": 9}, lines, datasets=DATA)
    with pytest.raises(ExportRefused, match="floors of its data"):
        judge({**ALONE, "version": UNSIGNED, "min_count": 9}, lines[:3], datasets=DATA)
    judge({**ALONE, "version": UNSIGNED}, lines[:1], datasets=DATA)


@pytest.mark.parametrize(
    "lines",
    [
        *(floors(1, {"min_count": 20}, *pair) for pair in [(DAN, DAN), (DAN, SEN), (SEN, DORA), (SAM, SAM)]),
        floors(0, {"min_count": 20}),
        floors(1, {}),
        floors(1, {"min_cuont": 20}),
        floors(1, {"min_count": True}),
        floors(1, {"min_count": 20})[1:],
        [*floors(2, {"min_count": 20}), *floors(1, {"min_count": 9})],
    ],
)
def test_floors_that_the_log_cannot_say_stop_the_release(lines: list[Line]) -> None:
    with pytest.raises(ExportRefused):
        judge({**ALONE, "version": UNSIGNED, "min_count": 50}, lines, datasets=DATA)
    judge({**ALONE, "version": UNSIGNED}, lines, datasets=frozenset({"elsewhere"}))

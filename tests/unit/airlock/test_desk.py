"""The desk says whose turn it is, what is worst and where, and never anything of another's vote."""

from typing import Any

import pytest

from airlock import desk, schemas
from airlock.desk import Turn
from airlock.release_requests import Reason, RequestState, Vote

S = RequestState


def a_finding(code: str = "small-count", severity: str = "block", **place: int) -> schemas.Finding:
    about = "contract" if code == "undeclared" else "values"
    return schemas.Finding(code=code, severity=severity, about=about, place=place, reason="Why.", cure="How.")


def a_file(mine: Vote | None = None, verdict: str = "pass", *findings: schemas.Finding) -> schemas.ShownFile:
    facts: dict[str, Any] = dict.fromkeys(("size", "body_sha256", "sha256", "downloads", "link"))
    return schemas.ShownFile(
        id="0" * 32,
        path="a.tsv",
        verdict=verdict,
        findings=list(findings),
        split_off=False,
        reasons=[],
        votes=[],
        my_vote=mine,
        **facts,
    )


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("excluded", [False, True])
@pytest.mark.parametrize("voted", [False, True])
def test_whose_turn_it_is(state: RequestState, *, excluded: bool, voted: bool) -> None:
    files = [a_file(Vote.YES if voted else None), a_file(Vote.NO if voted else None)]
    open_vote = state in (S.SUBMITTED, S.FIRST_REVIEW) and not voted and not excluded
    decision = state is S.CONSOLIDATING and voted
    turn, _ = desk.whose_turn(state, files, excluded=excluded)
    assert (turn is Turn.YOURS) == (open_vote or decision)


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [([], "pass"), (["pass"], "pass"), (["warn", "pass"], "warn"), (["pass", "block", "warn"], "block")],
)
def test_the_worst_verdict_counts(verdicts: list[str], worst: str) -> None:
    assert desk.worst([a_file(None, one) for one in verdicts]) == worst


def test_a_promise_is_broken_by_findings_on_the_contract_alone() -> None:
    files = [
        a_file(),
        a_file(None, "block", a_finding("small-count")),
        a_file(None, "block", a_finding("undeclared")),
        a_file(None, "block", a_finding("contract-value")),
    ]
    assert desk.kept(files) == (2, 4)


def test_findings_mark_cells_rows_and_columns_by_the_worst() -> None:
    found = desk.marks(
        [
            a_finding(severity="block", row=3, column=2),
            a_finding(severity="warn", row=3, column=2),
            a_finding(severity="warn", row=7),
            a_finding(severity="block", column=1),
            a_finding(severity="block", offset=9),
        ]
    )
    assert found == {"cells": {"3.2": "block"}, "rows": {7: "warn"}, "columns": {1: "block"}}


def test_findings_of_one_part_mark_that_part_alone() -> None:
    findings = [a_finding(row=1, column=1), a_finding(severity="warn", member=2, row=3, column=1)]
    assert desk.marks(findings)["cells"] == {"1.1": "block"}
    assert desk.marks(findings, 2)["cells"] == {"3.1": "warn"}
    assert desk.marks(findings, 1)["cells"] == {}


def test_files_that_do_not_leave_are_not_voted_on() -> None:
    one = a_file()
    gone, helping = one.model_copy(update={"split_off": True}), one.model_copy(update={"supporting": True})
    assert desk.leaving([gone, one, helping]) == [one]


@pytest.mark.parametrize(("part", "most", "share"), [(0, 5, 0.0), (5, 5, 100.0), (1, 10_000, 1.0), (0, 0, 0.0)])
def test_a_share_that_is_there_can_be_seen(part: int, most: int, share: float) -> None:
    assert desk.share(part, most) == share


def test_every_bar_that_counts_something_can_be_seen() -> None:
    bars = desk.bars([0, 1, 100_000, 50_000])
    assert [bar.height for bar in bars] == [0.0, 1.5, desk.BINS_HIGH, desk.BINS_HIGH / 2]
    assert all(bar.x >= 0 and bar.x + bar.width <= desk.BINS_WIDE for bar in bars)
    assert desk.bars([]) == []


@pytest.mark.parametrize(
    ("findings", "reason"),
    [
        ([], Reason.UNCLEAR),
        ([a_finding("small-count", "warn")], Reason.SMALL_COUNTS),
        ([a_finding("row-level", "warn")], Reason.PERSON_LEVEL),
        ([a_finding("too-many-rows", "warn")], Reason.TOO_MUCH),
        ([a_finding("small-count", "warn"), a_finding("genotypes")], Reason.BLOCKED_BY_CHECKS),
    ],
)
def test_the_likely_reason_is_offered_first(findings: list[schemas.Finding], reason: Reason) -> None:
    assert desk.likely_reason(findings) is reason


def test_columns_of_numbers_are_known_by_their_cells() -> None:
    rows = [["18-39", "12", "1.50", "NA", "", "rs1"], ["40", "NA", "-2e-8", "NA", "3", "5"]]
    assert desk.numbers(rows) == {1, 2, 4}
    assert desk.numbers([]) == desk.numbers([[]]) == set()

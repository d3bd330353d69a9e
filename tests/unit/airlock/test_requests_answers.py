"""What a sandbox answers is parsed at the door; what a researcher reads of it depends on the data's mode."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock import answers
from airlock.answers import InspectionFailed
from airlock.checks.findings import Code
from airlock.intake_files import IntakeState, Shown, Verdict
from airlock.observability import Scanned, scan_outcome, shown_state, shown_verdict, visible
from airlock.release_requests import RequestState

GOOD: dict[str, Any] = {
    "schema": 1,
    "kind": "check",
    "policy_version": 1,
    "format": "table",
    "verdict": "block",
    "complete": True,
    "findings": [{"code": "small-count", "severity": "block", "place": {"row": 3, "column": 2}}],
    "omitted": 0,
    "facts": {"rows": 3},
    "clean": False,
    "view": None,
}


def report(said: Any, **more: Any) -> dict[str, Any]:
    raw = said if isinstance(said, bytes) else json.dumps(said).encode()
    return {"cause": "exited", "exit_code": 0, "answer": base64.b64encode(raw).decode(), "outputs": []} | more


def test_a_good_answer_is_read_and_its_words_come_from_our_own_table() -> None:
    told = {**GOOD["findings"][0], "reason": "MRSJANEDOE", "cure": "MRSJANEDOE", "about": "values"}
    answer = answers.parse_answer(report(GOOD | {"findings": [told]}), kind="check")
    kept = answers.stored(answer)
    assert kept == [{"code": "small-count", "severity": "block", "place": {"row": 3, "column": 2}}]
    assert "MRSJANEDOE" not in json.dumps([answers.told(f) for f in kept])


@pytest.mark.parametrize(
    "wrong",
    [
        report(GOOD, cause="out_of_memory"),
        report(GOOD, exit_code=1),
        report(GOOD, answer=None),
        report(GOOD, answer="%%%"),
        report(b"not json"),
        report(GOOD | {"kind": "view"}),
        report(GOOD | {"verdict": "pass"}),
        report(GOOD | {"verdict": "fine"}),
        report(GOOD | {"complete": False, "verdict": "warn", "findings": []}),
        report(GOOD | {"more": 1}),
        report(GOOD | {"facts": {"MRS JANE": 1}}),
        report(GOOD | {"facts": {"rows": "3"}}),
        report(GOOD | {"findings": [{"code": "free text", "severity": "block", "place": {}}]}),
        report(GOOD | {"findings": [{"code": "small-count", "severity": "block", "place": {"row": 2**60}}]}),
        report(GOOD | {"findings": [{"code": "small-count", "severity": "block", "place": {"cell": 1}}]}),
        report(GOOD | {"findings": GOOD["findings"] * 401}),
        report(b" " * (answers.MOST_BYTES + 1)),
        report(GOOD | {"view": {"kind": "image", "media_type": "text/html", "png": "", "width": 1, "height": 1}}),
        report(GOOD | {"view": {"kind": "html", "rows": []}}),
    ],
)
def test_t27_anything_else_is_no_answer(wrong: dict[str, Any]) -> None:
    with pytest.raises(InspectionFailed):
        answers.parse_answer(wrong, kind="check")


@given(st.recursive(st.none() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)))
def test_t27_no_json_breaks_the_parser(found: Any) -> None:
    for answer in (found, GOOD | {"findings": found}, GOOD | {"view": found}):
        try:
            answers.parse_answer(report(answer), kind="check")
        except InspectionFailed:
            continue


def test_exactly_one_clean_copy_is_believed() -> None:
    one = {"path": "/run/work/clean", "object": "0" * 32, "size": 3, "role": "output"}
    log = {**one, "path": "stdout", "role": "stdout"}
    assert answers.clean_copy({"outputs": [one, log]}) == ("0" * 32, 3)
    for outputs in ([], [one, one], [{**one, "path": "/run/work/other"}], [log]):
        with pytest.raises(InspectionFailed):
            answers.clean_copy({"outputs": outputs})


def scanned(*codes: Code, verdict: Verdict = Verdict.BLOCK, state: IntakeState = IntakeState.CHECKED) -> Scanned:
    findings = tuple({"code": c.value, "severity": verdict.value, "place": {}} for c in codes)
    return Scanned(state, verdict, findings)


GOOD_FILE = scanned(verdict=Verdict.PASS)
SMALL = scanned(Code.SMALL_COUNT)
REFUSED = scanned(Code.CONTRACT_VALUE, state=IntakeState.REFUSED)
NUMBERS = scanned(Code.CONTRACT_NUMBERS_MISSING)
BROKEN = scanned(Code.INSPECTION_FAILED)
COLUMNS = scanned(Code.CONTRACT_COLUMNS)
WAITING = Scanned(IntakeState.WAITING, None, ())


@pytest.mark.parametrize("file", [GOOD_FILE, SMALL, REFUSED, NUMBERS, BROKEN])
def test_t5_in_coarse_mode_a_scan_says_the_same_whatever_the_values(file: Scanned) -> None:
    assert shown_verdict(file, coarse=True) is Shown.NEEDS_A_STEWARD
    assert shown_state(file, coarse=True) is IntakeState.CHECKED
    assert visible(file.findings, coarse=True) == []
    assert scan_outcome([file], coarse=True) is RequestState.READY


def test_t5_what_hangs_on_the_contract_is_told_in_coarse_mode_too() -> None:
    assert shown_verdict(COLUMNS, coarse=True) is Shown.BLOCK
    assert len(visible(COLUMNS.findings, coarse=True)) == 1
    assert scan_outcome([GOOD_FILE, COLUMNS], coarse=True) is RequestState.BLOCKED


def test_in_open_mode_a_scan_says_all() -> None:
    assert scan_outcome([GOOD_FILE, SMALL], coarse=False) is RequestState.BLOCKED
    assert scan_outcome([GOOD_FILE, REFUSED], coarse=False) is RequestState.BLOCKED
    assert scan_outcome([SMALL, BROKEN], coarse=False) is RequestState.SCAN_FAILED
    assert scan_outcome([GOOD_FILE], coarse=False) is RequestState.READY
    for coarse in (True, False):
        assert scan_outcome([GOOD_FILE, WAITING], coarse=coarse) is RequestState.SCANNING
        assert scan_outcome([], coarse=coarse) is RequestState.SCANNING
        assert shown_verdict(WAITING, coarse=coarse) is Shown.WAITING

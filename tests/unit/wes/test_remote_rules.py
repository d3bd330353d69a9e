"""Which rules run at another site stands in the signed manifest; the engine's words for them count for nothing."""

from typing import Any

import pytest

from strongroom.errors import BadRequest, NotAllowed
from wes.remote import ENDED, RemoteState, check_job, parse_remote, request_of
from wes.rules import Job

RULE: dict[str, Any] = {
    "site": "b",
    "executors": [{"image": "sha256:x", "command": ["count"]}],
    "inputs": [{"url": "strongroom://dataset/people/a.tsv", "path": "/run/work/people/a.tsv"}],
    "outputs": {"remote/counts.tsv": "/run/work/results/counts.tsv"},
}


def job(**changes: Any) -> Job:
    task = {"inputs": [], "outputs": [{"path": "/run/work/remote/counts.tsv", "type": "FILE"}], **changes}
    return Job("there", "key", task, (), ())


def test_the_site_gets_what_was_signed_and_where_to_put_it() -> None:
    asked = request_of(parse_remote({"there": RULE})["there"], {"remote/counts.tsv": "https://a/x"}, name="there-1")
    assert asked == {
        "name": "there-1",
        "executors": RULE["executors"],
        "inputs": RULE["inputs"],
        "outputs": [{"path": "/run/work/results/counts.tsv", "url": "https://a/x"}],
    }


@pytest.mark.parametrize(
    "raw",
    [
        [],
        {"not a rule": RULE},
        {"there": {**RULE, "more": 1}},
        {"there": {name: value for name, value in RULE.items() if name != "site"}},
        {"there": {**RULE, "site": "http://elsewhere.example"}},
        {"there": {**RULE, "executors": []}},
        {"there": {**RULE, "executors": RULE["executors"] * 17}},
        {"there": {**RULE, "executors": [{"image": "x"}]}},
        {"there": {**RULE, "executors": [{"image": "x", "command": ["x"], "volumes": []}]}},
        {"there": {**RULE, "inputs": [{"content": "x", "path": "y"}]}},
        {"there": {**RULE, "outputs": {}}},
        {"there": {**RULE, "outputs": {"../x": "/run/work/x"}}},
    ],
)
def test_a_section_that_is_not_well_formed_cannot_be_vetted(raw: Any) -> None:
    with pytest.raises(BadRequest, match=r"^manifest\.yaml: remote"):
        parse_remote(raw)


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": [{"path": "/run/work/mine.txt", "url": "strongroom://object/x"}]},
        {"inputs": [{"path": "/run/work/.snakemake/scripts/x.py", "content": "x"}]},
        {"outputs": []},
        {"outputs": [{"path": "/run/work/other.tsv", "type": "FILE"}]},
    ],
)
def test_no_file_of_ours_goes_along_and_no_other_comes_back(changes: dict[str, Any]) -> None:
    remote = parse_remote({"there": RULE})["there"]
    check_job(job(), remote)
    with pytest.raises(NotAllowed):
        check_job(job(**changes), remote)


def test_the_final_states_are_those_that_lead_nowhere() -> None:
    assert {state.value for state in ENDED} == {"COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED"}
    assert RemoteState.QUEUED not in ENDED

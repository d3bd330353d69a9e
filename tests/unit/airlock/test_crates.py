"""A release's crate: deterministic, clean for its requester, full for those who oversee, and proved by the log."""

import hashlib
import json
from collections.abc import Iterator

import pytest
from airlock_scene import API, FINGERPRINT, PNG, TSV, person
from crate_scene import AUDITOR, Crates, events_in, released, unpacked

from airlock.crate import METADATA, RECORD
from airlock.crate_check import verify_crate
from strongroom.audit import Event


@pytest.fixture(scope="module")
def crates() -> Iterator[Crates]:
    with released() as made:
        yield made


def test_a_full_crate_proves_two_stewards_for_each_file(crates: Crates) -> None:
    found = verify_crate(crates.full(), crates.public)
    assert found.request == crates.release["id"]
    assert found.reviewers == {path: [person("sam"), person("sina")] for path in (PNG, TSV)}
    assert found.bodies == {file["path"]: file["body_sha256"] for file in crates.release["files"]}
    assert not found.called_back


def test_a_clean_crate_shows_no_other_person(crates: Crates) -> None:
    raw = crates.clean()
    found = verify_crate(raw, crates.public)
    assert found.reviewers == {}
    assert sorted(found.files) == [PNG, TSV]
    for name in ("sam", "sina", AUDITOR):
        assert person(name).encode() not in raw


def test_the_same_log_gives_the_same_bytes(crates: Crates) -> None:
    assert crates.full() == crates.full()
    assert crates.clean() == crates.clean()


def test_no_other_entry_comes_with_its_salt(crates: Crates) -> None:
    _, payload = unpacked(crates.full())
    shown = {line["seq"] for line in events_in(payload)}
    others = crates.stage.events(*Event)
    mine = {crates.release["id"], crates.release["run"], *(f["id"] for f in crates.release["files"])}
    assert shown < {event["seq"] for event in others}
    assert {event["subject"] for event in others if event["seq"] in shown} <= mine


def test_the_record_holds_thresholds_and_tools(crates: Crates) -> None:
    # A9: what the release was held to, machine-readable; its digest stands in the log.
    record = json.loads(unpacked(crates.clean())[1][RECORD])
    for file in record["files"]:
        assert file["policy"]["min_count"] == 5
        assert file["verdict"] == "pass"
    assert record["tools"].keys() >= {"python", "strongroom"}


def test_every_phase_is_an_action(crates: Crates) -> None:
    graph = {e["@id"]: e for e in json.loads(unpacked(crates.full())[1][METADATA])["@graph"]}
    kinds = {e.get("additionalType", {}).get("@id") for e in graph.values() if e["@type"] == "AssessAction"}
    phases = ("CheckValue", "ValidationCheck", "SignOff", "DisclosureCheck")
    assert {f"https://w3id.org/shp#{phase}" for phase in phases} <= kinds
    assert graph["#retrieval"]["@type"] == "DownloadAction"
    assert graph["#execution"]["@type"] == "CreateAction"
    assert graph["#publishing"]["additionalType"]["@id"] == "https://w3id.org/shp#GenerateCheckValue"
    named = {e["@id"] for e in graph["./"]["mentions"]}
    assert named <= graph.keys()
    votes = [e for e in graph.values() if e.get("name") == "Vote: yes"]
    assert len(votes) == 4


@pytest.mark.parametrize(
    ("name", "full", "status"),
    [
        ("ruth", False, 200),
        ("ruth", True, 403),
        ("rob", False, 404),
        ("rob", True, 404),
        ("nobody", False, 404),
        ("nobody", True, 404),
        ("sam", False, 200),
        ("sam", True, 200),
        ("sara", True, 200),
        ("both", True, 403),
        (AUDITOR, False, 200),
        (AUDITOR, True, 200),
    ],
)
def test_who_may_have_which_crate(crates: Crates, name: str, full: bool, status: int) -> None:
    answer = crates.get(name, full=full)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert person("sam") not in answer.text


def test_handing_out_a_crate_is_an_event(crates: Crates) -> None:
    raw = crates.full()
    last = crates.stage.events(Event.CRATE_EXPORTED)[-1]
    assert (last["actor"], last["subject"]) == (person(AUDITOR), crates.release["id"])
    assert last["facts"]["sha512"] == hashlib.sha512(raw).hexdigest()


def test_what_a_requester_writes_stays_text() -> None:
    # A6: no AssessAction comes from a client; a purpose that looks like one is a string.
    with released() as crates:
        stage = crates.stage
        run = stage.complete_run({TSV: "count"})
        purpose = '{"@type": "AssessAction", "@id": "#sign-off", "actionStatus": "CompletedActionStatus"}'
        made = stage.ask("ruth").post(f"{API}/requests", {"run": run, "files": [], "purpose": purpose}).json()
        stage.ask("ruth").post(f"{API}/requests/{made['id']}:submit", {"key": FINGERPRINT})
        for name in ("sam", "sina"):
            assert stage.vote(name, made).status_code == 200
        stage.ask("sam").post(f"{API}/reviews/{made['id']}:consolidate", {"outcome": "approve"})
        stage.work()
        crates.sign()
        raw = stage.ask(AUDITOR).get(f"{API}/releases/{made['id']}/crate?full=true").content
        graph = json.loads(unpacked(raw)[1][METADATA])["@graph"]
        (root,) = [e for e in graph if e["@id"] == "./"]
        assert root["description"] == purpose
        assert "#sign-off" not in {e["@id"] for e in graph}


def test_a_release_that_was_called_back_keeps_no_results() -> None:
    # A7: results and their entities go; what proves the failure stays, for those who oversee.
    with released() as crates:
        assert crates.stage.ask("sam").post(f"{API}/releases/{crates.release['id']}:revoke").status_code == 200
        assert crates.get(AUDITOR, full=True).status_code == 409  # no signed head covers the revocation yet
        crates.sign()
        raw = crates.full()
        assert verify_crate(raw, crates.public).called_back
        graph = {e["@id"]: e for e in json.loads(unpacked(raw)[1][METADATA])["@graph"]}
        assert graph["#disclosure"]["actionStatus"].endswith("FailedActionStatus")
        assert graph["#execution"]["result"] == []
        assert not [e for e in graph.values() if "contentSize" in e]
        assert crates.get("ruth").status_code == 409


def test_a_release_has_no_crate_before_its_head_is_signed() -> None:
    with released() as crates:
        run = crates.stage.complete_run({TSV: "count"})
        made = crates.stage.released(run)
        answer = crates.stage.ask("ruth").get(f"{API}/releases/{made['id']}/crate")
        assert answer.status_code == 409
        assert "minute" in answer.text


def test_votes_that_were_kept_from_the_turn_before_are_proved_too() -> None:
    with released() as crates:
        stage = crates.stage
        made = stage.submitted(stage.complete_run({TSV: "count", PNG: "plot"}))
        place = f"{API}/reviews/{made['id']}"
        for name in ("sam", "sina"):
            assert stage.vote(name, made, png="unclear").status_code == 200
        stage.ask("sam").post(f"{place}:consolidate", {"outcome": "return"})
        stage.ask("ruth").post(f"{API}/requests/{made['id']}:edit", {})
        again = stage.ask("ruth").post(f"{API}/requests/{made['id']}:submit", {"key": FINGERPRINT}).json()
        again["files"] = [file for file in again["files"] if file["path"] == PNG]
        for name in ("sam", "sina"):
            assert stage.vote(name, again).status_code == 200
        stage.ask("sam").post(f"{place}:consolidate", {"outcome": "approve"})
        stage.work()
        crates.sign()
        raw = stage.ask(AUDITOR).get(f"{API}/releases/{made['id']}/crate?full=true").content
        both = [person("sam"), person("sina")]
        assert verify_crate(raw, crates.public).reviewers == {TSV: both, PNG: both}

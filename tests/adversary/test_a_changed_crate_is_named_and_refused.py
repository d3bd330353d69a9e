"""Whoever changes a crate, with or without new manifests, is found out, and what was changed is named."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from crate_scene import Crates, events_in, released, repacked, unpacked, with_events
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airlock.bag import BadBag, read_bag
from airlock.crate import EVENTS, HEAD, METADATA, RECORD, WORKFLOW
from airlock.crate_check import verify_crate
from strongroom.audit_heads import HEAD_TYPE, stated_head
from strongroom.canonical import canonical
from strongroom.dsse import sign
from strongroom.merkle import leaf_hash

NAMES = (
    METADATA,
    WORKFLOW,
    HEAD,
    EVENTS,
    RECORD,
    "bagit.txt",
    "bag-info.txt",
    "manifest-sha512.txt",
    "zip",
    "Entry ",
)
Payload = dict[str, bytes]


@pytest.fixture(scope="module")
def crates() -> Iterator[Crates]:
    with released() as made:
        yield made


@pytest.fixture(scope="module")
def full(crates: Crates) -> bytes:
    return crates.full()


def refusal(raw: bytes, crates: Crates) -> str:
    """Return the sentence with which a crate is refused."""
    with pytest.raises(BadBag) as refused:
        verify_crate(raw, crates.public)
    return refused.value.sentence


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_named(crates: Crates, full: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(full) - 1))
    other = data.draw(st.integers(1, 255))
    changed = full[:at] + bytes([full[at] ^ other]) + full[at + 1 :]
    sentence = refusal(changed, crates)
    assert any(name in sentence for name in NAMES) or re.search(
        r"was (changed|added|removed)|is not stored", sentence
    )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_of_a_file_names_that_file(crates: Crates, full: bytes, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([METADATA, WORKFLOW, HEAD, EVENTS, RECORD]))
    content = unpacked(full)[1][path]
    start = full.index(content)
    at = start + data.draw(st.integers(0, len(content) - 1))
    changed = full[:at] + bytes([full[at] ^ data.draw(st.integers(1, 255))]) + full[at + 1 :]
    assert f"data/{path} was changed" in refusal(changed, crates)


@pytest.mark.parametrize("cut", [1, 10, 22, 100, 5000])
def test_a_crate_cut_off_or_grown_is_refused(crates: Crates, full: bytes, cut: int) -> None:
    assert refusal(full[:-cut], crates)
    assert refusal(full + bytes(cut), crates)
    assert refusal(bytes(cut) + full, crates)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_new_manifests_save_no_changed_byte(crates: Crates, full: bytes, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([METADATA, WORKFLOW, HEAD, EVENTS, RECORD]))

    def change(payload: Payload) -> None:
        content = payload[path]
        at = data.draw(st.integers(0, len(content) - 1))
        payload[path] = content[:at] + bytes([content[at] ^ data.draw(st.integers(1, 255))]) + content[at + 1 :]

    sentence = refusal(repacked(full, change), crates)
    assert path in sentence or "Entry" in sentence


def _edit(path: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[Payload], None]:
    def edited(payload: Payload) -> None:
        facts = json.loads(payload[path])
        change(facts)
        payload[path] = canonical(facts)
        if path == RECORD:
            with_events(payload, events_in(payload))

    return edited


@pytest.mark.parametrize("field", ["purpose", "requester", "recipient", "released", "policy_version", "tools"])
def test_the_record_cannot_be_written_anew(crates: Crates, full: bytes, field: str) -> None:
    assert RECORD in refusal(repacked(full, _edit(RECORD, lambda r: r.update({field: "9"}))), crates)


@pytest.mark.parametrize("field", ["path", "sha256", "body_sha256", "verdict", "findings", "policy"])
def test_no_file_of_the_record_can_be_written_anew(crates: Crates, full: bytes, field: str) -> None:
    change = _edit(RECORD, lambda record: record["files"][0].update({field: "0" * 64}))
    assert RECORD in refusal(repacked(full, change), crates)


def _without(wanted: Callable[[dict[str, Any]], bool]) -> Callable[[Payload], None]:
    def cut(payload: Payload) -> None:
        lines = events_in(payload)
        kept = [line for line in lines if not wanted(json.loads(line["body"]))]
        assert len(kept) < len(lines)
        with_events(payload, kept)

    return cut


def test_one_stewards_votes_are_not_enough(crates: Crates, full: bytes) -> None:
    changed = repacked(full, _without(lambda e: e["event"] == "vote.cast" and e["actor"].startswith("sam")))
    assert "1 of 2 stewards" in refusal(changed, crates)


@pytest.mark.parametrize("kind", ["release.made", "file.checked"])
def test_what_is_left_out_is_missed(crates: Crates, full: bytes, kind: str) -> None:
    assert refusal(repacked(full, _without(lambda e: e["event"] == kind)), crates)


def test_a_step_left_out_is_named(crates: Crates, full: bytes) -> None:
    change = _without(lambda e: e["event"] == "request.state" and e["facts"]["state"] == "CONSOLIDATING")
    assert "A step before entry" in refusal(repacked(full, change), crates)


def test_a_vote_of_anothers_name_is_no_leaf_of_the_log(crates: Crates, full: bytes) -> None:
    named = []

    def change(payload: Payload) -> None:
        lines = events_in(payload)
        for line in lines:
            if '"vote.cast"' in line["body"] and "sam@" in line["body"]:
                line["body"] = line["body"].replace("sam@", "eve@")
                named.append(line["seq"])
        with_events(payload, lines)

    changed = repacked(full, change)
    assert f"Entry {named[0]} " in refusal(changed, crates)


def test_swapped_events_are_named(crates: Crates, full: bytes) -> None:
    def change(payload: Payload) -> None:
        lines = events_in(payload)
        lines[2], lines[3] = lines[3], lines[2]
        with_events(payload, lines)

    assert "repeated or reordered" in refusal(repacked(full, change), crates)


def test_another_number_for_an_event_is_named(crates: Crates, full: bytes) -> None:
    def change(payload: Payload) -> None:
        lines = events_in(payload)
        lines[0]["seq"] += 1
        with_events(payload, lines)

    assert "Entry" in refusal(repacked(full, change), crates)


def test_a_whole_log_of_the_forgers_own_is_not_signed(crates: Crates, full: bytes) -> None:
    forger = Ed25519PrivateKey.generate()

    def change(payload: Payload) -> None:
        (line, *_) = events_in(payload)
        root = leaf_hash(bytes.fromhex(line["salt"]) + line["body"].encode())
        payload[HEAD] = canonical(sign(HEAD_TYPE, {"size": 1, "root": root}, forger))

    assert f"{HEAD} is not signed" in refusal(repacked(full, change), crates)


def test_a_signed_head_of_another_size_proves_nothing_here(crates: Crates, full: bytes) -> None:
    def change(payload: Payload) -> None:
        head = stated_head(json.loads(payload[HEAD]))
        payload[HEAD] = canonical(sign(HEAD_TYPE, {"size": head.size + 1, "root": head.root}, crates.key))

    # Even the signer's own key saves no proof that leads elsewhere.
    changed = repacked(full, change)
    assert refusal(changed, crates)


@pytest.mark.parametrize("path", [METADATA, WORKFLOW, HEAD, EVENTS, RECORD])
def test_a_file_taken_out_is_named(crates: Crates, full: bytes, path: str) -> None:
    assert f"{path} is missing" in refusal(repacked(full, lambda payload: payload.pop(path)), crates)


def test_a_file_put_in_is_named(crates: Crates, full: bytes) -> None:
    changed = repacked(full, lambda payload: payload.update({"results/extra.tsv": b"n\n"}))
    assert "results/extra.tsv is no part" in refusal(changed, crates)


def test_a_crate_bears_the_name_of_its_own_release(crates: Crates, full: bytes) -> None:
    assert "name" in refusal(repacked(full, lambda _payload: None, rename="release-other"), crates)


@pytest.mark.parametrize("raw", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"\x00" * 1000])
def test_what_is_no_crate_is_refused(crates: Crates, raw: bytes) -> None:
    assert refusal(raw, crates)


def test_the_whole_crate_is_believed(crates: Crates, full: bytes) -> None:
    # The tests above change this very crate: as it is, it holds.
    assert verify_crate(full, crates.public).reviewers
    assert repacked(full, lambda _payload: None) == full
    assert read_bag(full)[0] == f"release-{crates.release['id']}"

"""A check of the log names what was changed, removed, reordered or rewritten, and believes signed heads alone."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.audit import NOTHING_BEFORE, Entry, Event, append, head
from strongroom.audit_heads import HEAD_TYPE, Head, Logged, Report, check_log, logged, sign_head, signed_heads
from strongroom.canonical import canonical
from strongroom.database import Base, open_database, reading, transaction
from strongroom.dsse import Envelope, sign
from strongroom.merkle import leaf_hash, tree_root

KEY, FOREIGN = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key()


def _log(count: int = 8) -> list[Logged]:
    entries: list[Logged] = []
    before = NOTHING_BEFORE
    for seq in range(count):
        entries.append(_written(seq, before, {"n": seq}))
        before = entries[-1].leaf
    return entries


def _written(seq: int, prev: str, facts: dict[str, object]) -> Logged:
    time = f"2026-01-01T00:00:{seq:02d}+00:00"
    copies = {"event": "run.state", "actor": "alice", "project": None, "subject": f"r{seq}", "time": time}
    body = canonical({**copies, "seq": seq, "facts": facts, "prev": prev})
    salt = bytes([seq]) * 16
    return Logged(seq, body, salt, leaf_hash(salt + body), copies)


def _head(entries: list[Logged], key: Ed25519PrivateKey = KEY) -> Envelope:
    return sign(HEAD_TYPE, {"size": len(entries), "root": tree_root([e.leaf for e in entries])}, key)


def _own(entries: list[Logged]) -> Head:
    return Head(len(entries), tree_root([e.leaf for e in entries]))


def _rehashed(entries: list[Logged], at: int) -> list[Logged]:
    """Rewrite entry `at` and everything after it, as one would who holds the database and knows the code."""
    rewritten = entries[:at]
    before = entries[at - 1].leaf if at else NOTHING_BEFORE
    for seq in range(at, len(entries)):
        facts = {"n": 99} if seq == at else json.loads(entries[seq].body)["facts"]
        rewritten.append(_written(seq, before, facts))
        before = rewritten[-1].leaf
    return rewritten


def _sentences(report: Report) -> list[str]:
    return [problem.sentence for problem in report.problems]


def test_a_whole_log_is_whole() -> None:
    entries = _log()
    heads = [_head(entries[:3]), _head(entries)]
    report = check_log(entries, heads, PUBLIC, last=_own(entries))
    assert (report.whole, report.entries, report.signed, report.unchecked) == (True, 8, 2, 0)
    assert check_log([], [], PUBLIC, last=_own([])).whole


def test_without_a_key_signatures_are_counted_as_unchecked() -> None:
    entries = _log()
    report = check_log(entries, [_head(entries)], None)
    assert (report.whole, report.signed, report.unchecked) == (True, 0, 1)


@pytest.mark.parametrize("at", range(8))
def test_a_changed_body_is_named(at: int) -> None:
    entries = _log()
    body = entries[at].body.replace(b'"n":', b'"m":')
    entries[at] = replace(entries[at], body=body)
    report = check_log(entries, [_head(_log())], PUBLIC, last=_own(_log()))
    assert [problem.seq for problem in report.problems] == [at]
    assert f"Entry {at} was changed" in _sentences(report)[0]


@pytest.mark.parametrize("at", range(8))
def test_a_changed_salt_is_named(at: int) -> None:
    entries = _log()
    entries[at] = replace(entries[at], salt=b"\xff" * 16)
    assert [problem.seq for problem in check_log(entries, [], None).problems] == [at]


@pytest.mark.parametrize("at", range(7))
def test_an_entry_with_a_fitting_leaf_is_named_by_the_next_one(at: int) -> None:
    entries = _log()
    entries[at] = _written(at, json.loads(entries[at].body)["prev"], {"n": 99})
    assert [problem.seq for problem in check_log(entries, [], None).problems] == [at]


@pytest.mark.parametrize("name", ["event", "actor", "project", "subject", "time"])
def test_a_changed_copy_beside_the_body_is_named(name: str) -> None:
    entries = _log()
    entries[4] = replace(entries[4], columns={**(entries[4].columns or {}), name: "other"})
    report = check_log(entries, [], None)
    assert [problem.seq for problem in report.problems] == [4]
    assert name in _sentences(report)[0]


@pytest.mark.parametrize("at", range(7))
def test_a_removed_entry_is_named(at: int) -> None:
    entries = _log()
    del entries[at]
    report = check_log(entries, [_head(_log())], PUBLIC, last=_own(_log()))
    assert [problem.seq for problem in report.problems] == [at]
    assert "removed" in _sentences(report)[0]


def test_entries_cut_off_at_the_end_are_named_by_any_head() -> None:
    entries = _log()
    for report in (
        check_log(entries[:5], [_head(entries)], PUBLIC),
        check_log(entries[:5], [], None, last=_own(entries)),
    ):
        assert _sentences(report) == ["Entries 5 to 7 were removed: a head counts 8 entries."]


def test_an_entry_moved_in_a_file_is_named() -> None:
    entries = _log()
    entries[2], entries[3] = entries[3], entries[2]
    assert _sentences(check_log(entries, [], None)) == ["Entry 2 was reordered: it comes after entry 3."]
    entries = _log()
    entries.append(entries[1])
    assert _sentences(check_log(entries, [], None)) == ["Entry 1 was repeated: it comes after entry 7."]


def test_entries_that_changed_numbers_in_the_database_are_named() -> None:
    entries = _log()
    entries[2], entries[5] = replace(entries[5], seq=2), replace(entries[2], seq=5)
    report = check_log(entries, [], None)
    assert {problem.seq for problem in report.problems} == {2, 5}
    assert all("reordered" in sentence for sentence in _sentences(report))


def test_a_chain_rewritten_from_an_entry_on_is_caught_by_signed_heads_alone() -> None:
    original = _log()
    rewritten = _rehashed(original, 4)
    assert check_log(rewritten, [], None, last=_own(rewritten)).whole, "nothing inside the log can show this"
    heads = [_head(original[:n]) for n in (2, 4, 6, 8)]
    report = check_log(rewritten, heads, PUBLIC, last=_own(rewritten))
    assert _sentences(report) == [
        "The signed head of 6 entries does not match: one of the entries 4 to 5 was rewritten."
    ]
    narrow = check_log(rewritten, [_head(original[:n]) for n in (4, 5)], PUBLIC)
    assert _sentences(narrow) == ["The signed head of 5 entries does not match: entry 4 was rewritten."]


def test_the_log_s_own_head_must_cover_every_entry() -> None:
    entries = _log()
    assert check_log(entries, [], None, last=_own(entries[:6])).problems[0].seq == 6
    assert not check_log(entries, [], None, last=Head(8, "0" * 64)).whole


def test_a_head_of_another_key_or_kind_is_not_believed() -> None:
    entries = _log()
    facts = {"size": 8, "root": _own(entries).root}
    other_kind = {**sign("application/vnd.strongroom.order+json", facts, KEY), "payloadType": HEAD_TYPE}
    for envelope in (_head(entries, FOREIGN), other_kind, {}, sign(HEAD_TYPE, {"size": "8"}, KEY)):
        report = check_log(entries, [envelope], PUBLIC)
        assert not report.whole
        assert report.signed == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"seq": 0}', b"[" * 100_000])
def test_a_body_that_is_no_canonical_facts_is_named(body: bytes) -> None:
    entry = Logged(0, body, b"\x00" * 16, leaf_hash(b"\x00" * 16 + body))
    assert [problem.seq for problem in check_log([entry], [], None).problems] == [0]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'floor.db'}")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def test_the_signer_signs_each_head_once_and_an_empty_log_never(engine: sa.Engine) -> None:
    for _ in range(2):
        with transaction(engine) as session:
            sign_head(session, KEY)
    for count in (3, 0, 2):
        with transaction(engine) as session:
            append(session, *[Entry(Event.RUN_STATE, "a", "r", None, {"n": n}) for n in range(count)])
        with transaction(engine) as session:
            sign_head(session, KEY)
    with reading(engine) as session:
        heads = signed_heads(session)
        assert len(heads) == 2
        report = check_log(logged(session), heads, PUBLIC, last=Head(*head(session)))
        assert (report.whole, report.signed, report.entries) == (True, 2, 5)

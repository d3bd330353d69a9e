"""Nothing is exported but what two stewards approved, to the key that was frozen when they were asked."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from broker_asking import PLAIN, Request, forge, refused, restore
from keyroom import RUTH, SAM, SINA, Attempt, KeyRoom, key_room, opened

from archive.store import Dataset, DatasetProject, StoredObject
from strongroom.audit import AuditEvent, AuditHead, Event
from strongroom.database import now
from strongroom.errors import StrongroomError
from strongroom.projects import Membership, Role


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    with key_room() as made:
        made.dataset("calls")
        yield made


@pytest.fixture
def clean(room: KeyRoom) -> str:
    run = room.decision(["calls"])
    source = room.result(run, [room.file("calls", b"somebody")], PLAIN)
    room.close_run(run)
    return room.clean_copy(run, source, PLAIN)


@pytest.fixture
def asked(room: KeyRoom, clean: str) -> Request:
    made = Request(room, [clean])
    made.submit()
    return made


def test_two_votes_release_to_the_frozen_key(room: KeyRoom, asked: Request, clean: str) -> None:
    votes = [asked.vote(SAM, clean), asked.vote(SINA, clean)]
    asked.move("RELEASING")
    answer = asked.export({clean: votes})
    assert asked.recipient is not None
    assert len(opened(asked.recipient, answer["headers"][clean])) == 32
    # T8: the one place where a plain digest is known outside.
    assert answer["sha256"] == {clean: hashlib.sha256(PLAIN).hexdigest()}
    said = room.events("keys.exported")[-1]
    assert (said["subject"], said["facts"]["objects"]) == (asked.id, [clean])


def test_t2_nobody_names_another_recipient(asked: Request, clean: str) -> None:
    votes = {clean: [asked.vote(SAM, clean), asked.vote(SINA, clean)]}
    for field in ("recipient", "public_key", "key"):
        refused(asked, "nothing else", votes, **{field: Attempt().public_key})


def test_t2_one_vote_or_one_steward_twice_is_not_two(asked: Request, clean: str) -> None:
    first, second = asked.vote(SAM, clean), asked.vote(SAM, clean)
    refused(asked, "two different data stewards", {clean: [first]})
    refused(asked, "two different data stewards", {clean: [first, first]})
    refused(asked, "two different data stewards", {clean: [first, second]})
    refused(asked, "two different data stewards", {clean: []})


def test_t2_the_requester_does_not_vote(room: KeyRoom, clean: str) -> None:
    # Even one who was made a steward behind the rules' back.
    asked = Request(room, [clean], requester="eve@development")
    room.member("eve@development", Role.STEWARD)
    asked.submit()
    refused(asked, "request of their own", {clean: [asked.vote(SAM, clean), asked.vote("eve@development", clean)]})


def test_t2_a_member_does_not_vote(room: KeyRoom, asked: Request, clean: str) -> None:
    room.member("mo@development", Role.RESEARCHER)
    room.member("mo@development", Role.STEWARD)
    room.change(
        sa.update(Membership)
        .where(Membership.person == "mo@development", Membership.role == "researcher")
        .values(until=now())
    )
    refused(asked, "outside the project", {clean: [asked.vote(SAM, clean), asked.vote("mo@development", clean)]})


def test_t2_who_is_no_steward_does_not_vote(asked: Request, clean: str) -> None:
    refused(asked, "outside the project", {clean: [asked.vote(SAM, clean), asked.vote("nobody@development", clean)]})


def test_t2_an_earlier_steward_does_not_vote(room: KeyRoom, asked: Request, clean: str) -> None:
    room.member("gone@development", Role.STEWARD)
    room.change(sa.update(Membership).where(Membership.person == "gone@development").values(until=now()))
    refused(asked, "outside the project", {clean: [asked.vote(SAM, clean), asked.vote("gone@development", clean)]})


def test_t2_a_no_cannot_be_left_out(room: KeyRoom, asked: Request, clean: str) -> None:
    room.member("sol@development", Role.STEWARD)
    votes = [asked.vote(SAM, clean), asked.vote(SINA, clean)]
    asked.vote("sol@development", clean, "no")
    refused(asked, "voted against", {clean: votes})


@pytest.mark.parametrize(
    "wrong", [{"vote": "no"}, {"body_sha256": "0" * 64}, {"object": "0" * 32}, {"turn": 2}, {"vote": "YES"}]
)
def test_t2_a_vote_for_something_else_is_none(asked: Request, clean: str, wrong: dict[str, Any]) -> None:
    votes = [asked.vote(SAM, clean), asked.vote(SINA, clean, **{"vote": "yes", **wrong})]
    refused(asked, "A vote is not for this|another turn", {clean: votes})


def test_t2_votes_of_another_request_do_not_count(room: KeyRoom, asked: Request, clean: str) -> None:
    other = Request(room, [clean])
    other.submit()
    votes = {clean: [other.vote(SAM, clean), other.vote(SINA, clean)]}
    refused(asked, "not for this request", votes)


def test_t2_votes_before_the_submission_do_not_count(room: KeyRoom, clean: str) -> None:
    asked = Request(room, [clean])
    votes = [asked.vote(SAM, clean), asked.vote(SINA, clean)]
    asked.submit()
    refused(asked, "not for this request", {clean: votes})


def test_t2_a_file_that_was_not_submitted_stays(room: KeyRoom, asked: Request, clean: str) -> None:
    run = room.decision(["calls"])
    source = room.result(run, [room.file("calls", b"another")], PLAIN)
    room.close_run(run)
    other = room.clean_copy(run, source, PLAIN)
    refused(asked, "not for this file", {other: [asked.vote(SAM, other), asked.vote(SINA, other)]})
    refused(asked, "not for this file", {other: [asked.vote(SAM, clean), asked.vote(SINA, clean)]})


def test_t12_only_clean_copies_leave(room: KeyRoom, clean: str) -> None:
    run = room.decision(["calls"])
    calls = room.file("calls", b"somebody else")
    result = room.result(run, [calls], PLAIN)
    room.close_run(run)
    for inside in (calls, result):
        asked = Request(room, [inside])
        asked.submit()
        refused(asked, "Only clean copies", {inside: [asked.vote(SAM, inside), asked.vote(SINA, inside)]})


def test_t11_a_changed_body_is_not_what_was_reviewed(room: KeyRoom, asked: Request, clean: str) -> None:
    votes = {clean: [asked.vote(SAM, clean), asked.vote(SINA, clean)]}
    room.change(sa.update(StoredObject).where(StoredObject.id == clean).values(body_sha256="0" * 64))
    refused(asked, "broker's signature", votes)


def test_t11_files_frozen_with_another_digest_stay(room: KeyRoom, clean: str) -> None:
    asked = Request(room, [clean])
    recipient = Attempt().public_key
    facts: dict[str, Any] = {"turn": 1, "recipient": recipient, "policy": asked.policy}
    facts["files"] = [{"object": clean, "body_sha256": "0" * 64}]
    asked.submitted = asked.log(Event.REQUEST_STATE, RUTH, state="SUBMITTED", **facts)
    votes = [asked.vote(one, clean, body_sha256="0" * 64) for one in (SAM, SINA)]
    refused(asked, "not the one that was reviewed", {clean: votes})


@pytest.mark.parametrize("state", ["RETURNED", "REJECTED", "WITHDRAWN", "REVOKED", "DRAFT", "RELEASED", "anything"])
def test_a_request_that_is_not_on_its_way_stays(asked: Request, clean: str, state: str) -> None:
    votes = {clean: [asked.vote(SAM, clean), asked.vote(SINA, clean)]}
    asked.move(state)
    refused(asked, "not on its way", votes)


def test_an_earlier_turn_is_over(asked: Request, clean: str) -> None:
    votes = {clean: [asked.vote(SAM, clean), asked.vote(SINA, clean)]}
    first = asked.submitted
    asked.turn = 2
    asked.submit()
    asked.submitted = first
    refused(asked, "not on its way", votes)


def test_only_a_submission_submits(room: KeyRoom, clean: str) -> None:
    asked = Request(room, [clean])
    asked.submit()
    vote = asked.vote(SAM, clean)
    second = asked.vote(SINA, clean)
    asked.submitted = vote
    refused(asked, "does not submit", {clean: [vote, second]})
    asked.submitted = 10_000_000
    refused(asked, "no such entry", {clean: [vote, second]})


def test_a_requester_who_left_gets_nothing(room: KeyRoom, asked: Request, clean: str) -> None:
    votes = {clean: [asked.vote(SAM, clean), asked.vote(SINA, clean)]}
    ruth = sa.update(Membership).where(Membership.person == RUTH)
    room.change(ruth.values(until=now()))
    refused(asked, "not a researcher", votes)
    room.change(ruth.values(until=None))
    assert asked.export(votes)["headers"]


def test_t21_an_ancestor_that_was_taken_back_stops_the_release(room: KeyRoom) -> None:
    room.dataset("lent")
    run = room.decision(["lent"])
    source = room.result(run, [room.file("lent", b"somebody")], PLAIN)
    room.close_run(run)
    clean = room.clean_copy(run, source, PLAIN)
    asked = Request(room, [clean])
    asked.submit()
    votes = {clean: [asked.vote(SAM, clean), asked.vote(SINA, clean)]}
    shares = sa.update(DatasetProject).where(DatasetProject.dataset == "lent")
    room.change(shares.values(until=now()))
    refused(asked, "not shared any more", votes)
    room.change(shares.values(until=None))
    room.change(sa.update(Dataset).where(Dataset.id == "lent").values(deleted_at=now()))
    refused(asked, "deleted", votes)


def test_t11_a_forged_recipient_or_vote_breaks_the_chain(room: KeyRoom, asked: Request, clean: str) -> None:
    votes = [asked.vote(SAM, clean), asked.vote(SINA, clean, vote="no")]
    asked.move("RELEASING")
    before = forge(room, votes[1], facts={"vote": "yes"})
    refused(asked, "removed or moved", {clean: votes})
    restore(room, votes[1], before)
    before = forge(room, asked.submitted, facts={"recipient": Attempt().public_key})
    refused(asked, "removed or moved", {clean: votes})
    restore(room, asked.submitted, before)
    room.change(sa.update(AuditEvent).where(AuditEvent.seq == votes[0]).values(body=b"{}"))
    refused(asked, "was changed", {clean: votes})
    with pytest.raises(StrongroomError):
        asked.export({clean: votes})


def test_t11_a_removed_no_is_missed() -> None:
    with key_room() as room:
        room.dataset("calls")
        room.member("sol@development", Role.STEWARD)
        run = room.decision(["calls"])
        source = room.result(run, [room.file("calls", b"somebody")], PLAIN)
        room.close_run(run)
        clean = room.clean_copy(run, source, PLAIN)
        asked = Request(room, [clean])
        asked.submit()
        votes = [asked.vote(SAM, clean), asked.vote(SINA, clean)]
        against = asked.vote("sol@development", clean, "no")
        asked.move("RELEASING")
        other = sa.update(AuditEvent).where(AuditEvent.seq == against)
        room.change(other.values(subject="another"))
        with pytest.raises(StrongroomError, match="voted against"):
            asked.export({clean: votes})
        room.change(sa.delete(AuditEvent).where(AuditEvent.seq == against))
        with pytest.raises(StrongroomError, match="removed or moved"):
            asked.export({clean: votes})
        room.change(sa.update(AuditHead).values(size=against, last="0" * 64))
        with pytest.raises(StrongroomError, match="whole"):
            asked.export({clean: votes})


def test_t2_an_export_has_no_other_shape(asked: Request, clean: str) -> None:
    for votes in ({}, {clean: "1,2"}, {clean: [True, 1]}, {"x": [1, 2]}, {clean: [1.0, 2]}):
        with pytest.raises(StrongroomError):
            asked.export(votes)  # type: ignore[arg-type]

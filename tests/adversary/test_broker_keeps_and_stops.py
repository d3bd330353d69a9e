"""The broker believes kept votes, draws, interests and stops as far as the log proves them."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from broker_asking import Request, clean_copy, forge, refused, restore
from keyroom import PROJECT, RUTH, SAM, SINA, Attempt, KeyRoom, key_room

from airlock import intake, release, review, submission
from airlock.release_requests import Outcome, Reason, Vote
from airlock.review import Ballot
from airlock.store import IntakeFile, IntakeRun, ReleaseRequest, files_of
from airlock.submission import Recipient
from strongroom import audit
from strongroom.audit import AuditEvent, Entry, Event
from strongroom.database import now, transaction
from strongroom.errors import StrongroomError
from strongroom.projects import Certificate, Project, Role, Training
from strongroom.queue import Context
from strongroom.settings import Airlock


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    with key_room() as made:
        made.dataset("calls")
        yield made


@pytest.fixture
def clean(room: KeyRoom) -> str:
    return clean_copy(room)


@pytest.fixture
def asked(room: KeyRoom, clean: str) -> Request:
    made = Request(room, [clean])
    made.submit()
    return made


def second_turn(asked: Request, clean: str, *, said: tuple[str, str] = ("yes", "yes"), **more: Any) -> list[int]:
    """Vote in a first turn, return the request, and submit it again with the votes kept; return the votes."""
    first = asked.submitted
    votes = [asked.vote(SAM, clean, said[0]), asked.vote(SINA, clean, said[1])]
    asked.move(more.pop("end", "RETURNED"))
    asked.turn = 2
    assert asked.recipient is not None
    files = [{"object": clean, "body_sha256": asked.room.row(clean).body_sha256}]
    facts: dict[str, Any] = {"turn": 2, "recipient": asked.recipient.public_key, "files": files}
    facts["policy"] = asked.policy
    facts["kept"] = {"since": first, "votes": {clean: votes}}
    asked.submitted = asked.log(Event.REQUEST_STATE, RUTH, state="SUBMITTED", **{**facts, **more})
    return votes


def test_votes_on_unchanged_bytes_go_on_counting(asked: Request, clean: str) -> None:
    votes = second_turn(asked, clean)
    assert asked.export({clean: votes})["headers"]


def test_t11_votes_that_were_not_kept_are_of_another_turn(asked: Request, clean: str) -> None:
    votes = second_turn(asked, clean, kept={})
    refused(asked, "not for this request as it was submitted", {clean: votes})


def test_t20_votes_for_another_recipient_are_not_kept(asked: Request, clean: str) -> None:
    votes = second_turn(asked, clean, recipient=Attempt().public_key)
    refused(asked, "another recipient", {clean: votes})


def test_t11_a_no_of_the_turn_before_is_not_kept_as_a_yes(asked: Request, clean: str) -> None:
    votes = second_turn(asked, clean, said=("yes", "no"))
    refused(asked, "voted against", {clean: votes})
    refused(asked, "voted against", {clean: votes[:1]})
    refused(asked, "not for this file", {clean: votes[1:]})


def test_t11_votes_of_a_request_that_was_rejected_are_not_kept(asked: Request, clean: str) -> None:
    votes = second_turn(asked, clean, end="REJECTED")
    refused(asked, "went against", {clean: votes})


def test_t11_what_was_kept_is_read_in_an_unbroken_chain(room: KeyRoom, asked: Request, clean: str) -> None:
    votes = second_turn(asked, clean)
    before = forge(room, votes[0], actor="eve@development")
    refused(asked, "removed or moved", {clean: votes})
    restore(room, votes[0], before)
    assert asked.export({clean: votes})["headers"]


def test_t28_who_was_not_drawn_does_not_vote(room: KeyRoom, asked: Request, clean: str) -> None:
    room.member("sid@development", Role.STEWARD)
    for name in (SAM, SINA):
        asked.log(Event.STEWARD_DRAWN, "airlock", turn=1, steward=name)
    votes = [asked.vote(SAM, clean), asked.vote("sid@development", clean)]
    refused(asked, "not drawn", {clean: votes})
    assert asked.export({clean: [votes[0], asked.vote(SINA, clean)]})["headers"]


def test_t28_who_declared_an_interest_does_not_vote(asked: Request, clean: str) -> None:
    votes = {clean: [asked.vote(SAM, clean), asked.vote(SINA, clean)]}
    asked.log(Event.INTEREST_DECLARED, SINA, turn=1)
    refused(asked, "declared an interest", votes)


def test_an_emergency_stop_holds_until_two_different_persons_lift_it(
    room: KeyRoom, asked: Request, clean: str
) -> None:
    votes = {clean: [asked.vote(SAM, clean), asked.vote(SINA, clean)]}

    def say(event: Event, actor: str) -> None:
        with transaction(room.engine) as session:
            audit.append(session, Entry(event, actor, "5" * 32, None, {"reason": "leak"}))

    say(Event.RELEASES_STOPPED, SAM)
    refused(asked, "stopped", votes)
    say(Event.STOP_LIFTED, SINA)
    refused(asked, "stopped", votes)
    say(Event.STOP_LIFTED, SINA)
    refused(asked, "stopped", votes)
    # No copy beside the body hides what was said.
    stop = sa.update(AuditEvent).where(AuditEvent.event == "releases.stopped")
    room.change(stop.values(event="log.head_signed"))
    refused(asked, "stopped", votes)
    room.change(
        sa.update(AuditEvent)
        .where(AuditEvent.subject == "5" * 32, AuditEvent.event == "log.head_signed")
        .values(event="releases.stopped")
    )
    say(Event.STOP_LIFTED, SAM)
    assert asked.export(votes)["headers"]


@pytest.mark.parametrize(("person", "training"), [(RUTH, Training.RESEARCHER), (SAM, Training.STEWARD)])
def test_expired_training_stops_a_release(
    room: KeyRoom, asked: Request, clean: str, person: str, training: Training
) -> None:
    votes = {clean: [asked.vote(SAM, clean), asked.vote(SINA, clean)]}
    paper = {"person": person, "training": training.value, "issuer": "ONS", "sha256": "0" * 64}
    with transaction(room.engine) as session:
        long_ago = now() - timedelta(days=400)
        session.add(Certificate(**paper, since=long_ago, until=long_ago + timedelta(days=365)))
    refused(asked, "expired", votes)
    with transaction(room.engine) as session:
        session.add(Certificate(**paper, since=now(), until=now() + timedelta(days=365)))
    assert asked.export(votes)["headers"]
    room.change(sa.delete(Certificate).where(Certificate.person == person))


def take_in(room: KeyRoom, objects: list[str], names: list[str]) -> str:
    """Let the airlock hold clean copies of a run of ruth's; return the run."""
    run = uuid.uuid4().hex
    held: dict[str, Any] = {
        "run": run,
        "project": PROJECT,
        "person": RUTH,
        "contract_version": 1,
        "policy_version": 1,
    }
    with transaction(room.engine) as session:
        session.add(
            IntakeRun(**held, coarse=False, datasets=["calls"], lineage=["calls"], left_inside=0, created=now())
        )
        session.flush()
        policy = intake.policy_of(
            session, session.get_one(Project, PROJECT), room.settings, datasets=["calls"]
        ).as_json()
        session.add_all(
            IntakeFile(
                **held,
                id=uuid.uuid4().hex,
                path=name,
                rule="r",
                task="t",
                source="s",
                promise={"needs": []},
                policy=policy,
                state="CHECKED",
                clean=made,
                body_sha256=room.row(made).body_sha256,
                size=1,
                verdict="pass",
                findings=[],
                attempts=0,
                next_try=now(),
                created=now(),
            )
            for made, name in zip(objects, names, strict=True)
        )
    return run


def test_the_broker_believes_what_the_airlock_keeps(room: KeyRoom) -> None:
    key = Recipient("f" * 64, Attempt().public_key)
    run = take_in(room, [clean_copy(room), clean_copy(room)], ["a.tsv", "b.tsv"])
    engine = room.engine
    settings = room.settings.model_copy(update={"airlock": Airlock(draw_stewards=False)})

    def vote(row: ReleaseRequest, session: Any, steward: str, **said: Vote) -> None:
        files = {file.path[0]: file.file for file in files_of(session, row.id)}
        ballots = [
            Ballot(files[name], what, Reason.UNCLEAR if what is Vote.NO else None, None)
            for name, what in said.items()
        ]
        review.vote(session, row, steward, ballots)

    with transaction(engine) as session:
        row = submission.create(session, RUTH, run=run, paths=[], purpose="p", settings=settings)
        identifier = row.id
        submission.submit(session, row, RUTH, key, settings=settings)
        for steward in (SAM, SINA):
            vote(row, session, steward, a=Vote.YES, b=Vote.NO)
        review.consolidate(session, row, SAM, Outcome.RETURN)
    fresh = clean_copy(room)
    with transaction(engine) as session:
        file = session.scalars(sa.select(IntakeFile).where(IntakeFile.run == run, IntakeFile.path == "b.tsv")).one()
        file.clean, file.body_sha256 = fresh, room.row(fresh).body_sha256
    with transaction(engine) as session:
        row = session.get_one(ReleaseRequest, identifier)
        submission.edit(session, row, RUTH, paths=[], purpose=None, settings=settings)
        submission.submit(session, row, RUTH, key, settings=settings)
        for steward in (SAM, SINA):
            vote(row, session, steward, b=Vote.YES)
        review.consolidate(session, row, SINA, Outcome.APPROVE)
    order = release.begin(Context(settings, engine), identifier)
    assert order is not None
    answer = room.ask("broker", **order.question)
    assert set(answer["headers"]) == {one.object for one in order.files}
    assert len(answer["headers"]) == 2
    # Without what the submission says of kept votes, the very same question is refused.
    seq = order.question["submitted"]
    before = forge(room, seq, facts={"kept": {}})
    with pytest.raises(StrongroomError):
        room.ask("broker", **order.question)
    restore(room, seq, before)

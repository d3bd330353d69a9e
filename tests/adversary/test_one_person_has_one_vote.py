"""Whoever has two identities is one person: no second vote, no second draw, no second word, no way round a role."""

import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from airlock_scene import API, PROJECT, TSV, Scene, person, scene
from broker_asking import Request, clean_copy, refused
from keyroom import RUTH, SAM, SINA, KeyRoom, key_room

from airlock.review_store import Draw
from airlock.store import FileVote
from strongroom.audit import Entry, Event, append
from strongroom.database import now, transaction
from strongroom.projects import Membership, Role

SIMON, RUDI, SARA = "simon@development", "rudi@development", "sara@development"
JOINED = ((SAM, SIMON), (RUTH, RUDI))
ALL = {TSV: "count"}


def with_doubles(stage: Scene) -> Scene:
    """Make the second identities of sam and ruth stewards; access would refuse it to ruth's."""
    with transaction(stage.engine) as session:
        for name in ("simon", "rudi"):
            session.add(Membership(project=PROJECT, person=person(name), role=Role.STEWARD.value, since=now()))
    return stage


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene(joined=JOINED) as one:
        yield with_doubles(one)


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    with key_room(JOINED) as made:
        made.dataset("calls")
        for name in (SIMON, RUDI):
            made.member(name, Role.STEWARD)
        yield made


@pytest.fixture
def clean(room: KeyRoom) -> str:
    return clean_copy(room)


@pytest.fixture
def asked(room: KeyRoom, clean: str) -> Request:
    made = Request(room, [clean])
    made.submit()
    return made


def state(stage: Scene, request: str) -> str:
    return str(stage.ask("ruth").get(f"{API}/requests/{request}").json()["state"])


def test_t28_one_human_with_two_identities_does_not_vote_twice(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    assert stage.vote("sam", request).status_code == 200
    again = stage.vote("simon", request)
    assert again.status_code == 409
    assert "have voted" in again.text
    for name in ("sam", "simon"):
        done = stage.ask(name).post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
        assert done.status_code == 409
    assert state(stage, request["id"]) == "FIRST_REVIEW"
    # The log tells which identity it was, and somebody else's vote completes the review.
    assert [one["actor"] for one in stage.events(Event.VOTE_CAST)] == [SAM]
    assert stage.vote("sina", request).status_code == 200
    assert state(stage, request["id"]) == "CONSOLIDATING"


def test_t28_a_second_vote_written_by_hand_decides_nothing(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    assert stage.vote("sam", request).status_code == 200
    with transaction(stage.engine) as session:
        mine = session.scalars(sa.select(FileVote)).one()
        copied = {c.name: getattr(mine, c.name) for c in FileVote.__table__.columns}
        session.add(FileVote(**{**copied, "steward": SIMON}))
        session.execute(sa.text("update release_requests set state = 'CONSOLIDATING'"))
    for name in ("sam", "simon"):
        done = stage.ask(name).post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
        assert done.status_code == 409, name
    stage.work()
    assert stage.broker.asked == []


def test_t28_the_other_identity_of_a_member_reviews_nothing(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    file, ask = request["files"][0]["id"], stage.ask("rudi")
    assert stage.vote("rudi", request).status_code == 403
    assert ask.get(f"{API}/reviews/{request['id']}/files/{file}/view").status_code == 403
    assert ask.get(f"{API}/requests/{request['id']}").status_code == 403
    for verb in ("decline", "interest"):
        assert ask.post(f"{API}/reviews/{request['id']}:{verb}").status_code == 403
    assert stage.events(Event.VOTE_CAST, Event.FILE_VIEWED, Event.INTEREST_DECLARED) == []


def test_t28_one_human_is_drawn_once() -> None:
    with scene(drawn=True, joined=(*JOINED, (person("sara"), person("sina")))) as drawn:
        with_doubles(drawn)
        for _ in range(
            8
        ):  # sam as simon, sara as sina: any two identities would be one person in a third of the draws
            request = drawn.submitted(drawn.complete_run(ALL), TSV)
            with transaction(drawn.engine) as session:
                names = set(session.scalars(sa.select(Draw.steward).where(Draw.request == request["id"])))
            assert len(names) == 2
            assert len(names & {SAM, SIMON}) == 1, names
            assert RUDI not in names


def test_t28_nobody_stands_in_for_themselves_when_they_decline() -> None:
    with scene(drawn=True, joined=((SAM, SIMON, SARA),)) as drawn:
        with_doubles(drawn)
        with transaction(drawn.engine) as session:
            session.execute(sa.delete(Membership).where(Membership.person == RUDI))
        request = drawn.submitted(drawn.complete_run(ALL), TSV)
        with transaction(drawn.engine) as session:
            names = set(session.scalars(sa.select(Draw.steward)))
        (mine,) = names & {SAM, SIMON, SARA}
        answer = drawn.ask(mine.partition("@")[0]).post(f"{API}/reviews/{request['id']}:decline")
        assert answer.status_code == 409
        assert "no other steward" in answer.text


def test_t28_joined_since_the_draw_only_one_of_them_stays() -> None:
    with scene(drawn=True, joined=JOINED) as drawn:
        with_doubles(drawn)
        request = drawn.submitted(drawn.complete_run(ALL), TSV)
        with transaction(drawn.engine) as session:
            session.execute(sa.delete(Draw))
            for name in (SAM, SIMON):
                row = Draw(id=uuid.uuid4().hex, request=request["id"], turn=1, steward=name, drawn=now())
                session.add(row)
        drawn.work()
        with transaction(drawn.engine) as session:
            names = set(session.scalars(sa.select(Draw.steward).where(Draw.ended.is_(None))))
        assert len(names) == 2
        assert names & {SAM, SIMON} == {SAM}


def test_t28_an_interest_of_one_identity_is_an_interest_of_the_other(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    for name in ("sam", "sina"):
        assert stage.vote(name, request).status_code == 200
    assert stage.ask("simon").post(f"{API}/reviews/{request['id']}:interest").status_code == 200
    assert state(stage, request["id"]) == "FIRST_REVIEW"  # sam's vote is void
    done = stage.ask("sina").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
    assert done.status_code == 409
    assert stage.vote("sara", request).status_code == 200


def test_t28_one_human_confirms_no_words_of_their_own_and_lifts_no_stop_alone(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    place = f"{API}/reviews/{request['id']}"
    words = {"audience": "requester", "text": "The third group has very few persons."}
    made = stage.ask("sam").post(f"{place}:comment", words).json()
    for name in ("sam", "sina"):
        assert stage.vote(name, request).status_code == 200
    assert stage.ask("simon").post(f"{place}:confirm", {"comment": made["id"]}).status_code == 403
    assert stage.ask("sina").post(f"{place}:confirm", {"comment": made["id"]}).status_code == 200
    stop = stage.ask("sara").post(f"{API}/stops", {"reason": "leak"}).json()["id"]
    assert stage.ask("sam").post(f"{API}/stops/{stop}:lift").status_code == 200
    assert stage.ask("simon").post(f"{API}/stops/{stop}:lift").status_code == 409
    assert stage.ask("sina").post(f"{API}/stops/{stop}:lift").json()["lifted"]


# The broker, from its own configuration and the log alone.


def test_t28_two_votes_of_one_human_open_no_header(asked: Request, clean: str) -> None:
    mine = [asked.vote(SAM, clean), asked.vote(SIMON, clean)]
    refused(asked, "two different data stewards", {clean: mine})
    assert asked.export({clean: [mine[0], asked.vote(SINA, clean)]})["headers"]


def test_t28_the_vote_of_a_members_other_identity_opens_no_header(asked: Request, clean: str) -> None:
    refused(asked, "of their own", {clean: [asked.vote(SAM, clean), asked.vote(RUDI, clean)]})


def test_t28_who_was_a_member_under_another_name_is_no_steward_for_the_broker() -> None:
    with key_room((("old@development", SINA),)) as other:
        other.dataset("calls")
        other.member("old@development", Role.RESEARCHER)
        copy = clean_copy(other)
        made = Request(other, [copy])
        made.submit()
        refused(made, "outside the project", {copy: [made.vote(SAM, copy), made.vote(SINA, copy)]})


def test_t28_an_interest_of_the_other_identity_voids_the_vote(asked: Request, clean: str) -> None:
    votes = {clean: [asked.vote(SAM, clean), asked.vote(SINA, clean)]}
    asked.log(Event.INTEREST_DECLARED, SIMON, turn=1)
    refused(asked, "declared an interest", votes)


def test_t28_one_human_lifts_no_stop_for_the_broker(room: KeyRoom, asked: Request, clean: str) -> None:
    votes = {clean: [asked.vote(SAM, clean), asked.vote(SINA, clean)]}

    def say(event: Event, actor: str) -> None:
        with transaction(room.engine) as session:
            append(session, Entry(event, actor, "7" * 32, None, {"reason": "leak"}))

    say(Event.RELEASES_STOPPED, SAM)
    for name in (SAM, SIMON):
        say(Event.STOP_LIFTED, name)
        refused(asked, "stopped", votes)
    say(Event.STOP_LIFTED, SINA)
    assert asked.export(votes)["headers"]

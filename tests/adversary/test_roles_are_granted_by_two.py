"""Who holds the database, or is one operator, makes no steward: the broker reads who granted the role, and when."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from broker_asking import Request, clean_copy, refused
from keyroom import PROJECT, RUTH, SAM, SINA, KeyRoom, key_room

from access import grants
from access.grants import Terms
from strongroom import audit
from strongroom.audit import Entry, Event
from strongroom.database import now, transaction
from strongroom.projects import PLATFORM, Membership, Role

OLGA, OLA, OTTO = "olga@development", "ola@development", "otto@development"
TWO = {"two_operators_of_development": True}


def prepared(room: KeyRoom) -> KeyRoom:
    """Add a dataset, operators beside olga, who is one person with ola, and have two of them grant the stewards."""
    room.dataset("calls")
    for name in (OLA, OTTO):
        room.member(name, Role.OPERATOR, PLATFORM)
    for steward in (SAM, SINA):
        grant(room, steward, OLGA, OTTO)
    return room


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    """A broker that wants two operators, and no delay."""
    with key_room(((OLGA, OLA),), **TWO, grant_wait_hours=0) as made:
        yield prepared(made)


@pytest.fixture(scope="module")
def patient() -> Iterator[KeyRoom]:
    """A broker that has roles wait for a day."""
    with key_room(((OLGA, OLA),), **TWO, grant_wait_hours=24) as made:
        yield prepared(made)


def grant(room: KeyRoom, person: str, first: str, second: str, *, role: Role = Role.STEWARD) -> None:
    """Have two operators grant a role as access does, in place of the row that the key room wrote by hand."""
    with transaction(room.engine) as session:
        session.execute(sa.delete(Membership).where(Membership.person == person))
        for actor in (first, second):
            terms = Terms(alone=False, wait=room.settings.grant_wait)
            grants.say(session, actor, project=PROJECT, person=person, role=role, terms=terms)


def write(room: KeyRoom, event: Event, actor: str, person: str) -> None:
    """Write into the log what a lying service could."""
    with transaction(room.engine) as session:
        audit.append(session, Entry(event, actor, person, PROJECT, {"role": "steward"}))


def two_votes(room: KeyRoom, *people: str) -> tuple[Request, dict[str, list[int]]]:
    clean = clean_copy(room)
    asked = Request(room, [clean])
    asked.submit()
    return asked, {clean: [asked.vote(name, clean) for name in people]}


def test_votes_of_stewards_whom_two_operators_named_open_headers(room: KeyRoom) -> None:
    asked, votes = two_votes(room, SAM, SINA)
    assert asked.export(votes)["headers"]


def test_t28_a_steward_written_into_the_database_has_no_vote(room: KeyRoom) -> None:
    room.member("eve@development", Role.STEWARD)
    asked, votes = two_votes(room, SAM, "eve@development")
    refused(asked, "two operators did not grant", votes)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sid", [(Event.MEMBERSHIP_GRANTED, OTTO)]),
        ("sue", [(Event.MEMBERSHIP_PROPOSED, OLGA), (Event.MEMBERSHIP_GRANTED, OLGA)]),
        ("sol", [(Event.MEMBERSHIP_PROPOSED, OLGA), (Event.MEMBERSHIP_GRANTED, OLA)]),
        ("stu", [(Event.MEMBERSHIP_PROPOSED, OLGA), (Event.MEMBERSHIP_GRANTED, SAM)]),
        ("syd", [(Event.MEMBERSHIP_PROPOSED, RUTH), (Event.MEMBERSHIP_GRANTED, OTTO)]),
    ],
)
def test_t28_one_operators_word_makes_no_steward_for_the_broker(
    room: KeyRoom, name: str, said: list[tuple[Event, str]]
) -> None:
    person = f"{name}@development"
    room.member(person, Role.STEWARD)
    for event, actor in said:
        write(room, event, actor, person)
    asked, votes = two_votes(room, SAM, person)
    refused(asked, "two operators did not grant", votes)


def test_t28_the_second_persons_word_taken_out_of_the_database_changes_nothing_or_stops_all(room: KeyRoom) -> None:
    asked, votes = two_votes(room, SAM, SINA)
    row = sa.select(audit.AuditEvent).where(
        audit.AuditEvent.event == "membership.proposed", audit.AuditEvent.subject == SINA
    )
    with transaction(room.engine) as session:
        found = session.scalars(row).one()
        kept = {column.name: getattr(found, column.name) for column in audit.AuditEvent.__table__.columns}
        session.delete(found)
    # Read once, an entry is remembered; a broker that starts anew finds the gap.
    room.kill("broker")
    room.start("broker")
    refused(asked, "removed or moved", votes)
    with transaction(room.engine) as session:
        session.add(audit.AuditEvent(**kept))
    assert asked.export(votes)["headers"]


def test_t28_a_vote_before_the_day_of_the_role_has_come_counts_nothing(patient: KeyRoom) -> None:
    asked, votes = two_votes(patient, SAM, SINA)
    refused(asked, "outside the project", votes)  # by the tables, where the role has not begun
    earlier = now() - timedelta(days=30)
    patient.change(sa.update(Membership).where(Membership.person.in_([SAM, SINA])).values(since=earlier))
    refused(asked, "did not count yet", votes)


def test_t28_who_was_taken_off_has_no_vote_though_the_row_was_put_back(room: KeyRoom) -> None:
    person = "sven@development"
    grant(room, person, OTTO, OLGA)
    asked, votes = two_votes(room, SAM, person)
    assert asked.export(votes)["headers"]
    with transaction(room.engine) as session:
        grants.end(session, OTTO, project=PROJECT, person=person, role=Role.STEWARD)
    asked, votes = two_votes(room, SAM, person)
    refused(asked, "outside the project", votes)
    room.change(sa.update(Membership).where(Membership.person == person).values(until=None))
    refused(asked, "two operators did not grant", votes)

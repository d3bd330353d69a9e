"""Nothing leaves that was judged under a policy which two persons did not sign, whatever tables say (J6, T11)."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from broker_asking import Request, clean_copy, forge, refused, restore
from keyroom import OPERATOR, PROJECT, RUTH, SAM, SINA, KeyRoom, key_room

from access import policies
from airlock import intake
from strongroom import audit
from strongroom.audit import AuditEvent, Entry, Event
from strongroom.canonical import digest
from strongroom.database import transaction
from strongroom.errors import Conflict, NotAllowed
from strongroom.projects import Project, ProjectPolicy, Role
from strongroom.thresholds import FLOOR, UNSIGNED, unsigned

DAN, SEN = "dan@development", "sen@development"


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    with key_room() as made:
        made.dataset("calls")
        made.member(DAN, Role.DAC_MEMBER, "*")
        made.member(SEN, Role.SENIOR_STEWARD, "*")
        yield made


def sign(room: KeyRoom, **thresholds: int) -> int:
    """Have two persons put these thresholds in force; return the version."""
    with transaction(room.engine) as session:
        made = policies.propose(session, DAN, PROJECT, thresholds, floor=5)
        version, sha256 = made.version, made.sha256
    with transaction(room.engine) as session:
        policies.sign(session, SEN, PROJECT, version, sha256=sha256)
    return version


def in_force(room: KeyRoom) -> dict[str, Any]:
    """Return what the airlock takes for the project's policy, from the tables as they are."""
    with transaction(room.engine) as session:
        return intake.policy_of(
            session, session.get_one(Project, PROJECT), room.settings, datasets=["calls"]
        ).as_json()


def submitted(room: KeyRoom, clean: str, policy: dict[str, int]) -> tuple[Request, dict[str, list[int]]]:
    """Return a request that two stewards said yes to, judged under `policy`."""
    asked = Request(room, [clean], policy=policy)
    asked.submit()
    return asked, {clean: [asked.vote(SAM, clean), asked.vote(SINA, clean)]}


def say(room: KeyRoom, event: Event, actor: str, **facts: Any) -> int:
    """Append what a service that lies would say about the project."""
    with transaction(room.engine) as session:
        audit.append(session, Entry(event, actor, PROJECT, PROJECT, facts))
        return audit.head(session)[0] - 1


def test_t11_a_policy_row_changed_in_the_database_lets_nothing_out(room: KeyRoom) -> None:
    version = sign(room, min_count=10, min_dof=20)
    clean = clean_copy(room)
    honest, votes = submitted(room, clean, in_force(room))
    assert honest.policy["min_count"] == 10
    assert honest.export(votes)["headers"]
    lax = {**FLOOR, "min_count": 10}
    room.change(sa.update(ProjectPolicy).values(thresholds=lax, sha256=digest(lax)))
    assert in_force(room)["min_dof"] == FLOOR["min_dof"]
    asked, votes = submitted(room, clean, in_force(room))
    refused(asked, "laxer policy", votes)
    room.change(sa.update(ProjectPolicy).values(signed_by=None, signed=None))
    asked, votes = submitted(room, clean, {**in_force(room), "version": UNSIGNED})
    refused(asked, "another policy", votes)
    asked, votes = submitted(room, clean, {**honest.policy, "version": version + 1})
    refused(asked, "another policy", votes)


def test_t11_an_older_version_is_not_in_force_any_more(room: KeyRoom) -> None:
    sign(room, min_count=10)
    old = in_force(room)
    newest = sign(room, min_count=20)
    clean = clean_copy(room)
    room.change(sa.update(ProjectPolicy).where(ProjectPolicy.version == newest).values(signed_by=None, signed=None))
    assert in_force(room) == old
    asked, votes = submitted(room, clean, in_force(room))
    refused(asked, "another policy", votes)


def test_a_request_keeps_the_version_that_was_in_force_at_submit(room: KeyRoom) -> None:
    sign(room, min_count=10)
    asked, votes = submitted(room, clean := clean_copy(room), in_force(room))
    sign(room, min_count=20)
    assert asked.export(votes)["headers"].keys() == {clean}


def test_t11_a_policy_hidden_in_the_log_stops_every_release(room: KeyRoom) -> None:
    sign(room, min_count=10)
    seq = audit_seq(room, Event.POLICY_SIGNED)
    clean = clean_copy(room)
    floor = {**unsigned(FLOOR), "version": UNSIGNED}
    # A copy of the event beside its body is believed by nobody.
    room.change(sa.update(AuditEvent).where(AuditEvent.seq == seq).values(event="file.viewed", subject="x"))
    asked, votes = submitted(room, clean, floor)
    refused(asked, "another policy", votes)
    room.change(sa.update(AuditEvent).where(AuditEvent.seq == seq).values(event="policy.signed", subject=PROJECT))
    # A broker that was started again reads the whole log once more, and finds what was changed far back.
    before = forge(room, seq, event="file.viewed")
    room.kill("broker")
    room.start("broker")
    asked, votes = submitted(room, clean, floor)
    refused(asked, "removed or moved", votes)
    restore(room, seq, before)
    refused(asked, "another policy", votes)


def audit_seq(room: KeyRoom, event: Event) -> int:
    """Return the number of the last entry of a kind."""
    with transaction(room.engine) as session:
        found = session.scalar(sa.select(sa.func.max(AuditEvent.seq)).where(AuditEvent.event == event.value))
        assert found is not None
        return found


def test_one_person_signs_nothing_and_a_researcher_neither(room: KeyRoom) -> None:
    before = in_force(room)
    with transaction(room.engine) as session:
        made = policies.propose(session, DAN, PROJECT, {"min_count": 50}, floor=5)
        version, sha256 = made.version, made.sha256
    with transaction(room.engine) as session, pytest.raises(Conflict, match="another person"):
        policies.sign(session, DAN, PROJECT, version, sha256=sha256)
    for person in (RUTH, SAM, OPERATOR, "eve@development"):
        with transaction(room.engine) as session, pytest.raises(NotAllowed):
            policies.sign(session, person, PROJECT, version, sha256=sha256)
    assert in_force(room) == before


def test_t11_a_policy_that_a_lying_service_wrote_into_the_log_lets_nothing_out(room: KeyRoom) -> None:
    # The last test of this room: what is in the log stays there.
    limits, version = {**FLOOR, "min_count": 6}, 1_000
    say(room, Event.POLICY_PROPOSED, DAN, version=version, thresholds=limits, sha256=digest(limits))
    say(room, Event.POLICY_SIGNED, "eve@development", version=version, sha256=digest(limits))
    asked, votes = submitted(room, clean_copy(room), {**limits, "version": version})
    refused(asked, "two different entitled persons", votes)

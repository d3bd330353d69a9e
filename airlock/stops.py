"""Stops all releases at once, and lets them go on when two persons say so."""

import uuid

from sqlalchemy import orm

from airlock.moves import append
from airlock.release_requests import StopReason
from airlock.review_store import Stop, stops_in_force
from strongroom.audit import Entry, Event
from strongroom.database import joined_in, now
from strongroom.errors import Conflict, NotAllowed, NotFound
from strongroom.projects import PLATFORM, Role, projects_of, roles_of

MAY_STOP = (Role.STEWARD, Role.SENIOR_STEWARD, Role.OPERATOR, Role.AUDITOR)
MAY_LIFT = (Role.STEWARD, Role.SENIOR_STEWARD)


class Stopped(Conflict):
    """An emergency stop is in force."""


def check_running(session: orm.Session) -> None:
    """Raise `Stopped` while an emergency stop is in force."""
    if stops_in_force(session):
        raise Stopped("All releases are stopped for now; nothing leaves until two stewards lift the stop.")


def stop(session: orm.Session, person: str, reason: StopReason) -> Stop:
    """Stop all releases, downloads and deliveries; one person is enough, because a minute may be too late."""
    _check_holds(session, person, MAY_STOP, "Only stewards, operators and auditors stop releases; call one.")
    row = Stop(id=uuid.uuid4().hex, reason=reason.value, stopped_by=person, stopped=now())
    session.add(row)
    session.flush()
    append(session, Entry(Event.RELEASES_STOPPED, person, row.id, None, {"reason": reason.value}))
    return row


def lift(session: orm.Session, person: str, stop_id: str) -> Stop:
    """Say that releases may go on; they do once a second person has said so."""
    _check_holds(session, person, MAY_LIFT, "Only stewards lift a stop.")
    row = session.get(Stop, stop_id)
    if row is None:
        raise NotFound("There is no such stop.")
    if row.lifted is not None:
        raise Conflict("This stop has been lifted.")
    if row.first_lift_by is not None and joined_in(session).are_same(row.first_lift_by, person):
        raise Conflict("You said so already; another steward must too.")
    if row.first_lift_by is None:
        row.first_lift_by = person
    else:
        row.lifted_by, row.lifted = person, now()
    append(session, Entry(Event.STOP_LIFTED, person, row.id, None, {"whole": row.lifted is not None}))
    return row


def may_know_names(session: orm.Session, person: str) -> bool:
    """Say whether a person may read who stopped releases: others only read that they are stopped, and why."""
    try:
        _check_holds(session, person, MAY_STOP, "")
    except NotAllowed:
        return False
    return True


def _check_holds(session: orm.Session, person: str, roles: tuple[Role, ...], sentence: str) -> None:
    held = roles_of(session, person, PLATFORM)
    if not any(role in held or projects_of(session, person, role) for role in roles):
        raise NotAllowed(sentence)

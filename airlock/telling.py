"""Says whom a move of a release request is told to."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import orm

from airlock.release_requests import RequestState
from airlock.review_store import draws_of
from airlock.store import IntakeRun, ReleaseRequest
from strongroom.audit import Entry, Event
from strongroom.notices import Kind, note
from strongroom.projects import Role, holders_of

S = RequestState
TO_REQUESTER: Final[dict[S, Kind]] = {
    S.READY: Kind.REQUEST_READY,
    S.BLOCKED: Kind.REQUEST_BLOCKED,
    S.SCAN_FAILED: Kind.REQUEST_BLOCKED,
    S.RETURNED: Kind.REQUEST_RETURNED,
    S.REJECTED: Kind.REQUEST_REJECTED,
    S.RELEASED: Kind.REQUEST_RELEASED,
    S.EXPIRED: Kind.REQUEST_ENDED,
    S.REVOKED: Kind.REQUEST_ENDED,
}


def tell(session: orm.Session, entries: Sequence[Entry]) -> None:
    """Keep a notice for each entry that somebody waits for, in the caller's transaction."""
    for entry in entries:
        if entry.event is Event.STEWARD_DRAWN and entry.facts is not None:
            note(session, Kind.REVIEW_WAITS, about=entry.subject, people=[str(entry.facts["steward"])])
        elif entry.event is Event.REQUEST_STATE and entry.facts is not None:
            row = session.get(ReleaseRequest, entry.subject)
            state = S(entry.facts["state"])
            if row is not None and state in TO_REQUESTER:
                note(session, _kind(session, row, state), about=row.id, people=[row.requester])
            elif row is not None and state in (S.SUBMITTED, S.CONSOLIDATING):
                _tell_stewards(session, row, state)


def _kind(session: orm.Session, row: ReleaseRequest, state: S) -> Kind:
    came_in = state is S.RELEASED and session.get_one(IntakeRun, row.run).brought_into is not None
    return Kind.REQUEST_LET_IN if came_in else TO_REQUESTER[state]


def _tell_stewards(session: orm.Session, row: ReleaseRequest, state: S) -> None:
    drawn = [one.steward for one in draws_of(session, row.id, row.turn) if one.ended is None]
    if state is S.CONSOLIDATING:
        people = drawn or holders_of(session, row.project, Role.STEWARD)
        note(session, Kind.DECISION_WAITS, about=row.id, people=people)
    elif not drawn:
        note(session, Kind.REVIEW_WAITS, about=row.id, people=holders_of(session, row.project, Role.STEWARD))

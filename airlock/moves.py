"""Moves a release request one step and says so in the audit log, in the caller's transaction."""

from typing import Any

from sqlalchemy import orm

from airlock.intake_files import Verdict
from airlock.release_requests import STEPS, RequestState, Vote
from airlock.review_store import draws_of, interested
from airlock.rules import Asked, Asker, CastVote, ReviewedFile
from airlock.store import FileVote, ReleaseRequest, RequestFile, votes_of
from airlock.telling import tell
from strongroom import audit
from strongroom.audit import Entry, Event
from strongroom.database import joined_in, now
from strongroom.errors import NotFound
from strongroom.projects import Role, Training, is_trained, roles_of, was_ever_researcher
from strongroom.states import step

SYSTEM = "airlock"


def find(session: orm.Session, request: str) -> ReleaseRequest:
    """Return the request of this id; raise `NotFound` in the words that strangers hear too."""
    row = session.get(ReleaseRequest, request)
    if row is None:
        raise NotFound("There is no such release request.")
    return row


def asker(session: orm.Session, person: str, project: str) -> Asker:
    """Return what the tables say of a person in a project."""
    roles = roles_of(session, person, project)
    steward = Role.STEWARD in roles
    return Asker(
        person=person,
        researcher=Role.RESEARCHER in roles,
        steward=steward,
        ever_researcher=was_ever_researcher(session, person, project),
        senior=Role.SENIOR_STEWARD in roles,
        trained=is_trained(session, person, project, Training.STEWARD if steward else Training.RESEARCHER),
        also=frozenset(joined_in(session).identities_of(person)) - {person},
    )


def asked(session: orm.Session, row: ReleaseRequest) -> Asked:
    """Return what the rules need to know of a request."""
    earlier = votes_of(session, row.id, row.appealed_turn) if row.appealed_turn is not None else []
    return Asked(
        requester=row.requester,
        state=RequestState(row.state),
        earlier_reviewers=frozenset(vote.steward for vote in earlier),
        interested=interested(session, row.id),
        drawn=drawn(session, row),
    )


def drawn(session: orm.Session, row: ReleaseRequest) -> frozenset[str] | None:
    """Return who reviews this turn; None where nobody was drawn for it."""
    draws = draws_of(session, row.id, row.turn)
    return frozenset(one.steward for one in draws if one.ended is None) if draws else None


def votes_that_count(session: orm.Session, row: ReleaseRequest) -> list[FileVote]:
    """Return the votes of this turn but those of stewards who have an interest of their own (P8)."""
    void = joined_in(session).spread(interested(session, row.id))
    return [vote for vote in votes_of(session, row.id, row.turn) if vote.steward not in void]


def reviewed(file: RequestFile) -> ReviewedFile:
    """Return what the rules need to know of a file; one without a verdict counts as blocked."""
    verdict = Verdict(file.verdict or Verdict.BLOCK)
    if file.lifted_by is not None and verdict is Verdict.BLOCK:
        verdict = Verdict.WARN
    return ReviewedFile(file.file, file.body_sha256, verdict, file.lifted_by)


def cast(session: orm.Session, votes: list[FileVote]) -> list[CastVote]:
    """Return votes as the rules read them."""
    joined = joined_in(session)
    return [CastVote(v.steward, v.file, Vote(v.vote), v.body_sha256, joined.person_of(v.steward)) for v in votes]


def move(row: ReleaseRequest, to: RequestState, *, actor: str, **facts: Any) -> Entry:
    """Move `row` if the table allows it; return the audit entry that the caller appends last."""
    before = RequestState(row.state)
    row.state, row.changed = step(STEPS, before, to).value, now()
    return state_entry(row, actor=actor, before=before.value, **facts)


def state_entry(row: ReleaseRequest, *, actor: str, before: str | None, **facts: Any) -> Entry:
    """Return the audit entry of the state that `row` is in now."""
    told = {"from": before, "state": row.state, "turn": row.turn, "run": row.run} | facts
    return Entry(Event.REQUEST_STATE, actor, row.id, row.project, told)


def append(session: orm.Session, *entries: Entry) -> int:
    """Append `entries` to the log, and keep the notices of what they tell; return the number of the first."""
    tell(session, entries)
    audit.append(session, *entries)
    return audit.head(session)[0] - len(entries)

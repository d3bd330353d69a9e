"""Reads in the log by itself what two stewards approved: the request, its votes, its policy, and who stands where."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from archive import decisions
from archive.facts import ObjectFacts
from archive.keys.appetite import check_judged_under
from archive.keys.ballots import (
    STOP_LIFTED,
    STOPPED,
    ExportRefused,
    Line,
    Submitted,
    Voter,
    check_chain,
    check_running,
    check_still_on,
    check_voted,
    read_line,
    read_submitted,
)
from archive.keys.desk import Believed, Desk
from archive.keys.entitled import check_granted
from archive.keys.orders import object_id
from archive.keys.purposes import UPLOAD
from archive.keys.rights import check_usable
from archive.keys.standing import dataset_facts, is_open, stored_objects
from archive.store import StoredObject
from strongroom import projects
from strongroom.audit import AuditEvent, AuditHead, events
from strongroom.database import joined_in, reading
from strongroom.doors import Message
from strongroom.errors import BadRequest

MOST_FILES = 1_000
MayPass = Callable[[Submitted, Collection[str], Collection[ObjectFacts]], None]


@dataclass(frozen=True)
class Approved:
    """A request that may pass now: what was frozen, its objects, and the last entry of the log that was read."""

    submitted: Submitted
    rows: Sequence[StoredObject]
    objects: Sequence[Believed]
    last: int


def read_approved(desk: Desk, message: Message, *, may_pass: MayPass) -> Approved:
    """Return what the log says two stewards approved, each object held against `may_pass`; raise `ExportRefused`."""
    request, seq, votes = _parsed(message)
    with reading(desk.engine) as session:
        lines = _lines(session, seq)
        submitted = read_submitted(lines[0], request)
        later = [line for line in lines[1:] if line.subject == request]
        check_still_on(submitted, later)
        # What came after the submission is read by the chain as well: no column hides it.
        check_running([*_stops(session), *lines], joined_in(session))
        earlier: list[Line] = []
        if submitted.since is not None:
            # T11: what was voted in an earlier turn is read in an unbroken chain up to the head, as all the rest.
            before = _lines(session, submitted.since)
            earlier = [line for line in before if line.subject == request and line.seq < seq]
        _check_votes(desk, session, submitted, votes, later=later, earlier=earlier)
        rows = stored_objects(session, list(votes))
        objects = [desk.believed(row) for row in rows]
        may_pass(submitted, list(votes), [one.facts for one in objects])
        _check_policy(desk, session, submitted, objects)
        _check_standing(session, submitted, objects)
    return Approved(submitted, rows, objects, lines[-1].seq)


def check_again(session: orm.Session, approved: Approved) -> None:
    """Raise if anything that was committed since it was read stops it."""
    submitted = approved.submitted
    news = _lines(session, approved.last)[1:]
    check_still_on(submitted, [line for line in news if line.subject == submitted.request])
    check_running(_stops(session), joined_in(session))
    _check_standing(session, submitted, approved.objects)


def _parsed(message: Message) -> tuple[str, int, dict[str, list[int]]]:
    request, seq, votes = message.get("request"), message.get("submitted"), message.get("votes")
    # T2: there is no field for a recipient, and one that is sent is refused.
    if set(message) != {"verb", "request", "submitted", "votes"} or not isinstance(request, str):
        raise BadRequest("Send the request, its entry in the log and its votes, and nothing else.")
    if type(seq) is not int or not isinstance(votes, dict) or not 0 < len(votes) <= MOST_FILES:
        raise BadRequest(f"votes: for each of 1 to {MOST_FILES} objects the numbers of two entries.")
    return request, seq, {object_id(name, "votes"): _numbers(value) for name, value in votes.items()}


def _numbers(value: Any) -> list[int]:
    if not isinstance(value, list) or not all(type(one) is int for one in value):
        raise BadRequest("votes: numbers of entries in the log.")
    return value


def _lines(session: orm.Session, start: int) -> list[Line]:
    # The columns are copies that anybody with the database could change, so every entry's own bytes are read.
    lines = [
        read_line(row.seq, bytes(row.body), salt=bytes(row.salt), leaf=row.leaf)
        for row in events(session, start=start)
    ]
    head = session.get(AuditHead, 1, populate_existing=True)
    if head is None or not lines or lines[0].seq != start:
        raise ExportRefused("There is no such entry in the log.")
    check_chain(lines, size=head.size, last=head.last)
    return lines


def _stops(session: orm.Session) -> list[Line]:
    rows = session.scalars(
        sa.select(AuditEvent).where(AuditEvent.event.in_([STOPPED, STOP_LIFTED])).order_by(AuditEvent.seq)
    )
    return [read_line(row.seq, bytes(row.body), salt=bytes(row.salt), leaf=row.leaf) for row in rows]


def _check_votes(
    desk: Desk,
    session: orm.Session,
    submitted: Submitted,
    votes: Mapping[str, Sequence[int]],
    *,
    later: Sequence[Line],
    earlier: Sequence[Line],
) -> None:
    kept = {seq for seqs in submitted.kept.values() for seq in seqs}
    by_seq = {line.seq: line for line in [*later, *(line for line in earlier if line.seq in kept)]}
    if not {seq for seqs in votes.values() for seq in seqs} <= set(by_seq):
        raise ExportRefused("A vote is not for this request as it was submitted.")
    named = {name: [by_seq[seq] for seq in seqs] for name, seqs in votes.items()}
    joined = joined_in(session)
    actors = {line.actor for lines in named.values() for line in lines}
    voters = {
        actor: Voter(
            projects.Role.STEWARD in projects.roles_of(session, actor, submitted.project),
            projects.was_ever_researcher(session, actor, submitted.project),
            projects.is_trained(session, actor, submitted.project, projects.Training.STEWARD),
        )
        for actor in actors
    }
    for name, lines in named.items():
        check_voted(submitted, name, named=lines, later=later, voters=voters, joined=joined, earlier=earlier)
    if desk.settings.roles_are_of_two:
        cast = [line for lines in named.values() for line in lines]
        told = desk.log.told(session, before=max((line.seq for line in cast), default=0))
        for line in cast:
            _check_granted(desk, session, line, [one for one in told if one.seq < line.seq])


def _check_granted(desk: Desk, session: orm.Session, vote: Line, told: Sequence[Line]) -> None:
    def may_grant(person: str) -> bool:
        return projects.was_ever(session, person, projects.PLATFORM, [projects.Role.OPERATOR])

    check_granted(
        vote,
        told,
        projects.Role.STEWARD.value,
        may_grant=may_grant,
        wait=desk.settings.grant_wait,
        joined=joined_in(session),
    )


def _check_policy(desk: Desk, session: orm.Session, submitted: Submitted, objects: Sequence[Believed]) -> None:
    def may_sign(person: str) -> bool:
        return projects.was_ever(
            session, person, submitted.project, projects.POLICY_ROLES
        ) and not projects.was_ever_researcher(session, person, submitted.project)

    def may_set_floors(person: str) -> bool:
        return projects.was_ever(session, person, projects.PLATFORM, projects.FLOOR_ROLES)

    check_judged_under(
        submitted,
        desk.log.told(session, before=submitted.seq),
        least_count=desk.settings.airlock.min_count,
        may_sign=may_sign,
        datasets=_sources(session, submitted.project, objects),
        may_set_floors=may_set_floors,
        joined=joined_in(session),
    )


def _sources(session: orm.Session, project: str, objects: Sequence[Believed]) -> set[str]:
    """Return the datasets that files come from, with all ancestors: as signed for the files, and for their runs (T7).

    What is brought in comes from none: floors are for what leaves.
    """
    made_here = [one.facts for one in objects if one.facts.kind != UPLOAD]
    found = [decisions.decision_of(session, run) for run in {one.run for one in made_here if one.run is not None}]
    named = {name for one in made_here for name in one.ancestors}
    named |= {name for decision in found if decision is not None for name in decision.datasets}
    return {*named, *dataset_facts(session, named, project=project)}


def _check_standing(session: orm.Session, submitted: Submitted, objects: Sequence[Believed]) -> None:
    if not is_open(session, submitted.project):
        raise ExportRefused("The project has ended; nothing more leaves it.")
    if projects.Role.RESEARCHER not in projects.roles_of(session, submitted.requester, submitted.project):
        raise ExportRefused("The requester is not a researcher of this project any more.")
    if not projects.is_trained(session, submitted.requester, submitted.project, projects.Training.RESEARCHER):
        raise ExportRefused("The requester's training has expired; nothing leaves until it is renewed.")
    ancestors = {name for one in objects for name in one.facts.ancestors}
    check_usable(ancestors, dataset_facts(session, ancestors, project=submitted.project))

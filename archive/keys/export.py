"""Re-wraps released files to the researcher's frozen key, after reading request and votes in the log by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import orm

from archive.keys.ballots import (
    ExportRefused,
    Line,
    Submitted,
    Voter,
    check_chain,
    check_releasable,
    check_still_on,
    check_voted,
    read_line,
    read_submitted,
)
from archive.keys.desk import ACTOR, Believed, Desk
from archive.keys.orders import object_id
from archive.keys.purposes import KeyName, Purpose
from archive.keys.rights import check_usable
from archive.keys.standing import dataset_facts, is_open, stored_objects
from archive.store import StoredObject
from strongroom import projects
from strongroom.audit import AuditHead, Entry, Event, append, events
from strongroom.database import reading, transaction
from strongroom.doors import Message
from strongroom.errors import BadRequest

MOST_FILES = 1_000


def export(desk: Desk, message: Message) -> Message:
    """Return headers for the recipient in the log, and the plaintext digests that may now be known (T8)."""
    request, seq, votes = _parsed(message)
    with reading(desk.engine) as session:
        lines = _lines(session, seq)
        submitted = read_submitted(lines[0], request)
        later = [line for line in lines[1:] if line.subject == request]
        check_still_on(submitted, later)
        _check_votes(session, submitted, votes, later)
        rows = stored_objects(session, list(votes))
        objects = [desk.believed(row) for row in rows]
        check_releasable(submitted, list(votes), [one.facts for one in objects])
        _check_standing(session, submitted, objects)
    headers = {one.facts.object: desk.rewrapped(one, submitted.recipient) for one in objects}
    digests = {row.id: _digest(desk, row) for row in rows}
    with transaction(desk.engine) as session:
        check_still_on(submitted, [line for line in _lines(session, lines[-1].seq)[1:] if line.subject == request])
        _check_standing(session, submitted, objects)
        said = {"submitted": seq, "turn": submitted.turn, "objects": sorted(headers)}
        append(session, Entry(Event.KEYS_EXPORTED, ACTOR, request, submitted.project, said))
    return {"headers": headers, "sha256": digests}


def _parsed(message: Message) -> tuple[str, int, dict[str, list[int]]]:
    request, seq, votes = message.get("request"), message.get("submitted"), message.get("votes")
    # T2: there is no field for a recipient, and one that is sent is refused.
    if set(message) != {"verb", "request", "submitted", "votes"} or not isinstance(request, str):
        raise BadRequest("export: send the request, its entry in the log and its votes, and nothing else.")
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


def _check_votes(
    session: orm.Session, submitted: Submitted, votes: Mapping[str, Sequence[int]], later: Sequence[Line]
) -> None:
    by_seq = {line.seq: line for line in later}
    if not {seq for seqs in votes.values() for seq in seqs} <= set(by_seq):
        raise ExportRefused("A vote is not for this request as it was submitted.")
    named = {name: [by_seq[seq] for seq in seqs] for name, seqs in votes.items()}
    actors = {line.actor for lines in named.values() for line in lines}
    voters = {
        actor: Voter(
            projects.Role.STEWARD in projects.roles_of(session, actor, submitted.project),
            projects.was_ever_researcher(session, actor, submitted.project),
        )
        for actor in actors
    }
    for name, lines in named.items():
        check_voted(submitted, name, named=lines, later=later, voters=voters)


def _check_standing(session: orm.Session, submitted: Submitted, objects: Sequence[Believed]) -> None:
    if not is_open(session, submitted.project):
        raise ExportRefused("The project has ended; nothing more leaves it.")
    if projects.Role.RESEARCHER not in projects.roles_of(session, submitted.requester, submitted.project):
        raise ExportRefused("The requester is not a researcher of this project any more.")
    ancestors = {name for one in objects for name in one.facts.ancestors}
    check_usable(ancestors, dataset_facts(session, ancestors, project=submitted.project))


def _digest(desk: Desk, row: StoredObject) -> str:
    if row.sealed_sha256 is None:
        raise ExportRefused("The record of this file was destroyed.")
    name = KeyName(Purpose(row.purpose), row.owner)
    return desk.keyring.open_digest(name, row.sealed_sha256, object_id=row.id).hex()

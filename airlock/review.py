"""Lets two stewards look, vote file by file, and decide together."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import orm

from airlock import comments, rules
from airlock.inspections import Inspection
from airlock.moves import append, asked, asker, cast, move, reviewed, state_entry, votes_that_count
from airlock.release_requests import OPEN_TO_VOTES, Outcome, Reason, RequestState, Vote
from airlock.review_store import FileGroup, groups_of
from airlock.rules import CastVote
from airlock.store import FileVote, IntakeFile, ReleaseRequest, RequestFile, files_of
from strongroom.audit import Entry, Event
from strongroom.database import joined_in, now
from strongroom.errors import BadRequest, Conflict, NotFound

S = RequestState


@dataclass(frozen=True)
class Ballot:
    """What a steward says of one file; `body_sha256` is the digest of what was shown."""

    file: str
    vote: Vote
    reason: Reason | None
    body_sha256: str | None  # None: the one under review, which is frozen for the turn


def vote(session: orm.Session, row: ReleaseRequest, steward: str, ballots: Sequence[Ballot]) -> None:
    """Cast votes; the first opens the review, and when two stewards have voted on every file both are seen."""
    if not ballots or len({b.file for b in ballots}) != len(ballots):
        raise BadRequest("votes: one for each file, and at least one.")
    who, now_asked = asker(session, steward, row.project), asked(session, row)
    rules.check_steward(who, now_asked)
    files = {file.file: file for file in files_of(session, row.id)}
    earlier = cast(session, votes_that_count(session, row))
    person = joined_in(session).person_of(steward)
    mine = [_mine(ballot, files, steward, person) for ballot in ballots]
    for one in mine:
        file = reviewed(files[one.file])
        rules.check_may_vote(who, now_asked, file=file, vote=one.vote, body_sha256=one.body_sha256, cast=earlier)
    reasons = {b.file: b.reason.value if b.reason else None for b in ballots}
    entries = [_cast_entry(row, one, object_id=files[one.file].object, reason=reasons[one.file]) for one in mine]
    moves = _moves(row, steward, complete=rules.is_reviewed([reviewed(f) for f in files.values()], earlier + mine))
    first = append(session, *entries, *moves)
    session.add_all(_vote_row(row, one, reason=reasons[one.file], seq=first + n) for n, one in enumerate(mine))
    session.flush()


def consolidate(session: orm.Session, row: ReleaseRequest, steward: str, outcome: Outcome) -> ReleaseRequest | None:
    """Bring two complete reviews to one decision; return the request that refused files went to, if there is one."""
    files = files_of(session, row.id)
    votes = cast(session, votes_that_count(session, row))
    rules.check_may_consolidate(
        asker(session, steward, row.project),
        asked(session, row),
        outcome,
        files=[reviewed(f) for f in files],
        cast=votes,
        told=comments.tells_the_requester(session, row),
    )
    entries: list[Entry] = []
    child = None
    if outcome is Outcome.SPLIT:
        refused = [f for f in files if not rules.approved(reviewed(f), votes)]
        child = _split(session, row, refused)
        entries.append(state_entry(child, actor=steward, before=None, parent=row.id))
    to = {
        Outcome.APPROVE: S.APPROVED,
        Outcome.SPLIT: S.APPROVED,
        Outcome.RETURN: S.RETURNED,
        Outcome.REJECT: S.REJECTED,
    }[outcome]
    row.next_try, row.attempts, row.trouble = now(), 0, None
    append(session, *entries, move(row, to, actor=steward, outcome=outcome.value))
    return child


def look(session: orm.Session, row: ReleaseRequest, steward: str, file: str) -> Inspection:
    """Write down that a steward looks at a file, then return what to ask the inspection door (decision 15)."""
    rules.check_may_view(asker(session, steward, row.project), asked(session, row))
    shown = next((f for f in files_of(session, row.id, with_supporting=True) if f.file == file), None)
    if shown is None:
        raise NotFound("There is no such file in this request.")
    if shown.object is None:
        raise Conflict("There is no clean copy of this file to look at; it can only be refused.")
    source = session.get_one(IntakeFile, file)
    facts = {"request": row.id, "turn": row.turn, "object": shown.object, "body_sha256": shown.body_sha256}
    append(session, Entry(Event.FILE_VIEWED, steward, file, row.project, facts))
    return viewing(source, steward, object_id=shown.object, name=shown.path)


def viewing(source: IntakeFile, steward: str, *, object_id: str, name: str) -> Inspection:
    """Return what a steward asks for who looks at a copy of a file, by the promise that the file was judged by."""
    return Inspection(
        kind="view",
        run=source.run,
        project=source.project,
        person=steward,
        object=object_id,
        name=name,
        promise=source.promise,
        policy=source.policy,
        supporting={},
    )


def _mine(ballot: Ballot, files: dict[str, RequestFile], steward: str, person: str) -> CastVote:
    if ballot.file not in files:
        raise NotFound("There is no such file in this request.")
    if (ballot.vote is Vote.NO) != (ballot.reason is not None):
        raise BadRequest("A no carries one of the reasons, and a yes carries none.")
    shown = ballot.body_sha256 or files[ballot.file].body_sha256
    return CastVote(steward, ballot.file, ballot.vote, shown, person)


def _cast_entry(row: ReleaseRequest, one: CastVote, *, object_id: str | None, reason: str | None) -> Entry:
    facts = {
        "turn": row.turn,
        "file": one.file,
        "object": object_id,
        "body_sha256": one.body_sha256,
        "vote": one.vote.value,
        "reason": reason,
    }
    return Entry(Event.VOTE_CAST, one.steward, row.id, row.project, facts)


def _moves(row: ReleaseRequest, steward: str, *, complete: bool) -> list[Entry]:
    entries = []
    if row.state == S.SUBMITTED.value:
        entries.append(move(row, S.FIRST_REVIEW, actor=steward))
    if complete and RequestState(row.state) in OPEN_TO_VOTES:
        entries.append(move(row, S.CONSOLIDATING, actor=steward))
    return entries


def _vote_row(row: ReleaseRequest, one: CastVote, *, reason: str | None, seq: int) -> FileVote:
    return FileVote(
        request=row.id,
        turn=row.turn,
        file=one.file,
        steward=one.steward,
        vote=one.vote.value,
        reason=reason,
        body_sha256=one.body_sha256,
        audit_seq=seq,
        time=now(),
        under=row.submitted_seq,
    )


def _split(session: orm.Session, row: ReleaseRequest, refused: Sequence[RequestFile]) -> ReleaseRequest:
    child = ReleaseRequest(
        id=uuid.uuid4().hex,
        parent=row.id,
        run=row.run,
        project=row.project,
        requester=row.requester,
        purpose=row.purpose,
        state=S.RETURNED.value,
        turn=1,
        coarse=row.coarse,
        contract_version=row.contract_version,
        policy_version=row.policy_version,
        attempts=0,
        created=now(),
        changed=now(),
    )
    session.add(child)
    session.flush()
    for file in refused:
        file.split_off = True
        session.add(
            RequestFile(
                request=child.id,
                file=file.file,
                path=file.path,
                object=file.object,
                body_sha256=file.body_sha256,
                size=file.size,
                verdict=file.verdict,
                findings=file.findings,
                policy_version=file.policy_version,
                split_off=False,
                supporting=False,
                group=file.group,
            )
        )
    session.add_all(
        FileGroup(request=child.id, name=one.name, context=one.context, controls=one.controls)
        for one in groups_of(session, row.id)
        if one.name in {file.group for file in refused}
    )
    session.flush()
    return child

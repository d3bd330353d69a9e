"""Carries votes on unchanged bytes into a request's next turn: only what changed is voted on again."""

import json
from typing import Any

from sqlalchemy import orm

from airlock import rules
from airlock.moves import asked, asker, cast, reviewed
from airlock.review_store import draws_of, interested
from airlock.store import FileVote, IntakeFile, ReleaseRequest, files_of, votes_of
from strongroom.audit import AuditEvent
from strongroom.database import joined_in, now
from strongroom.errors import NotAllowed, NotFound


def kept_votes(session: orm.Session, row: ReleaseRequest) -> list[FileVote]:
    """Return the votes of the turn before that go on counting, as votes of this turn.

    A file keeps its votes if both were yes, its bytes, policy and recipient are the same, and both may decide still.
    """
    before = row.turn - 1
    if before < 1 or before == row.appealed_turn:
        return []
    joined = joined_in(session)
    void = joined.spread(interested(session, row.id))
    votes = [one for one in votes_of(session, row.id, before) if one.steward not in void]
    stewards = [one for one in {vote.steward for vote in votes} if _may(session, row, one)]
    same = [one for one in votes if _same_terms(session, row, one)]
    kept = []
    for file in files_of(session, row.id):
        # A block that was lifted before this turn came after those votes: nobody saw it who gave them.
        if file.lifted_by is None and rules.keeps_votes(
            reviewed(file), cast(session, [v for v in votes if v.file == file.file]), stewards
        ):
            mine = [v for v in same if v.file == file.file]
            kept += mine if len(joined.persons(v.steward for v in mine)) >= rules.REVIEWERS else []
    return [_again(row, one, before) for one in kept]


def reviewers_before(session: orm.Session, row: ReleaseRequest) -> list[str]:
    """Return who reviewed the turn before: they know the request, and go on with it; not after an appeal."""
    before = row.turn - 1
    if before < 1 or before == row.appealed_turn:
        return []
    return [one.steward for one in draws_of(session, row.id, before) if one.ended is None]


def facts_of(kept: list[FileVote], objects: dict[str, str]) -> dict[str, Any]:
    """Return what the submission's entry in the log says of kept votes: the broker looks each of them up."""
    if not kept:
        return {}
    seqs: dict[str, list[int]] = {}
    for one in kept:
        seqs.setdefault(objects[one.file], []).append(one.audit_seq)
    return {"kept": {"since": min(one.under or 0 for one in kept), "votes": seqs}}


def _same_terms(session: orm.Session, row: ReleaseRequest, vote: FileVote) -> bool:
    event = session.get(AuditEvent, vote.under) if vote.under is not None else None
    if event is None:
        return False
    facts = json.loads(bytes(event.body)).get("facts", {})
    # T20: a vote was for this recipient too, and for what the checks said under this policy.
    policy = session.get_one(IntakeFile, vote.file).policy
    return bool(facts.get("recipient") == row.recipient and facts.get("policy") == policy)


def _may(session: orm.Session, row: ReleaseRequest, steward: str) -> bool:
    try:
        rules.check_steward(asker(session, steward, row.project), asked(session, row))
    except (NotAllowed, NotFound):
        return False
    return True


def _again(row: ReleaseRequest, vote: FileVote, before: int) -> FileVote:
    return FileVote(
        request=row.id,
        turn=row.turn,
        file=vote.file,
        steward=vote.steward,
        vote=vote.vote,
        reason=vote.reason,
        body_sha256=vote.body_sha256,
        audit_seq=vote.audit_seq,
        time=now(),
        under=vote.under,
        kept_from=before,
    )

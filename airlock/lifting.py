"""Lifts what an automatic check blocks, by a senior with a reason that stands in the register (O5)."""

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import rules
from airlock.intake_files import Verdict
from airlock.moves import append, asked, asker, cast, move, reviewed, votes_that_count
from airlock.release_requests import LiftReason, RequestState
from airlock.review_store import Lift
from airlock.store import ReleaseRequest, RequestFile, files_of
from airlock.wording import check_wording
from strongroom.audit import Entry, Event
from strongroom.database import now
from strongroom.errors import BadRequest, NotFound
from strongroom.projects import PLATFORM, Role, projects_of, roles_of

MOST_LINES = 500


def lift(
    session: orm.Session, row: ReleaseRequest, senior: str, *, files: Sequence[str], reason: LiftReason, note: str
) -> None:
    """Lift the blocks of these files; a blocked request is ready once none is left. Two votes are needed as ever."""
    if not files or len(set(files)) != len(files):
        raise BadRequest("files: name each file once, and at least one.")
    check_wording(note, field="note")
    who, what = asker(session, senior, row.project), asked(session, row)
    rules.check_senior(who, what)
    there = {file.file: file for file in files_of(session, row.id)}
    votes = cast(session, votes_that_count(session, row))
    for name in files:
        if name not in there:
            raise NotFound("There is no such file in this request.")
        rules.check_may_lift(who, what, reviewed(there[name]), votes)
    entries = [_lift(session, row, there[name], senior=senior, reason=reason, note=note) for name in files]
    left = any(reviewed(file).verdict is Verdict.BLOCK for file in there.values())
    if row.state == RequestState.BLOCKED.value and not left:
        entries.append(move(row, RequestState.READY, actor=senior))
    append(session, *entries)


def register_of(session: orm.Session, person: str) -> list[Lift]:
    """Return the register of lifted blocks, newest first: of own projects, or all for auditors and seniors."""
    query = sa.select(Lift).order_by(Lift.time.desc()).limit(MOST_LINES)
    if not roles_of(session, person, PLATFORM) & {Role.AUDITOR, Role.SENIOR_STEWARD, Role.DAC_MEMBER}:
        roles = (Role.STEWARD, Role.SENIOR_STEWARD, Role.AUDITOR)
        own = {project for role in roles for project in projects_of(session, person, role)}
        query = query.where(Lift.project.in_(sorted(own)))
    return list(session.scalars(query))


def _lift(
    session: orm.Session, row: ReleaseRequest, file: RequestFile, *, senior: str, reason: LiftReason, note: str
) -> Entry:
    codes = sorted({str(one["code"]) for one in file.findings if one["severity"] == Verdict.BLOCK.value})
    file.lifted_by = senior
    session.add(
        Lift(
            id=uuid.uuid4().hex,
            request=row.id,
            project=row.project,
            turn=row.turn,
            file=file.file,
            body_sha256=file.body_sha256,
            codes=" ".join(codes),
            senior=senior,
            reason=reason.value,
            note=note,
            time=now(),
        )
    )
    session.flush()
    facts = {
        "turn": row.turn,
        "file": file.file,
        "body_sha256": file.body_sha256,
        "codes": codes,
        "reason": reason.value,
    }
    return Entry(Event.BLOCK_LIFTED, senior, row.id, row.project, facts)

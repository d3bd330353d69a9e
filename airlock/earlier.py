"""Finds the last released version of an output, for a steward who may read that release."""

from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import fixing, rules
from airlock.inspections import MOST_ROWS, Inspection
from airlock.moves import append, asked, asker, find
from airlock.review import viewing
from airlock.store import IntakeFile, IntakeRun, Release, ReleasedFile, ReleaseRequest
from strongroom.audit import Entry, Event
from strongroom.errors import NotAllowed, NotFound


@dataclass(frozen=True)
class Earlier:
    """One file that left: by which request, when, from which run, and as which path."""

    request: str
    file: str
    path: str
    released: datetime


def last_release(session: orm.Session, row: ReleaseRequest, file: str, steward: str) -> Earlier | None:
    """Return the newest release of the same output: same project, workflow and path, a fixed copy by its output's."""
    source = session.get_one(IntakeFile, file)
    output = session.get_one(IntakeFile, fixing.root_of(source))
    workflow = session.get_one(IntakeRun, row.run).workflow
    if not workflow:
        return None
    left, root = orm.aliased(IntakeFile), orm.aliased(IntakeFile)
    query = (
        sa.select(ReleasedFile.request, ReleasedFile.file, ReleasedFile.path, Release.released)
        .join(Release, Release.request == ReleasedFile.request)
        .join(left, left.id == ReleasedFile.file)
        .join(root, root.id == sa.func.coalesce(left.fixed_from, left.id))
        .join(IntakeRun, IntakeRun.run == left.run)
        .where(Release.project == row.project, IntakeRun.workflow == workflow, root.path == output.path)
        .where(ReleasedFile.request != row.id)
        .order_by(Release.released.desc())
        .limit(1)
    )
    found = session.execute(query).first()
    if found is None or not _may_read(session, found.request, steward):
        return None
    return Earlier(found.request, found.file, found.path, found.released)


def look(session: orm.Session, row: ReleaseRequest, steward: str, file: str) -> tuple[Earlier, Inspection]:
    """Write down that a steward looks at the last release of a file, then return what to ask for it.

    Whether the steward may look at the file itself is decided before.
    """
    earlier = last_release(session, row, file, steward)
    if earlier is None:
        raise NotFound("No earlier version of this output has left.")
    source = session.get_one(IntakeFile, earlier.file)
    released = session.get_one(ReleasedFile, (earlier.request, earlier.file))
    # The look belongs to the request under review, and not to the crate of the release that is looked at.
    facts = {"request": row.id, "turn": row.turn, "release": earlier.request, "object": released.object}
    facts |= {"body_sha256": released.body_sha256}
    append(session, Entry(Event.FILE_VIEWED, steward, earlier.file, row.project, facts))
    asked_for = viewing(source, steward, object_id=released.object, name=released.path)
    return earlier, replace(asked_for, rows=(1, MOST_ROWS))


def _may_read(session: orm.Session, request: str, steward: str) -> bool:
    earlier = find(session, request)
    try:
        rules.check_steward(asker(session, steward, earlier.project), asked(session, earlier))
    except (NotAllowed, NotFound):
        return False
    return True

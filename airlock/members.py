"""Has the lists of a run's members read in a jail, and keeps the members by the broker's names for them (T7)."""

import hashlib
from dataclasses import replace

from airlock import inspections
from airlock.answers import InspectionFailed
from airlock.cohorts import Cohort, cohorts_of
from airlock.combinations import NAME
from airlock.inspections import Inspection
from strongroom.database import reading, transaction
from strongroom.doors import ask
from strongroom.queue import Context


def read(context: Context, asked: Inspection) -> None:
    """Read the lists of a run that nobody has read yet, on behalf of an inspection of one of its files."""
    with reading(context.engine) as session:
        unread = [cohort for cohort in cohorts_of(session, asked.run) if not cohort.was_read]
    for cohort in unread:
        assert cohort.source is not None
        members = _members(context, asked, cohort.source)
        with transaction(context.engine) as session:
            row = session.get_one(Cohort, cohort.id)
            row.was_read, row.members = True, members
            row.sha256 = None if members is None else hashlib.sha256(members).hexdigest()


def _members(context: Context, asked: Inspection, source: str) -> bytes | None:
    """Return the names of those in a list, sorted; None if it is not one, or names somebody that it cannot be about.

    The jail gets hashes under a key of this one question, and says which of them are in the list: the labels stay in
    there, and the broker's key with the broker.
    """
    told = ask(context.settings.sockets / "broker.sock", {"verb": "members", "object": source})
    names = bytes.fromhex(str(told["names"]))
    if not names:
        return None
    question = replace(
        asked,
        kind="members",
        object=source,
        name="members",
        promise={},
        supporting={},
        beside=(),
        people={"key": str(told["key"]), "digests": str(told["digests"])},
    )
    bits = inspections.inspect(question, context.settings).members
    if bits is None:
        return None
    marked, count = bytes.fromhex(bits), len(names) // NAME
    if len(marked) != (count + 7) // 8:
        raise InspectionFailed("The inspection did not finish.", detail="bits for other people than were asked about")
    taken = (at for at in range(count) if marked[at // 8] >> at % 8 & 1)
    return b"".join(sorted(names[at * NAME : (at + 1) * NAME] for at in taken)) or None

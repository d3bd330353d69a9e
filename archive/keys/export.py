"""Re-wraps released files to the researcher's frozen key, after reading request and votes in the log by itself."""

from archive.keys.approved import check_again, read_approved
from archive.keys.ballots import ExportRefused, check_releasable
from archive.keys.desk import ACTOR, Desk
from archive.keys.purposes import KeyName, Purpose
from archive.store import StoredObject
from strongroom.audit import Entry, Event, append
from strongroom.database import transaction
from strongroom.doors import Message


def export(desk: Desk, message: Message) -> Message:
    """Return headers for the recipient in the log, and the plaintext digests that may now be known (T8)."""
    approved = read_approved(desk, message, may_pass=check_releasable)
    submitted = approved.submitted
    headers = {one.facts.object: desk.rewrapped(one, submitted.recipient) for one in approved.objects}
    digests = {row.id: _digest(desk, row) for row in approved.rows}
    with transaction(desk.engine) as session:
        check_again(session, approved)
        said = {"submitted": submitted.seq, "turn": submitted.turn, "objects": sorted(headers)}
        append(session, Entry(Event.KEYS_EXPORTED, ACTOR, submitted.request, submitted.project, said))
    return {"headers": headers, "sha256": digests}


def _digest(desk: Desk, row: StoredObject) -> str:
    if row.sealed_sha256 is None:
        raise ExportRefused("The record of this file was destroyed.")
    name = KeyName(Purpose(row.purpose), row.owner)
    return desk.keyring.open_digest(name, row.sealed_sha256, object_id=row.id).hex()

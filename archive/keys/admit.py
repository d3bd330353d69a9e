"""Lets brought-in files out of quarantine into their dataset, once the log says that two stewards approved them."""

import sqlalchemy as sa
from sqlalchemy import orm

from archive.keys.adopt import moved_to, write
from archive.keys.approved import Approved, check_again, read_approved
from archive.keys.ballots import ExportRefused, check_admissible
from archive.keys.desk import ACTOR, Desk
from archive.keys.purposes import KeyName, Purpose
from archive.store import Dataset
from strongroom.audit import Entry, Event, append
from strongroom.database import reading, transaction
from strongroom.doors import Message


def admit(desk: Desk, message: Message) -> Message:
    """Re-wrap reviewed files to the key of the dataset that was frozen with them; the bodies stay as they are.

    Safe to repeat when an answer was lost.
    """
    approved = read_approved(desk, message, may_pass=check_admissible)
    submitted = approved.submitted
    with reading(desk.engine) as session:
        dataset = _dataset(session, approved)
    key = desk.keyring.current(KeyName(Purpose.STORE, dataset.id))
    if key.public != submitted.recipient:
        raise ExportRefused("These files were approved for another dataset.")
    sealed = {row.id: row.sealed_sha256 for row in approved.rows}
    waiting = [one for one in approved.objects if one.facts.purpose == Purpose.QUARANTINE]
    moved = [moved_to(desk, key, one, sealed[one.facts.object]) for one in waiting]
    with transaction(desk.engine) as session:
        check_again(session, approved)
        write(session, moved)
        objects = sorted(one.facts.object for one in approved.objects)
        said = {"submitted": submitted.seq, "turn": submitted.turn, "dataset": dataset.id, "objects": objects}
        append(session, Entry(Event.INGRESS_ADMITTED, ACTOR, submitted.request, submitted.project, said))
    return {"dataset": dataset.id, "objects": objects}


def _dataset(session: orm.Session, approved: Approved) -> Dataset:
    facts = [one.facts for one in approved.objects]
    dataset = session.scalar(sa.select(Dataset).where(Dataset.ingress == facts[0].run))
    if dataset is None or dataset.deleted_at is not None or dataset.project != approved.submitted.project:
        raise ExportRefused("There is no dataset that these files were brought in for.")
    if any(one.purpose == Purpose.STORE and one.owner != dataset.id for one in facts):
        raise ExportRefused("A file stands in another dataset.")
    return dataset

"""Moves outputs of a complete run into a derived dataset: same body, new key, new signed row (the verb `adopt`)."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import orm

from archive import decisions
from archive.facts import Decision, ObjectFacts
from archive.keys.desk import ACTOR, Believed, Desk, sealed_header
from archive.keys.keyring import OpenKey
from archive.keys.orders import object_id
from archive.keys.purposes import KeyName, Purpose, Role
from archive.keys.rights import check_usable
from archive.keys.standing import dataset_facts, is_open, stored_objects
from archive.store import Dataset, StoredObject
from strongroom.audit import Entry, Event, append
from strongroom.database import reading, transaction
from strongroom.doors import Message
from strongroom.errors import BadRequest, NotAllowed, NotFound

MOST_OBJECTS = 10_000


class AdoptRefused(NotAllowed):
    """These objects cannot become this dataset."""


@dataclass(frozen=True)
class Moved:
    """An object as it will be."""

    facts: ObjectFacts
    header: bytes
    sealed_sha256: bytes
    signature: bytes


def adopt(desk: Desk, message: Message) -> Message:
    """Re-wrap the run's objects to the dataset's key; what is in the dataset already is left as it is."""
    if set(message) != {"verb", "run", "dataset", "objects"} or not isinstance(message["objects"], list):
        raise BadRequest("adopt: send the run, the dataset and the objects, and nothing else.")
    run, wanted = object_id(message["run"], "run"), {object_id(one, "objects") for one in message["objects"]}
    if not 0 < len(wanted) <= MOST_OBJECTS:
        raise BadRequest(f"objects: from 1 to {MOST_OBJECTS}.")
    with reading(desk.engine) as session:
        dataset, decision = _dataset(session, message["dataset"], run), _decision(session, run)
        rows = stored_objects(session, wanted)
        objects = [desk.believed(row) for row in rows]
        check_adoptable(dataset.id, decision, wanted=wanted, objects=[one.facts for one in objects])
        _check_standing(session, dataset, decision, objects)
    sealed = {row.id: row.sealed_sha256 for row in rows}
    key = desk.keyring.current(KeyName(Purpose.STORE, dataset.id))
    results = [one for one in objects if one.facts.purpose == Purpose.RUN]
    moved = [moved_to(desk, key, one, sealed[one.facts.object]) for one in results]
    with transaction(desk.engine) as session:
        write(session, moved)
        said = {"run": run, "objects": sorted(wanted), "ancestors": list(dataset.ancestors)}
        append(session, Entry(Event.DATASET_DERIVED, ACTOR, dataset.id, dataset.project, said))
    return {"adopted": len(moved)}


def check_adoptable(
    dataset: str, decision: Decision, *, wanted: Collection[str], objects: Collection[ObjectFacts]
) -> None:
    """Raise unless each object is an output of this complete run, or in the dataset by an earlier call (pure)."""
    if not decision.is_complete():
        raise AdoptRefused("Only the outputs of a complete run can become a dataset.")
    if {one.object for one in objects} != set(wanted):
        raise AdoptRefused("An output of this run is not there.")
    for one in objects:
        there = one.purpose == Purpose.STORE and one.owner == dataset
        made = one.purpose == Purpose.RUN and one.owner == decision.run and one.role == Role.OUTPUT
        if not (there or made) or one.run != decision.run or one.project != decision.project:
            raise AdoptRefused("Only outputs of this very run can become its dataset.")


def _dataset(session: orm.Session, name: object, run: str) -> Dataset:
    dataset = session.get(Dataset, name) if isinstance(name, str) else None
    if dataset is None or dataset.deleted_at is not None or dataset.derived_from_run != run:
        raise NotFound("There is no such dataset of this run.")
    return dataset


def _decision(session: orm.Session, run: str) -> Decision:
    found = decisions.decision_of(session, run)
    if found is None:
        raise NotFound("There is no such run.")
    return found


def _check_standing(session: orm.Session, dataset: Dataset, decision: Decision, objects: Sequence[Believed]) -> None:
    ancestors = {name for one in objects for name in one.facts.ancestors}
    # T21: no ancestor is lost on the way, and the dataset stays in the project that made it.
    if dataset.project != decision.project or not ancestors <= set(dataset.ancestors):
        raise AdoptRefused("The dataset does not name all that these outputs come from.")
    if not is_open(session, decision.project):
        raise AdoptRefused("The project has ended.")
    check_usable(ancestors, dataset_facts(session, ancestors, project=decision.project))


def moved_to(desk: Desk, key: OpenKey, one: Believed, sealed: bytes | None) -> Moved:
    """Return an object as it is once it belongs to `key`: the same body, a new header, a new signed row."""
    old = KeyName(Purpose(one.facts.purpose), one.facts.owner)
    if sealed is None:
        raise AdoptRefused("The record of an object was destroyed.")
    plain = desk.keyring.open_digest(old, sealed, object_id=one.facts.object)
    header = sealed_header(desk.data_key(one), key.public)
    facts = replace(
        one.facts,
        purpose=key.name.purpose.value,
        owner=key.name.owner,
        version=one.facts.version + 1,
        key_version=key.version,
        header_sha256=hashlib.sha256(header).hexdigest(),
        plaintext_hmac=desk.keyring.name_plaintext(key.name, plain),
    )
    resealed = desk.keyring.seal_digest(key.name, plain, object_id=facts.object)
    return Moved(facts, header, resealed, desk.seals.sign_object(facts))


def write(session: orm.Session, moved: Sequence[Moved]) -> None:
    """Write moved objects over their rows, unless one was moved in the meantime."""
    for one in moved:
        row = session.get_one(StoredObject, one.facts.object)
        if row.version + 1 != one.facts.version:
            raise AdoptRefused("An object was moved in the meantime; ask again.")
        for name in ("purpose", "owner", "version", "key_version", "header_sha256", "plaintext_hmac"):
            setattr(row, name, getattr(one.facts, name))
        row.header, row.sealed_sha256, row.signature = one.header, one.sealed_sha256, one.signature

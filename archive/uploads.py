"""Takes sealed bodies in: a body first, then the header that opens it, and forgets what is never named."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import orm

from archive import quarantine, rules
from archive.datasets import asked_of, asker_of, find
from archive.keys.purposes import Purpose
from archive.store import Dataset, StoredObject, Upload
from sandbox.crypt4gh import body_length_of
from strongroom.database import now, reading, transaction
from strongroom.doors import ask
from strongroom.errors import BadRequest, Conflict, NotFound, TooLarge
from strongroom.objects import open_store
from strongroom.queue import Context, job, sweep
from strongroom.settings import Settings

# T30: whoever brings files in is no custodian, and nothing of theirs was looked at yet.
MOST_BROUGHT = body_length_of(rules.MOST_BROUGHT)
MOST_OPEN = 16  # uploads of one person that nobody named yet
FORGET_AFTER = timedelta(days=1)
FORGET = "archive.forget_upload"
log = structlog.get_logger()


def check_may_upload(engine: sa.Engine, person: str, dataset: str) -> int | None:
    """Raise unless the person may add files to this dataset; return the most bytes of one, None for any number."""
    with reading(engine) as session:
        row = find(session, dataset)
        rules.check_may_fill(asker_of(session, person, row.project), asked_of(row))
        return MOST_BROUGHT if row.ingress is not None else None


def receive(
    engine: sa.Engine, settings: Settings, *, person: str, dataset: str, chunks: Iterator[bytes]
) -> dict[str, Any]:
    """Store a sealed body under a new id; what was received is told, so that the sender can compare."""
    identifier = uuid.uuid4().hex
    # The row comes first: a body whose upload breaks off is found and removed by the sweep.
    with transaction(engine) as session:
        _check_has_room(session, person, dataset)
        session.add(
            Upload(object=identifier, dataset=dataset, person=person, body_length=-1, body_sha256="", created=now())
        )
    try:
        length, sha256 = open_store(settings).put(identifier, chunks)
    except (BadRequest, TooLarge):  # it broke off, or is too long: the store has nothing of it
        with transaction(engine) as session:
            session.execute(sa.delete(Upload).where(Upload.object == identifier))
        raise
    with transaction(engine) as session:
        row = session.get_one(Upload, identifier)
        row.body_length, row.body_sha256 = length, sha256
    return {"object": identifier, "body_length": length, "body_sha256": sha256}


def register(
    engine: sa.Engine, settings: Settings, *, person: str, dataset: str, said: dict[str, Any]
) -> dict[str, Any]:
    """Have the broker sign an uploaded file, if the body that came is the body that was meant."""
    check_may_upload(engine, person, dataset)
    with reading(engine) as session:
        row = session.get(Upload, said["object"])
        if row is None or row.dataset != dataset or row.person != person or row.body_length < 0:
            raise NotFound("There is no such upload; send the body first.")
        if (row.body_length, row.body_sha256) != (said["body_length"], said["body_sha256"]):
            raise BadRequest("The body that came is not the one that was sent; upload it again.")
    message = {"verb": "register", "dataset": dataset, "person": person, **said}
    answer = ask(settings.sockets / "broker.sock", message)
    with transaction(engine) as session:
        session.execute(sa.delete(Upload).where(Upload.object == said["object"]))
    return {"dataset": dataset, "name": said["name"], "object": answer["object"]}


@sweep
def forgotten(context: Context) -> Iterator[tuple[str, str]]:
    """Find uploads that nobody named within a day."""
    with reading(context.engine) as session:
        old = session.scalars(sa.select(Upload.object).where(Upload.created < now() - FORGET_AFTER).limit(100)).all()
    yield from ((FORGET, identifier) for identifier in old)


@job(FORGET)
def forget(context: Context, identifier: str) -> None:
    """Remove the body of an upload that was never registered, then its row; a registered one loses its row only."""
    with reading(context.engine) as session:
        kept = session.get(StoredObject, identifier) is not None
    if not kept:
        open_store(context.settings).delete(identifier)
        log.info("upload.forgotten", object=identifier)
    with transaction(context.engine) as session:
        session.execute(sa.delete(Upload).where(Upload.object == identifier))


def _check_has_room(session: orm.Session, person: str, dataset: str) -> None:
    """Raise when what this person brings in would lie here without end; custodians may bring any number."""
    row = session.scalar(sa.select(Dataset).where(Dataset.id == dataset).with_for_update())
    if row is None or row.ingress is None:
        return
    # The files of custodians wait for nobody: a person who is both is held to what came by an ingress.
    brought = sa.select(Upload.object).join(Dataset, Dataset.id == Upload.dataset).where(Dataset.ingress.is_not(None))
    waiting = session.scalars(brought.where(Upload.person == person).limit(MOST_OPEN)).all()
    if len(waiting) >= MOST_OPEN:
        raise Conflict(
            f"{MOST_OPEN} uploads of yours were never made a file; finish or repeat them, or wait: "
            "each is forgotten a day after it came."
        )
    kept = sa.select(sa.func.count(StoredObject.id)).where(
        StoredObject.purpose == Purpose.QUARANTINE.value, StoredObject.owner == row.ingress
    )
    if int(session.scalar(kept) or 0) >= quarantine.MOST_FILES:
        raise Conflict(quarantine.FULL)

"""The door for tes: where a sealed body lies, and what a sandbox needs to read it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import orm

from archive.keys.standing import AT_ONCE, stored_objects
from archive.keys.trust import Trust, load_public
from archive.store import DatasetFile, StoredObject
from strongroom.database import plainly
from strongroom.objects import open_store
from strongroom.settings import Settings

# Made once: each task that left anything comes by here.
_LEFT = sa.select(StoredObject.id, StoredObject.attempt).where(
    StoredObject.id.in_(sa.bindparam("ids", expanding=True))
)


@dataclass(frozen=True)
class BodyFacts:
    """A sealed body: its place if it lies in a folder, its plaintext's size, and what proves it whole."""

    path: Path | None
    size: int
    segments: int
    body_length: int
    body_sha256: str
    created: datetime


def facts_of(session: orm.Session, objects: Sequence[str], settings: Settings) -> Mapping[str, BodyFacts]:
    """Return what is known of these objects; hints, for the broker refuses a row that is not as it was signed."""
    store = open_store(settings)
    return {
        row.id: BodyFacts(
            path=store.path(row.id),
            size=row.size,
            segments=row.segments,
            body_length=row.body_length,
            body_sha256=row.body_sha256,
            created=row.created,
        )
        for row in stored_objects(session, objects)
        if row.header is not None
    }


def attempts_of(session: orm.Session, objects: Sequence[str]) -> Mapping[str, str | None]:
    """Return which attempt left each of these objects, as far as the broker has signed any; None: it was uploaded."""
    found = dict[str, str | None]()
    for start in range(0, len(objects), AT_ONCE):
        some = plainly(session, _LEFT, {"ids": list(objects[start : start + AT_ONCE])})
        found.update((row.id, row.attempt) for row in some)
    return found


def names_in(session: orm.Session, dataset: str, *, below: str) -> Mapping[str, str]:
    """Return object by name of a dataset's files that are called `below` or lie below it; all for an empty name."""
    query = sa.select(DatasetFile.name, DatasetFile.object).where(DatasetFile.dataset == dataset)
    if below:
        inside = DatasetFile.name.startswith(f"{below}/", autoescape=True)
        query = query.where(sa.or_(DatasetFile.name == below, inside))
    return {name: one for name, one in session.execute(query.order_by(DatasetFile.name))}


def broker_public_key(settings: Settings) -> str:
    """Return the base64 key that grants are verified with: a file that root wrote, never the database (T11)."""
    key = load_public(settings.home / "trust" / "broker.pem")
    return base64.b64encode(key.public_bytes_raw()).decode()


def checks_image(settings: Settings) -> str:
    """Return the digest of the image that inspections run in."""
    return Trust(settings.home / "trust").checks_image()

"""Hands a released file out, counted and audited, and stops if its bytes are not the reviewed ones."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import orm

from airlock import stops
from airlock.links import Gone
from airlock.moves import append
from airlock.release import BytesChanged
from airlock.release_requests import RequestState
from airlock.store import Release, ReleasedFile, ReleaseRequest
from strongroom.audit import Entry, Event
from strongroom.database import now
from strongroom.errors import Conflict, NotFound
from strongroom.objects import ObjectStore

BY_LINK = "bearer of a signed link"


@dataclass(frozen=True)
class Download:
    """One file on its way out: a whole Crypt4GH file is its header, then its body."""

    name: str
    object: str
    header: bytes
    body_sha256: str
    body_length: int

    @property
    def length(self) -> int:
        """Bytes of the whole file."""
        return len(self.header) + self.body_length


def open_download(session: orm.Session, row: ReleaseRequest, file: str, *, actor: str) -> Download:
    """Count and write down a download, then return what to send."""
    stops.check_running(session)
    made = session.get(Release, row.id)
    if made is not None and (made.revoked is not None or row.state == RequestState.REVOKED.value):
        raise Gone("This release was called back by a data steward; ask them why.")
    if made is not None and (made.expires <= now() or row.state == RequestState.EXPIRED.value):
        raise Gone("This release has expired; ask for the files again with a new request.")
    if made is None or row.state != RequestState.RELEASED.value:
        raise Conflict("This request is not released.")
    found = session.get(ReleasedFile, (row.id, file))
    if found is None:
        raise NotFound("There is no such file in this release.")
    found.downloads, found.last_download = found.downloads + 1, now()
    facts = {"file": file, "object": found.object, "body_sha256": found.body_sha256, "count": found.downloads}
    append(session, Entry(Event.RELEASE_DOWNLOADED, actor, row.id, row.project, facts))
    return Download(
        name=f"{found.path.rsplit('/', 1)[-1]}.c4gh",
        object=found.object,
        header=found.header,
        body_sha256=found.body_sha256,
        body_length=found.body_length,
    )


def stream(store: ObjectStore, download: Download) -> Iterator[bytes]:
    """Yield the file; its last piece comes only when the whole body proved to be the reviewed one (O6)."""
    yield download.header
    seen, held = hashlib.sha256(), b""
    for piece in store.read(download.object):
        if held:
            yield held
        held = piece
        seen.update(piece)
    if seen.hexdigest() != download.body_sha256:
        raise BytesChanged("The stored bytes are not those that were reviewed; the download was stopped.")
    yield held

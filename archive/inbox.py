"""The door for releases of other sites: a ticket lets one file in, sealed already to its dataset's key."""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated

import sqlalchemy as sa
import structlog
from fastapi import APIRouter, Header, Query, Request
from sqlalchemy import orm
from starlette.concurrency import run_in_threadpool

from archive import streams, uploads
from archive.store import DatasetFile, InboxTicket, StoredObject
from sandbox.crypt4gh import Crypt4GHError, header_length, segments_of, size_of
from strongroom.bodies import expect
from strongroom.database import now, reading, transaction
from strongroom.doors import ask
from strongroom.errors import BadRequest, Conflict, NotFound, StrongroomError
from strongroom.settings import Settings

PATH = "/api/archive/v1/inbox"
LONGEST_HEADER = 4096
router = APIRouter(prefix=PATH)
log = structlog.get_logger()


@dataclass(frozen=True)
class Received:
    """A file that came: its object, and how many plain bytes it holds."""

    object: str
    size: int


def open_ticket(session: orm.Session, *, dataset: str, name: str, site: str, seconds: int) -> str:
    """Return the secret word of a ticket that lets `site` put one file, called `name`, into `dataset`."""
    word = secrets.token_urlsafe(32)
    session.add(
        InboxTicket(
            ticket_sha256=_digest(word),
            dataset=dataset,
            name=name,
            site=site,
            expires=now() + timedelta(seconds=seconds),
            object=None,
        )
    )
    return word


def close_ticket(session: orm.Session, word: str) -> None:
    """Let nothing in by this ticket any more; what came stays."""
    row = session.get(InboxTicket, _digest(word))
    if row is not None and row.object is None:
        row.expires = now()


def received(session: orm.Session, word: str) -> Received | None:
    """Return the file that a ticket let in, None before it came."""
    row = session.get(InboxTicket, _digest(word))
    stored = session.get(StoredObject, row.object) if row is not None and row.object is not None else None
    return Received(stored.id, stored.size) if stored is not None else None


@router.put("")
async def put_file(
    request: Request,
    ticket: Annotated[str, Query(max_length=100)] = "",
    strongroom_digest: Annotated[str, Header(max_length=4096)] = "",
) -> dict[str, str]:
    """Take one whole Crypt4GH file by its ticket; asked again with the same file it is taken once."""
    state = request.app.state
    row = await run_in_threadpool(_open, state.engine, ticket)
    most = state.settings.federation.inbox_bytes
    expect(request, most=most, sentence="This file is larger than what is taken here.")
    whole = partial(take, state.engine, state.settings, row, digest=strongroom_digest)
    await streams.taken(request, lambda chunks: whole(chunks=chunks))
    return {}


def take(engine: sa.Engine, settings: Settings, row: InboxTicket, *, chunks: Iterator[bytes], digest: str) -> None:
    """Store the body, have the broker sign its row, and spend the ticket; anything unexpected is refused."""
    if row.object is not None:
        for _ in chunks:
            pass  # the same file again, because our answer was lost
        return
    header, body = split(chunks)
    actor = f"site:{row.site}"
    came = uploads.receive(engine, settings, person=actor, dataset=row.dataset, chunks=body)
    try:
        size = size_of(came["body_length"])
    except Crypt4GHError as error:
        raise BadRequest("The body is not a whole Crypt4GH body.") from error
    said = {
        **came,
        "name": row.name,
        "persons": [],
        "header": base64.b64encode(header).decode(),
        "digest": digest,
        "size": size,
        "segments": segments_of(size),
    }
    message = {"verb": "register", "dataset": row.dataset, "person": actor, **said}
    try:
        ask(settings.sockets / "broker.sock", message)
    except StrongroomError as error:
        if error.status != Conflict.status:
            raise
        # Registered before, and then we died: the name is taken by this very file.
        log.info("inbox.repeated", ticket=row.ticket_sha256, detail=error.sentence)
    with transaction(engine) as session:
        file = session.get(DatasetFile, (row.dataset, row.name))
        if file is None:
            raise Conflict("This file was taken before under another name.")
        session.get_one(InboxTicket, row.ticket_sha256).object = file.object


def split(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the Crypt4GH header (one packet, no edit list: the broker looks) and the body that follows it."""
    start = b""
    for chunk in chunks:
        start += chunk
        if len(start) >= LONGEST_HEADER:
            break
    try:
        length = header_length(start)
    except Crypt4GHError as error:
        raise BadRequest("The file is not a Crypt4GH file with one packet.") from error

    def body() -> Iterator[bytes]:
        yield start[length:]
        yield from chunks

    return start[:length], body()


def _open(engine: sa.Engine, word: str) -> InboxTicket:
    with reading(engine) as session:
        row = session.get(InboxTicket, _digest(word))
        if row is None:
            raise NotFound("There is nothing here.")
        if row.object is None and row.expires <= now():
            raise Conflict("This ticket has expired.")
        return row


def _digest(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()

"""Reads the files that a run's engine may see: marked by their owner, signed by vetters, and never laid on a disk."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from sandbox.crypt4gh import Crypt4GHError, Reader, body_length_of, new_private_key, open_header, public_key_of
from sandbox.telling import Telling, lines_of
from strongroom.audit import Entry, Event, append
from strongroom.database import reading, transaction
from strongroom.doors import ask
from strongroom.errors import StrongroomError
from strongroom.objects import open_store
from strongroom.queue import Context
from strongroom.settings import Settings
from wes.engines import Seen
from wes.glimpses import Clear
from wes.settlement import follows_data
from wes.store import RunFile, find

ACTOR = "wes.supervisor"


class ClearRefused(StrongroomError):
    """A file that the workflow's engine reads may not be read, or is not what vetters signed."""


def seen(context: Context, run: str, granted: Sequence[Clear]) -> tuple[Seen, ...]:
    """Return the content of a run's clear files for one launch of its engine; each reading is written down.

    From here on the run counts as data-dependent (T17). Raises `ClearRefused`.
    """
    with reading(context.engine) as session:
        query = sa.select(RunFile).where(RunFile.run == run, RunFile.rule.is_(None))
        files = {row.path: row for row in session.scalars(query)}
    found = tuple(_seen(context, run, one, files[one.path]) for one in granted if one.path in files)
    if found:
        _write_down(context, run, found)
    return found


def _seen(context: Context, run: str, one: Clear, row: RunFile) -> Seen:
    try:
        content = opened(context.settings, run=run, identifier=str(row.object))
    except StrongroomError as error:
        if error.status >= 500:
            raise  # the broker is away: the run waits for it
        raise ClearRefused(f"A clear file of this run may not be read: {error.sentence}", detail=one.path) from error
    if lines_of(content, Telling(one.characters, one.longest, one.most)) is None:
        with transaction(context.engine) as session:
            append(session, _entry(session, run, Event.RUN_GLIMPSE_REFUSED, {"file": one.path}))
        raise ClearRefused(
            "A clear file of this run holds other than the lines that vetters signed.", detail=one.path
        )
    return Seen(one.path, row.mtime_ns, content)


def opened(settings: Settings, *, run: str, identifier: str) -> bytes:
    """Return the plaintext of a clear file, whole and as its broker signed it."""
    secret = new_private_key()
    public = base64.b64encode(public_key_of(secret)).decode()
    words = {"verb": "clear", "run": run, "object": identifier, "public_key": public}
    told = ask(settings.sockets / "broker.sock", words)
    body = _body(settings, identifier, told)
    try:
        return _plain(body, open_header(base64.b64decode(told["header"]), secret), size=told["size"])
    except Crypt4GHError as error:
        raise ClearRefused("its body is not what its owner sent.", detail=str(error)) from error


def _body(settings: Settings, identifier: str, told: Mapping[str, Any]) -> bytes:
    found, length = bytearray(), told["body_length"]
    for piece in open_store(settings).read(identifier):
        found += piece
        if len(found) > length:
            break
    if len(found) != length or hashlib.sha256(found).hexdigest() != told["body_sha256"]:
        raise ClearRefused("its body is not what its owner sent.", detail=identifier)
    return bytes(found)


def _plain(body: bytes, data_key: bytes, *, size: int) -> bytes:
    target = bytearray(size)
    done = Reader(data_key, size).decrypt(memoryview(body)[: body_length_of(size)], memoryview(target))
    if done != size:
        raise Crypt4GHError("The body is cut off.")
    return bytes(target)


def _write_down(context: Context, run: str, found: Sequence[Seen]) -> None:
    with transaction(context.engine) as session:
        for one in found:
            facts = {"file": one.path, "bytes": len(one.content), "lines": one.content.count(b"\n")}
            append(session, _entry(session, run, Event.RUN_CLEAR_READ, facts))
        follows_data(session, run, {"files": [one.path for one in found]})


def _entry(session: orm.Session, run_id: str, event: Event, facts: dict[str, Any]) -> Entry:
    run = find(session, run_id)
    return Entry(event, ACTOR, run_id, run.project if run is not None else None, facts)

"""Registers researchers' public keys, each proved by opening a nonce that was sealed to it (decision 23)."""

import base64
import hashlib
import hmac
import io
import secrets
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy import orm

from access.store import KeyChallenge, ResearcherKey
from sandbox.crypt4gh import Crypt4GHError, seal_stream
from strongroom.audit import Entry, Event, append
from strongroom.database import now
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.notices import Kind, note

CHALLENGE_LIFE = timedelta(minutes=10)
NONCE_BYTES = 32


def fingerprint_of(public_key: bytes) -> str:
    """Return the name of a key: the SHA-256 (hex) of its 32 raw bytes."""
    return hashlib.sha256(public_key).hexdigest()


def new_challenge(person: str, *, public_key: str) -> tuple[KeyChallenge, bytes]:
    """Return a fresh challenge for a base64 X25519 key, with the Crypt4GH message that only its owner can open."""
    raw = _decoded(public_key, length=32, what="An X25519 public key is 32 bytes in base64.")
    nonce = secrets.token_bytes(NONCE_BYTES)
    message = _sealed(nonce, raw)
    row = KeyChallenge(
        person=person,
        fingerprint=fingerprint_of(raw),
        public_key=base64.b64encode(raw).decode(),
        nonce_sha256=hashlib.sha256(nonce).hexdigest(),
        expires=now() + CHALLENGE_LIFE,
    )
    return row, message


def remember(session: orm.Session, waiting: KeyChallenge) -> None:
    """Keep a challenge until it is answered or expires; a later one for the same key takes its place."""
    session.execute(sa.delete(KeyChallenge).where(KeyChallenge.expires <= now()))
    session.merge(waiting)


def prove(session: orm.Session, person: str, *, fingerprint: str, nonce: str) -> ResearcherKey:
    """Register the challenged key if `nonce` (base64) is what was sealed to it; a key belongs to one person."""
    waiting = session.get(KeyChallenge, (person, fingerprint))
    if waiting is None or waiting.expires <= now():
        raise NotFound("There is no open challenge for this key; begin again with `strongroom key add`.")
    raw = _decoded(nonce, length=NONCE_BYTES, what="The proof is the base64 of the 32 bytes inside the challenge.")
    if not hmac.compare_digest(hashlib.sha256(raw).hexdigest(), waiting.nonce_sha256):
        raise BadRequest("This is not what the challenge holds; open it with the secret key of this public key.")
    session.delete(waiting)
    known = session.get(ResearcherKey, fingerprint)
    if known is not None:
        if known.person != person or known.revoked_at is not None:
            raise Conflict("This key cannot be used here any more; make another one with `strongroom key new`.")
        return known
    row = ResearcherKey(
        fingerprint=fingerprint, person=person, public_key=waiting.public_key, proved_at=now(), revoked_at=None
    )
    session.add(row)
    note(session, Kind.KEY_REGISTERED, about=fingerprint, people=[person])
    append(session, Entry(Event.KEY_REGISTERED, person, fingerprint, None, {"public_key": waiting.public_key}))
    return row


def keys_of(session: orm.Session, person: str) -> list[ResearcherKey]:
    """Return the keys that a person has proved, oldest first."""
    return list(
        session.scalars(
            sa.select(ResearcherKey).where(ResearcherKey.person == person).order_by(ResearcherKey.proved_at)
        )
    )


def names_in_force(session: orm.Session, person: str, *, wait: timedelta = timedelta(0)) -> list[str]:
    """Return the fingerprints of a person's keys that can be used now, newest first."""
    usable = [row for row in keys_of(session, person) if row.revoked_at is None and now() >= row.proved_at + wait]
    return [row.fingerprint for row in reversed(usable)]


def public_key_of(
    session: orm.Session, person: str, fingerprint: str, *, wait: timedelta = timedelta(0)
) -> str | None:
    """Return the base64 public key of this fingerprint if it is this person's, proved and in force.

    A key that is younger than `wait` cannot be used yet: who stole a token does not get at results with it (T20).
    """
    row = session.get(ResearcherKey, fingerprint)
    if row is None or row.person != person or row.revoked_at is not None:
        return None
    if now() < row.proved_at + wait:
        usable = (row.proved_at + wait).replace(microsecond=0).isoformat()
        raise Conflict(f"This key is new and can be used from {usable} on; if it is not yours, tell an operator.")
    return row.public_key


def _sealed(nonce: bytes, recipient: bytes) -> bytes:
    body = io.BytesIO()
    try:
        sealed = seal_stream(io.BytesIO(nonce).readinto, body.write, recipient)
    except Crypt4GHError as error:
        raise BadRequest("Nothing can be sealed to this public key; make another one.") from error
    return sealed.header + body.getvalue()


def _decoded(value: str, *, length: int, what: str) -> bytes:
    try:
        raw = base64.b64decode(value, validate=True)
    except ValueError as error:
        raise BadRequest(what) from error
    if len(raw) != length:
        raise BadRequest(what)
    return raw

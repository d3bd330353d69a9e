"""Signs and verifies statements in the DSSE envelope (github.com/secure-systems-lab/dsse, v1) with Ed25519."""

import base64
import contextlib
import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from strongroom.canonical import canonical
from strongroom.errors import NotAllowed

Envelope = dict[str, Any]
_REMEMBERED = 1 << 16  # bytes of a statement whose signatures are verified once


class BadEnvelope(NotAllowed):
    """The envelope is malformed, of another kind, or not signed by a key that we trust."""


def key_id(public: Ed25519PublicKey) -> str:
    """Return the name of a verifier key: the first 32 hex digits of the SHA-256 of its 32 raw bytes."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:32]


def pre_authentication(kind: str, payload: bytes) -> bytes:
    """Return the bytes that are signed: DSSE's PAE(type, payload)."""
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def sign(kind: str, facts: Any, *keys: Ed25519PrivateKey) -> Envelope:
    """Return an envelope over the canonical bytes of `facts`, signed by each of `keys`."""
    payload = canonical(facts)
    message = pre_authentication(kind, payload)
    return {
        "payloadType": kind,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [
            {"keyid": key_id(key.public_key()), "sig": base64.b64encode(key.sign(message)).decode()} for key in keys
        ],
    }


def signers(envelope: Envelope, kind: str, trusted: Mapping[str, Ed25519PublicKey]) -> frozenset[str]:
    """Return the ids of the trusted keys whose signature over `envelope` is good; others are ignored."""
    if envelope.get("payloadType") != kind:
        raise BadEnvelope("This statement is of another kind than the one asked for.")
    message = pre_authentication(kind, _payload(envelope))
    is_good = _is_good if len(message) <= _REMEMBERED else _is_good.__wrapped__
    good = set()
    for name, signature in _signatures(envelope):
        public = trusted.get(name)
        if public is not None and is_good(public.public_bytes_raw(), signature, message):
            good.add(key_id(public))
    return frozenset(good)


def verify(envelope: Envelope, kind: str, trusted: Mapping[str, Ed25519PublicKey]) -> Any:
    """Return the facts inside `envelope` if at least one trusted key signed them; raise `BadEnvelope` otherwise."""
    if not signers(envelope, kind, trusted):
        raise BadEnvelope("This statement carries no signature of a key that is trusted here.")
    return facts_in(envelope)


def facts_in(envelope: Envelope) -> Any:
    """Return the facts inside `envelope` without asking who signed them; for display and for `verify` only."""
    try:
        return json.loads(_payload(envelope))
    except ValueError as error:
        raise BadEnvelope("This statement cannot be read.") from error


@functools.lru_cache(maxsize=256)  # the same bytes say the same, and every submission asks of the same few
def _is_good(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _payload(envelope: Envelope) -> bytes:
    try:
        return _decoded(envelope["payload"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadEnvelope("This statement cannot be read.") from error


def _signatures(envelope: Envelope) -> Iterator[tuple[str, bytes]]:
    found = envelope.get("signatures")
    for signature in found if isinstance(found, list) else ():
        match signature:
            case {"keyid": str(name), "sig": str(encoded)}:
                with contextlib.suppress(ValueError):
                    yield name, _decoded(encoded)


def _decoded(text: str) -> bytes:
    """Return the bytes of base64; the spare bits of its last letter must be zero, so that one text says one thing."""
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError
    return raw

"""Decides whether an answer of the key broker is the grant that this attempt asked for."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PAYLOAD_TYPE = "application/vnd.strongroom.grant+json"


class GrantError(Exception):
    """This is not our grant; the sentence is safe to show."""


@dataclass(frozen=True)
class Grant:
    """Headers for our one-time key, by object, and whom outputs are sealed to (T11: from nowhere else)."""

    recipient: bytes
    headers: Mapping[str, bytes]


@dataclass(frozen=True)
class Claim:
    """What an attempt says of itself: the grant must repeat it word for word (T22)."""

    attempt: str
    public_key: bytes
    signing_key: bytes  # Ed25519: what it registers and reports counts only if signed with it
    spec_sha256: str

    def facts(self) -> dict[str, str]:
        """Return the claim as it travels."""
        return {
            "attempt": self.attempt,
            "public_key": base64.b64encode(self.public_key).decode(),
            "signing_key": base64.b64encode(self.signing_key).decode(),
            "spec_sha256": self.spec_sha256,
        }


def open_grant(envelope: object, public_key: bytes, *, claim: Claim, now: float) -> Grant:
    """Verify a DSSE envelope with the broker's Ed25519 key and return the grant, or raise `GrantError`."""
    try:
        payload = _verified(envelope, public_key)
        given = json.loads(payload)
        grant = Grant(
            recipient=_base64(given["recipient"]),
            headers={name: _base64(header) for name, header in given["headers"].items()},
        )
        claimed = {name: given[name] for name in claim.facts()}
        expires = float(given["expires"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, binascii.Error) as error:
        raise GrantError("The key broker's answer is not a grant.") from error
    if claimed != claim.facts():
        raise GrantError("The key broker's grant is for another attempt.")
    if expires < now:
        raise GrantError("The key broker's grant has expired.")
    if len(grant.recipient) != 32:
        raise GrantError("The key broker's grant names no recipient.")
    return grant


def _verified(envelope: Any, public_key: bytes) -> bytes:
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise GrantError("The key broker's answer is not a grant.")
    payload = _base64(envelope["payload"])
    signed = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
    key = Ed25519PublicKey.from_public_bytes(public_key)
    for signature in envelope["signatures"]:
        try:
            key.verify(_base64(signature["sig"]), signed)
        except InvalidSignature:
            continue
        return payload
    raise GrantError("The key broker's grant is not signed by the key broker.")


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)

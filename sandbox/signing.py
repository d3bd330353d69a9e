"""Signs what an attempt says with a key that it made for itself, so that only its own words count (T22)."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_SEAL = b"strongroom attempt\0"  # nothing else of ours is signed behind these words
FIELD = "signature"


class NotSigned(ValueError):
    """These words are not the attempt's own."""


class AttemptKey:
    """An Ed25519 key that lives as long as its attempt, in memory alone; `secret` is one that was handed over."""

    def __init__(self, secret: bytes | None = None) -> None:
        self._key = Ed25519PrivateKey.generate() if secret is None else Ed25519PrivateKey.from_private_bytes(secret)

    @property
    def secret(self) -> bytes:
        """The private half: 32 bytes, for whoever ends the attempt when it is not who began it."""
        return self._key.private_bytes_raw()

    @property
    def public_key(self) -> bytes:
        """The public half: 32 bytes, part of the claim."""
        return self._key.public_key().public_bytes_raw()

    def signed(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return the message with its signature."""
        return {**message, FIELD: base64.b64encode(self._key.sign(_bytes(message))).decode()}


def check_signed(message: Mapping[str, Any], public_key: bytes) -> dict[str, Any]:
    """Return the message without its signature if the holder of `public_key` signed it; raises `NotSigned`."""
    plain = dict(message)
    try:
        signature = base64.b64decode(plain.pop(FIELD), validate=True)
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, _bytes(plain))
    except (KeyError, TypeError, ValueError, RecursionError, binascii.Error, InvalidSignature) as error:
        raise NotSigned("The attempt did not sign this.") from error
    return plain


def _bytes(message: Mapping[str, Any]) -> bytes:
    # One spelling for each message; whoever signs and whoever verifies runs this very code.
    return _SEAL + json.dumps(message, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

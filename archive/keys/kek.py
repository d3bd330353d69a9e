"""Holds the key that seals all other keys: 32 bytes in a file that the broker alone can read."""

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.errors import Unavailable

SIZE = 32
NONCE = 12


class KekRefused(Unavailable):
    """The key file is missing, too short, or readable by others than the broker."""


class SealBroken(Unavailable):
    """What was sealed cannot be opened: another key, another context, or changed bytes."""


class Kek:
    """Seals small secrets with AES-256-GCM, each bound to its context."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SIZE:
            raise KekRefused("The broker's key file does not hold 32 bytes; restore it from its backup.")
        self._secret = secret
        self._cipher = AESGCM(secret)

    def seal(self, secret: bytes, context: bytes) -> bytes:
        """Return `secret` sealed and bound to `context`: 12 bytes of nonce, then ciphertext and tag."""
        nonce = secrets.token_bytes(NONCE)
        return nonce + self._cipher.encrypt(nonce, secret, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return what was sealed for this very `context`."""
        try:
            return self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], context)
        except (InvalidTag, ValueError) as error:
            raise SealBroken(
                "A key cannot be opened; the operator's log says which.", detail=repr(context)
            ) from error

    def derived(self, purpose: bytes) -> bytes:
        """Return 32 bytes that serve one purpose and tell nothing of the KEK."""
        return HKDF(hashes.SHA256(), SIZE, salt=None, info=b"strongroom " + purpose).derive(self._secret)


def make_kek(path: Path) -> None:
    """Write a new KEK, 0600, unless there is one; an existing one is never replaced, or all data would be lost."""
    if path.exists():
        return
    with open(path, "xb", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
        file.write(secrets.token_bytes(SIZE))
        file.flush()
        os.fsync(file.fileno())


def load_kek(path: Path) -> Kek:
    """Return the KEK in `path`; refuse one that anybody but this process's user could read."""
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            secret = file.read(SIZE + 1)
    except OSError as error:
        raise KekRefused("The broker's key file cannot be read; was this home made by `strongroom serve`?") from error
    if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.geteuid():
        raise KekRefused("The broker's key file must belong to the broker and have mode 0600.")
    return Kek(secret)


def mark(key: bytes, secret: bytes) -> str:
    """Return a keyed name of `secret` (hex) from which nothing about it can be told."""
    return hmac.new(key, secret, hashlib.sha256).hexdigest()

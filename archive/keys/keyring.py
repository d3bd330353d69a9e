"""Makes, opens and destroys the sealed keys of datasets, runs and projects."""

import base64
import hashlib
import secrets
import threading
from dataclasses import dataclass

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import orm

from archive.keys.kek import Kek, mark
from archive.keys.purposes import KeyName, Purpose, seal_context
from archive.store import Key
from sandbox.crypt4gh import public_key_of
from strongroom.database import now, reading, transaction
from strongroom.errors import NotAllowed


class KeyGone(NotAllowed):
    """The key was destroyed, or never was: nothing that it sealed can be opened."""

    def __init__(self) -> None:
        super().__init__("The key of this data was destroyed; nothing can be opened with it any more.")


@dataclass(frozen=True)
class OpenKey:
    """A key that was opened; it lives in the broker's memory only, and its public half is derived from it (T11)."""

    name: KeyName
    version: int
    secret: bytes
    public: bytes


class Keyring:
    """Opened keys, kept by name and version; the only code that sees the database's sealed ones."""

    def __init__(self, engine: sa.Engine, kek: Kek) -> None:
        self._engine = engine
        self._kek = kek
        self._marks = kek.derived(b"marks of data keys")
        self._members = kek.derived(b"members of cohorts")
        self._lock = threading.RLock()
        self._open: dict[tuple[KeyName, int], OpenKey] = {}
        self._current: dict[KeyName, int] = {}

    def current(self, name: KeyName) -> OpenKey:
        """Return the newest version of a key, made on its first use."""
        with self._lock:
            version = self._current.get(name)
            if version is None:
                version = self._find_or_make(name)
                self._current[name] = version
            return self.opened(name, version)

    def opened(self, name: KeyName, version: int) -> OpenKey:
        """Return one version of a key; raise `KeyGone` if it was destroyed or never made."""
        with self._lock:
            found = self._open.get((name, version))
            if found is not None:
                return found
            with reading(self._engine) as session:
                sealed = session.scalar(
                    sa.select(Key.sealed).where(
                        Key.purpose == name.purpose.value, Key.owner == name.owner, Key.version == version
                    )
                )
            if sealed is None:
                raise KeyGone
            secret = self._kek.open(sealed, seal_context(name, version))
            opened = OpenKey(name, version, secret, public_key_of(secret))
            self._open[name, version] = opened
            return opened

    def name_plaintext(self, name: KeyName, sha256: bytes) -> str:
        """Return the keyed name of a plaintext digest under its owner's HMAC key (T8)."""
        return mark(self.current(name.beside()).secret, sha256)

    def seal_digest(self, name: KeyName, sha256: bytes, *, object_id: str) -> bytes:
        """Seal a plaintext digest for the day of its release; it dies with its owner's keys."""
        nonce = secrets.token_bytes(12)
        return nonce + self._digest_cipher(name).encrypt(nonce, sha256, object_id.encode())

    def open_digest(self, name: KeyName, sealed: bytes, *, object_id: str) -> bytes:
        """Return a plaintext digest that `seal_digest` sealed for this object."""
        return self._digest_cipher(name).decrypt(sealed[:12], sealed[12:], object_id.encode())

    def data_key_mark(self, data_key: bytes) -> str:
        """Return the keyed mark of a data key (T12)."""
        return mark(self._marks, data_key)

    def pseudonym(self, person: str) -> str:
        """Return a person's name among members of cohorts, the same in all projects: 16 hexadecimal digits (T7)."""
        return mark(self._members, person.encode())[:16]

    def destroy(self, session: orm.Session, name: KeyName) -> int:
        """Overwrite all versions of a key and of its HMAC key; `forget` follows the commit."""
        destroyed = 0
        for doomed in (name, name.beside()):
            for row in session.scalars(
                sa.select(Key).where(Key.purpose == doomed.purpose.value, Key.owner == doomed.owner)
            ):
                destroyed += row.sealed is not None
                row.sealed = None
                row.destroyed_at = row.destroyed_at or now()
        return destroyed

    def forget(self, name: KeyName) -> None:
        """Drop what is open of a key; apart from `destroy`, because a lock is never taken inside a transaction."""
        with self._lock:
            for doomed in (name, name.beside()):
                self._current.pop(doomed, None)
                for known in [k for k in self._open if k[0] == doomed]:
                    del self._open[known]

    def _digest_cipher(self, name: KeyName) -> AESGCM:
        secret = self.current(name.beside()).secret
        return AESGCM(hashlib.sha256(b"strongroom digests" + secret).digest())

    def _find_or_make(self, name: KeyName) -> int:
        secret = secrets.token_bytes(32)
        sealed = self._kek.seal(secret, seal_context(name, 1))
        public = None
        if name.purpose is not Purpose.HMAC:
            public = base64.b64encode(public_key_of(secret)).decode()
        with transaction(self._engine) as session:
            newest = session.scalar(
                sa.select(Key)
                .where(Key.purpose == name.purpose.value, Key.owner == name.owner)
                .order_by(Key.version.desc())
                .limit(1)
            )
            if newest is not None:
                if newest.sealed is None:
                    raise KeyGone
                return newest.version
            session.add(
                Key(
                    purpose=name.purpose.value,
                    owner=name.owner,
                    version=1,
                    public=public,
                    sealed=sealed,
                    created=now(),
                    destroyed_at=None,
                )
            )
        return 1

"""Signs the broker's own facts and believes no row of the database without that signature (T11)."""

import hashlib
import threading
from collections import OrderedDict
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archive.facts import GrantFacts, ObjectFacts
from strongroom.canonical import canonical
from strongroom.dsse import Envelope, pre_authentication, sign
from strongroom.errors import NotAllowed

OBJECT_TYPE = "application/vnd.strongroom.object+json"
GRANT_ROW_TYPE = "application/vnd.strongroom.grant-row+json"
GRANT_TYPE = "application/vnd.strongroom.grant+json"
SIGNATURE = 64
MOST_REMEMBERED = 200_000


class RowForged(NotAllowed):
    """A row of the database is not what the broker signed."""

    def __init__(self, *, detail: str) -> None:
        super().__init__(
            "A record of this data does not carry the broker's signature; tell the operator.", detail=detail
        )


class Seals:
    """The broker's signing key, with a memory of the signatures that were found good."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public = key.public_key()
        self._lock = threading.Lock()
        self._good: OrderedDict[bytes, None] = OrderedDict()

    def sign_object(self, facts: ObjectFacts) -> bytes:
        """Return the signature over what an object's row says."""
        return self._sign(OBJECT_TYPE, facts.statement())

    def check_object(self, facts: ObjectFacts, *, signature: bytes, header: bytes | None) -> bytes:
        """Return the header of an object whose row is exactly what was signed; raise `RowForged` otherwise."""
        self._check(OBJECT_TYPE, facts.statement(), signature, what=facts.object)
        if header is None or hashlib.sha256(header).hexdigest() != facts.header_sha256:
            raise RowForged(detail=f"{facts.object}: another header")
        return header

    def sign_grant(self, facts: GrantFacts) -> bytes:
        """Return the signature over what a grant's row says."""
        return self._sign(GRANT_ROW_TYPE, facts.statement())

    def check_grant(self, facts: GrantFacts, signature: bytes) -> None:
        """Raise `RowForged` unless a grant's row is exactly what was signed."""
        self._check(GRANT_ROW_TYPE, facts.statement(), signature, what=facts.attempt)

    def envelope(self, facts: dict[str, Any]) -> Envelope:
        """Return the signed answer to a grant."""
        return sign(GRANT_TYPE, facts, self._key)

    def _sign(self, kind: str, statement: dict[str, Any]) -> bytes:
        return self._key.sign(pre_authentication(kind, canonical(statement)))

    def _check(self, kind: str, statement: dict[str, Any], signature: bytes, *, what: str) -> None:
        if len(signature) != SIGNATURE:
            raise RowForged(detail=what)
        message = pre_authentication(kind, canonical(statement))
        digest = hashlib.sha256(signature + message).digest()
        with self._lock:
            if digest in self._good:
                self._good.move_to_end(digest)
                return
        try:
            self._public.verify(signature, message)
        except InvalidSignature as error:
            raise RowForged(detail=what) from error
        with self._lock:
            self._good[digest] = None
            if len(self._good) > MOST_REMEMBERED:
                self._good.popitem(last=False)

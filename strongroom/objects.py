"""The contract of an object store: immutable, create-only bodies under opaque ids."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, assert_never

from strongroom.errors import BadRequest
from strongroom.settings import Settings

_ID = re.compile(r"[0-9a-f]{32}")
GONE = "There is no such object."
THERE = "An object of this id exists; objects never change."


class ObjectStore(Protocol):
    """Keeps header-less Crypt4GH bodies; ids are 32 hex digits, and any other is a `BadRequest`."""

    def put(self, object_id: str, chunks: Iterator[bytes]) -> tuple[int, str]:
        """Store a new body; return its length in bytes and SHA-256 (hex); an id that exists raises `Conflict`."""

    def read(self, object_id: str, *, start: int = 0, chunk: int = 1 << 20) -> Iterator[bytes]:
        """Yield the body from byte `start` on; an unknown id raises `NotFound`."""

    def delete(self, object_id: str) -> None:
        """Forget a body; an unknown id is no error."""

    def path(self, object_id: str) -> Path | None:
        """Return where a local sandbox can open the body; None where bodies lie in no folder."""

    def url_to_read(self, object_id: str) -> str | None:
        """Return a short-lived URL that reads this one body, whole or in ranges; None where there is none."""

    def url_to_put(self, object_id: str, length: int) -> str | None:
        """Return a short-lived URL that takes this one body, of just this length, once; None where there is none.

        It is sent with `If-None-Match: *`, which is part of what was signed.
        """


def open_store(settings: Settings) -> ObjectStore:
    """Return the store that the bodies lie in."""
    match settings.objects.store:
        case "folder":
            from strongroom.object_stores.folder import Folder

            return Folder(settings.home / "objects")
        case "s3":
            from strongroom.object_stores.s3 import open_bucket

            return open_bucket(settings.objects.s3)
        case _:
            assert_never(settings.objects.store)


def checked_id(object_id: str) -> str:
    """Return an id that is one; raise `BadRequest` for any other."""
    if not _ID.fullmatch(object_id):
        raise BadRequest("An object id is 32 hexadecimal digits.")
    return object_id

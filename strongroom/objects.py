"""The contract of an object store: immutable, create-only bodies under opaque ids."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class ObjectStore(Protocol):
    """Keeps header-less Crypt4GH bodies; ids are 32 hex digits."""

    def put(self, object_id: str, chunks: Iterator[bytes]) -> tuple[int, str]:
        """Store a new body; return its length in bytes and SHA-256 (hex); an id that exists raises `Conflict`."""

    def read(self, object_id: str, *, start: int = 0, chunk: int = 1 << 20) -> Iterator[bytes]:
        """Yield the body from byte `start` on; an unknown id raises `NotFound`."""

    def delete(self, object_id: str) -> None:
        """Forget a body; an unknown id is no error."""

    def path(self, object_id: str) -> Path:
        """Return where a local sandbox can open the body."""

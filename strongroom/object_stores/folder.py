"""Keeps bodies in a folder of this host."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from strongroom.errors import Conflict, NotFound
from strongroom.objects import GONE, THERE, checked_id


class Folder:
    """An `ObjectStore` below `root`: root/ab/abcdef…"""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, object_id: str) -> Path:
        """Return where the body is, or would be."""
        return self.root / checked_id(object_id)[:2] / object_id

    def put(self, object_id: str, chunks: Iterator[bytes]) -> tuple[int, str]:
        """Write to a new name, sync, then link: a body appears whole or not at all, and never twice."""
        target = self.path(object_id)
        target.parent.mkdir(mode=0o2770, parents=True, exist_ok=True)
        fresh = target.with_name(f".{object_id}.{secrets.token_hex(4)}")
        length, seen = 0, hashlib.sha256()
        try:
            with open(fresh, "xb", opener=lambda p, flags: os.open(p, flags, 0o440)) as body:
                for chunk in chunks:
                    body.write(chunk)
                    seen.update(chunk)
                    length += len(chunk)
                body.flush()
                os.fsync(body.fileno())
            os.link(fresh, target)
        except FileExistsError as error:
            raise Conflict(THERE) from error
        finally:
            fresh.unlink(missing_ok=True)
        return length, seen.hexdigest()

    def read(self, object_id: str, *, start: int = 0, chunk: int = 1 << 20) -> Iterator[bytes]:
        """Yield the body in chunks."""
        try:
            body = open(self.path(object_id), "rb")  # noqa: SIM115
        except FileNotFoundError as error:
            raise NotFound(GONE) from error
        with body:
            body.seek(start)
            while piece := body.read(chunk):
                yield piece

    def delete(self, object_id: str) -> None:
        """Remove the body if it is there."""
        self.path(object_id).unlink(missing_ok=True)

    def url_to_read(self, object_id: str) -> str | None:
        """Return None: a folder has no URLs."""
        checked_id(object_id)
        return None

    def url_to_put(self, object_id: str, length: int) -> str | None:  # noqa: ARG002
        """Return None: a folder has no URLs."""
        checked_id(object_id)
        return None

"""Keeps bodies in a folder of this host, through no link: services own it, and root comes by too."""

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from strongroom.errors import Conflict, NotFound
from strongroom.objects import GONE, THERE, checked_id

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_BODY = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO)


class Folder:
    """An `ObjectStore` below `root`: root/ab/abcdef…"""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, object_id: str) -> Path:
        """Return where the body is, or would be."""
        return self.root / checked_id(object_id)[:2] / object_id

    def put(self, object_id: str, chunks: Iterator[bytes]) -> tuple[int, str]:
        """Write to a new name, sync, then link: a body appears whole or not at all, and never twice."""
        fresh = f".{checked_id(object_id)}.{secrets.token_hex(4)}"
        self.root.mkdir(mode=0o2770, parents=True, exist_ok=True)
        length, seen = 0, hashlib.sha256()
        with self._folder(object_id, made=True) as folder:
            try:
                with open(fresh, "xb", opener=lambda p, flags: os.open(p, flags, 0o440, dir_fd=folder)) as body:
                    for chunk in chunks:
                        body.write(chunk)
                        seen.update(chunk)
                        length += len(chunk)
                    body.flush()
                    os.fsync(body.fileno())
                os.link(fresh, object_id, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError as error:
                raise Conflict(THERE) from error
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(fresh, dir_fd=folder)
        return length, seen.hexdigest()

    def read(self, object_id: str, *, start: int = 0, chunk: int = 1 << 20) -> Iterator[bytes]:
        """Yield the body in chunks."""
        with self.opened(object_id) as body:
            body.seek(start)
            while piece := body.read(chunk):
                yield piece

    def opened(self, object_id: str) -> BinaryIO:
        """Open the body: a plain file in a real folder; anything else is no body."""
        try:
            with self._folder(object_id) as folder:
                file = os.open(object_id, _PLAIN, dir_fd=folder)
        except OSError as error:
            if error.errno in _NO_BODY:
                raise NotFound(GONE) from error
            raise
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise NotFound(GONE)
        return open(file, "rb")

    def delete(self, object_id: str) -> None:
        """Remove the body if it is there."""
        with contextlib.suppress(FileNotFoundError), self._folder(object_id) as folder:
            os.unlink(object_id, dir_fd=folder)

    def url_to_read(self, object_id: str) -> str | None:
        """Return None: a folder has no URLs."""
        checked_id(object_id)
        return None

    def url_to_put(self, object_id: str, length: int) -> str | None:  # noqa: ARG002
        """Return None: a folder has no URLs."""
        checked_id(object_id)
        return None

    @contextlib.contextmanager
    def _folder(self, object_id: str, *, made: bool = False) -> Iterator[int]:
        """Open the folder that the body lies in, never through a link below `root`."""
        name = checked_id(object_id)[:2]
        root = os.open(self.root, _FOLDER)
        try:
            if made:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o2770, dir_fd=root)
            folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=root)
        finally:
            os.close(root)
        try:
            yield folder
        finally:
            os.close(folder)

"""Encrypts outputs as they leave the walls and stores each body under a name that nothing had before."""

import base64
import contextlib
import io
import os
import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sandbox.crypt4gh import HEADER_LENGTH, Sealed, seal_stream
from sandbox.fields import WORK

Role = Literal["output", "stdout", "stderr"]
_BODY_MODE, _FOLDER_MODE = 0o440, 0o2770
_BATCH = 256


@dataclass(frozen=True)
class Plain:
    """Something to seal: its path in the task, and how to open it."""

    path: str
    role: Role
    open: Callable[[], io.FileIO | io.BytesIO]


@dataclass(frozen=True)
class SealedOutput:
    """A stored body, and what the broker must know of it."""

    path: str
    role: Role
    object: str
    sealed: Sealed

    def row(self) -> dict[str, Any]:
        """Return what is registered."""
        return {
            "object": self.object,
            "path": self.path,
            "role": self.role,
            "header": base64.b64encode(self.sealed.header).decode(),
            "size": self.sealed.size,
            "sha256": self.sealed.sha256,
            "body_sha256": self.sealed.body_sha256,
            "body_length": self.sealed.body_length,
            "segments": self.sealed.segments,
        }

    def facts(self) -> dict[str, Any]:
        """Return what the result says: no digest of plaintext (T8)."""
        return {"path": self.path, "object": self.object, "size": self.sealed.size, "role": self.role}


def seal_objects(plains: Sequence[Plain], bodies: Path, recipient: bytes) -> list[SealedOutput]:
    """Seal each to a header-less body of a fresh id below `bodies`; all are on disk when this returns."""
    done = []
    with Folder(bodies) as folder:
        for plain in plains:
            identifier = uuid.uuid4().hex
            with plain.open() as source, folder.create(identifier) as body:
                sealed = seal_stream(source.readinto, body, recipient)
            done.append(SealedOutput(plain.path, plain.role, identifier, sealed))
    return done


def seal_files(plains: Sequence[Plain], folder: Path, recipient: bytes) -> list[SealedOutput]:
    """Seal each to a complete Crypt4GH file in `folder`, named after its path; for runs by hand."""
    done = []
    for plain in plains:
        name = plain.path.removeprefix(f"{WORK}/").removeprefix(".strongroom/").replace("/", "__") + ".c4gh"
        fresh = folder / f".{secrets.token_hex(8)}"
        with plain.open() as source, open(fresh, "xb") as file:
            file.seek(HEADER_LENGTH)
            sealed = seal_stream(source.readinto, file.write, recipient)
            file.seek(0)
            file.write(sealed.header)
        fresh.rename(folder / name)
        done.append(SealedOutput(plain.path, plain.role, name, sealed))
    return done


class Folder:
    """Bodies under way: without a name until they are whole, never over another, synced together at the end."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._bodies: list[int] = []
        self._folders: dict[str, int] = {}

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._close(synced=kind is None)

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[Callable[[memoryview], None]]:
        """Yield a writer; the body gets its name after the block. Raises FileExistsError rather than replace."""
        if len(self._bodies) >= _BATCH:
            self._close(synced=True)
        folder = self._folder(name[:2])
        # A file without a name: kill -9 leaves nothing behind.
        fd = os.open(f"/proc/self/fd/{folder}", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, _BODY_MODE)
        self._bodies.append(fd)
        os.fchmod(fd, _BODY_MODE)

        def write(piece: memoryview) -> None:
            while piece:
                piece = piece[os.write(fd, piece) :]

        yield write
        os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=folder, follow_symlinks=True)

    def _folder(self, name: str) -> int:
        if name not in self._folders:
            path = self._root / name
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                path.chmod(_FOLDER_MODE)
            self._folders[name] = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self._folders[name]

    def _close(self, *, synced: bool) -> None:
        fds = [*self._bodies, *self._folders.values()]
        self._bodies, self._folders = [], {}
        try:
            for fd in fds if synced else ():
                os.fsync(fd)  # names first, then one pass: a journalled file system commits them together
        finally:
            for fd in fds:
                os.close(fd)

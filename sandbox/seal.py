"""Encrypts outputs as they leave the walls and stores each body under a name that nothing had before."""

import base64
import contextlib
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sandbox.crypt4gh import HEADER_LENGTH, Sealed, pad, padded_length_of, seal_stream
from sandbox.fields import WORK

if TYPE_CHECKING:
    from sandbox.far import Store

Role = Literal["output", "stdout", "stderr"]
T = TypeVar("T")
_BODY_MODE, _FOLDER_MODE = 0o440, 0o2770
_BATCH = 256
_THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True)
class Plain:
    """Something to seal: its path in the task, and how to open it."""

    path: str
    role: Role
    open: Callable[[], io.FileIO]


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


def facts(sealed: Sequence[SealedOutput], told: Mapping[str, list[str] | None]) -> list[dict[str, Any]]:
    """Return what the result says of outputs, with the lines of those that tell (T17)."""
    return [
        output.facts() | ({"told": told[output.path]} if output.role == "output" and output.path in told else {})
        for output in sealed
    ]


def seal_objects(plains: Sequence[Plain], bodies: Path, recipient: bytes, *, padded: bool) -> list[SealedOutput]:
    """Seal each to a header-less body of a fresh id below `bodies`; all are on disk when this returns.

    `padded`: stored bodies are as long as their size class (T32).
    """
    done: list[SealedOutput] = []
    for first in range(0, len(plains), _BATCH):
        part = plains[first : first + _BATCH]
        with Folder(bodies) as folder:
            fresh = [(plain, os.urandom(16).hex()) for plain in part]
            files = [folder.create(name) for _, name in fresh]

            def seal(number: int, part: Sequence[Plain] = part, files: Sequence[int] = files) -> Sealed:
                with part[number].open() as source:
                    sealed = seal_stream(source.readinto, _writer(files[number]), recipient)
                if padded:
                    pad(_writer(files[number]), padded_length_of(sealed.body_length) - sealed.body_length)
                return sealed

            sealed = _in_threads(seal, len(part))
            for (plain, name), file, one in zip(fresh, files, sealed, strict=True):
                folder.name(file, name)
                done.append(SealedOutput(plain.path, plain.role, name, one))
    return done


def _in_threads(seal: Callable[[int], T], count: int) -> list[T]:
    if count < 2 or _THREADS < 2:
        return [seal(number) for number in range(count)]
    from concurrent.futures import ThreadPoolExecutor  # each fork pays for what is loaded

    with ThreadPoolExecutor(min(_THREADS, count)) as pool:  # ciphers, digests and files work outside Python's lock
        return list(pool.map(seal, range(count)))


def _writer(fd: int) -> Callable[[memoryview], None]:
    def write(piece: memoryview) -> None:
        while piece:
            piece = piece[os.write(fd, piece) :]

    return write


def seal_to_store(plains: Sequence[Plain], store: "Store", recipient: bytes, *, padded: bool) -> list[SealedOutput]:
    """Seal each on its way into the object store, as `seal_objects` does into a folder."""

    def seal(number: int) -> SealedOutput:
        plain = plains[number]
        with plain.open() as source:
            name, sealed = store.put(source, recipient, padded=padded)
        return SealedOutput(plain.path, plain.role, name, sealed)

    return _in_threads(seal, len(plains))


def seal_files(plains: Sequence[Plain], folder: Path, recipient: bytes) -> list[SealedOutput]:
    """Seal each to a complete Crypt4GH file in `folder`, named after its path; for runs by hand."""
    done = []
    for plain in plains:
        name = (
            plain.path.removeprefix(f"{WORK}/").removeprefix(".strongroom/").lstrip("/").replace("/", "__") + ".c4gh"
        )
        fresh = folder / f".{os.urandom(8).hex()}"
        with plain.open() as source, open(fresh, "xb") as file:
            file.seek(HEADER_LENGTH)
            sealed = seal_stream(source.readinto, file.write, recipient)
            file.seek(0)
            file.write(sealed.header)
            file.flush()
            os.fsync(file.fileno())
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

    def create(self, name: str) -> int:
        """Return a descriptor to write the body to that will be called so."""
        # A file without a name: kill -9 leaves nothing behind.
        folder = self._folder(name[:2])
        fd = os.open(f"/proc/self/fd/{folder}", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, _BODY_MODE)
        self._bodies.append(fd)
        os.fchmod(fd, _BODY_MODE)
        return fd

    def name(self, fd: int, name: str) -> None:
        """Give a whole body its name; raises FileExistsError rather than replace."""
        os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=self._folder(name[:2]), follow_symlinks=True)

    def _folder(self, name: str) -> int:
        if name not in self._folders:
            path, made = self._root / name, False
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                made = True
            # The store belongs to services, and we are root: what stands there may be a link of theirs.
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            self._folders[name] = folder
            if made:
                os.fchmod(folder, _FOLDER_MODE)
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

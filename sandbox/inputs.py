"""Opens the encrypted bodies of inputs when they are wanted, and proves that they are the registered ones."""

import contextlib
import hashlib
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.crypt4gh import CIPHER_SEGMENT, SEGMENT, Crypt4GHError, Reader

MOST_OPEN = 256
_CHUNK = 1 << 20
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class BodyError(Exception):
    """A stored body is not what was registered; the sentence is safe to show."""


@dataclass(frozen=True)
class Body:
    """One encrypted input: at `path` in the task's tree, in `file` on this host.

    `length` counts the whole file; `sha256` is None for a complete Crypt4GH file, whose body no row describes.
    """

    path: str
    file: Path
    length: int
    sha256: str | None
    mtime: int
    reader: Reader


_Identity = tuple[int, int, int, int]


class Bodies:
    """The bodies of one task: a few open files, and the first thing that was wrong with any of them."""

    def __init__(self, bodies: Sequence[Body]) -> None:
        self.bodies = bodies
        self.failure: str | None = None
        self._open: OrderedDict[int, int] = OrderedDict()
        self._seen: dict[int, _Identity] = {}
        self._lock = threading.Lock()
        self._verifier: threading.Thread | None = None
        self._stop = False

    def read_into(self, number: int, first: int, *, count: int, scratch: memoryview, target: memoryview) -> int:
        """Decrypt segments of one body; whatever goes wrong is remembered and raised as `BodyError`."""
        try:
            fd = self._descriptor(number)
            return self.bodies[number].reader.read_into(fd, first, count=count, scratch=scratch, target=target)
        except (Crypt4GHError, OSError, BodyError) as error:
            raise self._failed() from error

    def start_verifying(self) -> None:
        """Compare every whole body with its registered SHA-256, beside the task: segments prove no order."""
        if any(body.sha256 is not None for body in self.bodies):
            self._verifier = threading.Thread(target=self._verify, daemon=True)
            self._verifier.start()

    def finish(self) -> str | None:
        """Wait for the proof; return the reason why these inputs cannot be trusted, or None."""
        if self._verifier is not None and self.failure is None:
            self._verifier.join()
        return self.failure

    def stop(self) -> None:
        """Give the proof up: nobody wants the result any more."""
        self._stop = True

    def _verify(self) -> None:
        buffer = memoryview(bytearray(_CHUNK))
        for number, body in enumerate(self.bodies):
            if self._stop or self.failure is not None:
                return
            with contextlib.suppress(BodyError, OSError):
                if body.sha256 is None or self._digest(number, buffer) == body.sha256:
                    continue
            self._failed()

    def _digest(self, number: int, buffer: memoryview) -> str:
        seen = hashlib.sha256()
        fd = self._checked_open(number)
        try:
            while not self._stop and (got := os.readv(fd, [buffer])):
                seen.update(buffer[:got])
            self._check_identity(number, fd)  # still the same file after the last byte
        finally:
            os.close(fd)
        return seen.hexdigest()

    def _descriptor(self, number: int) -> int:
        fd = self._open.get(number)
        if fd is not None:
            self._open.move_to_end(number)
            return fd
        fd = self._open[number] = self._checked_open(number)
        if len(self._open) > MOST_OPEN:
            os.close(self._open.popitem(last=False)[1])
        return fd

    def _checked_open(self, number: int) -> int:
        fd = os.open(self.bodies[number].file, _OPEN)
        try:
            self._check_identity(number, fd)
        except BodyError:
            os.close(fd)
            raise
        return fd

    def _check_identity(self, number: int, fd: int) -> None:
        # What is hashed and what is decrypted must be one file: content cannot change without its ctime.
        found = os.fstat(fd)
        identity = (found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns)
        with self._lock:
            first = self._seen.setdefault(number, identity)
        if identity != first or found.st_size != self.bodies[number].length or not stat.S_ISREG(found.st_mode):
            raise BodyError

    def _failed(self) -> BodyError:
        self.failure = "An input's stored body is not the one that was registered; the task's outputs were dropped."
        return BodyError(self.failure)


def buffers(segments: int) -> tuple[memoryview, memoryview]:
    """Return the two buffers that `read_into` wants for this many segments: scratch and target."""
    return memoryview(bytearray(segments * CIPHER_SEGMENT)), memoryview(bytearray(segments * SEGMENT))

"""Opens the encrypted bodies of inputs when they are wanted, and proves that they are the registered ones."""

import hashlib
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sandbox.arriving import Arriving
from sandbox.body import CHANGED, Body, BodyError
from sandbox.crypt4gh import BATCH, CIPHER_SEGMENT, SEGMENT, Crypt4GHError, buffers, padded_length_of

if TYPE_CHECKING:
    from sandbox.far import Store  # loaded where bodies lie in a store: each fork pays for what is loaded

MOST_OPEN = 256
_CHUNK = 1 << 20
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _File:
    """An open body; closed when the last thread that reads it has let go."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


_Identity = tuple[int, int, int, int]


class Bodies:
    """The bodies of one task: a few open files, and the first thing that was wrong with any of them."""

    def __init__(self, bodies: Sequence[Body], store: "Store | None" = None) -> None:
        self.bodies = bodies
        self._far = {
            number: store.body(body.object, body.length)
            for number, body in enumerate(bodies)
            if body.file is None and store is not None
        }
        self.failure: str | None = None
        self._open: OrderedDict[int, _File] = OrderedDict()
        self._seen: dict[int, _Identity] = {}
        self._proved: set[int] = set()
        self._lock = threading.Lock()
        self._verifier: threading.Thread | None = None
        self._stop = False

    def read_into(self, number: int, first: int, *, count: int, scratch: memoryview, target: memoryview) -> int:
        """Decrypt segments of one body; whatever goes wrong is remembered and raised as `BodyError`."""
        reader, far = self.bodies[number].reader, self._far.get(number)
        try:
            if far is not None:
                return far.read_into(reader, first, count=count, scratch=scratch, target=target)
            return reader.read_into(self._file(number).fd, first, count=count, scratch=scratch, target=target)
        except (Crypt4GHError, OSError, BodyError) as error:
            raise self._failed(error) from error

    def read_whole(self, number: int, write: Callable[[memoryview], None]) -> None:
        """Decrypt a body from its beginning to its end, proving it on the way; raises `BodyError`."""
        if number in self._far:
            return self._read_far(number, write)
        body, seen = self.bodies[number], hashlib.sha256()
        scratch, target = buffers(body.reader.segments)
        try:
            file = _File(self._checked_open(number))
            for first in range(0, body.reader.segments, BATCH):
                count = min(BATCH, body.reader.segments - first)
                got = body.reader.read_into(file.fd, first, count=count, scratch=scratch, target=target)
                seen.update(scratch[: count * (CIPHER_SEGMENT - SEGMENT) + got])
                _write_shown(write, body, first * SEGMENT, target[:got])
            self._check_identity(number, file.fd)
        except (Crypt4GHError, BodyError) as error:
            raise self._failed(error) from error
        if body.sha256 is not None and seen.hexdigest() != body.sha256:
            raise self._failed()
        self._proved.add(number)
        return None

    def _read_far(self, number: int, write: Callable[[memoryview], None]) -> None:
        body = self.bodies[number]
        arriving = Arriving(body, write)
        try:
            self._far[number].fetch(arriving.write)
            arriving.end()
        except (Crypt4GHError, BodyError) as error:
            raise self._failed(error) from error
        self._proved.add(number)

    def start_verifying(self) -> None:
        """Compare every whole body with its registered SHA-256, beside the task: segments prove no order."""
        if any(body.sha256 is not None and number not in self._proved for number, body in enumerate(self.bodies)):
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
        buffer = memoryview(bytearray(min(_CHUNK, max(body.length for body in self.bodies))))
        for number, body in enumerate(self.bodies):
            if self._stop or self.failure is not None:
                return
            error: Exception | None = None
            try:
                if number in self._proved or body.sha256 is None or self._digest(number, buffer) == body.sha256:
                    continue
            except (BodyError, OSError) as found:
                error = found
            if not self._stop:
                self._failed(error)

    def _digest(self, number: int, buffer: memoryview) -> str:
        if number in self._far:
            return self._far[number].digest(stopped=lambda: self._stop)
        seen, left = hashlib.sha256(), self.bodies[number].length
        file = _File(self._checked_open(number))
        while not self._stop and left and (got := os.readv(file.fd, [buffer[:left]])):
            seen.update(buffer[:got])
            left -= got
        self._check_identity(number, file.fd)  # still the same file after the last byte
        return seen.hexdigest()

    def _file(self, number: int) -> _File:
        with self._lock:
            file = self._open.get(number)
            if file is not None:
                self._open.move_to_end(number)
                return file
        file = _File(self._checked_open(number))
        with self._lock:
            file = self._open.setdefault(number, file)
            if len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
        return file

    def _checked_open(self, number: int) -> int:
        file = self.bodies[number].file
        if file is None:
            raise BodyError(CHANGED)
        fd = os.open(file, _OPEN)
        try:
            self._check_identity(number, fd)
        except BodyError:
            os.close(fd)
            raise
        return fd

    def _check_identity(self, number: int, fd: int) -> None:
        # What is hashed and what is decrypted must be one file: content cannot change without its ctime.
        found, length = os.fstat(fd), self.bodies[number].length
        identity = (found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns)
        with self._lock:
            first = self._seen.setdefault(number, identity)
        whole = found.st_size in (length, padded_length_of(length))  # T32: outputs of tasks are stored padded
        if identity != first or not whole or not stat.S_ISREG(found.st_mode):
            raise BodyError

    def _failed(self, error: Exception | None = None) -> BodyError:
        self.failure = (str(error) if isinstance(error, BodyError) else "") or CHANGED
        return BodyError(self.failure)


def _write_shown(write: Callable[[memoryview], None], body: Body, place: int, piece: memoryview) -> None:
    stretches = ((place, place + len(piece)),) if body.shown is None else body.shown.stretches
    for begin, end in stretches:
        first, last = max(begin - place, 0), min(end - place, len(piece))
        if first < last:
            write(piece[first:last])

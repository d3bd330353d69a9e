"""Decrypts a sealed body while it arrives, and proves that it is the registered one."""

import hashlib
from collections.abc import Callable

from sandbox.body import CHANGED, Body, BodyError
from sandbox.crypt4gh import Crypt4GHError, buffers, padded_length_of


class Arriving:
    """Where the bytes of a body are written to as they come; `write` of the plaintext is called in order.

    Nothing may read what was written before `end` has returned: segments alone prove no order.
    """

    def __init__(self, body: Body, write: Callable[[memoryview], object]) -> None:
        assert body.sha256 is not None
        self._body = body
        self._write = write
        self._seen = hashlib.sha256()
        self._buffer, self._target = buffers(body.reader.segments)
        self._filled = 0
        self._came = 0

    def write(self, piece: bytes | memoryview) -> int:
        """Take the next bytes; what comes behind the body is padding (T32). Raises `BodyError`."""
        rest = memoryview(piece)[: max(0, self._body.length - self._came)]
        self._came += len(piece)
        while rest:
            taken = min(len(rest), len(self._buffer) - self._filled)
            self._buffer[self._filled : self._filled + taken] = rest[:taken]
            self._filled += taken
            rest = rest[taken:]
            if self._filled == len(self._buffer):
                self._decrypt()
        return len(piece)

    def end(self) -> None:
        """Say that all has come; raises `BodyError` unless it is what was registered, whole."""
        self._decrypt()
        whole = self._came in (self._body.length, padded_length_of(self._body.length))
        if not whole or self._seen.hexdigest() != self._body.sha256:
            raise BodyError(CHANGED)

    def _decrypt(self) -> None:
        segments = self._buffer[: self._filled]
        self._seen.update(segments)
        try:
            got = self._body.reader.decrypt(segments, self._target)
        except (Crypt4GHError, ValueError) as error:
            raise BodyError(CHANGED) from error
        self._write(self._target[:got])
        self._filled = 0

"""Reads sealed bodies out of an object store, puts new ones into it, and proves that what it read was meant."""

import contextlib
import hashlib
import io
import socket
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from sandbox import wire
from sandbox.body import CHANGED, BodyError
from sandbox.crypt4gh import (
    CIPHER_SEGMENT,
    Reader,
    Sealed,
    body_length_of,
    pad,
    padded_length_of,
    seal_stream,
    segments_of,
    size_of,
)
from sandbox.signed_urls import BodyGone, Buffer, Lines, Signed, StoreBusy
from sandbox.wire import Message

PATIENCE = 60.0  # seconds without a byte that a reading or putting bears
SILENT = "The object store does not answer."
BLOCK = 16  # segments that are fetched together when a task reads at random
MOST_BLOCKS = 8  # of one body that are kept, sealed
TAG = 16
_CHUNK = 1 << 18
_FRESH = 0.8  # of a URL's life after which there is a new one
_UNAVAILABLE = 503
Ask = Callable[[Message], Message]
Through = Callable[[Message, int], AbstractContextManager[Callable[[Buffer], None]]]
T = TypeVar("T")


class StoreSilent(BodyError):
    """Nothing came of it, as long as anybody waited."""


class NoUrl(BodyError):
    """Whoever hands out URLs said no."""


class Store:
    """The object store as one attempt reaches it.

    `ask` has a URL signed for one body of the attempt; `through` stores what no URL takes. Both raise `NoUrl` for a
    refusal and OSError or `StoreBusy` for what may go well later.
    """

    def __init__(self, ask: Ask, through: Through, *, patience: float = PATIENCE) -> None:
        self._ask = ask
        self._patience = patience
        self._through = through
        self._lines = Lines()
        self._lock = threading.Lock()
        self._urls: dict[str, tuple[Signed, float]] = {}

    def close(self) -> None:
        """Let the connections go that nobody uses now."""
        self._lines.close()

    def read(
        self, name: str, first: int, last: int, *, wholes: Collection[int], into: Callable[[memoryview], object]
    ) -> None:
        """Hand the bytes [first, last) of a body on, in order; raises `BodyError` unless the whole is so long."""
        buffer = memoryview(bytearray(min(_CHUNK, max(1, last - first))))
        at = first

        def go_on() -> None:
            nonlocal at
            with self._lines.get(self._to_read(name), at, last) as (answer, whole):
                if whole not in wholes:
                    raise BodyError(CHANGED)
                while at < last:
                    got = answer.readinto(buffer[: last - at])
                    if not got:
                        raise StoreBusy
                    at += got
                    into(buffer[:got])

        if first == last:
            return
        try:
            _patiently(go_on, self._patience, forget=lambda: self._forget(name), moved=lambda: at)
        except BodyGone as error:
            raise BodyError(CHANGED) from error

    def put(self, source: io.FileIO, recipient: bytes, *, padded: bool) -> tuple[str, Sealed]:
        """Seal a file on its way into the store; what failed half-way is begun again under a fresh id and key."""
        length = body_length_of(_size_of(source))
        whole = padded_length_of(length) if padded else length

        def once() -> tuple[str, Sealed]:
            source.seek(0)
            name = uuid.uuid4().hex
            with self._putting(name, whole) as write:
                sealed = seal_stream(source.readinto, write, recipient)
                pad(write, whole - sealed.body_length)
            return name, sealed

        return _patiently(once, self._patience, forget=lambda: None)

    @contextlib.contextmanager
    def _putting(self, name: str, length: int) -> Iterator[Callable[[Buffer], None]]:
        said = self._ask({"verb": "url_to_put", "object": name, "length": length})
        if said.get("url") is None:
            put = self._through({"verb": "store", "object": name}, length)
        else:
            put = self._lines.put(Signed(said["url"], said.get("ca")), length)
        with put as write:
            yield write

    def _to_read(self, name: str) -> Signed:
        with self._lock:
            signed, end = self._urls.get(name, (None, 0.0))
        if signed is None or time.monotonic() > end:
            moment, said = time.monotonic(), self._ask({"verb": "url_to_read", "object": name})
            signed = Signed(said["url"], said.get("ca"))
            with self._lock:
                self._urls[name] = (signed, moment + _FRESH * float(said["seconds"]))
        return signed

    def _forget(self, name: str) -> None:
        with self._lock:
            self._urls.pop(name, None)

    def body(self, name: str, length: int) -> "FarBody":
        """Return one body of so many bytes."""
        return FarBody(self, name, length)


class FarBody:
    """One sealed body in the store, read at random by many threads.

    A store may answer each reading as it likes, so each segment is remembered by its authentication tag: what a task
    was shown is proved when the whole body, whose SHA-256 is registered, has the same tags in the same places.
    """

    def __init__(self, store: Store, name: str, length: int) -> None:
        self._store = store
        self._name = name
        self._length = length
        self._wholes = (length, padded_length_of(length))  # T32: outputs of tasks are stored padded
        self._tags = bytearray(TAG * segments_of(size_of(length)))
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read_into(self, reader: Reader, first: int, *, count: int, scratch: memoryview, target: memoryview) -> int:
        """Decrypt segments [first, first + count) into `target`; return the bytes written."""
        last = min(self._length, (first + count) * CIPHER_SEGMENT)
        wanted = scratch[: last - first * CIPHER_SEGMENT]
        filled = 0
        for number in range(first // BLOCK, (first + count - 1) // BLOCK + 1):
            start = number * BLOCK * CIPHER_SEGMENT
            block = self._block(number)
            piece = memoryview(block)[max(0, first * CIPHER_SEGMENT - start) :][: len(wanted) - filled]
            wanted[filled : filled + len(piece)] = piece
            filled += len(piece)
        self._compare(first, wanted)
        return reader.decrypt(wanted, target)

    def fetch(self, into: Callable[[memoryview], object]) -> None:
        """Hand the whole body on, in order, each piece whole segments."""
        held, filled, number = memoryview(bytearray(BLOCK * CIPHER_SEGMENT)), 0, 0

        def give() -> None:
            nonlocal filled, number
            self._compare(number, held[:filled])
            into(held[:filled])
            number += BLOCK
            filled = 0

        def take(piece: memoryview) -> None:
            nonlocal filled
            while piece:
                taken = min(len(piece), len(held) - filled)
                held[filled : filled + taken] = piece[:taken]
                filled += taken
                piece = piece[taken:]
                if filled == len(held):
                    give()

        self._store.read(self._name, 0, self._length, wholes=self._wholes, into=take)
        give()

    def digest(self, *, stopped: Callable[[], bool]) -> str:
        """Return the SHA-256 (hex) of the whole body, or of what came before somebody stopped it."""
        seen = hashlib.sha256()

        def take(piece: memoryview) -> None:
            if stopped():
                raise StoreSilent(SILENT)
            seen.update(piece)

        self.fetch(take)
        return seen.hexdigest()

    def _block(self, number: int) -> bytes:
        with self._lock:
            if number in self._blocks:
                self._blocks.move_to_end(number)
                return self._blocks[number]
        first = number * BLOCK * CIPHER_SEGMENT
        block = bytearray()
        last = min(self._length, first + BLOCK * CIPHER_SEGMENT)
        self._store.read(self._name, first, last, wholes=self._wholes, into=block.extend)
        with self._lock:
            self._blocks[number] = bytes(block)
            if len(self._blocks) > MOST_BLOCKS:
                self._blocks.popitem(last=False)
        return bytes(block)

    def _compare(self, first: int, segments: memoryview) -> None:
        with self._lock:
            for number, start in enumerate(range(0, len(segments), CIPHER_SEGMENT), first):
                tag = segments[start : start + CIPHER_SEGMENT][-TAG:]
                known = self._tags[TAG * number : TAG * (number + 1)]
                if known == bytes(TAG):
                    self._tags[TAG * number : TAG * (number + 1)] = tag
                elif known != tag:
                    raise BodyError(CHANGED)


def _patiently(
    act: Callable[[], T], patience: float, *, forget: Callable[[], None], moved: Callable[[], int] = lambda: 0
) -> T:
    """Do it again while the store is busy, for so many seconds, and anew when something moved."""
    end, pause, place = time.monotonic() + patience, 0.0, moved()
    while True:
        try:
            return act()
        except (StoreBusy, OSError) as error:
            forget()
            if moved() != place:
                end, pause, place = time.monotonic() + patience, 0.0, moved()
            if time.monotonic() > end:
                raise StoreSilent(SILENT) from error
        time.sleep(pause)  # at once the first time: a line that was kept too long is no silence
        pause = min(2.0, 2 * pause + 0.1)


def _size_of(source: io.FileIO) -> int:
    return source.seek(0, io.SEEK_END)


def at(path: Path) -> Store:
    """Return the store whose URLs are handed out at a Unix socket, to whom the kernel says we are."""

    @contextlib.contextmanager
    def through(message: Message, length: int) -> Iterator[Callable[[Buffer], None]]:
        with _connected(path) as line:
            wire.send(line, {**message, "length": length})
            yield line.sendall
            _asked(line)

    return Store(asking(path), through)


def asking(path: Path) -> Ask:
    """Return what asks at a Unix socket."""

    def ask(question: Message) -> Message:
        with _connected(path) as line:
            wire.send(line, question)
            return _asked(line)

    return ask


def _connected(path: Path) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(PATIENCE)
    line.connect(str(path))
    return line


def _asked(line: socket.socket) -> Message:
    answer = wire.recv(line)
    if answer is None:
        raise StoreBusy
    if answer.get("ok") is not True:
        if answer.get("status") == _UNAVAILABLE:
            raise StoreBusy
        raise NoUrl(str(answer.get("reason", ""))[:300])
    return answer

"""Fetches an input of another site into memory: from addresses that were looked at, within bounds, checked whole."""

import base64
import contextlib
import hashlib
import io
import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from sandbox.body import BodyError
from sandbox.crypt4gh import (
    BATCH,
    LARGEST_HEADER,
    MAGIC,
    Crypt4GHError,
    Reader,
    buffers,
    header_length,
    open_header,
    public_key_of,
)
from sandbox.signed_urls import StoreBusy
from sandbox.wire import Message

MOST_REDIRECTS: Final = 3
QUIET: Final = 30.0  # seconds without a byte
_CHUNK: Final = 1 << 18
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PEM: Final = "-----BEGIN CRYPT4GH PUBLIC KEY-----\n{}\n-----END CRYPT4GH PUBLIC KEY-----\n"
_PORTS: Final = {"https": 443, "http": 80}
DIGESTS: Final = ("sha256", "md5")  # what is checked when the other site names it
SILENT: Final = "An input could not be had: its site does not answer, or is not who it says."
BROKEN: Final = "An input could not be had from its site: the answer broke off."
LATE: Final = "An input took longer to come than it may."
Ask = Callable[[Message], Message]
Write = Callable[[memoryview], object]


class OutsideError(BodyError):
    """An input of another site is not to be had as it should be."""


def fetch(ask: Ask, number: int, *, most: int, private_key: bytes, write: Write) -> None:
    """Write input `number` whole, opened if it is sealed to our one-time key; raises `OutsideError`.

    `ask` has each place decided by those who know what is allowed: the first one, and where a redirect points.
    """
    location: str | None = None
    for _ in range(MOST_REDIRECTS + 1):
        told = {} if location is None else {"location": location}
        try:
            place = ask({"verb": "place_of_input", "input": number, **told})
        except (OSError, StoreBusy) as error:
            raise OutsideError("An input of another site could not be had now.") from error
        line = _Line(place)
        try:
            answer = line.ask(private_key)
            if answer.status in _REDIRECTS:
                location = urljoin(place["url"], answer.getheader("Location", ""))
                continue
            if answer.status != 200:
                raise OutsideError(f"An input could not be had from its site, which answered {answer.status}.")
            return _take(answer, _Arriving(place, most=most, private_key=private_key, write=write), line)
        except (OSError, HTTPException, ValueError) as error:
            raise OutsideError(LATE if line.late else BROKEN) from error
        finally:
            line.close()
    raise OutsideError("An input could not be had from its site, which points elsewhere too often.")


class _Line:
    """A line to the very address that was looked at, and to nobody else, whatever the name means now (T29).

    It is cut when its time is over, whatever the other end still drips.
    """

    def __init__(self, place: Mapping[str, Any]) -> None:
        self.late = False
        self._place = place
        self._parts = urlsplit(place["url"])
        host, port = self._parts.hostname or "", self._parts.port or _PORTS[self._parts.scheme]
        try:
            self._raw = socket.create_connection((place["address"], port), QUIET)
        except OSError as error:
            raise OutsideError(SILENT) from error
        self._fd = os.dup(self._raw.fileno())
        self._timer = threading.Timer(float(place["seconds"]), self._cut)
        self._timer.daemon = True
        self._timer.start()
        self._http = HTTPConnection(host, port)
        self._http.sock = self._raw
        if self._parts.scheme == "https":
            try:
                context = ssl.create_default_context()
                self._http.sock = context.wrap_socket(self._raw, server_hostname=host)
            except OSError as error:
                self.close()
                raise OutsideError(LATE if self.late else SILENT) from error

    def ask(self, private_key: bytes) -> HTTPResponse:
        """Ask for the input and return the answer, of which only the head has come."""
        parts, http = self._parts, self._http
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        http.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
        http.putheader("Host", parts.netloc)
        http.putheader("Accept-Encoding", "identity")
        # Sites that keep Crypt4GH seal to the key that they are told: ours lives as long as this attempt.
        key = _PEM.format(base64.b64encode(public_key_of(private_key)).decode())
        http.putheader("Client-Public-Key", base64.b64encode(key.encode()).decode())
        for name, value in self._place.get("headers", {}).items():
            http.putheader(name, value)
        http.endheaders()
        return http.getresponse()

    def close(self) -> None:
        """Let it go."""
        self._timer.cancel()
        self._http.close()
        self._raw.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _cut(self) -> None:
        self.late = True
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._fd)) as line:
            line.shutdown(socket.SHUT_RDWR)


def _take(answer: HTTPResponse, into: "_Arriving", line: _Line) -> None:
    stated = answer.length  # None where the site does not say it before
    if answer.getheader("Content-Encoding", "identity") != "identity":
        raise OutsideError("An input's site packed it, though nobody asked for that.")
    if stated is not None:
        into.check_length(stated)
    while piece := answer.read1(_CHUNK):
        into.take(memoryview(piece))
    if line.late:
        raise OutsideError(LATE)
    if stated is not None and into.came != stated:
        raise OutsideError("An input broke off before its end.")
    into.end()


class _Arriving:
    """The bytes of one input as they come: counted, digested, and opened if they are a Crypt4GH file."""

    def __init__(self, place: Mapping[str, Any], *, most: int, private_key: bytes, write: Write) -> None:
        self._wanted = {name: str(place[name]).lower() for name in DIGESTS if place.get(name)}
        self._size = place.get("size")
        self._seen = {name: hashlib.new(name, usedforsecurity=name != "md5") for name in self._wanted}
        self._most = most
        self._key = private_key
        self._write = write
        self._held = io.BytesIO()
        self._opened: _Opening | None = None
        self._plain = False
        self.came = 0

    def check_length(self, length: int) -> None:
        """Raise when it is longer than inputs of other sites may be, or not as long as was said."""
        if length > self._most:
            raise OutsideError("An input of another site is larger than it may be here.")
        if self._size is not None and length != self._size:
            raise OutsideError("An input is not as long as its site said.")

    def take(self, piece: memoryview) -> None:
        """Take the next bytes."""
        self.came += len(piece)
        if self.came > self._most:
            raise OutsideError("An input of another site is larger than it may be here.")
        for seen in self._seen.values():
            seen.update(piece)
        self._pass_on(piece)

    def end(self) -> None:
        """Say that all has come; raises unless it is what the other site said that it would be."""
        if self._size is not None and self.came != self._size:
            raise OutsideError("An input is not as long as its site said.")
        if any(self._seen[name].hexdigest() != wanted for name, wanted in self._wanted.items()):
            raise OutsideError("An input is not the one whose checksum its site named.")
        if self._opened is not None:
            self._opened.end()
        elif not self._plain:
            held = self._held.getbuffer()
            if self.came >= len(MAGIC) and bytes(held[: len(MAGIC)]) == MAGIC:
                raise OutsideError("An input's Crypt4GH header is cut off.")
            self._write(held)

    def _pass_on(self, piece: memoryview) -> None:
        if self._plain:
            self._write(piece)
            return
        if self._opened is not None:
            self._opened.take(piece)
            return
        self._held.write(piece)
        held = self._held.getvalue()
        if len(held) < len(MAGIC):
            return
        if not held.startswith(MAGIC):
            self._plain, self._held = True, io.BytesIO()
            self._write(memoryview(held))
            return
        try:
            length = header_length(held)
        except Crypt4GHError as error:
            if len(held) < LARGEST_HEADER:
                return  # more of it may come
            raise OutsideError("An input's Crypt4GH header is none that is taken here.") from error
        try:
            data_key = open_header(held[:length], self._key)
        except Crypt4GHError as error:
            raise OutsideError("An input is sealed for somebody else, or its Crypt4GH header is none.") from error
        self._opened, self._held = _Opening(data_key, self._write), io.BytesIO()
        self._opened.take(memoryview(held)[length:])


class _Opening:
    """Decrypts a Crypt4GH body as it comes."""

    def __init__(self, data_key: bytes, write: Write) -> None:
        self._reader = Reader(data_key, 0)
        self._write = write
        self._buffer, self._target = buffers(BATCH)
        self._filled = 0

    def take(self, piece: memoryview) -> None:
        """Take the next bytes of the body."""
        while piece:
            taken = min(len(piece), len(self._buffer) - self._filled)
            self._buffer[self._filled : self._filled + taken] = piece[:taken]
            self._filled += taken
            piece = piece[taken:]
            if self._filled == len(self._buffer):
                self.end()

    def end(self) -> None:
        """Open what is held: whole segments, but for the last of the body."""
        try:
            got = self._reader.decrypt(self._buffer[: self._filled], self._target)
        except (Crypt4GHError, ValueError) as error:
            raise OutsideError("An input is no whole Crypt4GH file, or was changed.") from error
        self._write(self._target[:got])
        self._filled = 0

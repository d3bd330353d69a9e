"""Speaks HTTP with an object store, by URLs that were signed for one body each."""

import contextlib
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urlsplit

PATIENCE = 60.0  # seconds of silence
_MOST_WORDS = 4096  # of what a store says of a failure; read to keep the line, and never shown
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
Buffer = bytes | memoryview


class StoreBusy(Exception):
    """The store did not do it this time; with another URL, or later, it may."""


class BodyGone(Exception):
    """The store has no such body, or none so long; or, to whom puts one, it has one already."""


@dataclass(frozen=True)
class Signed:
    """A URL for one act on one body, and the PEM of the store's own CA, if it has one; never to be shown."""

    url: str
    ca: str | None

    def __repr__(self) -> str:
        return "Signed(…)"


class Lines:
    """Connections, kept for the next request; safe to share between threads. Redirects are not followed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, str, str | None], list[HTTPConnection]] = {}
        self._contexts: dict[str | None, ssl.SSLContext] = {}

    def close(self) -> None:
        """Let the connections go that nobody uses now."""
        with self._lock:
            while self._idle:
                for line in self._idle.popitem()[1]:
                    line.close()

    @contextlib.contextmanager
    def get(self, signed: Signed, first: int, last: int) -> Iterator[tuple[HTTPResponse, int]]:
        """Give the answer for the bytes [first, last) of a body, and how long the whole is."""
        with self._line(signed) as line:
            line.request("GET", _target(signed), headers={"Range": f"bytes={first}-{last - 1}"})
            answer = line.getresponse()
            _check(answer, 206)
            found = _RANGE.fullmatch(answer.getheader("Content-Range", ""))
            if found is None or (int(found[1]), int(found[2])) != (first, last - 1):
                raise BodyGone
            yield answer, int(found[3])

    @contextlib.contextmanager
    def put(self, signed: Signed, length: int) -> Iterator[Callable[[Buffer], None]]:
        """Give what sends the `length` bytes of a new body; at the end the store has them."""
        with self._line(signed) as line:
            line.putrequest("PUT", _target(signed), skip_accept_encoding=True)
            line.putheader("Content-Length", str(length))
            line.putheader("If-None-Match", "*")  # signed with the rest: nothing is ever replaced
            line.endheaders()
            left = length

            def write(piece: Buffer) -> None:
                nonlocal left
                left -= len(piece)
                if left < 0:
                    raise StoreBusy
                line.send(piece)

            yield write
            if left:
                raise StoreBusy
            answer = line.getresponse()
            _check(answer, 200, 201, 204)
            answer.read(_MOST_WORDS)

    @contextlib.contextmanager
    def _line(self, signed: Signed) -> Iterator[HTTPConnection]:
        parts = urlsplit(signed.url)
        kind = (parts.scheme, parts.netloc, signed.ca)
        with self._lock:
            idle = self._idle.setdefault(kind, [])
            line = idle.pop() if idle else None
        try:
            line = line or self._open(parts.scheme, parts.netloc, signed.ca)
            yield line
        except (OSError, HTTPException, ValueError) as error:
            if line is not None:
                line.close()
            raise StoreBusy from error
        except BaseException:
            if line is not None:
                line.close()
            raise
        with self._lock:
            self._idle.setdefault(kind, []).append(line)

    def _open(self, scheme: str, netloc: str, ca: str | None) -> HTTPConnection:
        if scheme != "https":
            return HTTPConnection(netloc, timeout=PATIENCE)
        with self._lock:
            if ca not in self._contexts:
                self._contexts[ca] = ssl.create_default_context(cadata=ca)
            context = self._contexts[ca]
        return HTTPSConnection(netloc, timeout=PATIENCE, context=context)


def _target(signed: Signed) -> str:
    parts = urlsplit(signed.url)
    return f"{parts.path}?{parts.query}"


def _check(answer: HTTPResponse, *good: int) -> None:
    if answer.status in good:
        return
    answer.read(_MOST_WORDS)
    if answer.status in (404, 412, 416):
        raise BodyGone
    raise StoreBusy

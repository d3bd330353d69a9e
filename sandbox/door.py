"""Speaks with the dispatcher from a node: framed JSON and sealed bodies, over TLS of one private CA."""

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from typing import BinaryIO

from sandbox import wire
from sandbox.wire import Message

SERVER = "strongroom-nodes"  # the name in the door's certificate, wherever it is reached
PATIENCE = 60.0
CHUNK = 1 << 20
Buffer = bytes | memoryview


class DoorClosed(Exception):
    """The dispatcher does not answer; it may later."""


class NotReached(DoorClosed):
    """Nothing of the question has left: it can be asked again without harm."""


class DoorRefused(Exception):
    """The dispatcher said no; the sentence is safe to show."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Papers:
    """How the two ends know each other: the CA's certificate, and on nodes with an agent the node's own."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what a connection is made with; TLS 1.3 only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(self.ca)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


class Door:
    """Connections to the door for nodes, kept for the next question; safe to share between threads."""

    def __init__(self, host: str, port: int, papers: Papers) -> None:
        self._address = (host, port)
        self._context = papers.context()
        self._idle: list[ssl.SSLSocket] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let the connections go that nobody uses now."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def ask(self, message: Message) -> Message:
        """Return the answer; raises `DoorClosed` or `DoorRefused`."""
        with self._line() as line:
            return _asked(line, message)

    def fetch(self, message: Message, into: BinaryIO) -> int:
        """Ask for something that comes as raw bytes, write them, and return how many."""
        with self._line() as line:
            left = length = int(_asked(line, message)["length"])
            while left:
                piece = line.recv(min(left, CHUNK))
                if not piece:
                    raise DoorClosed("The dispatcher hung up.")
                into.write(piece)
                left -= len(piece)
            return length

    @contextlib.contextmanager
    def storing(self, message: Message, length: int) -> Iterator[Callable[[Buffer], None]]:
        """Give what sends the `length` raw bytes behind a message; at the end they are on the other side's disk."""
        with self._line() as line:
            wire.send(line, {**message, "length": length})
            left = length

            def write(piece: Buffer) -> None:
                nonlocal left
                left -= len(piece)
                if left < 0:
                    raise DoorClosed("What was to be stored became longer.")
                line.sendall(piece)

            yield write
            if left:
                raise DoorClosed("What was to be stored became shorter.")
            _answer(line)

    @contextlib.contextmanager
    def _line(self) -> Iterator[ssl.SSLSocket]:
        line = self._take()
        try:
            yield line
        except DoorRefused:
            self._keep(line)
            raise
        except (OSError, ValueError) as error:
            line.close()
            raise DoorClosed("The dispatcher does not answer.") from error
        except BaseException:
            line.close()
            raise
        else:
            self._keep(line)

    def _take(self) -> ssl.SSLSocket:
        with self._lock:
            while self._idle:
                line = self._idle.pop()
                if _is_alive(line):
                    return line
                line.close()
        try:
            raw = create_connection(self._address, PATIENCE)
            return self._context.wrap_socket(raw, server_hostname=SERVER)
        except OSError as error:
            raise NotReached("The dispatcher cannot be reached.") from error

    def _keep(self, line: ssl.SSLSocket) -> None:
        with self._lock:
            self._idle.append(line)


def _is_alive(line: ssl.SSLSocket) -> bool:
    # Nothing is ever said to us unasked: what can be read is the end, or a ticket that belongs to the handshake.
    line.settimeout(0)
    try:
        line.recv(1)
        return False
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    finally:
        line.settimeout(PATIENCE)


def _asked(line: ssl.SSLSocket, message: Message) -> Message:
    raw = wire.packed(message)
    if len(raw) > wire.BRIEF and "pass" in message:
        # T30: the door reads so much only of those who showed a pass on this line.
        wire.send(line, {"verb": "show", "attempt": message.get("attempt"), "pass": message["pass"]})
        _answer(line)
    wire.send_raw(line, raw)
    return _answer(line)


def _answer(line: ssl.SSLSocket) -> Message:
    answer = wire.recv(line)
    if answer is None:
        raise DoorClosed("The dispatcher hung up.")
    if answer.get("ok") is not True:
        raise DoorRefused(str(answer.get("reason", ""))[:300], int(answer.get("status", 400)))
    return answer

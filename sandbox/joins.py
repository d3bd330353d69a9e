"""Speaks with the stub of a job: what it wants, whether it is still there, and what it is told at the end."""

import contextlib
import pwd
import re
import socket
import struct
import threading
from collections.abc import Callable

PATIENCE = 10.0  # seconds for a stub to say what it wants
_ATTEMPT = re.compile(rb"([0-9a-f]{32})\n")


class NotAJoin(Exception):
    """Whoever called is no stub of ours."""


class Join:
    """A stub's connection; `user` is the name that this node knows the kernel's uid by."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self._end: Callable[[], None] | None = None
        self.gone = threading.Event()
        self.user = _user_of(sock)
        self.attempt = _wanted(sock)
        threading.Thread(target=self._watch, daemon=True).start()

    def when_gone(self, end: Callable[[], None]) -> None:
        """Call `end` when the stub wants the attempt no more: told to end, or dead; now if it is gone already."""
        with self._lock:
            self._end = end
            if not self.gone.is_set():
                return
        threading.Thread(target=end, daemon=True).start()

    def leave(self, code: int) -> None:
        """Tell the exit code and hang up: with that the stub ends."""
        with contextlib.suppress(OSError):
            self._sock.sendall(b"%d\n" % code)
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)  # closing is not enough while `_watch` waits on it

    def _watch(self) -> None:
        # It says nothing more: what can be read is the end, of its wish or of itself.
        with contextlib.suppress(OSError):
            while self._sock.recv(64):
                pass
        with self._lock:
            self.gone.set()
            end = self._end
        if end is not None:
            end()


def pid_of(sock: socket.socket) -> int:
    """Return the process at the other end, as the kernel saw it connect."""
    return _peer(sock)[0]


def uid_of(sock: socket.socket) -> int:
    """Return whose process is at the other end, as the kernel saw it connect."""
    return _peer(sock)[1]


def _peer(sock: socket.socket) -> tuple[int, int, int]:
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, gid = struct.unpack("3i", raw)
    return pid, uid, gid


def _user_of(sock: socket.socket) -> str:
    try:
        return pwd.getpwuid(uid_of(sock)).pw_name
    except KeyError as error:
        raise NotAJoin("this node does not know the caller's user") from error


def _wanted(sock: socket.socket) -> str:
    sock.settimeout(PATIENCE)
    said = b""
    try:
        while len(said) < 33 and (piece := sock.recv(33 - len(said))):
            said += piece
    except OSError as error:
        raise NotAJoin("the caller said nothing") from error
    found = _ATTEMPT.fullmatch(said)
    if found is None:
        raise NotAJoin("the caller named no attempt")
    sock.settimeout(None)
    return found[1].decode()

"""Bounds what whoever has proved nothing may take of the door for nodes: words, seconds and connections (T30)."""

import contextlib
import socket
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Final

from sandbox import wire

LARGEST: Final = wire.BRIEF  # bytes of a message
SECONDS: Final = 10.0  # from the first byte to a proof, however it drips
OF_AN_ADDRESS: Final = 32  # connections at a time: a node may have many pods that begin together


class Crowded(OSError):
    """This address has too many connections that have proved nothing, or this one did not for too long."""


class Guest:
    """Who is at the other end of a connection; a stranger until something is proved."""

    def __init__(self, strangers: "Strangers", address: str, line: socket.socket) -> None:
        self.address = address
        self.is_strange = True
        self.since = time.monotonic()
        self.is_answered = False  # now; it is not the stranger who takes that time
        self.is_over = False
        self._strangers = strangers
        self._line = line  # a descriptor of our own: the other one may be closed, and its number somebody else's

    @property
    def largest(self) -> int:
        """The bytes of a message that are read."""
        return LARGEST if self.is_strange else wire.LARGEST

    def proves(self) -> None:
        """Be a stranger no more."""
        self.is_strange = False
        self._strangers.forget(self)

    @contextlib.contextmanager
    def answered(self) -> Iterator[None]:
        """Let nobody hang up meanwhile; raises `Crowded` when somebody did: what is given once is not given then."""
        self._strangers.hold(self)
        try:
            yield
        finally:
            self.is_answered = False

    def end(self) -> None:
        """Hang up."""
        self.is_over = True
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        """Close our own descriptor."""
        self._line.close()


class Strangers:
    """Those who are at the door now and have proved nothing; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._here: OrderedDict[Guest, None] = OrderedDict()  # oldest first
        self._of: Counter[str] = Counter()

    @contextlib.contextmanager
    def come(self, line: socket.socket) -> Iterator[Guest]:
        """Count a connection for as long as its other end proves nothing; raises `Crowded`."""
        address = str(line.getpeername()[0])
        with self._lock:
            if self._of[address] >= OF_AN_ADDRESS:
                raise Crowded
            guest = Guest(self, address, line.dup())
            self._here[guest] = None
            self._of[address] += 1
        try:
            yield guest
        finally:
            self.forget(guest)

    def forget(self, guest: Guest) -> None:
        """Count a connection no more."""
        with self._lock:
            if guest not in self._here:
                return  # it proved something before
            del self._here[guest]
            self._of[guest.address] -= 1
            if not self._of[guest.address]:
                del self._of[guest.address]
            guest.let_go()

    def hold(self, guest: Guest) -> None:
        """Have a guest stay while it is answered."""
        with self._lock:
            if guest.is_over:
                raise Crowded
            guest.is_answered = True

    def end_late(self) -> None:
        """Hang up on those who have been here for too long."""
        early = time.monotonic() - SECONDS
        with self._lock:
            for guest in self._here:
                if guest.since > early:
                    break
                if not guest.is_answered:
                    guest.end()

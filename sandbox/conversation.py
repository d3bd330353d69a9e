"""Talks with one supervisor, from its claim to its signed result."""

import socket
from collections.abc import Callable

from sandbox import wire
from sandbox.wire import Message


def converse(
    channel: socket.socket, *, order: Callable[[Message], Message], started: Callable[[], None]
) -> Message | None:
    """Answer a claim with what `order` returns, pass `started` on, and return the result; None when it died first."""
    while (message := wire.recv(channel)) is not None:
        match message.get("type"):
            case "claim":
                wire.send(channel, order(message))
            case "started":
                started()
            case "result":
                return message
            case other:
                raise wire.WireError(f"a supervisor said {str(other)[:40]!r}")
    return None

"""Frames messages on a stream socket: four bytes of length (big endian), then JSON."""

import json
import socket
import struct
from typing import Any

LARGEST = 64 << 20
BRIEF = 64 << 10  # what a door reads of whoever has proved nothing yet
Message = dict[str, Any]


class WireError(ValueError):
    """The other end sent something that is no message."""


def send(sock: socket.socket, message: Message) -> None:
    """Send one message."""
    send_raw(sock, packed(message))


def packed(message: Message) -> bytes:
    """Return a message as it travels in its frame."""
    return json.dumps(message, separators=(",", ":")).encode()


def recv(sock: socket.socket, *, largest: int = LARGEST) -> Message | None:
    """Return the next message, or None when the other end is gone; one beyond `largest` bytes raises `WireError`."""
    raw = recv_raw(sock, largest=largest)
    if raw is None:
        return None
    message = json.loads(raw)
    if not isinstance(message, dict):
        raise WireError("A message must be a JSON object.")
    return message


def send_raw(sock: socket.socket, raw: bytes) -> None:
    """Send one frame of bytes."""
    if len(raw) > LARGEST:
        raise WireError("This message is too long.")
    sock.sendall(struct.pack(">I", len(raw)) + raw)


def recv_raw(sock: socket.socket, *, largest: int = LARGEST) -> bytes | None:
    """Return the bytes of the next frame, or None when the other end is gone."""
    start = _exactly(sock, 4)
    if start is None:
        return None
    (length,) = struct.unpack(">I", start)
    if length > largest:
        raise WireError("This message is too long.")
    return _exactly(sock, length)


def _exactly(sock: socket.socket, count: int) -> bytes | None:
    got = bytearray()
    while len(got) < count:
        try:
            piece = sock.recv(min(count - len(got), 1 << 20))
        except ConnectionResetError:
            return None
        if not piece:
            return None
        got += piece
    return bytes(got)

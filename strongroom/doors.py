"""Private doors between processes: length-prefixed JSON over Unix sockets, callers known by SO_PEERCRED."""

import contextlib
import json
import socket
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from strongroom.bells import share
from strongroom.errors import StrongroomError, Unavailable
from strongroom.threads import Threads

LARGEST = 64 << 20
Message = dict[str, Any]
log = structlog.get_logger()


@dataclass(frozen=True)
class Caller:
    """The process at the other end, as the kernel names it."""

    pid: int
    uid: int
    gid: int


def send(sock: socket.socket, message: Message) -> None:
    """Send one message: four bytes of length (big endian), then JSON."""
    raw = json.dumps(message, separators=(",", ":")).encode()
    sock.sendall(struct.pack(">I", len(raw)) + raw)


def receive(sock: socket.socket) -> Message | None:
    """Return the next message, or None when the other end is gone."""
    size = _exactly(sock, 4)
    if size is None:
        return None
    (length,) = struct.unpack(">I", size)
    if length > LARGEST:
        raise ValueError("a message beyond the limit")
    raw = _exactly(sock, length)
    if raw is None:
        return None
    try:
        message = json.loads(raw)
    except RecursionError as error:
        raise ValueError("a message too deep to read") from error
    if not isinstance(message, dict):
        raise ValueError("a message that is no object")
    return message


def _exactly(sock: socket.socket, count: int) -> bytes | None:
    chunks = bytearray()
    while len(chunks) < count:
        chunk = sock.recv(count - len(chunks))
        if not chunk:
            return None
        chunks += chunk
    return bytes(chunks)


def caller_of(sock: socket.socket) -> Caller:
    """Return who connected, as the kernel saw it."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return Caller(*struct.unpack("3i", raw))


def listen(path: Path, *, mode: int = 0o660) -> socket.socket:
    """Return a listening Unix socket at `path`, reachable by its group only; who sees it there is answered."""
    coming = path.with_name(f".{path.name}")  # between its birth and its listening a door refuses
    coming.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(str(coming))
    share(coming, mode=mode)
    door.listen(256)
    coming.replace(path)
    return door


def serve(door: socket.socket, *, allowed: Collection[int], answer: Callable[[Message, Caller], Message]) -> None:
    """Answer callers whose uid is `allowed`, one thread a connection, until the process ends."""
    threads, known = Threads(), frozenset(allowed)
    while True:
        sock, _ = door.accept()
        threads.run(_converse, sock, known, answer)


def _converse(sock: socket.socket, allowed: frozenset[int], answer: Callable[[Message, Caller], Message]) -> None:
    with sock:
        caller = caller_of(sock)
        if caller.uid not in allowed:
            log.warning("door.refused", uid=caller.uid)
            return
        with contextlib.suppress(OSError, ValueError):
            while (message := receive(sock)) is not None:
                send(sock, _answered(message, caller, answer))


def _answered(message: Message, caller: Caller, answer: Callable[[Message, Caller], Message]) -> Message:
    try:
        return {"ok": True, **answer(message, caller)}
    except StrongroomError as error:
        log.info("door.refusal", reason=error.sentence, detail=error.detail)
        return {"ok": False, "reason": error.sentence, "status": error.status}
    except Exception:
        log.exception("door.failure")
        return {"ok": False, "reason": "Something failed inside; the operator's log says what.", "status": 500}


def ask(path: Path, message: Message, *, timeout: float = 60.0) -> Message:
    """Send `message` to the door at `path` and return the answer; a refusal raises its sentence."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(timeout)
            sock.connect(str(path))
            send(sock, message)
            answer = receive(sock)
    except (OSError, ValueError) as error:
        raise Unavailable(
            "A part of Strongroom does not answer; try again in a moment.", detail=str(error)
        ) from error
    if answer is None:
        raise Unavailable("A part of Strongroom does not answer; try again in a moment.")
    if not answer.get("ok"):
        refusal = StrongroomError(str(answer.get("reason", "refused")))
        refusal.status = int(answer.get("status", 400))
        raise refusal
    return answer

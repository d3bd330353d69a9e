"""Answers nodes and pods: the spec, the work order, keys and sealed bodies of an attempt go to its own place only."""

import contextlib
import io
import json
import os
import socket
import ssl
import tarfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from sandbox import wire
from sandbox.seal import Folder
from strongroom.doors import Message, ask
from strongroom.errors import BadRequest, NotAllowed, NotFound, StrongroomError
from strongroom.settings import Settings
from tes import node_keys
from tes.backends.remote import Remote
from tes.backends.schedulers import Proof
from tes.pledges import Pledges
from tes.store import Attempt

CHUNK: Final = 1 << 20
CROWDED: Final = 0.1  # seconds to wait when there are no descriptors left for another connection
QUIET: Final = 600.0  # seconds after which a connection that says nothing is closed
BROKERS: Final = ("grant", "register")  # verbs of the broker that are passed on; it verifies every word itself
log = structlog.get_logger()


@dataclass(frozen=True)
class Line:
    """One connection, and its verified certificate (DER); pods have none."""

    sock: ssl.SSLSocket
    certificate: bytes | None


class NodeDoor:
    """The door for nodes; one for the life of the dispatcher."""

    def __init__(self, settings: Settings, remote: Remote, pledges: Pledges) -> None:
        self._settings = settings
        self._remote = remote
        self._pledges = pledges
        self._keys = settings.home / "nodes"
        self._bodies = settings.home / "objects"
        self._verbs: Mapping[str, Callable[[Line, Message], Message | None]] = {
            "begin": self._begin,
            "claim": self._claim,
            "broker": self._broker,
            "started": self._started,
            "result": self._result,
            "body": self._body,
            "store": self._store,
            "code": self._code,
        }

    def open(self) -> socket.socket:
        """Return the listening socket; from then on nodes are answered, one thread a connection."""
        node_keys.make_ca(self._keys)
        context = node_keys.server_context(self._keys)
        door = socket.create_server((self._settings.nodes.host, self._settings.nodes.port), backlog=256)
        threading.Thread(target=self._serve, args=(door, context), name="nodes", daemon=True).start()
        return door

    def _serve(self, door: socket.socket, context: ssl.SSLContext) -> None:
        while door.fileno() >= 0:
            try:
                sock, _ = door.accept()
            except OSError:
                time.sleep(CROWDED)
            else:
                threading.Thread(target=self._converse, args=(sock, context), daemon=True).start()

    def _converse(self, raw: socket.socket, context: ssl.SSLContext) -> None:
        raw.settimeout(QUIET)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError, ValueError), raw, context.wrap_socket(raw, server_side=True) as sock:
            line = Line(sock, sock.getpeercert(binary_form=True))
            while (message := wire.recv(sock)) is not None:
                answer = self._answered(line, message)
                if answer is not None:
                    wire.send(sock, answer)

    def _answered(self, line: Line, message: Message) -> Message | None:
        verb = self._verbs.get(str(message.get("verb")))
        try:
            if verb is None:
                raise BadRequest("The door for nodes has no such verb.")
            answer = verb(line, message)
        except StrongroomError as error:
            log.info("nodes.refusal", node=self._node_of(line), reason=error.sentence, detail=error.detail)
            return {"ok": False, "reason": error.sentence, "status": error.status}
        except OSError:
            raise
        except Exception:
            log.exception("nodes.failure")
            return {"ok": False, "reason": "Something failed inside; the operator's log says what.", "status": 500}
        return None if answer is None else {"ok": True, **answer}

    def _node_of(self, line: Line) -> str | None:
        # Asked each time: a node that is let in no more is not, on the lines that it has already either.
        return node_keys.node_of(self._keys, line.certificate)

    # Verbs; None: the answer has been sent already

    def _begin(self, line: Line, message: Message) -> Message:
        proof = Proof(self._node_of(line), _text(message, "user"), _text(message, "token"))
        return dict(self._remote.begin(_attempt(message), proof))

    def _claim(self, _line: Line, message: Message) -> Message:
        return dict(self._remote.claim(self._mine(message).id, message))

    def _broker(self, _line: Line, message: Message) -> Message:
        question = message.get("message")
        if not isinstance(question, dict) or question.get("verb") not in BROKERS:
            raise BadRequest("broker: an attempt asks for its grant, or registers what it left.")
        return ask(self._settings.sockets / "broker.sock", question)

    def _started(self, _line: Line, message: Message) -> Message:
        self._remote.walls_up(self._mine(message).id)
        return {}

    def _result(self, _line: Line, message: Message) -> Message:
        result = message.get("result")
        if not isinstance(result, dict):
            raise BadRequest("result: what the supervisor said.")
        attempt = _attempt(message)
        if self._pledges.signing_key(attempt) is None:
            self._mine(message)  # before a claim no signature tells whose words these are
        self._remote.result(attempt, result)
        return {}

    def _body(self, line: Line, message: Message) -> None:
        row = self._mine(message)
        wanted = _text(message, "object") or ""
        if row.launch is None or wanted not in row.launch["order"]["objects"]:
            raise NotAllowed("This object is none of the attempt's inputs.")
        with open(self._bodies / wanted[:2] / wanted, "rb") as body:
            length = os.fstat(body.fileno()).st_size
            wire.send(line.sock, {"ok": True, "length": length})
            while piece := body.read(CHUNK):
                line.sock.sendall(piece)

    def _store(self, line: Line, message: Message) -> Message:
        """Take a sealed body under a name that nothing had before (T22)."""
        length = message.get("length")
        if type(length) is not int or not 0 <= length < 1 << 50:
            raise BadRequest("length: bytes.")
        try:
            self._mine(message)
            with Folder(self._bodies) as folder:
                fd = folder.create(wanted := _object(message))
                _copy(line.sock, fd, length)
                length = 0
                folder.name(fd, wanted)
        except FileExistsError:
            raise NotAllowed("There is an object of this id; objects never change.") from None
        except StrongroomError:
            _copy(line.sock, None, length)  # what follows the refused words is not words
            raise
        return {}

    def _code(self, line: Line, message: Message) -> None:
        row = self._mine(message)
        folders = {mount["path"]: Path(mount["source"]) for mount in _spec_of(row)["code_mounts"]}
        folder = folders.get(_text(message, "path") or "")
        if folder is None:
            raise NotFound("The attempt has no such folder.")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(folder, arcname=".")
        wire.send(line.sock, {"ok": True, "length": packed.tell()})
        line.sock.sendall(packed.getbuffer())

    def _mine(self, message: Message) -> Attempt:
        return self._pledges.check_pass(_attempt(message), message.get("pass"))


def _spec_of(row: Attempt) -> dict[str, Any]:
    assert row.launch is not None
    return dict(json.loads(row.launch["spec"]))


def _copy(sock: ssl.SSLSocket, into: int | None, length: int) -> None:
    while length:
        piece = sock.recv(min(length, CHUNK))
        if not piece:
            raise ConnectionError
        length -= len(piece)
        while into is not None and piece:
            piece = piece[os.write(into, piece) :]


def _text(message: Message, name: str) -> str | None:
    value = message.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"{name}: text.")
    return value


def _attempt(message: Message) -> str:
    return _id(message, "attempt")


def _object(message: Message) -> str:
    return _id(message, "object")


def _id(message: Message, name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or len(value) != 32 or set(value) - set("0123456789abcdef"):
        raise BadRequest(f"{name}: 32 hexadecimal digits.")
    return value

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
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from sandbox import wire
from strongroom.doors import Message, ask
from strongroom.errors import BadRequest, NotAllowed, NotFound, StrongroomError
from strongroom.settings import Settings
from tes import carrying, node_keys, strangers
from tes.allowances import Allowances
from tes.backends.remote import Remote
from tes.backends.schedulers import Proof
from tes.pledges import Pledges
from tes.strangers import Guest, Strangers

CROWDED: Final = 0.1  # seconds to wait when there are no descriptors left for another connection
QUIET: Final = 600.0  # seconds after which a connection that says nothing is closed
LOOK_AGAIN: Final = 1.0  # seconds between looks at who stays too long without a proof
MOST_REFUSALS: Final = 8  # of the broker to one attempt: each is in the audit log, and an honest one asks twice
MOST_REMEMBERED: Final = 4096
INSIDE: Final = 500  # statuses from here on say that it may be asked again
BROKERS: Final = ("grant", "register")  # verbs of the broker that are passed on; it verifies every word itself
log = structlog.get_logger()


@dataclass(frozen=True)
class Line:
    """One connection, and its verified certificate (DER); pods have none."""

    sock: ssl.SSLSocket
    certificate: bytes | None
    guest: Guest

    def proves(self) -> None:
        """Have its other end heard at length from now on."""
        self.sock.settimeout(QUIET)
        self.guest.proves()


class NodeDoor:
    """The door for nodes; one for the life of the dispatcher."""

    def __init__(self, settings: Settings, remote: Remote, pledges: Pledges) -> None:
        self._settings = settings
        self._remote = remote
        self._pledges = pledges
        self._keys = settings.home / "nodes"
        self._strangers = Strangers()
        self._allowances = Allowances()
        self._refused: OrderedDict[str, int] = OrderedDict()  # how often the broker refused an attempt
        self._verbs: Mapping[str, Callable[[Line, Message], Message | None]] = {
            "begin": self._begin,
            "show": self._show,
            "claim": self._claim,
            "broker": self._broker,
            "started": self._started,
            "result": self._result,
            "body": self._body,
            "store": self._store,
            "url_to_read": self._url_to_read,
            "url_to_put": self._url_to_put,
            "place_of_input": self._place_of_input,
            "code": self._code,
        }

    def open(self) -> socket.socket:
        """Return the listening socket; from then on nodes are answered, one thread a connection."""
        node_keys.make_ca(self._keys)
        context = node_keys.server_context(self._keys)
        door = socket.create_server((self._settings.nodes.host, self._settings.nodes.port), backlog=256)
        door.settimeout(LOOK_AGAIN)
        threading.Thread(target=self._serve, args=(door, context), name="nodes", daemon=True).start()
        return door

    def _serve(self, door: socket.socket, context: ssl.SSLContext) -> None:
        while door.fileno() >= 0:
            try:
                sock, _ = door.accept()
            except TimeoutError:
                pass
            except OSError:
                time.sleep(CROWDED)
            else:
                threading.Thread(target=self._converse, args=(sock, context), daemon=True).start()
            self._strangers.end_late()

    def _converse(self, raw: socket.socket, context: ssl.SSLContext) -> None:
        with contextlib.suppress(OSError, ValueError, RecursionError), raw, self._strangers.come(raw) as guest:
            raw.settimeout(strangers.SECONDS)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(raw, server_side=True) as sock:
                line = Line(sock, sock.getpeercert(binary_form=True), guest)
                if self._node_of(line) is not None:
                    line.proves()
                while (message := wire.recv(sock, largest=guest.largest)) is not None:
                    with guest.answered():
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
        begun = dict(self._remote.begin(_attempt(message), proof))
        line.proves()
        return begun

    def _show(self, line: Line, message: Message) -> Message:
        self._mine(line, message)
        return {}

    def _claim(self, line: Line, message: Message) -> Message:
        return dict(self._remote.claim(self._mine(line, message), message))

    def _broker(self, line: Line, message: Message) -> Message:
        question = message.get("message")
        if not isinstance(question, dict) or question.get("verb") not in BROKERS:
            raise BadRequest("broker: an attempt asks for its grant, or registers what it left.")
        attempt = self._mine(line, message)  # T30: the broker writes down whom it refuses
        if question["verb"] == "register" and question.get("attempt") != attempt:
            raise NotAllowed("An attempt registers what it left itself, and nothing else.")
        if self._refused.get(attempt, 0) >= MOST_REFUSALS:
            raise NotAllowed("The broker refused this attempt too often.")
        try:
            return ask(self._settings.sockets / "broker.sock", question)
        except StrongroomError as error:
            if error.status < INSIDE:
                self._refused[attempt] = self._refused.pop(attempt, 0) + 1
                if len(self._refused) > MOST_REMEMBERED:
                    self._refused.popitem(last=False)
            raise

    def _started(self, line: Line, message: Message) -> Message:
        self._remote.walls_up(self._mine(line, message))
        return {}

    def _result(self, line: Line, message: Message) -> Message:
        result = message.get("result")
        if not isinstance(result, dict):
            raise BadRequest("result: what the supervisor said.")
        attempt, more = _attempt(message), message.get("more") is True
        if more or self._pledges.signing_key(attempt) is None:
            self._mine(line, message)  # before a claim no signature tells whose words these are
        proof = Proof(self._node_of(line), _text(message, "user")) if more else None
        following = self._remote.result(attempt, result, more=proof)
        return {} if following is None else {"next": following}

    def _url_to_read(self, line: Line, message: Message) -> Message:
        return carrying.url_to_read(self._settings, message, inputs=self._inputs(line, message))

    def _url_to_put(self, line: Line, message: Message) -> Message:
        attempt = self._mine(line, message)
        signed = carrying.url_to_put(self._settings, message)
        if signed["url"] is not None:  # else the body is stored through us, and counted then
            self._stores(attempt, message)
        return signed

    def _place_of_input(self, line: Line, message: Message) -> Message:
        launch = self._launch(line, message)
        return carrying.place_of_input(self._settings, message, plan=launch.get("plan", {}))

    def _body(self, line: Line, message: Message) -> None:
        with carrying.body_of(self._settings, message, inputs=self._inputs(line, message)) as body:
            length = os.fstat(body.fileno()).st_size
            wire.send(line.sock, {"ok": True, "length": length})
            while piece := body.read(carrying.CHUNK):
                line.sock.sendall(piece)

    def _store(self, line: Line, message: Message) -> Message:
        try:
            self._stores(self._mine(line, message), message)
        except StrongroomError as error:
            left = carrying.length_of(message)
            if left and line.guest.is_strange:
                raise ConnectionError from error  # its bytes are received for nobody, however slowly they come
            carrying.drain(line.sock, left)
            raise
        carrying.take(self._settings, message, line.sock)
        return {}

    def _stores(self, attempt: str, message: Message) -> None:
        """Raise unless the attempt works still, and its task may leave so much more."""
        self._pledges.check_open(attempt)
        length = carrying.length_of(message)
        self._allowances.take(attempt, length, spec=lambda: json.loads(self._pledges.launch(attempt)["spec"]))

    def _code(self, line: Line, message: Message) -> None:
        spec = json.loads(self._launch(line, message)["spec"])
        folders = {mount["path"]: Path(mount["source"]) for mount in spec["code_mounts"]}
        folder = folders.get(_text(message, "path") or "")
        if folder is None:
            raise NotFound("The attempt has no such folder.")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(folder, arcname=".")
        wire.send(line.sock, {"ok": True, "length": packed.tell()})
        line.sock.sendall(packed.getbuffer())

    def _mine(self, line: Line, message: Message) -> str:
        """Return the attempt that says this, if it holds its pass."""
        attempt = _attempt(message)
        self._pledges.check_pass(attempt, message.get("pass"))
        line.proves()
        return attempt

    def _launch(self, line: Line, message: Message) -> Mapping[str, Any]:
        return self._pledges.launch(self._mine(line, message))

    def _inputs(self, line: Line, message: Message) -> Collection[str]:
        launch = self._launch(line, message)
        return list(launch["order"]["objects"]) if launch else []


def _text(message: Message, name: str) -> str | None:
    value = message.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"{name}: text.")
    return value


def _attempt(message: Message) -> str:
    return carrying.id_of(message, "attempt")

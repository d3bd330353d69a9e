"""A key broker that believes everybody, to see what the sandbox does with good and bad grants."""

import base64
import contextlib
import io
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sandbox_lab import Ended, Lab, open_body, wait_for

from sandbox import crypt4gh, wire

PAYLOAD_TYPE = "application/vnd.strongroom.grant+json"
Change = Callable[[dict[str, Any]], None]


class Broker:
    """One socket; `change` may spoil each grant before it is signed, `after` the envelope."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.path = lab.folder / "broker.sock"
        self.key = Ed25519PrivateKey.generate()
        self.signing_key = self.key
        self.data_keys: dict[str, bytes] = {}
        self.registered: list[dict[str, Any]] = []
        self.change: Change = lambda grant: None
        self.after: Change = lambda envelope: None
        self.body: Callable[[str], bytes] = lambda name: (lab.bodies / name[:2] / name).read_bytes()
        self.started: Callable[[], None] = lambda: None
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(self.path))
        self._door.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def stored(self, path: str, content: bytes) -> dict[str, Any]:
        """Return an input: a header-less body, whose key is ours."""
        body, name = io.BytesIO(), uuid.uuid4().hex
        one_time = crypt4gh.new_private_key()
        sealed = crypt4gh.seal_stream(io.BytesIO(content).readinto, body.write, crypt4gh.public_key_of(one_time))
        self.data_keys[name] = crypt4gh.open_header(sealed.header, one_time)
        file = self.lab.folder / name
        file.write_bytes(body.getvalue())
        return {
            "path": f"/run/work/{path}",
            "object": name,
            "body": str(file),
            "size": sealed.size,
            "segments": sealed.segments,
            "body_length": sealed.body_length,
            "body_sha256": sealed.body_sha256,
            "mtime": 1_700_000_000,
        }

    def run(self, *commands: list[str], **changes: Any) -> Ended:
        """Run an attempt as the dispatcher would, and open its outputs."""
        keys = {
            "type": "broker",
            "socket": str(self.path),
            "broker_public_key": base64.b64encode(self.key.public_key().public_bytes_raw()).decode(),
        }
        spec = self.lab.spec(*commands, keys=keys, **changes)
        _, channel = self.lab.launch(spec)
        with channel:
            claim = wait_for(channel, "claim")
            assert claim["attempt"] == spec["attempt"]
            objects = [given["object"] for given in spec["inputs"] if "object" in given]
            wire.send(channel, {"type": "order", "order": {"claim": claim, "objects": objects}})
            while (message := wire.recv(channel)) is not None and message["type"] != "result":
                if message["type"] == "started":
                    self.started()
        assert message is not None
        return Ended(message, {row["path"].removeprefix("/run/work/"): self.open(row) for row in self.registered})

    def open(self, row: dict[str, Any]) -> bytes:
        header = base64.b64decode(row["header"])
        body = self.body(row["object"])[: row["body_length"]]
        return open_body(body, crypt4gh.open_header(header, self.lab.private_key))

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._door.accept()
                threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with line:
            while (asked := wire.recv(line)) is not None:
                match asked["verb"]:
                    case "grant":
                        wire.send(line, {"ok": True, "grant": self._grant(asked["order"])})
                    case "register":
                        self.registered += asked["outputs"]
                        wire.send(line, {"ok": True})
                    case _:
                        wire.send(line, {"ok": False, "reason": "no such verb"})

    def _grant(self, order: dict[str, Any]) -> dict[str, Any]:
        public_key = base64.b64decode(order["claim"]["public_key"])
        headers = {name: crypt4gh.seal_header(self.data_keys[name], public_key) for name in order["objects"]}
        grant = {
            **{name: order["claim"][name] for name in ("attempt", "public_key", "signing_key", "spec_sha256")},
            "recipient": base64.b64encode(self.lab.public_key).decode(),
            "headers": {name: base64.b64encode(header).decode() for name, header in headers.items()},
            "expires": time.time() + 60,
        }
        self.change(grant)
        envelope = sign(grant, self.signing_key)
        self.after(envelope)
        return envelope


def sign(grant: dict[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """Return the DSSE envelope of a grant."""
    payload = json.dumps(grant).encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
    signature = {"keyid": "test", "sig": base64.b64encode(key.sign(signed)).decode()}
    return {"payloadType": PAYLOAD_TYPE, "payload": base64.b64encode(payload).decode(), "signatures": [signature]}


def spoil(path: Path, position: int) -> None:
    """Flip one bit of a file."""
    raw = bytearray(path.read_bytes())
    raw[position] ^= 1
    path.write_bytes(raw)

"""Obtains the keys of one attempt: from the key broker for a one-time key, or from a key file by hand."""

import base64
import os
import socket
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, assert_never

from sandbox import crypt4gh, wire
from sandbox.body import Body
from sandbox.crypt4gh import Crypt4GHError, Reader
from sandbox.editlists import MOST_PACKETS, open_edited_header, shown
from sandbox.grants import Claim, Grant, GrantError, open_grant
from sandbox.seal import SealedOutput
from sandbox.signing import AttemptKey
from sandbox.spec import Broker, KeyFile, ObjectStore, Spec, Stored, Whole

PATIENCE = 60.0  # seconds; an order lives no longer
_BEGIN, _END = "-----BEGIN CRYPT4GH PRIVATE KEY-----", "-----END CRYPT4GH PRIVATE KEY-----"
_KEY_MAGIC = b"c4gh-v1"


class KeysError(Exception):
    """There are no keys for this attempt; the sentence is safe to show."""


class Canceled(Exception):
    """The dispatcher wants no result any more."""


@dataclass(frozen=True)
class Unlocked:
    """The bodies that can be read now, and whom outputs are sealed to."""

    bodies: tuple[Body, ...]
    recipient: bytes
    private_key: bytes = b""  # one-time; what other sites send us may be sealed to it


class Keys(Protocol):
    """Where keys come from: two ways, the broker's and a file's."""

    def unlock(self) -> Unlocked:
        """Return what the attempt may read, and whom it seals to."""
        ...

    def register(self, outputs: Sequence[SealedOutput]) -> None:
        """Tell whoever must know that these outputs exist."""
        ...


def ask(spec: Spec, spec_sha256: str, channel: socket.socket, own: AttemptKey) -> Keys:
    """Begin to obtain the keys; with the broker the claim is under way when this returns."""
    match spec.keys:
        case Broker():
            return BrokerKeys(spec, spec.keys, spec_sha256=spec_sha256, channel=channel, own=own)
        case KeyFile():
            return FileKeys(spec, spec.keys)
        case _:
            assert_never(spec.keys)


class BrokerKeys:
    """A one-time key that lives in this process alone, claimed with the dispatcher, redeemed at the broker."""

    def __init__(
        self, spec: Spec, broker: Broker, *, spec_sha256: str, channel: socket.socket, own: AttemptKey
    ) -> None:
        self._spec = spec
        self._broker = broker
        self._channel = channel
        self._own = own
        self._private_key = crypt4gh.new_private_key()
        public_key = crypt4gh.public_key_of(self._private_key)
        self._claim = Claim(spec.attempt, public_key, own.public_key, spec_sha256)
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._line.settimeout(PATIENCE)
        wire.send(channel, {"type": "claim", **self._claim.facts()})

    def unlock(self) -> Unlocked:
        """Wait for the work order, redeem it, and open the granted headers."""
        grant = self._redeem(self._order())
        return Unlocked(bodies_of(self._spec, grant, self._private_key), grant.recipient, self._private_key)

    def register(self, outputs: Sequence[SealedOutput]) -> None:
        """Have the broker check and sign the rows of these outputs."""
        rows = [output.row() for output in outputs]
        said = {"verb": "register", "attempt": self._spec.attempt, "outputs": rows}
        self._asked(self._own.signed(said))

    def _order(self) -> object:
        self._channel.settimeout(PATIENCE)
        try:
            answer = wire.recv(self._channel)
        except TimeoutError as error:
            raise KeysError("No work order came in time.") from error
        self._channel.settimeout(None)
        match answer:
            case {"type": "order", "order": order}:
                return order
            case {"type": "refused", "reason": reason}:
                raise KeysError(f"No work order was given: {str(reason)[:300]}")
            case _:  # canceled, or the dispatcher is gone
                raise Canceled

    def _redeem(self, order: object) -> Grant:
        answer = self._asked({"verb": "grant", "order": order})
        try:
            return open_grant(answer.get("grant"), self._broker.public_key, claim=self._claim, now=time.time())
        except GrantError as error:
            raise KeysError(str(error)) from error

    def _asked(self, question: wire.Message) -> wire.Message:
        try:
            if question["verb"] == "grant":
                self._line.connect(str(self._broker.socket))
            wire.send(self._line, question)
            answer = wire.recv(self._line)
        except (OSError, ValueError) as error:
            raise KeysError("The key broker does not answer; is it running?") from error
        if answer is None:
            raise KeysError("The key broker hung up.")
        if answer.get("ok") is not True:
            raise KeysError(f"The key broker refused: {str(answer.get('reason', ''))[:300]}")
        return answer


def bodies_of(spec: Spec, grant: Grant, private_key: bytes) -> tuple[Body, ...]:
    """Open the granted headers with the one-time key: the spec's stored inputs, ready to be read; or `KeysError`."""
    bodies = []
    for given in spec.inputs:
        if isinstance(given, Stored):
            header = grant.headers.get(given.object)
            if header is None:
                raise KeysError("The key broker's grant lacks an input of this task.")
            try:
                reader = Reader(crypt4gh.open_header(header, private_key), given.size)
            except Crypt4GHError as error:
                raise KeysError("The key broker's grant holds a header that is not for us.") from error
            length, sha256 = given.body_length, given.body_sha256
            body = Body(given.path, given.body, length, sha256, given.mtime, reader, whole=given.read_whole)
            body = replace(body, object=given.object)
            bodies.append(body)
    return tuple(bodies)


class FileKeys:
    """Keys by hand: a private key that opens complete Crypt4GH files, and a recipient for outputs."""

    def __init__(self, spec: Spec, keys: KeyFile) -> None:
        self._spec = spec
        self._keys = keys

    def unlock(self) -> Unlocked:
        """Open the header of each input file."""
        wholes = [given for given in self._spec.inputs if isinstance(given, Whole)]
        bodies = []
        if wholes:
            private_key = read_private_key(self._keys.private_key)
            bodies = [_open_whole(given, private_key) for given in wholes]
        return Unlocked(tuple(bodies), self._keys.recipient)

    def register(self, outputs: Sequence[SealedOutput]) -> None:
        """Nobody else must know."""


def _open_whole(given: Whole, private_key: bytes) -> Body:
    try:
        with open(given.file, "rb") as file:
            start = file.read(crypt4gh.LARGEST_HEADER)
            length = os.fstat(file.fileno()).st_size
        offset = crypt4gh.header_length(start, most=MOST_PACKETS)
        data_key, edits = open_edited_header(start[:offset], private_key)
        reader = Reader(data_key, crypt4gh.size_of(length - offset), offset=offset)
    except OSError as error:
        raise KeysError("An input file cannot be read.") from error
    except Crypt4GHError as error:
        raise KeysError(f"An input file cannot be opened: {error}") from error
    seen = None if edits is None else shown(edits, reader.size)
    return Body(given.path, given.file, length, None, given.mtime, reader, shown=seen, whole=given.read_whole)


def read_private_key(path: Path) -> bytes:
    """Return an X25519 private key from a Crypt4GH secret key file without passphrase, or from 64 hex digits."""
    try:
        with open(path, encoding="ascii") as file:
            found = os.fstat(file.fileno())
            text = file.read(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeysError("The private key file cannot be read.") from error
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise KeysError("The private key file must be readable by its owner only (chmod 600).")
    try:
        key = _crypt4gh_key(text) if text.startswith(_BEGIN) else bytes.fromhex(text)
    except (ValueError, IndexError) as error:
        raise KeysError("The private key file is neither a Crypt4GH secret key nor 64 hexadecimal digits.") from error
    if len(key) != 32:
        raise KeysError("The private key is not 32 bytes long.")
    return key


def _crypt4gh_key(text: str) -> bytes:
    raw = base64.b64decode(text.removeprefix(_BEGIN).removesuffix(_END).strip(), validate=False)
    if not raw.startswith(_KEY_MAGIC):
        raise ValueError("not a Crypt4GH key")
    fields, rest = [], raw[len(_KEY_MAGIC) :]
    for _ in range(3):  # kdf, cipher, key: each with two bytes of length, big-endian
        length = int.from_bytes(rest[:2], "big")
        fields.append(rest[2 : 2 + length])
        rest = rest[2 + length :]
    kdf, cipher, key = fields
    if (kdf, cipher) != (b"none", b"none"):
        raise KeysError("The private key has a passphrase; nobody is here to give it. Use a key without one.")
    return key


def host_paths(spec: Spec) -> list[Path]:
    """Return the host's files that must stay in sight while the attempt runs."""
    keys = spec.keys.socket if isinstance(spec.keys, Broker) else spec.keys.private_key
    bodies = spec.bodies.socket if isinstance(spec.bodies, ObjectStore) else spec.bodies
    files = [given.body for given in spec.inputs if isinstance(given, Stored) and given.body is not None]
    asked = [spec.outside] if spec.outside is not None else []
    return [keys, bodies, *asked, *files, *(given.file for given in spec.inputs if isinstance(given, Whole))]

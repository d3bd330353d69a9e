"""What every verb of the broker works with."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archive.facts import ObjectFacts
from archive.keys.kek import load_kek
from archive.keys.keyring import Keyring
from archive.keys.log_reading import LogReader
from archive.keys.purposes import KeyName, Purpose
from archive.keys.seals import Seals
from archive.keys.trust import Trust, load_private, load_public
from archive.store import StoredObject
from sandbox.crypt4gh import Crypt4GHError, open_header, seal_header
from strongroom.database import open_database
from strongroom.dsse import key_id
from strongroom.errors import BadRequest
from strongroom.settings import Settings

ACTOR = "archive.broker"


@dataclass(frozen=True)
class Desk:
    """The broker's tables, keys and trust; one for the life of the process."""

    settings: Settings
    engine: sa.Engine
    keyring: Keyring
    seals: Seals
    trust: Trust
    order_keys: Mapping[str, Ed25519PublicKey]  # the signer's, from our own configuration
    log: LogReader = field(default_factory=LogReader)

    def believed(self, row: StoredObject) -> "Believed":
        """Return what a row says, if it carries our signature (T11)."""
        facts = row.facts()
        return Believed(facts, self.seals.check_object(facts, signature=row.signature, header=row.header))

    def data_key(self, one: "Believed") -> bytes:
        """Return the data key of an object; raise `KeyGone` when its owner's key was destroyed."""
        key = self.keyring.opened(KeyName(Purpose(one.facts.purpose), one.facts.owner), one.facts.key_version)
        return opened_header(one.header, key.secret)

    def rewrapped(self, one: "Believed", recipient: bytes) -> str:
        """Return (in base64) a header of one packet that opens an object for `recipient` alone."""
        return base64.b64encode(sealed_header(self.data_key(one), recipient)).decode()


@dataclass(frozen=True)
class Believed:
    """An object whose row was verified, with its header."""

    facts: ObjectFacts
    header: bytes


def opened_header(header: bytes, secret: bytes) -> bytes:
    """Return the data key in a header of exactly one packet for this key, without edit list (T12, T25)."""
    try:
        return open_header(header, secret)
    except Crypt4GHError as error:
        raise BadRequest(f"header: {error}") from error


def sealed_header(data_key: bytes, recipient: bytes) -> bytes:
    """Return a header of one packet for `recipient`."""
    try:
        return seal_header(data_key, recipient)
    except Crypt4GHError as error:
        raise BadRequest(f"recipient: {error}") from error


def open_desk(settings: Settings) -> Desk:
    """Open the broker's own files and the database."""
    own = settings.home / "broker"
    engine = open_database(settings.database, joined=settings.joined)
    signer = load_public(own / "signer.pem")
    return Desk(
        settings=settings,
        engine=engine,
        keyring=Keyring(engine, load_kek(own / "kek")),
        seals=Seals(load_private(own / "key.pem")),
        trust=Trust(settings.home / "trust", settings.vetting.keys, joined=settings.joined),
        order_keys={key_id(signer): signer},
    )

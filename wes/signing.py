"""Signs and revokes workflow versions in the name of vetters whose keys count now, none of them the author (T23)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from strongroom import dsse
from strongroom.database import now
from strongroom.errors import Conflict, NotAllowed
from strongroom.folders import folder_digest
from strongroom.persons import Joined
from strongroom.settings import Settings
from strongroom.vetters import VetterKey, counting, owners, signing
from wes.records import (
    ENVELOPE,
    REVOCATION,
    content_of,
    described,
    is_revoked,
    read_envelope,
    record_of,
    turn,
    write_envelope,
)
from wes.vetting import STATEMENT, NotVetted, is_author

REVOKED = "application/vnd.strongroom.revocation+json"


class Revoked(StrEnum):
    """Why a version is taken out of use; the audit log takes no free text."""

    UNSAFE = "unsafe"
    MISTAKEN = "mistaken"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Vetters:
    """The vetters' keys by their names, and what the settings say of them, read at one moment."""

    named: Mapping[str, Ed25519PublicKey]
    said: Mapping[str, VetterKey]
    joined: Joined

    @classmethod
    def of(cls, settings: Settings) -> "Vetters":
        """Read the keys: PEM files that only the operator writes."""
        return cls(dict(_keys_in(settings.home / "trust" / "vetters")), settings.vetting.keys, settings.joined)

    @property
    def names(self) -> dict[str, str]:
        """The key id of each vetter by name."""
        return {name: dsse.key_id(key) for name, key in self.named.items()}

    @property
    def trusted(self) -> dict[str, Ed25519PublicKey]:
        """The keys that count now, by key id."""
        return counting(self.named, self.said, now())

    @property
    def owners(self) -> dict[str, str]:
        """Who holds each key, by key id, as far as the settings say it."""
        return owners(self.named, self.said, self.joined)

    def authors(self, author: str) -> frozenset[str]:
        """Return the key ids of vetters who are the author."""
        return frozenset(
            dsse.key_id(key)
            for name, key in self.named.items()
            if any(is_author(author, name, one) for one in self.joined.identities_of(self._person(name)))
        )

    def others_who_signed(self, envelope: dsse.Envelope, author: str) -> frozenset[str]:
        """Return the vetters who signed and are not the author (T23)."""
        authors = self.authors(author)
        others = {id_: key for id_, key in self.trusted.items() if id_ not in authors}
        return signing(dsse.signers(envelope, STATEMENT, others), self.owners)

    def who_signed(self, envelope: dsse.Envelope) -> tuple[str, ...]:
        """Return the names of those whose keys count and signed, for display."""
        names = {key: name for name, key in self.names.items()}
        return tuple(sorted(names.get(key, key) for key in dsse.signers(envelope, STATEMENT, self.trusted)))

    def _person(self, name: str) -> str:
        said = self.said.get(name)
        return said.person if said is not None else ""


def stated(settings: Settings, name: str, version: str) -> dict[str, Any]:
    """Return what a signature on this version would state: its digest, its images, and what its engine may see."""
    envelope = read_envelope(record_of(settings, name, version))
    if envelope is None:
        raise NotVetted(detail=f"{name}/{version}: not in the catalogue")
    facts: dict[str, Any] = dsse.facts_in(envelope)
    return facts


def sign(
    settings: Settings, name: str, version: str, key: Ed25519PrivateKey, *, read: Mapping[str, Any] | None = None
) -> int:
    """Add a vetter's signature; return how many trusted vetters have signed.

    Raises `Conflict` where the version is not any more what the vetter `read`, as `stated` gave it (T23).
    """
    record = record_of(settings, name, version)
    facts = stated(settings, name, version)
    if folder_digest(content_of(settings, facts["digest"])) != facts["digest"]:
        raise NotVetted(detail="content that is not what was vetted")
    vetters = Vetters.of(settings)
    mine = _check_vetter(vetters, key)
    author = described(content_of(settings, facts["digest"])).author
    if mine in vetters.authors(author):
        raise NotAllowed("Nobody vets what they wrote: the manifest names you as its author, so two others sign.")
    with turn(record):
        if is_revoked(settings, name, version):
            raise Conflict("This version is revoked and never comes back; raise the version.")
        envelope = read_envelope(record)
        if envelope is None or dsse.facts_in(envelope) != facts or facts != (read or facts):
            raise Conflict("This version is not any more what you have read: it was vetted anew; read it once more.")
        kept = [s for s in envelope["signatures"] if s["keyid"] != mine]
        envelope["signatures"] = kept + dsse.sign(STATEMENT, facts, key)["signatures"]
        write_envelope(record / ENVELOPE, envelope)
    return len(vetters.others_who_signed(envelope, author))


def revoke(settings: Settings, name: str, version: str, reason: Revoked, key: Ed25519PrivateKey) -> None:
    """Take a version out of use for ever, in a vetter's name."""
    facts = stated(settings, name, version)
    _check_vetter(Vetters.of(settings), key)
    record = record_of(settings, name, version)
    with turn(record):
        if is_revoked(settings, name, version):
            raise Conflict("This version is revoked already.")
        write_envelope(record / REVOCATION, dsse.sign(REVOKED, {**facts, "reason": reason.value}, key))


def _check_vetter(vetters: Vetters, key: Ed25519PrivateKey) -> str:
    mine = dsse.key_id(key.public_key())
    if mine not in vetters.trusted:
        raise NotAllowed(
            "This key is not a vetter's, or does not count now; "
            "an operator adds one with `strongroom key new-vetter`."
        )
    return mine


def check_others_signed(vetters: Vetters, envelope: dsse.Envelope, author: str, *, signatures: int) -> None:
    """Raise unless enough vetters signed who are not the author (T23)."""
    if len(vetters.others_who_signed(envelope, author)) < signatures:
        raise NotVetted(detail="an author's signature does not count")


def _keys_in(folder: Path) -> Iterator[tuple[str, Ed25519PublicKey]]:
    for file in sorted(folder.glob("*.pem")):
        key = load_pem_public_key(file.read_bytes())
        if isinstance(key, Ed25519PublicKey):
            yield file.stem, key

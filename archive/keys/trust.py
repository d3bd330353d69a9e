"""Reads the keys and digests that the broker trusts: files that only the operator can write (T11)."""

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from archive.keys.rights import Vetted
from strongroom import dsse
from strongroom.canonical import canonical
from strongroom.database import now
from strongroom.errors import Unavailable
from strongroom.persons import NOBODY, Joined
from strongroom.vetters import VetterKey, counting, owners, signing

WORKFLOW_TYPE = "application/vnd.strongroom.workflow+json"
MOST_WORKFLOWS = 1_000
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class TrustRefused(Unavailable):
    """A file of trust is missing, or somebody else could have written it."""


def read_trusted(path: Path) -> bytes:
    """Return the bytes of a file that belongs to root or to us and that nobody else can write."""
    try:
        with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NOFOLLOW)) as file:
            found = os.fstat(file.fileno())
            raw = file.read(1 << 16)
    except OSError as error:
        raise TrustRefused(
            f"The file {path.name} that the broker needs is missing; run `strongroom doctor`."
        ) from error
    if found.st_uid not in (0, os.geteuid()) or stat.S_IMODE(found.st_mode) & 0o022:
        raise TrustRefused(f"The file {path.name} could have been written by others; give it to root, mode 0644.")
    return raw


def load_public(path: Path) -> Ed25519PublicKey:
    """Return the Ed25519 public key in a trusted PEM file."""
    key = load_pem_public_key(read_trusted(path))
    if not isinstance(key, Ed25519PublicKey):
        raise TrustRefused(f"The file {path.name} does not hold an Ed25519 key.")
    return key


def load_private(path: Path) -> Ed25519PrivateKey:
    """Return the Ed25519 private key in a PEM file of our own, which nobody else can read."""
    raw = read_trusted(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise TrustRefused(f"The file {path.name} must have mode 0600.")
    key = load_pem_private_key(raw, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TrustRefused(f"The file {path.name} does not hold an Ed25519 key.")
    return key


class Trust:
    """What the operator put below `home/trust`; looked at again at each use, so that a removed key counts no more."""

    def __init__(
        self, folder: Path, keys: Mapping[str, VetterKey] = MappingProxyType({}), *, joined: Joined = NOBODY
    ) -> None:
        self._folder, self._keys, self._joined = folder, keys, joined
        self._seen: tuple[tuple[str, int, int, int], ...] = ()
        self._vetters: dict[str, Ed25519PublicKey] = {}  # by name
        self._workflows: dict[tuple[bytes, frozenset[str]], Vetted] = {}

    def vetters(self) -> dict[str, Ed25519PublicKey]:
        """Return the public keys of the vetters who count now, by key id."""
        seen = tuple(
            sorted(
                (entry.name, found.st_mtime_ns, found.st_ino, found.st_ctime_ns)
                for entry in self._entries()
                for found in (entry.stat(follow_symlinks=False),)
            )
        )
        if seen != self._seen:
            names = [name for name, *_ in seen]
            self._vetters = {name[:-4]: load_public(self._folder / "vetters" / name) for name in names}
            self._seen = seen
        return counting(self._vetters, self._keys, now())

    def vetted(self, envelope: dsse.Envelope) -> Vetted:
        """Return what a workflow's envelope says and which vetters signed it; good signatures are remembered."""
        vetters = self.vetters()
        asked = (hashlib.sha256(canonical(envelope)).digest(), frozenset(vetters))
        found = self._workflows.get(asked)
        if found is None:
            try:
                signed_by = dsse.signers(envelope, WORKFLOW_TYPE, vetters)
                facts = dsse.facts_in(envelope)
            except (AttributeError, TypeError, KeyError) as error:
                raise dsse.BadEnvelope("The workflow's signatures cannot be read.") from error
            if not isinstance(facts, dict) or not isinstance(facts.get("images"), dict):
                raise dsse.BadEnvelope("The workflow's signatures cannot be read.")
            found = Vetted(facts, signing(signed_by, owners(self._vetters, self._keys, self._joined)))
            if len(self._workflows) >= MOST_WORKFLOWS:
                self._workflows.clear()
            self._workflows[asked] = found
        return found

    def checks_image(self) -> str:
        """Return the digest of the one image that inspections run in (decision 14)."""
        digest = read_trusted(self._folder / "checks-image").decode(errors="replace").strip()
        if not _DIGEST.fullmatch(digest):
            raise TrustRefused("The file checks-image does not hold an image digest.")
        return digest

    def _entries(self) -> list[os.DirEntry[str]]:
        folder = self._folder / "vetters"
        try:
            found = folder.stat(follow_symlinks=False)
            if found.st_uid not in (0, os.geteuid()) or stat.S_IMODE(found.st_mode) & 0o022:
                raise TrustRefused("The folder of vetters' keys could have been written by others.")
            with os.scandir(folder) as entries:
                return [entry for entry in entries if entry.name.endswith(".pem")]
        except FileNotFoundError:
            return []

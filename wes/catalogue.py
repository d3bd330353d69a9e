"""What may run: vetted workflow versions in content-addressed folders, with their locks and signatures (T23)."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from strongroom import dsse
from strongroom.errors import BadRequest, Conflict, NotAllowed
from strongroom.folders import folder_digest, listing
from strongroom.settings import Settings
from wes.manifest import Manifest, parse_manifest
from wes.profiles import FILE as PROFILE
from wes.profiles import Profile, parse_profile
from wes.vetting import STATEMENT, NotVetted, Statement, check_signed

MANIFEST = "manifest.yaml"


@dataclass(frozen=True)
class Vetted:
    """A workflow version that may run: verified now, from its stored bytes."""

    statement: Statement
    manifest: Manifest
    envelope: dsse.Envelope
    folder: Path


@dataclass(frozen=True)
class VettedProfile:
    """A task profile that federated tasks may run by: verified now, from its stored bytes."""

    statement: Statement
    profile: Profile
    envelope: dsse.Envelope


@dataclass(frozen=True)
class Listed:
    """A version in the catalogue, vetted or not yet."""

    name: str
    version: str
    title: str
    digest: str
    signed_by: tuple[str, ...]
    vetted: bool


def load(settings: Settings, name: str, version: str) -> Vetted:
    """Return a vetted version; digest and signatures are verified at each call (T23)."""
    statement, envelope, folder = _verified(settings, name, version)
    manifest = parse_manifest(_text(folder / MANIFEST))
    _check_same(manifest, statement)
    return Vetted(statement, manifest, envelope, folder)


def load_profile(settings: Settings, name: str, version: str) -> VettedProfile:
    """Return a vetted task profile, its images as digests; verified at each call, as workflows are (T3, T23)."""
    statement, envelope, folder = _verified(settings, name, version)
    profile = parse_profile(_text(folder / PROFILE), dict(statement.images))
    _check_same(profile, statement)
    return VettedProfile(statement, profile, envelope)


def profiles(settings: Settings) -> Iterator[VettedProfile]:
    """Yield every vetted task profile, by name and version."""
    for file in sorted((settings.home / "catalogue").glob("records/*/*/envelope.json")):
        name, version = file.parent.parent.name, file.parent.name
        try:
            digest = str(dsse.facts_in(json.loads(file.read_text()))["digest"])
            if (_content(settings, digest) / PROFILE).is_file():
                yield load_profile(settings, name, version)
        except (OSError, ValueError, KeyError, TypeError, NotAllowed, BadRequest):
            continue  # unsigned, changed or unreadable: nothing runs by it


def _verified(settings: Settings, name: str, version: str) -> tuple[Statement, dsse.Envelope, Path]:
    try:
        envelope = json.loads((_record(settings, name, version) / "envelope.json").read_text())
        digest = str(dsse.facts_in(envelope)["digest"])
        folder = _content(settings, digest)
        found = folder_digest(folder)
    except (OSError, ValueError, KeyError, TypeError, NotAllowed, BadRequest) as error:
        raise NotVetted(detail=f"{name}/{version}: {type(error).__name__}") from error
    statement = check_signed(
        envelope,
        name=name,
        version=version,
        content_digest=found,
        vetters=trusted_vetters(settings),
        signatures=settings.vetting.signatures,
    )
    return statement, envelope, folder


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, ValueError) as error:
        raise NotVetted(detail=f"no {file.name}: {type(error).__name__}") from error


def _check_same(said: Manifest | Profile, statement: Statement) -> None:
    if (said.name, said.version) != (statement.workflow, statement.version):
        raise NotVetted(detail="a manifest of another version")
    if set(said.images) != set(statement.images):
        raise NotVetted(detail="a manifest with other images")


def vet(settings: Settings, source: Path, images: dict[str, str]) -> Statement:
    """Take a workflow or task profile into the catalogue, unsigned: its files by content, its images by digest."""
    manifest = _described(source)
    missing = sorted(set(manifest.images) - set(images))
    if missing:
        raise BadRequest(f"The workflow names the image {missing[0]}; import it first with --name {missing[0]}.")
    statement = Statement(
        manifest.name, manifest.version, folder_digest(source), {name: images[name] for name in manifest.images}
    )
    record = _record(settings, manifest.name, manifest.version)
    envelope = _read_envelope(record)
    if envelope is not None and dsse.facts_in(envelope) != statement.facts():
        if envelope["signatures"]:
            raise Conflict("This version is signed with other content; versions never change, so raise the version.")
        envelope = None
    _store_content(settings, source, statement.digest)
    if envelope is None:
        _write_envelope(record, dsse.sign(STATEMENT, statement.facts()))
        lock = {"images": dict(statement.images)}
        (record / "images.lock").write_text(json.dumps(lock, indent=2, sort_keys=True) + "\n")
    return statement


def _described(source: Path) -> Manifest | Profile:
    """Return what a folder says it is; never both a workflow and a profile, so that nothing runs by two rules."""
    if not (source / PROFILE).exists():
        return parse_manifest(_read(source / MANIFEST))
    if (source / MANIFEST).exists():
        raise BadRequest(f"A folder holds a {MANIFEST} or a {PROFILE}, not both.")
    return parse_profile(_read(source / PROFILE))


def sign(settings: Settings, name: str, version: str, key: Ed25519PrivateKey) -> int:
    """Add a vetter's signature; return how many trusted vetters have signed."""
    record = _record(settings, name, version)
    envelope = _read_envelope(record)
    if envelope is None:
        raise NotVetted(detail=f"{name}/{version}: not in the catalogue")
    facts = dsse.facts_in(envelope)
    if folder_digest(_content(settings, facts["digest"])) != facts["digest"]:
        raise NotVetted(detail="content that is not what was vetted")
    trusted = trusted_vetters(settings)
    mine = dsse.key_id(key.public_key())
    if mine not in trusted:
        raise NotAllowed("This key is not a vetter's; an operator adds it with `strongroom key new-vetter`.")
    kept = [s for s in envelope["signatures"] if s["keyid"] != mine]
    envelope["signatures"] = kept + dsse.sign(STATEMENT, facts, key)["signatures"]
    _write_envelope(record, envelope)
    return len(dsse.signers(envelope, STATEMENT, trusted))


def listed(settings: Settings) -> Iterator[Listed]:
    """Yield every version in the catalogue, by name and version."""
    trusted = trusted_vetters(settings)
    names = {key: name for name, key in vetter_names(settings).items()}
    for file in sorted((settings.home / "catalogue").glob("records/*/*/envelope.json")):
        name, version = file.parent.parent.name, file.parent.name
        envelope = json.loads(file.read_text())
        facts = dsse.facts_in(envelope)
        signed = sorted(names.get(k, k) for k in dsse.signers(envelope, STATEMENT, trusted))
        title = _title(settings, name, version)
        yield Listed(name, version, title or "", facts["digest"], tuple(signed), title is not None)


def _title(settings: Settings, name: str, version: str) -> str | None:
    """Return the title of a vetted version, None for one that may not run."""
    for look in (
        lambda: load(settings, name, version).manifest,
        lambda: load_profile(settings, name, version).profile,
    ):
        try:
            return look().title
        except (NotVetted, BadRequest):
            continue
    return None


def trusted_vetters(settings: Settings) -> dict[str, Ed25519PublicKey]:
    """Return the vetters' public keys by key id: PEM files that only the operator writes."""
    return {dsse.key_id(key): key for _, key in _vetter_keys(settings)}


def vetter_names(settings: Settings) -> dict[str, str]:
    """Return the key id of each vetter by name."""
    return {name: dsse.key_id(key) for name, key in _vetter_keys(settings)}


def _vetter_keys(settings: Settings) -> Iterator[tuple[str, Ed25519PublicKey]]:
    for file in sorted((settings.home / "trust" / "vetters").glob("*.pem")):
        key = load_pem_public_key(file.read_bytes())
        if isinstance(key, Ed25519PublicKey):
            yield file.stem, key


def _record(settings: Settings, name: str, version: str) -> Path:
    return settings.home / "catalogue" / "records" / name / version


def _content(settings: Settings, digest: str) -> Path:
    return settings.home / "catalogue" / "content" / digest.removeprefix("sha256:")


def _store_content(settings: Settings, source: Path, digest: str) -> None:
    target = _content(settings, digest)
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
    for row in listing(source):
        copy = fresh / str(row["path"])
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / str(row["path"]), copy)
        copy.chmod(0o555 if row["executable"] else 0o444)
    for folder, _, _ in os.walk(fresh):
        Path(folder).chmod(0o755)
    if folder_digest(fresh) != digest:
        shutil.rmtree(fresh)
        raise Conflict("The workflow's files changed while they were read; try again.")
    fresh.rename(target)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise BadRequest("A workflow folder holds a manifest.yaml.") from error


def _read_envelope(record: Path) -> dsse.Envelope | None:
    try:
        envelope: dsse.Envelope = json.loads((record / "envelope.json").read_text())
    except FileNotFoundError:
        return None
    return envelope


def _write_envelope(record: Path, envelope: dsse.Envelope) -> None:
    record.mkdir(parents=True, exist_ok=True)
    fresh = record / ".envelope.json"
    fresh.write_text(json.dumps(envelope, indent=2) + "\n")
    fresh.chmod(0o644)
    fresh.rename(record / "envelope.json")

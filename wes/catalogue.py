"""What may run: vetted workflow versions in content-addressed folders, with their locks and signatures (T23)."""

import functools
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strongroom import dsse
from strongroom.errors import BadRequest, Conflict, NotAllowed
from strongroom.folders import folder_digest
from strongroom.settings import Settings
from wes.commands import NOTHING, ScriptCall
from wes.laid import laid_files
from wes.manifest import VERSION, Manifest, parse_manifest
from wes.profiles import FILE as PROFILE
from wes.profiles import Profile, parse_profile
from wes.records import (
    ENVELOPE,
    MANIFEST,
    content_of,
    described,
    is_revoked,
    read_envelope,
    record_of,
    store_content,
    turn,
    write_envelope,
)
from wes.signing import Vetters, check_others_signed, sign, stated
from wes.vetting import STATEMENT, NotVetted, Statement, check_signed, statement_of

__all__ = ["MANIFEST", "Listed", "Vetted", "VettedProfile", "last_vetted", "listed", "load", "load_for_a_run"]
__all__ += ["load_profile", "profiles", "sign", "stored", "vet"]
# The same text says the same, and reading YAML and a schema costs more than all that a submission is asked besides.
_parsed = functools.lru_cache(maxsize=64)(parse_manifest)


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
    revoked: bool = False


def load(settings: Settings, name: str, version: str) -> Vetted:
    """Return a vetted version; digest and signatures are verified at each call (T23)."""
    _check_not_revoked(settings, name, version)
    return _load(settings, name, version)


def load_for_a_run(settings: Settings, name: str, version: str) -> Vetted:
    """Return a version for a run that was accepted; whether it may end after a revocation, the settings say."""
    if settings.vetting.revoked_runs == "cancel":
        _check_not_revoked(settings, name, version)
    return _load(settings, name, version)


def _load(settings: Settings, name: str, version: str) -> Vetted:
    vetters = Vetters.of(settings)
    statement, envelope, folder = _verified(settings, vetters, name, version)
    manifest = _parsed(_text(folder / MANIFEST))
    _check_same(manifest, statement)
    check_others_signed(vetters, envelope, manifest.author, signatures=settings.vetting.signatures)
    return Vetted(statement, manifest, envelope, folder)


def load_profile(settings: Settings, name: str, version: str) -> VettedProfile:
    """Return a vetted task profile, its images as digests; verified at each call, as workflows are (T3, T23)."""
    _check_not_revoked(settings, name, version)
    vetters = Vetters.of(settings)
    statement, envelope, folder = _verified(settings, vetters, name, version)
    profile = parse_profile(_text(folder / PROFILE), dict(statement.images))
    _check_same(profile, statement)
    check_others_signed(vetters, envelope, profile.author, signatures=settings.vetting.signatures)
    return VettedProfile(statement, profile, envelope)


def profiles(settings: Settings) -> Iterator[VettedProfile]:
    """Yield every vetted task profile, by name and version."""
    for file in sorted((settings.home / "catalogue").glob("records/*/*/envelope.json")):
        name, version = file.parent.parent.name, file.parent.name
        try:
            digest = str(dsse.facts_in(json.loads(file.read_text()))["digest"])
            if (content_of(settings, digest) / PROFILE).is_file():
                yield load_profile(settings, name, version)
        except (OSError, ValueError, KeyError, TypeError, NotAllowed, BadRequest):
            continue  # unsigned, changed or unreadable: nothing runs by it


def _verified(settings: Settings, vetters: Vetters, name: str, version: str) -> tuple[Statement, dsse.Envelope, Path]:
    try:
        envelope = json.loads((record_of(settings, name, version) / ENVELOPE).read_text())
        digest = str(dsse.facts_in(envelope)["digest"])
        folder = content_of(settings, digest)
        found = folder_digest(folder)
    except (OSError, ValueError, KeyError, TypeError, NotAllowed, BadRequest) as error:
        raise NotVetted(detail=f"{name}/{version}: {type(error).__name__}") from error
    statement = check_signed(
        envelope,
        name=name,
        version=version,
        content_digest=found,
        vetters=vetters.trusted,
        owners=vetters.owners,
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
    if _clear(said) != statement.clear:
        raise NotVetted(detail="a manifest with other clear files")


def _clear(said: Manifest | Profile) -> tuple[dict[str, Any], ...]:
    return tuple(one.facts() for one in said.glimpses.clear) if isinstance(said, Manifest) else ()


def _check_not_revoked(settings: Settings, name: str, version: str) -> None:
    # The file alone counts, whatever it holds: who could forge it could also delete the version.
    if is_revoked(settings, name, version):
        raise NotVetted(detail=f"{name}/{version}: revoked")


def last_vetted(settings: Settings, name: str, version: str) -> Vetted | None:
    """Return the highest vetted version of a workflow below `version`: what a vetter compares a new one with."""
    below = [number for one in _versions(settings, name) if (number := _number(one)) < _number(version)]
    for number in sorted(below, reverse=True):
        try:
            return load(settings, name, ".".join(map(str, number)))
        except (NotVetted, BadRequest):
            continue
    return None


def stored(settings: Settings, name: str, version: str) -> tuple[Statement, Path]:
    """Return what is kept of a version, vetted or not, for display; nothing runs by this."""
    statement = statement_of(stated(settings, name, version))
    return statement, content_of(settings, statement.digest)


def signed_by(settings: Settings, name: str, version: str) -> tuple[str, ...]:
    """Return the names of the trusted vetters whose signatures a version carries, for display."""
    envelope = read_envelope(record_of(settings, name, version))
    if envelope is None:
        return ()
    return Vetters.of(settings).who_signed(envelope)


def free_commands(settings: Settings, statement: Statement) -> list[str]:
    """Return the rules of a version whose commands no template binds, for vetters and stewards to see (T18)."""
    said = described(content_of(settings, statement.digest))
    return said.free() if isinstance(said, Manifest) else []


def _versions(settings: Settings, name: str) -> list[str]:
    folder = record_of(settings, name, "x").parent
    return [one.name for one in folder.glob("*") if VERSION.fullmatch(one.name)]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def vet(settings: Settings, source: Path, images: dict[str, str]) -> Statement:
    """Take a workflow or task profile into the catalogue, unsigned: its files by content, its images by digest."""
    manifest = described(source)
    if isinstance(manifest, Manifest):
        _check_commands(source, manifest)
        laid_files(source, manifest.work)  # vetters hear now of what could not lie there
    missing = sorted(set(manifest.images) - set(images))
    if missing:
        raise BadRequest(f"The workflow names the image {missing[0]}; import it first with --name {missing[0]}.")
    used = {name: images[name] for name in manifest.images}
    statement = Statement(manifest.name, manifest.version, folder_digest(source), used, _clear(manifest))
    record = record_of(settings, manifest.name, manifest.version)
    with turn(record):
        envelope = read_envelope(record)
        if is_revoked(settings, manifest.name, manifest.version):
            raise Conflict("This version is revoked and never comes back; raise the version.")
        if envelope is not None and dsse.facts_in(envelope) != statement.facts():
            if envelope["signatures"]:
                raise Conflict(
                    "This version is signed with other content; versions never change, so raise the version."
                )
            envelope = None
        store_content(settings, source, statement.digest)
        if envelope is None:
            write_envelope(record / ENVELOPE, dsse.sign(STATEMENT, statement.facts()))
            lock = {"images": dict(statement.images)}
            (record / "images.lock").write_text(json.dumps(lock, indent=2, sort_keys=True) + "\n")
    return statement


def _check_commands(source: Path, manifest: Manifest) -> None:
    """Raise unless commands are said, and each script that one names is in the folder, with its digest (T18)."""
    if manifest.engine == "snakemake" and manifest.commands is NOTHING:
        raise BadRequest("manifest.yaml: commands is missing; `strongroom workflow vet --draft` writes it.")
    for rule, command in manifest.commands.rules.items():
        if isinstance(command, ScriptCall):
            file = source / command.path
            found = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}" if file.is_file() else ""
            if found != command.digest:
                raise BadRequest(f"manifest.yaml: commands.{rule}: the script is not the one with this digest.")


def glimpses_of(settings: Settings, statement: Statement) -> list[str]:
    """Return what vetters must know before they sign: what the engine of this version may see of data (T4, T17)."""
    said = described(content_of(settings, statement.digest))
    return said.glimpses.sentences() if isinstance(said, Manifest) else []


def listed(settings: Settings) -> Iterator[Listed]:
    """Yield every version in the catalogue, by name and version."""
    vetters = Vetters.of(settings)
    for file in sorted((settings.home / "catalogue").glob("records/*/*/envelope.json")):
        name, version = file.parent.parent.name, file.parent.name
        envelope = json.loads(file.read_text())
        facts = dsse.facts_in(envelope)
        title = _title(settings, name, version)
        revoked = is_revoked(settings, name, version)
        yield Listed(
            name, version, title or "", facts["digest"], vetters.who_signed(envelope), title is not None, revoked
        )


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

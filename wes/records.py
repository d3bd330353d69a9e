"""Where the catalogue keeps workflow versions: files by content, and locks, signatures, revocations."""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from strongroom import dsse
from strongroom.errors import BadRequest, Conflict
from strongroom.folders import folder_digest, listing
from strongroom.settings import Settings
from wes.manifest import Manifest, parse_manifest
from wes.profiles import FILE as PROFILE
from wes.profiles import Profile, parse_profile

MANIFEST = "manifest.yaml"
ENVELOPE, REVOCATION = "envelope.json", "revocation.json"


def record_of(settings: Settings, name: str, version: str) -> Path:
    """Return the folder of a version's lock, signatures and revocation."""
    return settings.home / "catalogue" / "records" / name / version


def content_of(settings: Settings, digest: str) -> Path:
    """Return the folder of a workflow's files, named by their digest."""
    return settings.home / "catalogue" / "content" / digest.removeprefix("sha256:")


def read_envelope(record: Path) -> dsse.Envelope | None:
    """Return the signatures of a version; None if it was never vetted."""
    try:
        envelope: dsse.Envelope = json.loads((record / ENVELOPE).read_text())
    except FileNotFoundError:
        return None
    return envelope


@contextlib.contextmanager
def turn(record: Path) -> Iterator[None]:
    """Be the only one who changes a version's record: whoever signs at the same moment waits, and loses nothing."""
    record.mkdir(parents=True, exist_ok=True)
    fd = os.open(record, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def write_envelope(file: Path, envelope: dsse.Envelope) -> None:
    """Write an envelope as a whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}")
    fresh.write_text(json.dumps(envelope, indent=2) + "\n")
    fresh.chmod(0o644)
    fresh.rename(file)


def is_revoked(settings: Settings, name: str, version: str) -> bool:
    """Say whether a version was revoked; it never comes back."""
    return (record_of(settings, name, version) / REVOCATION).exists()


def store_content(settings: Settings, source: Path, digest: str) -> None:
    """Copy a workflow's files to the folder that their digest names, read-only."""
    target = content_of(settings, digest)
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


def described(source: Path) -> Manifest | Profile:
    """Return what a folder says it is; never both a workflow and a profile, so that nothing runs by two rules."""
    if not (source / PROFILE).exists():
        return parse_manifest(_read(source / MANIFEST))
    if (source / MANIFEST).exists():
        raise BadRequest(f"A folder holds a {MANIFEST} or a {PROFILE}, not both.")
    return parse_profile(_read(source / PROFILE))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise BadRequest("A workflow folder holds a manifest.yaml.") from error

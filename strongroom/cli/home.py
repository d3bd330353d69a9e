"""Lays out the folder of all state: who owns what, and who may read it."""

import os
import secrets
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from archive.keys.enrolment import enrol
from strongroom import identity
from strongroom.database import migrate
from strongroom.errors import BadRequest
from strongroom.settings import SOURCE, Settings

LONGEST_HOME = 60  # paths of Unix sockets are at most 107 bytes


@dataclass(frozen=True)
class Folder:
    """One folder of the home."""

    name: str
    owner: str  # root, broker, signer, services
    mode: int


FOLDERS = (
    Folder("database", "services", 0o2770),
    Folder("sockets", "services", 0o3770),
    Folder("objects", "services", 0o2770),
    Folder("runs", "services", 0o2750),
    Folder("queue", "services", 0o2750),
    Folder("catalogue", "root", 0o755),
    Folder("catalogue/content", "root", 0o755),
    Folder("catalogue/records", "root", 0o755),
    Folder("trust", "root", 0o755),
    Folder("trust/vetters", "root", 0o755),
    Folder("trust/images", "root", 0o755),
    Folder("keys", "root", 0o755),
    Folder("broker", "broker", 0o700),
    Folder("signer", "signer", 0o700),
    Folder("logs", "root", 0o700),
)


def prepare(settings: Settings) -> None:
    """Make the home ready: folders, schema, secrets of its own; safe to call at every start."""
    home = settings.home
    if len(str(home)) > LONGEST_HOME:
        raise BadRequest(f"STRONGROOM_HOME: at most {LONGEST_HOME} characters, because sockets lie in it.")
    home.mkdir(mode=0o755, parents=True, exist_ok=True)
    for folder in FOLDERS:
        path = home / folder.name
        path.mkdir(parents=True, exist_ok=True)
        own(path, settings, folder.owner)
        path.chmod(folder.mode)
    enrol(settings)
    settings.images_folder.mkdir(parents=True, exist_ok=True)
    migrate(settings.database)
    for file in (home / "database").iterdir():
        _share(file, settings)
    _secret(home / "keys" / "links", settings)
    if settings.federation.sites:
        identity.make_federation_issuer(settings)
        own(home / "keys" / "federation-issuer.json", settings, "services")
    if settings.identity.development_issuer:
        identity.make_development_issuer(settings)


def own(path: Path, settings: Settings, owner: str) -> None:
    """Give `path` to one of our users and the shared group; without root everything stays ours."""
    if os.geteuid() == 0:
        os.chown(path, uid_of(settings, owner), settings.uids.group)


def _share(path: Path, settings: Settings) -> None:
    # The folder is writable for our services: what root touches there must be a plain file and nobody's link.
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise BadRequest(f"{path.name} in the database folder is not a plain file; remove it.") from error
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise BadRequest(f"{path.name} in the database folder is not a plain file; remove it.")
        if os.geteuid() == 0:
            os.fchown(file, settings.uids.services, settings.uids.group)
        os.fchmod(file, 0o660)
    finally:
        os.close(file)


def uid_of(settings: Settings, owner: str) -> int:
    """Return the numeric user behind a name in `FOLDERS`."""
    uids = settings.uids
    return {"root": 0, "broker": uids.broker, "signer": uids.signer, "services": uids.services}[owner]


def needed_paths(settings: Settings) -> list[Path]:
    """Return what the processes must be able to reach after they dropped root."""
    bases = {Path(sys.prefix), Path(sys.base_prefix), Path(os.path.realpath(sys.executable)).parent.parent}
    return [SOURCE, settings.home, settings.images_folder, settings.wes.snakemake, settings.wes.plugins, *bases]


def _secret(path: Path, settings: Settings) -> None:
    if not path.exists():
        with open(path, "xb", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
            file.write(secrets.token_bytes(32))
    own(path, settings, "services")

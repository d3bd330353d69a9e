"""The people of the demo, what each brings, and what each does through their own door."""

import base64
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from demo.stage import Stage
from strongroom.cli import key as key_verbs
from strongroom.projects import Role
from strongroom.settings import SOURCE

PROJECT = "cohort"
ACCESS = "/api/access/v1"
AIRLOCK = "/api/airlock/v1"
ARCHIVE = "/api/archive/v1"


@cache
def built_image(name: str) -> Path:
    """Return the OCI layout of one of the recipes in images/build.py, built now or taken from the cache."""
    return _image(name)


@cache
def genomics_image() -> Path:
    """Return the OCI layout of the demo's image, built from Debian packages or taken from the cache."""
    return _image("genomics")


@cache
def checks_image() -> Path:
    """Return the OCI layout of the image that the airlock's checks run in."""
    return _image("checks")


@cache
def node_image() -> Path:
    """Return the OCI layout of the image of our own containers in a task's pod."""
    return _image("node")


def _image(name: str) -> Path:
    words = [sys.executable, "-P", str(SOURCE / "images" / "build.py"), name]
    printed = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Path(printed.strip().splitlines()[-1])


@dataclass(frozen=True)
class Cast:
    """The tokens of everybody in the story."""

    operator: str
    researcher: str
    first_steward: str
    second_steward: str


def cast(stage: Stage, project: str = PROJECT) -> Cast:
    """Give everybody a role and a token of the development issuer."""
    return Cast(
        operator=stage.token("olga", Role.OPERATOR),
        researcher=stage.token("ruth", Role.RESEARCHER, project),
        first_steward=stage.token("sam", Role.STEWARD, project),
        second_steward=stage.token("sina", Role.STEWARD, project),
    )


def by_name(file: Path) -> Sequence[str]:
    """Return the person that a file of one person is named by."""
    return (file.name.split(".")[0],)


def add_dataset(
    stage: Stage,
    token: str,
    dataset: str,
    files: list[Path],
    *,
    observability: str,
    project: str = PROJECT,
    persons: Callable[[Path], Sequence[str]] = by_name,
    min_population: int | None = None,
    clear: Collection[str] = (),
) -> None:
    """As the data's owner: make a dataset, encrypt each file on this side, and share it with the project."""
    from archive import ingest

    with stage.client(token) as client:
        made = {"id": dataset, "title": dataset, "observability": observability, "min_population": min_population}
        client.post(f"{ARCHIVE}/datasets", made)
        for file in files:
            with open(file, "rb") as plain:
                ingest.add(client, dataset, plain, name=file.name, persons=persons(file), clear=file.name in clear)
        client.post(f"{ARCHIVE}/datasets/{dataset}:share", {"project": project})


def register_key(stage: Stage, token: str, secret: Path) -> str:
    """As a researcher: make a Crypt4GH key pair, prove that it is ours, and return its fingerprint."""
    public = key_verbs.make_pair(secret, passphrase="")
    raw, private = key_verbs.read_public(public), key_verbs.read_secret(secret)
    with stage.client(token) as client:
        asked = client.post(f"{ACCESS}/keys", {"public_key": base64.b64encode(raw).decode()})
        nonce = key_verbs.opened(base64.b64decode(asked["challenge"]), private)
        proof = {"nonce": base64.b64encode(nonce).decode()}
        made: dict[str, Any] = client.post(f"{ACCESS}/keys/{asked['fingerprint']}:prove", proof)
    return str(made["fingerprint"])

"""Crates by command line: fetched from a real server, verified by a process of its own in an empty home."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from airlock_scene import TSV
from crate_scene import AUDITOR, Crates, released
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from test_airlock_commands import Desk, served

from strongroom.cli import release
from strongroom.object_stores.folder import Folder


@pytest.fixture(scope="module")
def crates() -> Iterator[Crates]:
    with released() as made:
        yield made


@pytest.fixture(scope="module")
def folder(crates: Crates, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both crates, the released files (sealed), and the signer's key."""
    place = tmp_path_factory.mktemp("crates")
    (place / "signer.pem").write_bytes(_pem(crates.public))
    number = crates.release["id"]
    with served(crates.stage.app) as server:
        desk = Desk(crates.stage, server)
        for name, file, more in (("ruth", "clean.zip", []), (AUDITOR, "full.zip", ["--full"])):
            got = desk.type(release.app, name, "crate", number, "-o", str(place / file), *more)
            assert got.exit_code == 0, got.output
            again = desk.type(release.app, name, "crate", number, "-o", str(place / file), *more)
            assert again.exit_code == 1
            assert "nothing is overwritten" in again.output
        refused = desk.type(release.app, "ruth", "crate", number, "-o", str(place / "no.zip"), "--full")
        assert refused.exit_code != 0
        assert not (place / "no.zip").exists()
    store = Folder(crates.stage.settings.home / "objects")
    by_id = {file["object"]: file for file in _released_objects(crates)}
    for made, file in by_id.items():
        target = place / "files" / f"{file['path']}.c4gh"
        target.parent.mkdir(parents=True, exist_ok=True)
        header = (
            b"crypt4gh" + (1).to_bytes(4, "little") + (1).to_bytes(4, "little") + (8).to_bytes(4, "little") + b"head"
        )
        target.write_bytes(header + b"".join(store.read(made)))
    return place


def _released_objects(crates: Crates) -> list[dict[str, str]]:
    from airlock.store import released_files
    from strongroom.database import reading

    with reading(crates.stage.engine) as session:
        rows = released_files(session, crates.release["id"])
        return [{"object": row.object, "path": row.path} for row in rows]


def _pem(key: Ed25519PublicKey) -> bytes:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, kind)


def verify(tmp_path: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command as on a machine that has nothing else of ours."""
    command = [sys.executable, "-P", "-m", "strongroom.cli", "release", "verify", *map(str, words)]
    home = {"STRONGROOM_HOME": str(tmp_path / "nothing"), "PATH": os.environ["PATH"], "COLUMNS": "200"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=home, cwd=tmp_path, check=False)
    assert not (tmp_path / "nothing").exists()
    return done


def test_a_crate_is_verified_on_a_machine_that_has_nothing_else(folder: Path, tmp_path: Path) -> None:
    key, files = ("--public-key", folder / "signer.pem"), ("--files", folder / "files")
    full = verify(tmp_path, folder / "full.zip", *key, *files, "--full")
    assert full.returncode == 0, full.stderr
    assert "sam@" in full.stdout
    clean = verify(tmp_path, folder / "clean.zip", *key, *files)
    assert clean.returncode == 0, clean.stderr
    assert "clean crate" in clean.stdout
    assert "clean crate" in verify(tmp_path, folder / "clean.zip", *key, "--full").stderr


def test_a_changed_crate_is_named_and_the_command_fails(folder: Path, tmp_path: Path) -> None:
    raw = bytearray((folder / "full.zip").read_bytes())
    raw[raw.index(b"vote.cast") + 3] ^= 1
    (tmp_path / "changed.zip").write_bytes(raw)
    done = verify(tmp_path, tmp_path / "changed.zip", "--public-key", folder / "signer.pem")
    assert done.returncode == 1
    assert "data/evidence/events.jsonl was changed" in done.stderr
    assert done.stdout == ""


def test_a_changed_released_file_is_named(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "files").rglob("*.c4gh"):
        target = tmp_path / "files" / path.relative_to(folder / "files")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    changed = tmp_path / "files" / f"{TSV}.c4gh"
    raw = bytearray(changed.read_bytes())
    raw[-1] ^= 1
    changed.write_bytes(raw)
    words = (folder / "full.zip", "--public-key", folder / "signer.pem", "--files", tmp_path / "files")
    done = verify(tmp_path, *words)
    assert done.returncode == 1
    assert "af.tsv.c4gh was changed" in done.stderr
    changed.unlink()
    assert f"{TSV} is not in the folder" in verify(tmp_path, *words).stderr


def test_without_a_key_nothing_is_proved(folder: Path, tmp_path: Path) -> None:
    done = verify(tmp_path, folder / "full.zip")
    assert done.returncode != 0
    assert "--public-key" in done.stderr

"""Crates of releases pass the profiles that roc-validator packages: RO-Crate 1.1 and Workflow Run Crate 0.5."""

import io
import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crate_scene import Crates, released

from airlock.crate import METADATA
from strongroom.settings import SOURCE

PYTHON = SOURCE / ".venvs" / "crates" / "bin" / "python"
VALIDATE = SOURCE / "tests" / "conformance" / "crates" / "validate.py"
PROFILES = ["ro-crate-1.1", "workflow-run-crate-0.5"]


def validated(folder: Path, profile: str) -> Any:
    """Return what the validator says; it has no network and needs none."""
    done = subprocess.run([PYTHON, VALIDATE, folder, profile], capture_output=True, check=True, timeout=300)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def crates() -> Iterator[Crates]:
    with released() as made:
        for file in made.release["files"]:
            assert made.stage.ask("ruth").get(file["link"]).status_code == 200
        made.sign()
        yield made


@pytest.fixture(params=["full", "clean"])
def folder(request: pytest.FixtureRequest, crates: Crates, tmp_path: Path) -> Path:
    raw = crates.full() if request.param == "full" else crates.clean()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        archive.extractall(tmp_path)
    return tmp_path / f"release-{crates.release['id']}" / "data"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_crate_passes(folder: Path, profile: str) -> None:
    assert validated(folder, profile) == {"passed": True, "issues": []}


def test_the_validator_sees_what_is_missing(crates: Crates, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(crates.full())) as archive:
        archive.extractall(tmp_path)
    (metadata,) = tmp_path.rglob(METADATA)
    crate = json.loads(metadata.read_text())
    crate["@graph"] = [e for e in crate["@graph"] if e["@id"] != "workflow.json"]
    metadata.write_text(json.dumps(crate))
    assert not validated(metadata.parent, "workflow-run-crate-0.5")["passed"]

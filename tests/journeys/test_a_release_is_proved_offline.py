"""A release leaves with its proof: fetched from a running Strongroom, verified where nothing else of it is."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from site_of_tests import PATIENCE, Site


def crate(site: Site, release: str, file: Path, *more: str, token: str) -> Path:
    """Fetch a crate that tells of the downloads: the signer has signed that far a moment later."""
    end = time.monotonic() + PATIENCE
    while True:
        got = site.stage.run("release", "crate", release, "-o", str(file), *more, token=token, check=False)
        if got.returncode == 0 and b"#receiving" in file.read_bytes():
            return file
        assert got.returncode == 0 or "in a minute" in got.stderr, got.stderr
        assert time.monotonic() < end
        file.unlink(missing_ok=True)
        time.sleep(1)


def verify(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `release verify` in an empty home, without a word of the site's environment."""
    command = [sys.executable, "-P", "-m", "strongroom.cli", "release", "verify", *map(str, words)]
    alone = {"STRONGROOM_HOME": str(folder / "empty"), "PATH": os.environ["PATH"], "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=alone, cwd=folder, check=False)


def test_a_release_is_proved_offline_and_each_change_is_named(site: Site, tmp_path: Path) -> None:
    run = site.frequencies()
    request = site.requested(run)
    site.approved(request)
    site.downloaded(request, tmp_path / "files")
    key = shutil.copy(site.stage.home / "trust" / "signer.pem", tmp_path / "signer.pem")
    full = crate(site, request, tmp_path / "full.zip", "--full", token=site.cast.first_steward)
    clean = crate(site, request, tmp_path / "clean.zip", token=site.cast.researcher)

    for file, words in ((full, ["--full"]), (clean, [])):
        done = verify(tmp_path, file, "--public-key", key, "--files", tmp_path / "files", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "4 files" in done.stdout
    raw = full.read_bytes()
    phases = (
        "#check",
        "#validation",
        "#retrieval",
        "#sign-off",
        "#execution",
        "#disclosure",
        "#publishing",
        "#receiving",
    )
    for phase in phases:
        assert f'"@id": "{phase}'.encode() in raw
    secrets = [site.stage.home.as_posix().encode(), site.cast.researcher.encode(), site.cast.first_steward.encode()]
    for secret in secrets:
        assert secret not in raw

    for path, part in (
        ("ro-crate-metadata.json", b"#sign-off"),
        ("workflow.json", b"cohort-frequencies/1.0.0"),
        ("evidence/record.json", b"min_count"),
        ("evidence/events.jsonl", b"vote.cast"),
        ("evidence/head.json", b"payloadType"),
    ):
        at = raw.index(part, raw.index(f"data/{path}".encode()))
        (tmp_path / "changed.zip").write_bytes(raw[:at] + b"~" + raw[at + 1 :])
        done = verify(tmp_path, tmp_path / "changed.zip", "--public-key", key)
        assert done.returncode == 1
        assert f"data/{path} was changed" in done.stderr

    changed = next((tmp_path / "files").rglob("spectrum.tsv"))
    changed.write_bytes(changed.read_bytes() + b"\n")
    done = verify(tmp_path, full, "--public-key", key, "--files", tmp_path / "files")
    assert done.returncode == 1
    assert "spectrum.tsv was changed" in done.stderr

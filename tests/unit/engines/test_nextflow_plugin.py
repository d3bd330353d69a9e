"""Our plug-in for Nextflow passes its own tests, and what it is built from is what was pinned."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from strongroom.settings import SOURCE

PLUGIN = SOURCE / "engines" / "nextflow"
JARS = SOURCE / ".venvs" / "engine-nextflow" / "jars"
REPOSITORY = Path(os.environ.get("HOME", "/root")) / ".cache" / "strongroom" / "maven"


def test_the_java_of_the_plugin_passes_its_tests(tmp_path: Path) -> None:
    shutil.copytree(PLUGIN, tmp_path / "plugin")
    words = [
        "mvn",
        "-B",
        "-o",
        "-ntp",
        "-f",
        str(tmp_path / "plugin" / "pom.xml"),
        f"-Dmaven.repo.local={REPOSITORY}",
    ]
    done = subprocess.run(
        [*words, "-Dstyle.color=never", "test"], check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:]
    counts = re.findall(r"Tests run: (\d+), Failures: 0, Errors: 0, Skipped: 0$", done.stdout, re.MULTILINE)
    assert counts, done.stdout[-3000:]
    assert int(counts[-1]) >= 15


def test_the_engine_is_made_of_the_pinned_jars_and_ours() -> None:
    pinned = dict(reversed(line.split()) for line in (PLUGIN / "jars.sha256").read_text().splitlines())
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in JARS.iterdir()}
    assert set(found) == {*pinned, "strongroom-nextflow.jar"}
    assert {name: digest for name, digest in found.items() if name in pinned} == pinned


def test_no_address_of_a_registry_is_in_the_build() -> None:
    texts = [path.read_text() for path in PLUGIN.rglob("*") if path.is_file()]
    assert not [text for text in texts if "<repository>" in text or "<mirror>" in text]

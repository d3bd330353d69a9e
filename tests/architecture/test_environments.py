"""The environments are what their locks say, and nothing in them comes in `tes`'s way."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata

from codebase import ROOT, files
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

import tes

LOCKS = [
    "requirements.lock",
    ".ci/uv.lock",
    ".ci/build.lock",
    "docs/requirements.lock",
    "engines/snakemake/requirements.lock",
    "bench/requirements.lock",
    "tests/conformance/schemathesis/requirements.lock",
    "tests/conformance/pytes/requirements.lock",
    "tests/services/s3/requirements.lock",
    "tests/pages/requirements.lock",
]


def locked(lock: str) -> dict[NormalizedName, str]:
    """Return name → version of a lock."""
    text = (ROOT / lock).read_text()
    return {canonicalize_name(n): v for n, v in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)}


def test_our_distribution_alone_provides_tes() -> None:
    # py-tes installs an import package of the same name; they would overwrite each other without a word.
    assert set(metadata.packages_distributions().get("tes", [])) <= {"strongroom"}
    assert tes.__file__ == str(ROOT / "tes" / "__init__.py")
    assert "py-tes" not in {canonicalize_name(d.metadata["Name"]) for d in metadata.distributions()}
    assert not {"py-tes", "pytes"} & set(locked("requirements.lock"))


def test_every_dependency_is_locked_at_a_version_that_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    versions = locked("requirements.lock")
    for requirement in map(Requirement, asked):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in requirements.lock"
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}"


def test_the_environment_is_the_lock() -> None:
    here = {canonicalize_name(d.metadata["Name"]): d.version for d in metadata.distributions()}
    late = {name: (here.get(name), version) for name, version in locked("requirements.lock").items()}
    other = {name: pair for name, pair in late.items() if pair[0] is not None and pair[0] != pair[1]}
    assert not other, "run `make setup`"


def test_every_locked_package_has_a_hash() -> None:
    for lock in LOCKS:
        text = (ROOT / lock).read_text()
        assert text.startswith(tuple("abcdefghijklmnopqrstuvwxyz")), f"{lock} starts with an option or a comment"
        for block in re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE):
            assert not block.strip() or "--hash=sha256:" in block, f"{lock}: {block.splitlines()[0]}"


def test_every_python_of_ours_starts_with_a_safe_path() -> None:
    assert "export PYTHONSAFEPATH := 1" in (ROOT / "Makefile").read_text()
    shown = subprocess.run(
        [sys.executable, "-P", "-c", "import tes; print(tes.__file__)"],
        cwd="/",
        check=True,
        capture_output=True,
        text=True,
    )
    assert shown.stdout.strip() == str(ROOT / "tes" / "__init__.py")


def test_no_file_names_a_registry_or_a_place_of_one_machine() -> None:
    # In pieces, so that this file keeps its own rule.
    hosts = ["py" + "pi.org", "python" + "hosted.org", "deb.deb" + "ian.org", "npm" + "js.org", "proxy.go" + "lang"]
    places = ["/wo" + "rk/(main|shared)", "/tmp/" + "helpers"]
    forbidden = re.compile("|".join([*map(re.escape, hosts), *places]))
    broken = [
        f"{path}: {found.group()}"
        for path in files()
        if b"\0" not in (raw := (ROOT / path).read_bytes())[:4096]
        for found in forbidden.finditer(raw.decode(errors="replace"))
    ]
    assert not broken

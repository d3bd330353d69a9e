#!/usr/bin/env python3
"""Builds an image from Debian packages as an OCI layout, without a registry, and prints the layout's folder."""

# The tree comes from mmdebstrap and the own apt sources of this machine; the same packages give the same bytes. What
# was built is kept below ~/.cache/strongroom/images, named by the recipe and the versions of its packages.

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

CACHE = Path.home() / ".cache" / "strongroom" / "images"
SUITE = "bookworm"
EPOCH = 1_700_000_000
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Nothing in a task reads documentation, other people's languages, or the package manager's own lists.
LEFT_OUT = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
)


@dataclass(frozen=True)
class Recipe:
    """What an image holds: Debian packages, on top of Debian's essential ones."""

    packages: tuple[str, ...]
    env: tuple[str, ...] = ("PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8")


RECIPES = {
    "genomics": Recipe(("bcftools", "bwa", "fonts-dejavu-core", "python3", "python3-pil", "samtools", "tabix")),
    "checks": Recipe(("python3", "python3-pil")),
}


def main() -> None:
    """Build, or find in the cache, the image that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--out", type=Path, help="copy the layout here as well")
    asked = parser.parse_args()
    layout = cached(asked.name)
    if asked.out is not None:
        shutil.copytree(layout, asked.out, dirs_exist_ok=True)
        layout = asked.out
    print(layout)


def cached(name: str) -> Path:
    """Return the layout of `name`, built now if these packages were not built before."""
    recipe = RECIPES[name]
    layout = CACHE / f"{name}-{_key(recipe)}"
    if not (layout / "index.json").exists():
        print(f"Building the image {name} from Debian packages (some 20 s) …", file=sys.stderr)
        build(recipe, layout)
    return layout


def build(recipe: Recipe, layout: Path) -> None:
    """Make the tree, wrap it as one OCI layer, and put the whole layout in place at once."""
    if shutil.which("mmdebstrap") is None:
        sys.exit("images/build.py needs the Debian package mmdebstrap: apt-get install mmdebstrap")
    layout.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=layout.parent) as folder:
        tree, fresh = Path(folder) / "tree.tar", Path(folder) / "layout"
        _debootstrap(recipe, tree)
        _wrap(recipe, tree, fresh)
        shutil.rmtree(layout, ignore_errors=True)
        fresh.rename(layout)


def _debootstrap(recipe: Recipe, tree: Path) -> None:
    # mmdebstrap creates device nodes in the tree; an image of ours has none.
    words = [
        "mmdebstrap",
        "--quiet",
        "--variant=essential",
        "--skip=output/dev",
        f"--include={','.join(recipe.packages)}",
    ]
    words += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    clean = "rm -rf $1/var/lib/apt/lists/* $1/var/cache/* $1/var/log/* && mkdir -p $1/run $1/tmp $1/proc $1/dev"
    words += [f"--customize-hook={clean}", SUITE, str(tree)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"mmdebstrap failed:\n{done.stderr[-3000:]}")


def _wrap(recipe: Recipe, tree: Path, layout: Path) -> None:
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    architecture = ARCHITECTURES[platform.machine()]
    with tree.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = tree.stat().st_size
    tree.rename(blobs / digest)
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": f"sha256:{digest}", "size": size}
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": list(recipe.env), "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **_blob(blobs, config)},
        "layers": [layer],
    }
    entry = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        **_blob(blobs, manifest),
        "platform": {"architecture": architecture, "os": "linux"},
    }
    (layout / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))


def _blob(blobs: Path, content: object) -> dict[str, str | int]:
    raw = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(raw).hexdigest()
    (blobs / digest).write_bytes(raw)
    return {"digest": f"sha256:{digest}", "size": len(raw)}


def _key(recipe: Recipe) -> str:
    """Return a name for these packages at their candidate versions, and for this program."""
    asked = subprocess.run(
        ["apt-cache", "policy", *recipe.packages, "libc6", "bash", "coreutils"],
        capture_output=True,
        text=True,
        check=True,
    )
    versions = re.findall(r"^(\S+):\n.*?Candidate: (\S+)", asked.stdout, re.MULTILINE | re.DOTALL)
    facts = {"recipe": asdict(recipe), "versions": versions, "program": Path(__file__).read_text()}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Builds an image from Debian packages as an OCI layout, without a registry, and prints the layout's folder."""

# The tree comes from mmdebstrap and the own apt sources of this machine; the same packages give the same bytes. What
# was built is kept below ~/.cache/strongroom/images, named by the recipe and the versions of its packages.

import argparse
import hashlib
import importlib.util
import io
import json
import marshal
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

CACHE = Path.home() / ".cache" / "strongroom" / "images"
SUITE = "bookworm"
EPOCH = 1_700_000_000
SOURCE = Path(__file__).resolve().parent.parent
ENVIRONMENT = SOURCE / ".venv" / "lib" / "python3.11" / "site-packages"
PLACE = "/opt/strongroom"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Nothing in a task reads documentation, other people's languages, or the package manager's own lists.
LEFT_OUT = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
)
# What reads Parquet, Arrow and zstd; not the parts that speak to networks and object stores.
ARROW = (
    "pyarrow/*.py",
    "pyarrow/parquet",
    "pyarrow/vendored",
    *(f"pyarrow/{module}.*.so" for module in ("lib", "_parquet", "_fs")),
    *(f"pyarrow/libarrow{part}.so.*00" for part in ("", "_acero", "_compute", "_dataset", "_python", "_substrait")),
    "pyarrow/libparquet.so.*00",
)


@dataclass(frozen=True)
class Recipe:
    """What an image holds: Debian packages on top of Debian's essential ones, and perhaps Python of ours."""

    packages: tuple[str, ...]
    ours: tuple[str, ...] = ()  # Python packages of this repository and of its environment, on top of all
    env: tuple[str, ...] = ("PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8")


RECIPES = {
    "genomics": Recipe(("bcftools", "bwa", "fonts-dejavu-core", "python3", "python3-pil", "samtools", "tabix")),
    "association": Recipe(("fonts-dejavu-core", "plink2", "python3", "python3-pil")),
    "expression": Recipe(("r-base-core", "r-bioc-limma")),
    # pypdf, PDFium, pyarrow from our hash-pinned lock: Debian's PDF readers are of 2022, and it has none of Parquet.
    "checks": Recipe(("python3", "python3-pil"), ours=("pypdf", "pypdfium2_raw", *ARROW)),
    # What runs of ours in a task's pod. Not Debian's python3-cryptography: it is of 2022, and decrypts by copying.
    "node": Recipe(
        ("python3",),
        ours=("sandbox", "cryptography", "cffi", "_cffi_backend*.so"),
        env=("PATH=/usr/bin:/bin", "LANG=C.UTF-8", f"PYTHONPATH={PLACE}"),
    ),
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
        layers = [tree]
        if recipe.ours:  # the tree is kept apart: our own files change more often than Debian's
            kept = CACHE / f"tree-{_key(replace(recipe, ours=()))}.tar"
            if not kept.exists():
                _debootstrap(recipe, tree)
                tree.rename(kept)
            tree.hardlink_to(kept)
            layers.append(Path(folder) / "ours.tar")
            _pack(recipe, layers[-1])
        else:
            _debootstrap(recipe, tree)
        _wrap(recipe, layers, fresh)
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


def _pack(recipe: Recipe, archive: Path) -> None:
    """Write the Python files as a layer, compiled: nothing can be written where they will lie."""
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as layer:
        for name, path in sorted(_files(recipe).items()):
            _add(layer, f"{PLACE}/{name}", path.read_bytes(), mode=path.stat().st_mode & 0o555)
            if path.suffix == ".py":
                folder, _, stem = f"{PLACE}/{name}".rpartition("/")
                code = importlib.util.cache_from_source(f"{folder}/{stem}")
                _add(layer, code, _compiled(path, f"{PLACE}/{name}"), mode=0o444)


def _files(recipe: Recipe) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for wanted in recipe.ours:
        top = SOURCE if (SOURCE / wanted).is_dir() else ENVIRONMENT
        paths = [path for start in top.glob(wanted) for path in (start, *start.rglob("*")) if path.is_file()]
        if not paths:
            sys.exit(f"{ENVIRONMENT / wanted} is not there: make setup")
        found |= {
            str(path.relative_to(top)): path for path in paths if re.search(r"\.py$|\.so(?:\.\d+)?$", path.name)
        }
    return found


def _compiled(path: Path, name: str) -> bytes:
    source = path.read_bytes()
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source)
    return head + marshal.dumps(code)  # by the hash of its source, which nobody checks again


def _add(layer: tarfile.TarFile, name: str, content: bytes, *, mode: int) -> None:
    member = tarfile.TarInfo(name.lstrip("/"))
    member.size, member.mode, member.mtime = len(content), mode, EPOCH
    layer.addfile(member, io.BytesIO(content))


def _wrap(recipe: Recipe, archives: Sequence[Path], layout: Path) -> None:
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    architecture = ARCHITECTURES[platform.machine()]
    layers = [_layer(blobs, archive) for archive in archives]
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": list(recipe.env), "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **_blob(blobs, config)},
        "layers": layers,
    }
    entry = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        **_blob(blobs, manifest),
        "platform": {"architecture": architecture, "os": "linux"},
    }
    (layout / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))


def _layer(blobs: Path, archive: Path) -> dict[str, str | int]:
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = archive.stat().st_size
    archive.rename(blobs / digest)
    return {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": f"sha256:{digest}", "size": size}


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
    ours = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sorted(_files(recipe).items())}
    program = Path(__file__).read_text()
    facts = {"recipe": asdict(recipe), "versions": versions, "program": program, "ours": ours}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()

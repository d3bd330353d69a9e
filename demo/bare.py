"""Runs a workflow by a bare engine on plaintext, in the same image, to compare with what Strongroom released."""

import csv
import gzip
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from demo.people import built_image
from demo.stage import STORE
from sandbox import images
from sandbox.bubblewrap import find_bubblewrap
from strongroom.settings import load
from wes.engines.nextflow import JAVA, JAVA_FLAGS
from wes.manifest import check_parameters, parse_manifest

CALLING_INPUTS = {"reads": "na18507", "reference": "na18507"}
LEAST = 5
OURS = "strongroom-nextflow.jar"


def run(
    workflow: Path,
    inputs: dict[str, list[Path]],
    folder: Path,
    *,
    jobs: int = 2,
    parameters: dict[str, Any] | None = None,
    least: int = LEAST,
) -> Path:
    """Run `workflow` by its engine on these plaintext files below `folder`; return the folder of its results."""
    work = folder / "work"
    staged = {slot: [_stage(file, work, slot) for file in files] for slot, files in inputs.items()}
    manifest = parse_manifest((workflow / "manifest.yaml").read_text())
    config: dict[str, Any] = check_parameters(manifest, parameters or {})
    config |= {"inputs": staged, "policy": {"min_count": least}}
    if manifest.engine == "nextflow":
        nextflow(workflow, manifest.entry, work, config, image=manifest.images[0])
        return work / "results"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    snakemake(workflow, work, folder / "config.yaml", jobs=jobs, image=manifest.images[0])
    return work / "results"


def snakemake(workflow: Path, work: Path, config: Path, *, jobs: int, image: str = "genomics") -> None:
    """Run bare Snakemake in one of our images: the same tools, and nothing of Strongroom."""
    binds = ["--ro-bind", str(rootfs(image)), "/", "--proc", "/proc", "--dev", "/dev"]
    binds += ["--tmpfs", "/tmp", "--tmpfs", "/run"]  # noqa: S108
    binds += ["--ro-bind", str(load().wes.snakemake), "/run/engine", "--bind", str(work), "/run/work"]
    binds += ["--ro-bind", str(workflow), "/run/workflow", "--ro-bind", str(config), "/run/config.yaml"]
    words = ["-s", "/run/workflow/Snakefile", "-d", "/run/work", "--configfile", "/run/config.yaml", "-j", str(jobs)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "USER": "bare", "LANG": "C.UTF-8"}  # noqa: S108
    # Bare Snakemake runs scripts in its own Python; what the image's Python has besides is found here.
    environment["PYTHONPATH"] = "/usr/lib/python3/dist-packages"
    sets = [word for name, value in environment.items() for word in ("--setenv", name, value)]
    walls = [str(find_bubblewrap().path), *binds, "--unshare-net", "--die-with-parent", "--clearenv", *sets, "--"]
    subprocess.run(
        [*walls, "/run/engine/bin/python", "-m", "snakemake", *words, "--quiet", "all"],
        check=True,
        capture_output=True,
        timeout=900,
    )


# Nextflow 25.04.4 counts free CPUs in two threads without a lock: after hundreds of tasks one is lost now and then,
# and a task that wants all of them waits for ever. With far more of them than there are, it never does.
MANY_CPUS = "executor.cpus = 1000\nexecutor.memory = '1 TB'\nexecutor.queueSize = 2\n"


def nextflow(
    workflow: Path, entry: str, work: Path, parameters: dict[str, Any], *, image: str = "genomics", more: str = ""
) -> str:
    """Run bare Nextflow in one of our images: its own local executor, nothing of ours; return what it printed.

    `more` is configuration of the run.
    """
    jars = sorted(path for path in (load().wes.nextflow / "jars").iterdir() if path.name != OURS)
    binds = ["--ro-bind", str(rootfs(image) / "usr"), "/usr", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108
    for folder in ("bin", "sbin", "lib", "lib64"):
        binds += ["--symlink", f"usr/{folder}", f"/{folder}"]
    for jar in jars:
        binds += ["--ro-bind", str(jar), f"/run/engine/{jar.name}"]
    java = JAVA.resolve().parent.parent
    own_etc = [rootfs(image) / "etc" / name for name in ("alternatives", "R", "fonts")]
    for place in (*sorted(Path("/etc").glob("java-*-openjdk")), *filter(Path.exists, own_etc)):
        binds += ["--ro-bind", str(place), f"/etc/{place.name}"]
    binds += ["--ro-bind", str(java), "/run/java", "--bind", str(work), "/run/work"]
    binds += ["--ro-bind", str(workflow), "/run/workflow"]
    config = "".join(f"process.container = null\n{name}.enabled = false\n" for name in ("docker", "conda"))
    own = ["-C", "/run/workflow/nextflow.config"] if (workflow / "nextflow.config").exists() else []
    (work / "bare.config").write_text(config + more)
    (work / "bare.json").write_text(json.dumps(parameters))
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "USER": "bare", "LANG": "C.UTF-8"}  # noqa: S108
    environment |= {"NXF_HOME": "/tmp/nextflow", "NXF_OFFLINE": "true", "NXF_DISABLE_CHECK_LATEST": "true"}  # noqa: S108
    sets = [word for name, value in environment.items() for word in ("--setenv", name, value)]
    words = ["/run/java/bin/java", *JAVA_FLAGS, "-cp", "/run/engine/*", "nextflow.cli.Launcher"]
    words += ["-log", "/tmp/log", *own, "-C", "bare.config", "run", f"/run/workflow/{entry}", "-ansi-log", "false"]  # noqa: S108
    walls = [str(find_bubblewrap().path), *binds, "--chdir", "/run/work", "--unshare-net", "--unshare-pid"]
    walls += ["--die-with-parent", "--clearenv", *sets, "--"]
    done = subprocess.run(
        [*walls, *words, "-params-file", "bare.json"], check=False, capture_output=True, text=True, timeout=900
    )
    if done.returncode:
        raise SystemExit(f"Bare Nextflow failed: {done.stdout[-3000:]}{done.stderr[-500:]}")
    return done.stdout


@cache
def rootfs(image: str) -> Path:
    """Return one of our images as it lies on this host."""
    return images.open_image(STORE, images.import_image(built_image(image), STORE).digest).rootfs


def compare(released: list[Path], bare: Path) -> str:
    """Return a sentence that says what is equal; raise `SystemExit` if anything differs."""
    by_name = {path.name: path for path in released}
    ours, theirs = sites(by_name["sites.vcf.gz"]), sites(bare / "sites.vcf.gz")
    if not ours or ours != theirs:
        raise SystemExit(f"Sites or counts differ: {len(ours)} released, {len(theirs)} by bare Snakemake.")
    for table in ("quality.tsv", "spectrum.tsv"):
        if rows(by_name[table]) != rows(bare / table):
            raise SystemExit(f"{table} differs from bare Snakemake's.")
    return f"{len(ours)} sites with equal counts, two equal tables"


def sites(path: Path) -> dict[tuple[str, ...], tuple[int, int]]:
    """Return AC and AN by chromosome, position and alleles."""
    found: dict[tuple[str, ...], tuple[int, int]] = {}
    opened = gzip.open if path.read_bytes()[:2] == b"\x1f\x8b" else open
    with opened(path, "rt") as file:
        for line in file:
            if not line.startswith("#"):
                fields = line.rstrip("\n").split("\t")
                info = dict(part.split("=") for part in fields[7].split(";"))
                found[fields[0], fields[1], fields[3], fields[4]] = (int(info["AC"]), int(info["AN"]))
    return found


def rows(path: Path) -> list[str]:
    """Return the rows of a table in an order of their own: the airlock sorts them."""
    with open(path, newline="") as file:
        return sorted(json.dumps(row, sort_keys=True) for row in csv.DictReader(file, delimiter="\t"))


def _stage(file: Path, work: Path, slot: str) -> str:
    target = work / "inputs" / slot / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    return f"inputs/{slot}/{file.name}"

"""Has an engine's own parser read a workflow, or plan it with made-up inputs, inside walls."""

import csv
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from strongroom.errors import BadRequest
from strongroom.settings import Settings
from wes.engines import nextflow
from wes.engines.snakemake import ONE_THREAD
from wes.laid import laid_files
from wes.nextflow_outline import NextflowOutline, parse_nextflow_outline
from wes.outline import Outline, parse_outline
from wes.reading import MOST_BYTES, copied, read_inside

ENVIRONMENT = {
    "PYTHONPATH": "/opt/plugins",
    "PYTHONDONTWRITEBYTECODE": "1",
    "XDG_CACHE_HOME": "/tmp/cache",  # noqa: S108
    **ONE_THREAD,
}
PYTHON = ("/opt/engine/bin/python", "-P", "-m")
MOST_PLANNED = 10_000
# All that Java reserves counts in these walls.
JAVA = (
    *("-Xmx512m", "-Xss1m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"),
    *("-XX:ReservedCodeCacheSize=64m", "-XX:CompressedClassSpaceSize=64m", "-XX:MaxMetaspaceSize=256m"),
    *("-XX:+ExitOnOutOfMemoryError", "-XX:ErrorFile=/tmp/java.log", "-Djava.io.tmpdir=/tmp", "-Dfile.encoding=UTF-8"),
)


@dataclass(frozen=True)
class Planned:
    """A file that the workflow would make, and its rule: what hostile code said, good for drafts only."""

    path: str
    rule: str


def outline(settings: Settings, folder: Path, *, engine: str, entry: str) -> Outline:
    """Return the outline of the workflow in `folder`; nothing of it is run."""
    if engine != "snakemake":
        raise BadRequest("outline: this one is of Snakemake's workflows.")
    _check(folder, entry)
    with copied(settings, folder) as top:
        command = [*PYTHON, "strongroom_outline", "/run/workflow", entry]
        return parse_outline(read_inside(settings, top, command, environment=ENVIRONMENT))


def nextflow_outline(settings: Settings, folder: Path, *, entry: str) -> NextflowOutline:
    """Return the outline of the Nextflow workflow in `folder`; nothing of it is run."""
    _check(folder, entry)
    with copied(settings, folder) as top:
        command = [str(nextflow.JAVA.resolve()), *JAVA, nextflow.CLASSES, "strongroom.outline.Outline"]
        command += ["/run/workflow", entry]
        seen = nextflow.jars(settings)
        return parse_nextflow_outline(read_inside(settings, top, command, environment={}, engine=seen))


def plan(
    settings: Settings,
    folder: Path,
    *,
    engine: str,
    entry: str,
    config: dict[str, Any],
    inputs: list[str],
    work: list[str],
) -> list[Planned]:
    """Return what a dry run would make of stubs at `inputs` with these parameters; the workflow's code is run."""
    if engine != "snakemake":
        raise BadRequest("A dry run is of Snakemake's workflows.")
    return _planned(_dry(settings, folder, "snakemake", entry=entry, config=config, inputs=inputs, work=work))


def opened(
    settings: Settings, folder: Path, *, entry: str, config: dict[str, Any], inputs: list[str], work: list[str]
) -> tuple[frozenset[str], bool]:
    """Return which of `inputs` the workflow's own code opens in a dry run, and whether that came to its end."""
    raw = _dry(settings, folder, "strongroom_outline.opened", entry=entry, config=config, inputs=inputs, work=work)
    try:
        said = json.loads(raw)
        return frozenset(inputs) & {str(one) for one in said["opened"][:MOST_PLANNED]}, said["whole"] is True
    except (ValueError, TypeError, KeyError, RecursionError):
        return frozenset(), False


def missing(
    settings: Settings, folder: Path, *, entry: str, config: dict[str, Any], inputs: list[str], work: list[str]
) -> list[str]:
    """Return the files that no rule makes and that the workflow cannot be planned without, as dry runs found them."""
    raw = _dry(settings, folder, "strongroom_outline.missing", entry=entry, config=config, inputs=inputs, work=work)
    try:
        made = json.loads(raw.splitlines()[-1])["made"]
        return [str(path) for path in made][:MOST_PLANNED]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return []


def _dry(
    settings: Settings,
    folder: Path,
    module: str,
    *,
    entry: str,
    config: dict[str, Any],
    inputs: list[str],
    work: list[str],
) -> bytes:
    _check(folder, entry)
    with copied(settings, folder) as top:
        for path, text in laid_files(folder, work).items():
            (top / "work" / path).parent.mkdir(parents=True, exist_ok=True)
            (top / "work" / path).write_text(text)
        for path in inputs:
            stub = top / "work" / path
            stub.parent.mkdir(parents=True, exist_ok=True)
            stub.write_bytes(bytes(100))
        if os.geteuid() == 0:
            for one in (top / "work").rglob("*"):
                os.chown(one, settings.uids.services, settings.uids.group)
        (top / "workflow" / ".config.yaml").write_text(yaml.safe_dump(config))
        command = [*PYTHON, module, "-s", f"/run/workflow/{entry}", "-d", "/run/work"]
        command += ["--configfile", "/run/workflow/.config.yaml", "--summary", "--nolock", "--cores", "1"]
        command += ["--profile", "none", "--workflow-profile", "none"]
        return read_inside(settings, top, command, environment=ENVIRONMENT)


def _check(folder: Path, entry: str) -> None:
    if not (folder / entry).is_file():
        raise BadRequest(f"The workflow's folder has no {entry}.")


def _planned(raw: bytes) -> list[Planned]:
    if len(raw) > MOST_BYTES:
        raise BadRequest("The workflow plans too much for a draft; give it fewer inputs.")
    rows = list(csv.reader(io.StringIO(raw.decode(errors="replace")), delimiter="\t", quoting=csv.QUOTE_NONE))
    found = [Planned(row[0][:400], row[2][:100]) for row in rows[1 : MOST_PLANNED + 1] if len(row) >= 3]
    return [one for one in found if one.path.isprintable() and one.rule.isidentifier()]

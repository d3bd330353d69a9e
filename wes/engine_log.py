"""Seals what a run's engine printed, by a task of the run, for a contract that promises it (ADR 0050)."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import structlog

from airlock.contract import ENGINE, Contract, log_path
from airlock.intake import OfferedFile
from strongroom.canonical import digest
from strongroom.errors import StrongroomError
from strongroom.settings import Settings
from wes.gateway import Gateway
from wes.store import RunFile

MOST_BYTES = 100 << 10  # the last of it; TES takes 128 KiB of content
PATIENCE = 120.0
_PLACE = "/run/work/engine.log"
_RESOURCES = {"cpu_cores": 1, "ram_gb": 0.1, "disk_gb": 0.05}
log = structlog.get_logger()


def is_promised(contract: Contract) -> bool:
    """Say whether a contract promises what the engine prints."""
    return contract.rule_for_stream(ENGINE, rule="") is not None


def saw_names(files: Mapping[str, RunFile], own: Mapping[str, tuple[str, frozenset[str]]]) -> bool:
    """Say whether a task of Nextflow gave a file a name that its engine saw, which may be data (T4).

    `own` has the tasks that this launch asked for; what an earlier one alone heard of is in the log too. Files that
    were published or passed on lie elsewhere than in their task's folder: the engine named them.
    """
    for path, row in files.items():
        if row.task is None or not row.rule:
            continue
        folder, names = own.get(row.task, ("", frozenset()))
        if not folder or (path.startswith(f"{folder}/") and path not in names):
            return True
    return False


async def sealed(border: Gateway, path: Path) -> OfferedFile | None:
    """Return the engine's log as an object that a task sealed to the run's key; None, and a line, if it could not.

    The task prints what it is given, so that the broker registers the object by the attempt's own signature, as
    all that a run makes (T22), and no task of the run can ever read it. A run does not fail for want of its log.
    """
    text, images = _without(_last(path), of_host(border.settings)), sorted(border.images.values())
    if not text or not images:
        return None
    task = {
        "name": "engine-log",
        "executors": [{"image": images[0], "command": ["cat", _PLACE], "workdir": "/run/work", "env": {}}],
        "inputs": [{"path": _PLACE, "type": "FILE", "content": text}],
        "outputs": [],
        "resources": _RESOURCES,
    }
    try:
        ended = await border.run_own(task, key=digest({"run": border.run, "log": text}), patience=PATIENCE)
    except StrongroomError as error:
        log.error("run.log_not_sealed", run=border.run, detail=type(error).__name__)
        return None
    made = (ended or {}).get("printed", {}).get("stdout") if ended and ended["state"] == "COMPLETE" else None
    if ended is None or made is None:
        log.error("run.log_not_sealed", run=border.run, detail="its task did not end well")
        return None
    return OfferedFile(path=log_path("", ENGINE), object=made, rule="", task=ended["id"], stream=ENGINE)


def _last(path: Path) -> str:
    """Return the last whole lines of a log, as text."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - MOST_BYTES))
        raw = file.read(MOST_BYTES)
    whole = raw if size <= MOST_BYTES else raw.partition(b"\n")[2]
    return whole.replace(b"\0", b"").decode(errors="ignore")


def of_host(settings: Settings) -> re.Pattern[str]:
    """Return what finds this host in a line: where its folders lie, also as the kernel's list of mounts tells it."""
    places = (settings.home, settings.wes.nextflow, settings.wes.snakemake, settings.wes.plugins)
    # A mount is told by its path on its own disk: the end of what we call it.
    whole = [str(place.absolute()) for place in places]
    ends = {end for one in whole for end in _ends(one)}
    words = "|".join(re.escape(one) for one in (*sorted(ends), os.uname().release))
    return re.compile(rf"(?<![A-Za-z0-9._-])(?:{words})(?![A-Za-z0-9_-])")


def _ends(path: str) -> Iterable[str]:
    parts = path.strip("/").split("/")
    return ("/" + "/".join(parts[n:]) for n in range(len(parts)))


def _without(text: str, found: re.Pattern[str]) -> str:
    """Leave out the lines that tell of the host, and say in our own log how many there were."""
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if not found.search(line)]
    if len(kept) < len(lines):
        log.warning("run.log_tells_of_host", lines=len(lines) - len(kept))
    return "".join(kept)

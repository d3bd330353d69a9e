"""Plans by Snakemake, whose words follow, and writes as JSON which files of /run/work the workflow's code opened."""

import contextlib
import json
import os
import runpy
import sys
from pathlib import Path
from types import FrameType
from typing import Any

WORK, WORKFLOW = "/run/work/", "/run/workflow/"
MOST = 1000
found: dict[str, None] = {}


def note(event: str, facts: tuple[Any, ...]) -> None:
    """Note a file that is opened for reading, if code of the workflow is among the callers; Snakemake looks too."""
    if event != "open" or len(found) >= MOST or not isinstance(facts[0], str | bytes | os.PathLike):
        return
    path = os.path.normpath(Path(WORK, os.fsdecode(facts[0])))
    if path.startswith(WORK) and not Path(path).is_dir() and _is_asked_for(sys._getframe(1)):
        found[path.removeprefix(WORK)] = None


def _is_asked_for(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(WORKFLOW):
            return True
        frame = frame.f_back
    return False


if __name__ == "__main__":
    told = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.addaudithook(note)
    ended: Any = 0
    sys.argv = ["snakemake", *sys.argv[1:]]
    try:
        runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        ended = end.code
    except Exception:
        ended = 1
    with contextlib.suppress(OSError), os.fdopen(told, "w") as answer:
        json.dump({"opened": list(found), "whole": ended in (0, None)}, answer)

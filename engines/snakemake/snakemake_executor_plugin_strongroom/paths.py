"""Says where a name of the workflow lies, as the engine and its tasks both see it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


def absolute(path: str) -> Path:
    """Return `path` from the root, without `..`; no link is followed, since tasks have a tree of their own."""
    return Path(os.path.normpath(Path.cwd() / path))


def vetted_folder(workflow: "Workflow") -> Path:
    """Return the folder that the vetters signed: where the main Snakefile lies."""
    return absolute(workflow.main_snakefile).parent

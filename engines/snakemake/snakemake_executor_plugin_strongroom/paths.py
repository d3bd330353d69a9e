"""Says where a name of the workflow lies, as the engine and its tasks both see it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.sourcecache import LocalSourceFile, SourceCache

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


def absolute(path: str) -> Path:
    """Return `path` from the root, without `..`; no link is followed, since tasks have a tree of their own."""
    return Path(os.path.normpath(Path.cwd() / path))


def vetted_folder(workflow: "Workflow") -> Path:
    """Return the folder that the vetters signed: the one that we were told, or where the main Snakefile lies."""
    told = workflow.executor_settings.folder
    return Path(told) if told else absolute(workflow.main_snakefile).parent


def vetted_path(path: Path, workflow: "Workflow") -> Path | None:
    """Return where the vetters' own copy of a file lies; None if they signed no such file (T23)."""
    folder = vetted_folder(workflow)
    if path.is_relative_to(folder):
        return path
    work = absolute(workflow.workdir_init)
    if not path.is_relative_to(work):
        return None
    # Files of the vetted folder may lie in the work folder as well; tasks get the vetters' copy, never this one.
    own = folder / path.relative_to(work)
    return own if own.is_file() and own.read_bytes() == path.read_bytes() else None


def use_vetted_sources() -> None:
    """Have `workflow.source_path()` name the vetters' own file: tasks see no cache of the engine's."""
    cached = SourceCache.get_path

    def get_path(self: SourceCache, source_file: Any) -> str:
        own = source_file.get_path_or_uri(secret_free=True)
        kept = cached(self, source_file)  # a file that is not there is told as always
        # Without `..`, as gateways have it and drafts foresee it.
        return str(absolute(own) if isinstance(source_file, LocalSourceFile) and Path(own).is_absolute() else kept)

    SourceCache.get_path = get_path

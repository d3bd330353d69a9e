"""Finds the files of a vetted folder that lie in a run's work folder as well, where workflows look for their own."""

import fnmatch
from collections.abc import Iterable
from pathlib import Path

from strongroom.errors import BadRequest, StrongroomError
from strongroom.folders import listing
from wes.rules import MOST_CONTENT, SCRIPTS, WORK, relative

MOST_TOGETHER = 8 << 20


def laid_files(folder: Path, patterns: Iterable[str]) -> dict[str, str]:
    """Return the text of each file of `folder` that one of `patterns` matches, by relative path.

    Vetters signed every byte of it, so engines may read it, and tasks get it as content and not as an object.
    """
    wanted = tuple(patterns)
    paths = [str(row["path"]) for row in listing(folder)] if wanted else []
    found = {p: _text(folder, p) for p in paths if any(fnmatch.fnmatchcase(p, one) for one in wanted)}
    if sum(map(len, found.values())) > MOST_TOGETHER:
        raise BadRequest(f"manifest.yaml: work: files of {MOST_TOGETHER >> 20} MiB together at most.")
    return found


def _text(folder: Path, path: str) -> str:
    if f"{path}/".startswith((SCRIPTS, "inputs/")):
        raise BadRequest(f"manifest.yaml: work: {path} would lie among the inputs or the engine's own files.")
    try:
        relative(WORK + path, "work")
        text = (folder / path).read_bytes().decode()
    except (StrongroomError, ValueError) as error:
        raise BadRequest(f"manifest.yaml: work: {path} is no plain text file with a plain name.") from error
    if len(text.encode()) > MOST_CONTENT:
        raise BadRequest(f"manifest.yaml: work: {path} has more than {MOST_CONTENT >> 20} MiB.")
    return text

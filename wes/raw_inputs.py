"""Drafts input slots for files that a Snakemake workflow reads at places of its own and that no rule makes."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from strongroom.errors import StrongroomError
from wes.laid import laid_files
from wes.outline import Outline

MOST_SLOTS, MOST_FILES = 20, 10_000
_WILDCARD = re.compile(r"\{[^{}]*\}")
_PLAIN = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._+=,-]*/){0,8}[A-Za-z0-9_][A-Za-z0-9._+=,-]*")


def globbed(outline: Outline, stub: str, count: int) -> list[str]:
    """Return made-up files for what the workflow looks for by glob_wildcards() in a folder of its own."""
    calls = [one.first for one in outline.calls if one.name == "glob_wildcards" and one.where == "parse"]
    patterns = dict.fromkeys(str(one.value) for one in calls if one is not None and one.kind == "text")
    found = (_WILDCARD.sub(f"{stub}{number}", one) for one in patterns if "{" in one for number in range(count))
    return [path for path in found if stub not in str(PurePosixPath(path).parent) and is_raw(path)]


def is_raw(path: str) -> bool:
    """Return whether a file of a dataset may lie there."""
    return _PLAIN.fullmatch(path) is not None and not path.startswith("inputs/")


def own(folder: Path, paths: Iterable[str]) -> list[str]:
    """Return those that lie in the workflow's folder as texts: vetters sign them, and `work` lays them."""
    return [path for path in paths if is_raw(path) and _is_laid(folder, path)]


def _is_laid(folder: Path, path: str) -> bool:
    try:
        return path in laid_files(folder, [path])
    except StrongroomError:
        return False


def slots(paths: Sequence[str], *, later: str, stub: str, taken: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return a slot for each folder and suffix among these files: one by its name, several by what they share."""
    kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        name = PurePosixPath(path).name
        kinds[str(PurePosixPath(path).parent), name[len(name.split(".")[0]) :]].append(name)
    names = set(taken)
    found = []
    for (place, suffix), files in sorted(kinds.items())[:MOST_SLOTS]:
        name = _name(place, suffix, names)
        names.add(name)
        whole = [one for one in files if stub not in one]
        most = {"min_files": max(1, len(whole)), "max_files": MOST_FILES}
        said = (
            {"pattern": f"*{suffix}", **most}
            if len(files) > 1
            else {"pattern": files[0], "min_files": 1, "max_files": 1}
        )
        found.append({"name": name, "description": later, "folder": place, **said})
    return found


def _name(place: str, suffix: str, taken: set[str]) -> str:
    word = re.sub(r"[^a-z0-9]+", "_", PurePosixPath(place).name.lower()).strip("_")
    word = re.sub(r"^[^a-z]+", "", word)[:20] or "data"
    longer = f"{word}_{re.sub(r'[^a-z0-9]+', '_', suffix.lower()).strip('_')}".strip("_")[:30]
    free = (one for one in (word, longer, *(f"{word}_{number}" for number in range(2, 100))) if one not in taken)
    return next(free)

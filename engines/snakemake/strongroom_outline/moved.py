"""Says what a module's prefix makes of the paths of its rules, by Snakemake's own path modifier."""

from typing import Any

from snakemake.path_modifier import PathModifier
from snakemake_interface_common.exceptions import WorkflowError

from strongroom_outline.values import written

PATHS = ("input", "output", "log", "benchmark")
EXPANDED = frozenset({"expand", "collect"})
Moves = tuple[PathModifier, ...]  # a module's own first, then those around it


def moves_of(said: dict[str, dict[str, Any]], around: Moves | None) -> Moves | None:
    """Return what a module's statement makes of paths; None where that is computed."""
    prefix, replaced = said.get("prefix"), said.get("replace_prefix")
    if around is None or (prefix is not None and replaced is not None):
        return None  # with both, Snakemake itself says no
    if prefix is None and replaced is None:
        return around
    pairs = _pairs(replaced["text"]) if replaced is not None else {}
    if pairs is None or (prefix is not None and prefix["kind"] != "text"):
        return None
    return (PathModifier(pairs, None if prefix is None else prefix["value"], None), *around)


def _pairs(text: str) -> dict[str, str] | None:
    said = written(text)
    is_plain = said is not None and all(isinstance(one, str) for pair in said.items() for one in pair)
    return said if is_plain else None


def moved(argument: dict[str, Any], directive: str, moves: Moves | None) -> dict[str, Any]:
    """Return an argument of a rule's directive with the paths that it has in the run."""
    if directive not in PATHS or moves == () or "local" in argument["marks"]:
        return argument
    texts = argument["value"] if argument["kind"] in ("texts", "choice") else [argument["value"]]
    is_open = EXPANDED & set(argument["marks"]) and any(str(one).startswith("{") for one in texts)
    if moves is None or is_open or argument["kind"] not in ("text", "texts", "choice"):
        return unknown(argument)
    try:
        found = [_moved(one, moves) for one in texts]
    except WorkflowError:
        return unknown(argument)  # two prefixes are meant, and Snakemake itself says no
    return {**argument, "value": found[0] if argument["kind"] == "text" else found}


def _moved(path: Any, moves: Moves) -> Any:
    for one in moves if isinstance(path, str) else ():
        path = str(one.replace_prefix(path))
    return path


def unknown(argument: dict[str, Any]) -> dict[str, Any]:
    """Return an argument whose value cannot be known without running the workflow."""
    return {**argument, "kind": "code", "value": None}

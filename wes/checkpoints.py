"""Finds what an engine sees of a checkpoint's outcome by a grant alone: names in its folders, lines of its files."""

from collections.abc import Iterator, Mapping
from typing import Any

from wes.manifest import Manifest
from wes.outline import Argument, Outline, Rule
from wes.sheets import READING

Place = tuple[str, str, int, str]
# A few names or lines as a beginning: their author narrows them, vetters sign them.
NAMES = {"characters": "A-Za-z0-9._", "longest": 20, "most": 100}
LINES = {"characters": "A-Za-z0-9_", "longest": 20, "most": 100}


def ungranted(outline: Outline, manifest: Manifest | None) -> Iterator[Place]:
    """Yield code, file, line and rule where the workflow plans by what no manifest lets its engine see."""
    names = manifest.glimpses.names if manifest is not None else {}
    lists = {one.rule for one in manifest.glimpses.lists.values()} if manifest is not None else set()
    for rule in _planned_by(outline):
        if rule.name not in names:
            yield "names-needed", rule.file, rule.line, rule.name
    for name, file, line in _read(outline):
        if name not in lists:
            yield "lists-needed", file, line, name


def draft(outline: Outline, said: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the sections `names` and `lists`, of those with an entry: what `said` grants, and what is needed."""
    named = {one.get("rule") for one in said.get("names") or ()}
    listed = {one.get("rule") for one in said.get("lists") or ()}
    rules = {rule.name: rule for rule in outline.rules}
    read = dict.fromkeys(name for name, _, _ in _read(outline))
    names = [{"rule": one.name, **NAMES} for one in _planned_by(outline) if one.name not in named]
    files = [(name, _file(rules[name])) for name in read if name not in listed]
    lists = [{"file": file, "rule": name, **LINES} for name, file in files if file is not None]
    found = {"names": [*(said.get("names") or ()), *names], "lists": [*(said.get("lists") or ()), *lists]}
    return {field: entries for field, entries in found.items() if entries}


def _planned_by(outline: Outline) -> list[Rule]:
    return [rule for rule in outline.rules if rule.kind == "checkpoint" and any(map(_is_folder, _outputs(rule)))]


def _read(outline: Outline) -> Iterator[tuple[str, str, int]]:
    """Yield rule, file and line where the engine's own code reads a file that a checkpoint writes."""
    files = {rule.name for rule in outline.rules if not any(map(_is_folder, _outputs(rule)))}
    for call in outline.calls:
        if call.where == "parse" and READING.fullmatch(call.name):
            yield from ((name, call.file, call.line) for name in call.checkpoints if name in files)


def _file(rule: Rule) -> str | None:
    """Return the one file that a rule writes, if its path is written out."""
    outputs = _outputs(rule)
    path = str(outputs[0].value) if len(outputs) == 1 and outputs[0].kind == "text" else "{"
    return None if "{" in path else path


def _outputs(rule: Rule) -> list[Argument]:
    return rule.directives.get("output", [])


def _is_folder(argument: Argument) -> bool:
    return "directory" in argument.marks or "directory(" in argument.text

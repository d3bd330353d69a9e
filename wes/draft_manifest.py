"""Drafts a manifest from a workflow's outline and a dry run; its author fills it in."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from wes import checkpoints, own_files, sheets
from wes.drafts import draft_commands
from wes.manifest import NAME, VERSION
from wes.outline import ABSENT, Absent, Argument, Outline
from wes.outlining import Planned
from wes.parameters import is_map

STUBS = 2
STUB = "strongroomstub"
LATER = "say what this is"
OURS = ("inputs", "policy")
_IN_SHELL = re.compile(r"\{config\[([A-Za-z0-9_]+)\]")


def draft(
    outline: Outline,
    said: Mapping[str, Any],
    *,
    folder: Sequence[str],
    version: str,
    entry: str = "Snakefile",
    opened: Iterable[str] = (),
    more: Mapping[str, Sequence[Any]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return a manifest: what `said` says is kept, `commands` is always drafted anew.

    `opened` are the input slots that a dry run's own code opened, `more` what it asks for beside the outline's inputs
    and work; `folder` are the last two names of the workflow's folder: NAME and VERSION, if they are well formed.
    """
    drafted = head(folder, engine={"name": "snakemake", "version": version}, entry=entry) | {
        "images": images(outline),
        "inputs": [*slots(one.path for one in outline.reads), *more.get("inputs", ())],
        "parameters": parameters(outline),
        "targets": "full",
    }
    laid = list(dict.fromkeys([*own_files.wanted(outline), *more.get("work", ())]))
    drafted |= {"work": laid} if laid else {}
    clear = sheets.draft(outline, said.get("inputs") or drafted["inputs"], said.get("clear") or [], opened=opened)
    drafted["inputs"] = sheets.narrowed(drafted["inputs"], clear)
    kept = {name: said.get(name, value) for name, value in drafted.items()} | ({"clear": clear} if clear else {})
    kept |= checkpoints.draft(outline, said)
    rest = {name: value for name, value in said.items() if name not in (*kept, "commands", "outputs")}
    commands = {rule: one for rule, one in draft_commands(outline).items() if rule not in (said.get("remote") or {})}
    return {**kept, **rest, "outputs": said.get("outputs") or [], "commands": commands}


def head(folder: Sequence[str], *, engine: dict[str, str], entry: str) -> dict[str, Any]:
    """Return how every manifest begins; name and version are the folder's, if they are well formed."""
    name, number = folder
    return {
        "name": name if NAME.fullmatch(name) else "name-it",
        "version": number if VERSION.fullmatch(number) else "1.0.0",
        "title": LATER,
        "author": LATER,
        "engine": engine,
        "entry": entry,
    }


def images(outline: Outline) -> list[str]:
    """Return the images that the workflow names literally."""
    named = [a for one in outline.statements if one.name == "container" for a in one.arguments]
    named += [a for rule in outline.rules for a in rule.directives.get("container", ())]
    return list(dict.fromkeys(str(one.value) for one in named if one.kind == "text"))


def slots(read: Iterable[str]) -> list[dict[str, Any]]:
    """Return a slot for each inputs.SLOT among the parts of its configuration that a workflow reads."""
    names = {path.split(".")[1] for path in read if path.startswith("inputs.")}
    return [
        {"name": name, "description": LATER, "pattern": "*", "min_files": 1, "max_files": 10_000}
        for name in sorted(names)
    ]


def parameters(outline: Outline) -> dict[str, Any]:
    """Return the schema of what else the workflow reads of its configuration."""
    known: dict[str, Argument | None] = {}
    for one in outline.reads:
        key = one.path.split(".")[0]
        known[key] = known.get(key) or one.default
    for rule in outline.rules:
        text = rule.first("shell")
        for key in _IN_SHELL.findall(str(text.value)) if text is not None else ():
            if rule.config is not None:  # a module's is a part of ours
                known.setdefault(rule.config.split(".")[0] or key, None)
    properties = {
        key: schema_of(_value_of(default) if isinstance(own, Absent) else own)
        for key, default in sorted(known.items())
        for own in [outline.own(key)]
        # Lists and maps of the workflow's own stay what they are: no schema of plain values has them.
        if key not in OURS and not isinstance(own, dict | list)
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _value_of(default: Argument | None) -> Any:
    """Return what code takes where its configuration says nothing; ABSENT if it says no plain value."""
    return default.value if default is not None and default.kind in ("text", "number") else ABSENT


def schema_of(value: Any) -> dict[str, Any]:
    """Return a schema for an author to correct, by the value that a parameter has if nobody gives one."""
    match value:
        case None:
            return {"description": LATER, "enum": [None], "default": None}
        case bool():
            return {"description": LATER, "type": "boolean", "default": value}
        case int() | float() if math.isfinite(value):
            kind, most = ("integer", 100) if isinstance(value, int) else ("number", 1.0)
            bounds = {"minimum": min(0, 10 * value), "maximum": max(0, 10 * value) if value else most}
            return {"description": LATER, "type": kind, **bounds, "default": value}
        case str():
            return {"description": LATER, "enum": [value], "default": value}
        case _:
            # No default: what the workflow itself makes of it stays.
            return {"description": LATER, "type": "integer", "minimum": 0, "maximum": 100}


def rehearsal(manifest: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a configuration and made-up inputs for a dry run of what the manifest says."""
    properties: Mapping[str, Any] = manifest["parameters"].get("properties") or {}
    config = {key: _value(said) for key, said in properties.items()}
    inputs = {
        str(slot["name"]): [
            _place(slot) + str(slot.get("pattern", "*")).replace("*", f"{STUB}{number}")
            for number in range(min(STUBS, int(slot.get("max_files", STUBS))))
        ]
        for slot in manifest["inputs"]
    }
    paths = [path for one in inputs.values() for path in one]
    return {**config, "inputs": inputs, "policy": {"min_count": 5}}, paths


def _place(slot: Mapping[str, Any]) -> str:
    place = str(slot.get("folder", f"inputs/{slot['name']}"))
    return "" if place == "." else f"{place}/"


def _value(said: Mapping[str, Any]) -> Any:
    if "default" in said:
        return said["default"]
    if is_map(said):
        return {key: _value(part) for key, part in said["properties"].items()}
    if said.get("enum"):
        return said["enum"][0]
    number = max(said.get("minimum", 1), min(1, said.get("maximum", 1)))
    return {"boolean": False, "string": "x"}.get(str(said.get("type")), number)


def outputs(outline: Outline, planned: Sequence[Planned]) -> list[dict[str, Any]]:
    """Return a contract that lets nothing out: one line for each file that the workflow keeps at its end."""
    temporary = {
        _pattern(str(one.value))
        for rule in outline.rules
        for one in rule.directives.get("output", ())
        if {"temp", "temporary"} & set(one.marks)
    }
    targets = {str(a.value) for r in outline.rules if "norun" in r.directives for a in r.directives.get("input", ())}
    wanted = [one for one in planned if one.path in targets] or [
        one for one in planned if not any(PurePosixPath(one.path).match(pattern) for pattern in temporary)
    ]
    lines: dict[str, dict[str, Any]] = {}
    for one in wanted:
        match = re.sub(rf"{STUB}[0-9]+", "*", one.path)
        lines.setdefault(match, {"match": match, "description": LATER, "release": "inside", "rule": one.rule})
    return list(lines.values())[:100]


def _pattern(text: str) -> str:
    return re.sub(r"\{[^}]*\}", "*", text)

"""Follows a workflow's files from its entry: what they include, and the scripts that its rules name."""

import ast
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from snakemake.parser import parse
from snakemake.sourcecache import LocalSourceFile

from strongroom_outline import constants, own_files, pathvars
from strongroom_outline.reading import Reading
from strongroom_outline.reused import Module, Place, below, module_of, rules_of, within

MOST_FILES = 200
MOST_CONFIG = 256 << 10
LONGEST = 300
SOURCE_PATH = re.compile(r"workflow\.source_path\((['\"])([^'\"]+)\1\)")
SCRIPTS = ("script", "notebook")
WRAPPERS = ("wrapper.py", "wrapper.R", "wrapper.jl")  # below wrappers/, as our engine's --wrapper-prefix has it
READ = ("statements", "calls")
MOST_NESTED = 5  # modules within each other


def outline(folder: Path, entry: str) -> dict[str, Any]:
    """Return what all files say that can be reached by literal includes; the rest is told as it stands."""
    found: dict[str, Any] = {name: [] for name in ("files", "errors", "globals", "reads", "configs", *READ)}
    readings: dict[str, Reading | None] = {}
    modules: dict[Place, Module] = {(): Module()}
    waiting: list[tuple[str, Place]] = [(entry, ())]
    seen = set[tuple[str, Place]]()
    while waiting and len(seen) < MOST_FILES:
        path, place = waiting.pop(0)
        if (path, place) in seen:
            continue
        seen.add((path, place))
        if path not in readings:
            readings[path] = _read(folder, path, entry, found)
        reading = readings[path]
        if reading is None:
            continue
        _placed(reading, modules[place], found)
        for one in reading.statements:
            inside = _followed(folder, path, one)
            if inside is not None and one["name"] == "include":
                waiting.append((inside, place))
            elif inside is not None and len(place) < MOST_NESTED:
                name, module = module_of(one, modules[place])
                modules.setdefault((*place, name), module)
                waiting.append((inside, (*place, name)))
    found["rules"] = rules_of(modules, [one["values"] for one in found["configs"]])
    for rule in found["rules"]:
        rule.pop("reuse", None)
        _digest_scripts(folder, rule)
        rule["beside"] = own_files.words(folder, rule)
        rule["basedir"] = constants.folder_of(entry)
    found["own_files"] = own_files.named(folder, found)
    for script in sorted({one["path"] for rule in found["rules"] for one in rule["scripts"]}):
        _python_script(folder, script, found)
    return found


def _placed(reading: Reading, module: Module, found: dict[str, Any]) -> None:
    """Note what a file holds as it is within a module, which may be read for several."""
    module.rules += reading.rules
    said = [one["arguments"] for one in reading.statements if one["name"] == "pathvars"]
    module.layers += map(pathvars.of_statement, said)
    if "config" not in module.said:  # else Snakemake passes over its configuration files
        module.layers += [pathvars.of_configuration(own and own["values"]) for own in reading.configs]
    found["globals"] += [within(one, module.config) for one in reading.globals]
    if module.config is not None:
        found["reads"] += [{**one, "path": below(module.config, one["path"])} for one in reading.reads]


def _read(folder: Path, path: str, entry: str, found: dict[str, Any]) -> Reading | None:
    source = folder / path
    text = source.read_bytes() if source.is_file() else b""
    found["files"].append({"path": path, "digest": _digest(text), "lines": text.count(b"\n"), "is_snakefile": True})
    lines: dict[int, int] = {}
    try:
        python = _translated(source, lines)
        tree = ast.parse(python)
    except Exception as error:  # Snakemake's parser has many ways to say no
        found["errors"].append({"file": path, "line": _line_of(error, lines), "message": f"{error}"[:500]})
        return None
    reading = Reading(path, lines, entry)
    reading.visit_module(tree)
    for name in READ:
        found[name] += getattr(reading, name)
    reading.configs = [_configuration(folder, one) for one in reading.statements if one["name"] == "configfile"]
    found["configs"] += [own for own in reading.configs if own is not None]
    return reading


def _translated(source: Path, lines: dict[int, int]) -> str:
    # All that the parser asks of a workflow is to open its file.
    workflow = SimpleNamespace(sourcecache=SimpleNamespace(open=lambda _: source.open()))
    python, _ = parse(LocalSourceFile(str(source)), workflow, linemap=lines)
    return str(python)


def _line_of(error: Exception, lines: dict[int, int]) -> int:
    line = getattr(error, "lineno", None)
    return lines.get(line, line) if isinstance(line, int) else 0


def _followed(folder: Path, path: str, statement: dict[str, Any]) -> str | None:
    """Return the file in the folder that an include or a module names literally."""
    named = {"include": (None,), "module": ("snakefile",)}.get(statement["name"])
    for one in statement["arguments"] if named else ():
        if one["key"] in named and one["kind"] == "text" and "://" not in one["value"]:
            return _inside(folder, path, one["value"])
    return None


def _configuration(folder: Path, statement: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a configuration file of the folder says that a configfile names literally."""
    for one in statement["arguments"][:1]:
        beside = SOURCE_PATH.fullmatch(one["text"])
        named = beside[2] if beside is not None else one["value"] if one["kind"] == "text" else None
        # By its bare name it is looked for in the work folder, where the manifest lays it.
        inside = _inside(folder, statement["file"] if beside is not None else "Snakefile", named) if named else None
        if inside is None or (folder / inside).stat().st_size > MOST_CONFIG:
            continue
        try:
            values = json.loads(json.dumps(yaml.safe_load((folder / inside).read_bytes())))
        except (yaml.YAMLError, ValueError, TypeError, RecursionError):
            continue  # Snakemake itself will say so
        if isinstance(values, dict):
            laid = [] if beside is not None else [inside]
            return {"path": inside, "values": values, "laid": laid + sorted(set(_files(folder, values)))[:MOST_FILES]}
    return None


def _files(folder: Path, value: Any) -> Iterator[str]:
    """Yield the files of the folder that a configuration names, which engines look for in the work folder."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _files(folder, one)
    elif isinstance(value, str) and len(value) < LONGEST and "\0" not in value:
        inside = _inside(folder, "Snakefile", value)
        if inside is not None:
            yield inside


def _inside(folder: Path, path: str, named: str) -> str | None:
    """Return a path that a file names, from the workflow's folder; None if it leads out of it."""
    inside = os.path.normpath(Path(path).parent / named)
    return None if inside.startswith(("..", "/")) or not (folder / inside).is_file() else inside


def _digest_scripts(folder: Path, rule: dict[str, Any]) -> None:
    rule["scripts"] = []
    for name in SCRIPTS:
        for one in rule["directives"].get(name, ()):
            inside = _inside(folder, rule["file"], one["value"]) if one["kind"] == "text" else None
            if inside is not None:
                rule["scripts"].append(_script(folder, inside))
    for one in rule["directives"].get("wrapper", ()):
        named = [f"wrappers/{one['value']}/{name}" for name in WRAPPERS if one["kind"] == "text"]
        found = [inside for path in named if (inside := _inside(folder, "Snakefile", path)) is not None]
        rule["scripts"] += [_script(folder, inside) for inside in found[:1]]


def _script(folder: Path, path: str) -> dict[str, Any]:
    return {"path": path, "digest": _digest((folder / path).read_bytes())}


def _python_script(folder: Path, path: str, found: dict[str, Any]) -> None:
    """Tell what a script's calls are, if it is Python's."""
    content = (folder / path).read_bytes()
    found["files"].append(
        {"path": path, "digest": _digest(content), "lines": content.count(b"\n"), "is_snakefile": False}
    )
    if not path.endswith(".py"):
        return
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        found["errors"].append({"file": path, "line": getattr(error, "lineno", 0) or 0, "message": f"{error}"[:500]})
        return
    reading = Reading(path, {})
    reading.visit_script(tree)
    found["calls"] += reading.calls


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"

"""Judges what a workflow names of its own folder: the engine and tasks see of it what `work` lays, and inputs."""

import fnmatch
import posixpath
from collections.abc import Iterator

from wes.manifest import Manifest
from wes.outline import Argument, Outline, Rule
from wes.sheets import READING

DECLARED = ("input", "output", "log", "benchmark")


def wanted(outline: Outline) -> list[str]:
    """Return the files that a draft lays into the work folder: of configurations, of calls that read, of inputs."""
    said = [path for one in outline.configs for path in one.laid]
    calls = [one.first for one in outline.calls if one.where == "parse" and READING.fullmatch(one.name)]
    read = {path for one in calls if one is not None for path in paths(one)}
    read |= {path for rule in outline.rules for one in rule.directives.get("input", ()) for path in paths(one)}
    return list(dict.fromkeys([*said, *(path for path in outline.own_files if path in read)]))


def laid(outline: Outline, manifest: Manifest | None) -> frozenset[str]:
    """Return the files named in the workflow that its manifest lays into the work folder."""
    return frozenset(path for path in outline.own_files if _is_laid(path, manifest))


def beside(rule: Rule, manifest: Manifest | None) -> Iterator[str]:
    """Yield the words of a rule's command that are files of the folder, and of which its tasks see nothing."""
    declared = {path for name in DECLARED for one in rule.directives.get(name, ()) for path in paths(one)}
    yield from (path for path in rule.beside if path not in declared and not _is_laid(path, manifest))


def paths(argument: Argument) -> list[str]:
    """Return the paths that an argument writes out."""
    said = argument.value if isinstance(argument.value, list) else [argument.value]
    plain = argument.kind in ("text", "texts")
    return [posixpath.normpath(one) for one in said if isinstance(one, str)] if plain else []


def _is_laid(path: str, manifest: Manifest | None) -> bool:
    return manifest is not None and any(fnmatch.fnmatchcase(path, one) for one in manifest.work)

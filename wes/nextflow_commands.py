"""Decides whether a process's script is one that the vetters signed: a template of the manifest, or free (T18)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.errors import BadRequest, NotAllowed
from wes.matching import stands_in

SHEBANG = "#!/bin/bash -ue\n"  # what Nextflow writes above a script that has none
MOST_TEMPLATE = 20_000
MOST_SCRIPT, MOST_HOLES = 50_000, 50
_PROCESS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
_HOLE = re.compile(r"@\{[a-z][a-z0-9_]*(\*?)\}")
_FIRST = re.compile(r"[A-Za-z0-9_]")  # never a dash: a hole gives no options, and no path from the root
_NEXT = re.compile(r"[A-Za-z0-9._+=,/@%:-]*")
_MORE = re.compile(r"[A-Za-z0-9._+=,/@%:-]*(?: [A-Za-z0-9_][A-Za-z0-9._+=,/@%:-]*)*")

VALUES = (
    "; if a value was put in it, that fits no hole: a value there has only letters and digits of ASCII "
    "and . _ + = , / @ % : -, begins with a letter, a digit or _, and several words, "
    "with one space between two, stand only in a hole @{name*}: give the parameter or input another value, "
    "or ask a vetter to write the value itself into the template"
)


@dataclass(frozen=True)
class Template:
    """A script with holes: `literals` stand round them, and `many` says which hold several words."""

    literals: tuple[str, ...]
    many: tuple[bool, ...]

    def fits(self, script: str) -> bool:
        """Say whether `script` is this template with plain words in its holes; the work grows with its length."""
        ends = {len(self.literals[0])} if script.startswith(self.literals[0]) else set()
        for many, literal in zip(self.many, self.literals[1:], strict=True):
            ends = {end + len(literal) for end in _filled(script, ends, many) if script.startswith(literal, end)}
        return len(script) in ends

    def is_but_for_values(self, script: str) -> bool:
        """Say whether `script` would be this template if any text could stand in its holes."""
        return stands_in(script, self.literals)


@dataclass(frozen=True)
class Commands:
    """What each process of a workflow may run: one of its templates, or, where vetters allowed it, anything."""

    templates: Mapping[str, tuple[Template, ...]]
    free: frozenset[str]

    def is_bound(self, process: str, script: str) -> bool:
        """Say whether a signed template binds this script; raise `NotAllowed` where it had to."""
        if process in self.free:
            return False
        templates = self.templates.get(process)
        if templates is None:
            raise NotAllowed(f"{process}: not a process of this workflow's manifest; add its template to processes.")
        if len(script) > MOST_SCRIPT or not any(template.fits(script.strip()) for template in templates):
            # Never the value: it may be somebody's data.
            why = VALUES if any(template.is_but_for_values(script.strip()) for template in templates) else ""
            raise NotAllowed(
                f"{process}: its script is not what the vetters signed in the manifest's processes{why}."
            )
        return True


def parse_commands(processes: Any, free: Any) -> Commands:
    """Return what `processes` and `free_commands` of a manifest say; raise `BadRequest` with the field named."""
    if not isinstance(processes, dict) or not isinstance(free, list):
        raise BadRequest("manifest.yaml: processes is an object of lists of templates, free_commands a list.")
    for name in [*processes, *free]:
        if not isinstance(name, str) or not _PROCESS.fullmatch(name):
            raise BadRequest("manifest.yaml: processes and free_commands name processes of the workflow.")
    if twice := sorted(set(processes) & set(free)):
        raise BadRequest(f"manifest.yaml: {twice[0]} is bound by processes and free by free_commands; choose one.")
    templates = {
        name: tuple(_template(name, one) for one in _listed(name, given)) for name, given in processes.items()
    }
    return Commands(templates, frozenset(free))


def _listed(name: str, given: Any) -> list[Any]:
    templates = given if isinstance(given, list) else [given]
    if not 0 < len(templates) <= 20:
        raise BadRequest(f"manifest.yaml: processes.{name} is a script with holes, or a few of them.")
    return templates


def _template(name: str, given: Any) -> Template:
    if not isinstance(given, str) or not 0 < len(given) <= MOST_TEMPLATE:
        raise BadRequest(f"manifest.yaml: processes.{name} is text: the process's script with @{{holes}}.")
    text = given.strip()
    whole = text if text.startswith("#!") else SHEBANG + text
    pieces = _HOLE.split(whole)
    if any("@{" in literal for literal in pieces[::2]):
        raise BadRequest(f"manifest.yaml: processes.{name}: a hole is @{{name}}, or @{{name*}} for several words.")
    if len(pieces) > 2 * MOST_HOLES:
        raise BadRequest(f"manifest.yaml: processes.{name}: {MOST_HOLES} holes at most.")
    return Template(tuple(pieces[::2]), tuple(star == "*" for star in pieces[1::2]))


def _filled(script: str, starts: set[int], many: bool) -> set[int]:
    """Return where a hole that begins at one of `starts` may end."""
    ends: set[int] = set()
    reach = -1
    for start in sorted(starts):
        # What an earlier start reached, this one cannot reach beyond: each letter is looked at once.
        if start < reach or not _FIRST.match(script, start):
            continue
        found = (_MORE if many else _NEXT).match(script, start)
        assert found is not None
        reach = found.end()
        ends.update(range(start + 1, reach + 1))
    return ends

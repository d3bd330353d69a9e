"""Reads the `commands` section of a manifest: what each rule may run, with typed holes for what may differ (T18)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from string import Formatter

from strongroom.errors import BadRequest

RULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
SCRIPT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
CONFIG = re.compile(r"[A-Za-z0-9_-]{1,100}(?:\.[A-Za-z0-9_-]{1,100}){0,9}")
_FIELD = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)((?:\.[A-Za-z0-9_]+|\[[A-Za-z0-9_]+\])*)")
MOST_RULES, LONGEST, MOST_VALUES, MOST_PARTS = 1000, 100_000, 200, 2000
Scalar = str | int | float | bool | None


class Kind(StrEnum):
    """What may stand in a hole."""

    INPUT = "input"  # paths of this job's inputs
    OUTPUT = "output"  # paths of this job's outputs and logs
    PATH = "path"  # paths of either
    NAME = "name"  # a wildcard's value: plain letters
    INTEGER = "integer"
    NUMBER = "number"
    CONFIG = "config"  # exactly the value that the run's checked parameters have
    ENUM = "enum"  # exactly one of the values in the manifest


@dataclass(frozen=True)
class Hole:
    """A place in a command that differs from job to job; `quoted` as Snakemake's {name:q}."""

    name: str
    kind: Kind
    config: str = ""
    values: tuple[Scalar, ...] = ()
    quoted: bool = False


Part = str | Hole


@dataclass(frozen=True)
class Shell:
    """A rule whose command is a template; `measured` if it has a benchmark."""

    text: str
    parts: tuple[Part, ...]
    measured: bool = False


@dataclass(frozen=True)
class ScriptCall:
    """A rule that runs a script of the signed folder; `holes` type its params.

    `config` is the part of the configuration (a.b) that a module's script is told; the whole of it if empty.
    """

    path: str
    digest: str
    holes: Mapping[str, Hole]
    measured: bool = False
    config: str = ""


@dataclass(frozen=True)
class Free:
    """A rule whose command cannot be a template: whatever the engine asks for is run, and vetters are told."""


Command = Shell | ScriptCall | Free


@dataclass(frozen=True)
class Commands:
    """All that a workflow's rules may run; `rest` is what holds for rules that are not named."""

    rules: Mapping[str, Command]
    rest: Free | None = None

    def of(self, rule: str) -> Command | None:
        """Return what a rule may run; None means nothing."""
        return self.rules.get(rule, self.rest)

    def free(self) -> list[str]:
        """Return the rules whose commands are not bound; `*` stands for all that are not named."""
        named = [rule for rule, command in self.rules.items() if isinstance(command, Free)]
        return sorted(named) + (["*"] if self.rest is not None else [])


NOTHING = Commands({})


def parse_commands(raw: object) -> Commands:
    """Return the section; raise `BadRequest` with the rule named. The word `free` alone binds no command at all."""
    if raw == "free":
        return Commands({}, Free())
    if not isinstance(raw, Mapping) or len(raw) > MOST_RULES:
        raise BadRequest("manifest.yaml: commands is an object of rules, or the word free.")
    rules: dict[str, Command] = {}
    for rule, said in raw.items():
        if not isinstance(rule, str) or not RULE.fullmatch(rule):
            raise BadRequest("manifest.yaml: commands: rules are named as in the workflow.")
        rules[rule] = _command(rule, said)
    return Commands(rules)


def _command(rule: str, said: object) -> Command:
    if not isinstance(said, Mapping):
        raise _wrong(rule, "an object with shell, script or free: true")
    if "free" in said:
        if dict(said) != {"free": True}:
            raise _wrong(rule, "free: true stands alone")
        return Free()
    holes = _holes(rule, said.get("holes") or {})
    measured = said.get("benchmark", False)
    if not isinstance(measured, bool):
        raise _wrong(rule, "benchmark is true or false")
    if set(said) <= {"shell", "holes", "benchmark"} and isinstance(said.get("shell"), str):
        return replace(shell(rule, str(said["shell"]), holes), measured=measured)
    if set(said) <= {"script", "digest", "holes", "benchmark", "config"}:
        path, digest, config = str(said.get("script")), str(said.get("digest")), str(said.get("config", ""))
        plain = SCRIPT.fullmatch(path) and ".." not in path.split("/") and CONFIG.fullmatch(config or "whole")
        if plain and DIGEST.fullmatch(digest):
            return ScriptCall(path, digest, holes, measured, config)
    raise _wrong(
        rule,
        "shell (a template), or script (its path) and digest (sha256:…), or free: true; holes, benchmark, config",
    )


def _holes(rule: str, raw: object) -> dict[str, Hole]:
    if not isinstance(raw, Mapping):
        raise _wrong(rule, "holes is an object: the hole's name and its type")
    return {str(name): _hole(rule, str(name), kind) for name, kind in raw.items()}


def _hole(rule: str, name: str, said: object) -> Hole:
    match said:
        case "path" | "name" | "integer" | "number" | "input" | "output":
            return Hole(name, Kind(said))
        case {"config": str(path), **rest} if not rest and CONFIG.fullmatch(path):
            return Hole(name, Kind.CONFIG, config=path)
        case {"enum": list(values), **rest} if not rest and 0 < len(values) <= MOST_VALUES:
            if all(isinstance(value, Scalar) for value in values):
                return Hole(name, Kind.ENUM, values=tuple(values))
    raise _wrong(rule, f"hole {name[:60]!r} is path, name, integer, number, {{config: KEY}} or {{enum: […]}}")


def shell(rule: str, text: str, holes: Mapping[str, Hole]) -> Shell:
    """Return a template as Snakemake would fill it in; raise `BadRequest` for a hole without a type."""
    if not text.strip() or len(text) > LONGEST:
        raise _wrong(rule, "shell is a command")
    parts: list[Part] = []
    try:
        for literal, name, how, conversion in Formatter().parse(text):
            if literal:
                parts.append(literal)
            if name is None:
                continue
            if how not in ("", "q", "u") or conversion:
                raise _wrong(rule, f"the hole {name[:60]!r} is formatted, so its text is not known")
            parts.append(_typed(rule, name, holes, quoted=how == "q"))
    except ValueError as error:
        raise _wrong(rule, "shell has braces that do not close; double those that are no holes") from error
    if len(parts) > MOST_PARTS:
        raise _wrong(rule, "shell has too many holes")
    return Shell(text, tuple(parts))


def _typed(rule: str, name: str, holes: Mapping[str, Hole], *, quoted: bool) -> Part:
    if name == "rule":
        return rule
    found = holes.get(name) or plain_hole(name)
    if found is None:
        raise _wrong(rule, f"the hole {name[:60]!r} needs a type below holes")
    return Hole(name, found.kind, found.config, found.values, quoted)


def plain_hole(name: str) -> Hole | None:
    """Return the type that a hole has by its name alone: files, wildcards, threads, resources, parameters."""
    found = _FIELD.fullmatch(name)
    if found is None:
        return None
    word, rest = found.groups()
    match word:
        case "input":
            return Hole(name, Kind.INPUT)
        case "output" | "log":
            return Hole(name, Kind.OUTPUT)
        case "wildcards" if rest:
            return Hole(name, Kind.NAME)
        case "threads" if not rest:
            return Hole(name, Kind.INTEGER)
        case "resources" if rest and rest != ".tmpdir":
            return Hole(name, Kind.INTEGER)
        case "config" if rest:
            return Hole(name, Kind.CONFIG, config=re.sub(r"[\[\].]+", ".", rest).strip("."))
        case _:
            return None


def _wrong(rule: str, what: str) -> BadRequest:
    return BadRequest(f"manifest.yaml: commands.{rule}: {what}.")

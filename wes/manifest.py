"""Reads a workflow's manifest: engine, entry, images, input slots, parameter schema and output contract."""

import fnmatch
import posixpath
import re
from dataclasses import dataclass
from typing import Any

import jsonschema
import yaml

from airlock.contract import Contract, parse_contract
from strongroom.errors import BadRequest
from wes import nextflow_commands
from wes.commands import NOTHING, Commands, parse_commands
from wes.glimpses import NONE, Glimpses, parse_glimpses
from wes.parameters import TABLE, check_parameter, check_schema, completed, leaves, validator
from wes.remote import RemoteRule, parse_remote

FIELDS = frozenset(
    [
        "name",
        "version",
        "title",
        "description",
        "author",
        "engine",
        "entry",
        "images",
        "inputs",
        "parameters",
        "outputs",
        "targets",
        "asked_targets",
        "until",
        "schema",
        "remote",
        "commands",
        "processes",
        "free_commands",
        "work",
        "names",
        "lists",
        "clear",
    ]
)
NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_ENTRY = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/){0,8}[A-Za-z0-9_-][A-Za-z0-9._-]*")
_TARGET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=,/-]{0,399}")
_PATTERN = re.compile(r"[A-Za-z0-9._+=,/*?-]{1,400}")
_RULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
_SLOT = re.compile(r"[a-z][a-z0-9_]{0,39}")
# Never the engine's own files, nor another slot's.
_PLACE = re.compile(r"\.|(?!inputs(?:/|$))[A-Za-z0-9_][A-Za-z0-9._+=,-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+=,-]*){0,7}")


@dataclass(frozen=True)
class Slot:
    """A named set of input files that a researcher fills from a dataset."""

    name: str
    pattern: str
    least: int
    most: int
    place: str = ""  # the folder of the work folder in which they lie; empty: inputs/NAME

    @property
    def folder(self) -> str:
        """Return where its files lie, relative to /run/work; empty for the work folder itself."""
        return "" if self.place == "." else self.place or f"inputs/{self.name}"

    def path(self, file: str) -> str:
        """Return where engine and tasks see one of its files, relative to /run/work."""
        return posixpath.join(self.folder, file)

    def chosen(self, names: list[str]) -> list[str]:
        """Return the files of a dataset that fit this slot, sorted."""
        return sorted(n for n in names if fnmatch.fnmatchcase(n, self.pattern))


@dataclass(frozen=True)
class Manifest:
    """What a workflow version says of itself; signed with the folder that it lies in."""

    name: str
    version: str
    title: str
    author: str
    engine: str
    engine_version: str
    entry: str
    images: tuple[str, ...]
    slots: tuple[Slot, ...]
    parameters: dict[str, Any]
    contract: Contract
    remote: dict[str, RemoteRule]
    commands: Commands  # Snakemake's: what each rule may run (T18)
    processes: nextflow_commands.Commands  # Nextflow's: what each process may run (T18)
    targets: tuple[str, ...] = ()  # what a run makes; none: the first rule, or the one that the workflow marks
    asked_targets: tuple[str, ...] = ()  # rules that a run may ask for instead
    until: tuple[str, ...] = ()  # rules at which a run may stop
    glimpses: Glimpses = NONE
    work: tuple[str, ...] = ()  # files of the folder that lie in the work folder as well

    def single(self) -> frozenset[str]:
        """Return the names of the slots of at most one file."""
        return frozenset(slot.name for slot in self.slots if slot.most == 1)

    def free(self) -> list[str]:
        """Return the rules or processes whose commands no template binds, for vetters and stewards to see (T18)."""
        return [*self.commands.free(), *sorted(self.processes.free)]


def parse_manifest(text: str) -> Manifest:
    """Return the manifest in `text` (YAML); raise `BadRequest` with the field named."""
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadRequest("manifest.yaml is not YAML.") from error
    if not isinstance(raw, dict):
        raise BadRequest("manifest.yaml holds an object.")
    for field in raw:
        if field not in FIELDS:
            raise BadRequest(f"manifest.yaml: {str(field)[:60]!r} is not a field of a manifest.")
    engine = raw.get("engine") or {}
    _check_engine(raw, engine)
    slots = tuple(_slot(s, str(engine["name"])) for s in raw.get("inputs") or ())
    name = _text(raw, "name", NAME)
    glimpses = parse_glimpses(raw)
    if missing := {one.slot for one in glimpses.clear} - {slot.name for slot in slots}:
        raise BadRequest(f"manifest.yaml: clear: {sorted(missing)[0]} is not among inputs.")
    return Manifest(
        name=name,
        version=_text(raw, "version", VERSION),
        title=str(raw.get("title") or "").strip()[:300] or name,  # a heading, and the words of a link
        author=str(raw.get("author", ""))[:200],
        engine=str(engine["name"]),
        engine_version=str(engine.get("version", "")),
        entry=_text(raw, "entry", _ENTRY),
        images=tuple(str(i) for i in raw.get("images") or ()),
        slots=slots,
        parameters=_parameters(raw.get("parameters") or {"type": "object", "additionalProperties": False}, slots),
        contract=parse_contract(raw.get("outputs") or []),
        remote=parse_remote(raw.get("remote") or {}),
        # T18: what is not said is not run.
        commands=parse_commands(raw["commands"]) if "commands" in raw else NOTHING,
        processes=nextflow_commands.parse_commands(raw.get("processes") or {}, raw.get("free_commands") or []),
        targets=_targets(raw.get("targets", "full")),
        asked_targets=_rules(raw, "asked_targets"),
        until=_rules(raw, "until"),
        glimpses=glimpses.placed({slot.name: slot.folder for slot in slots}),
        work=_patterns(raw.get("work") or [], "work"),
    )


def _check_engine(raw: dict[str, Any], engine: Any) -> None:
    if not isinstance(engine, dict) or engine.get("name") not in ("snakemake", "nextflow"):
        raise BadRequest("manifest.yaml: engine.name is snakemake or nextflow.")
    snakemake = ("remote", "until", "asked_targets", "commands")
    other = ("processes", "free_commands") if engine["name"] == "snakemake" else snakemake
    for field in other:
        if raw.get(field):
            raise BadRequest(f"manifest.yaml: {field} is not for workflows of {engine['name']}.")


def _text(raw: dict[str, Any], field: str, pattern: re.Pattern[str]) -> str:
    value = str(raw.get(field, ""))
    if not pattern.fullmatch(value):
        raise BadRequest(f"manifest.yaml: {field} is missing or not well formed.")
    return value


def _targets(raw: Any) -> tuple[str, ...]:
    """Return the rules or files that a run makes; `full` is what the workflow makes by itself."""
    if raw == "full":
        return ()
    if not isinstance(raw, list) or not raw or not all(_TARGET.fullmatch(str(one)) for one in raw):
        raise BadRequest("manifest.yaml: targets is full, or a list of rules and files.")
    return tuple(map(str, raw))


def _patterns(raw: Any, field: str) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(_PATTERN.fullmatch(str(one)) for one in raw):
        raise BadRequest(f"manifest.yaml: {field} is a list of file names, in which * and ? may stand.")
    return tuple(map(str, raw))


def _rules(raw: dict[str, Any], field: str) -> tuple[str, ...]:
    names = raw.get(field) or []
    if not isinstance(names, list) or len(names) > 1000 or not all(_RULE.fullmatch(str(name)) for name in names):
        raise BadRequest(f"manifest.yaml: {field} is a list of names of rules.")
    return tuple(str(name) for name in names)


def _slot(raw: Any, engine: str) -> Slot:
    if not isinstance(raw, dict) or not _SLOT.fullmatch(str(raw.get("name", ""))):
        raise BadRequest("manifest.yaml: each of inputs has a name of small letters.")
    place = str(raw.get("folder", ""))
    if place and not (engine == "snakemake" and len(place) <= 200 and _PLACE.fullmatch(place)):
        raise BadRequest(
            f"manifest.yaml: inputs: {raw['name']}: folder is one of a Snakemake run's work folder, or a dot for "
            "the whole; letters, digits and . _ + = , - only, and not below inputs."
        )
    return Slot(
        name=str(raw["name"]),
        pattern=str(raw.get("pattern", "*")),
        least=int(raw.get("min_files", 1)),
        most=int(raw.get("max_files", 10_000)),
        place=place,
    )


def _parameters(schema: Any, slots: tuple[Slot, ...]) -> dict[str, Any]:
    check_schema(schema)
    for name, rule in (schema.get("properties") or {}).items():
        check_parameter(str(name), rule, [slot.name for slot in slots])
    return dict(schema)


def check_parameters(manifest: Manifest, given: dict[str, Any]) -> dict[str, Any]:
    """Return `given` with defaults filled in; raise `BadRequest` naming each parameter that is not allowed."""
    properties = manifest.parameters.get("properties") or {}
    whole = completed(properties, given)
    wrong = {_place(error) for error in validator(manifest.parameters).iter_errors(whole)}
    # Python's $ matches before a final newline; no parameter needs one.
    # The lines of a table are read one by one, later on.
    one_line = {name: value for name, value in whole.items() if TABLE not in properties.get(name, {})}
    wrong |= {f"{name} is not what the schema allows (pattern)" for name, value in one_line.items() if _breaks(value)}
    if wrong:
        allowed = ", ".join(sorted(leaves(properties))) or "none"
        raise BadRequest(f"workflow_params: {'; '.join(sorted(wrong))}. This workflow's parameters are: {allowed}.")
    return whole


def _breaks(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_breaks(one) for one in value.values())
    return isinstance(value, str) and "\n" in value


def _place(error: jsonschema.ValidationError) -> str:
    # Never the value: it may be somebody's data.
    if error.validator == "additionalProperties":
        return "a parameter that this workflow does not have"
    if error.validator == "required":
        return "a parameter that this workflow needs is missing"
    return f"{'.'.join(str(p) for p in error.absolute_path)} is not what the schema allows ({error.validator})"

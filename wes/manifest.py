"""Reads a workflow's manifest: engine, entry, images, input slots, parameter schema and output contract."""

import fnmatch
import re
from dataclasses import dataclass
from typing import Any

import jsonschema
import yaml

from airlock.contract import Contract, parse_contract
from strongroom.errors import BadRequest
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
        "schema",
        "remote",
    ]
)
NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_SLOT = re.compile(r"[a-z][a-z0-9_]{0,39}")
# A free string reaches a shell sooner or later: strings are enums, or match a pattern made of these letters only.
SAFE_PATTERN = re.compile(r"\^(?:[A-Za-z0-9._-]|\[[A-Za-z0-9._-]+\](?:\{[0-9]+(?:,[0-9]+)?\})?)+\$")


@dataclass(frozen=True)
class Slot:
    """A named set of input files that a researcher fills from a dataset."""

    name: str
    pattern: str
    least: int
    most: int

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
    if engine.get("name") != "snakemake":
        raise BadRequest("manifest.yaml: engine.name is snakemake.")
    return Manifest(
        name=_text(raw, "name", NAME),
        version=_text(raw, "version", VERSION),
        title=str(raw.get("title", ""))[:300],
        author=str(raw.get("author", ""))[:200],
        engine=str(engine["name"]),
        engine_version=str(engine.get("version", "")),
        entry=_text(raw, "entry", re.compile(r"[A-Za-z0-9._-]+")),
        images=tuple(str(i) for i in raw.get("images") or ()),
        slots=tuple(_slot(s) for s in raw.get("inputs") or ()),
        parameters=_parameters(raw.get("parameters") or {"type": "object", "additionalProperties": False}),
        contract=parse_contract(raw.get("outputs") or []),
        remote=parse_remote(raw.get("remote") or {}),
    )


def _text(raw: dict[str, Any], field: str, pattern: re.Pattern[str]) -> str:
    value = str(raw.get(field, ""))
    if not pattern.fullmatch(value):
        raise BadRequest(f"manifest.yaml: {field} is missing or not well formed.")
    return value


def _slot(raw: Any) -> Slot:
    if not isinstance(raw, dict) or not _SLOT.fullmatch(str(raw.get("name", ""))):
        raise BadRequest("manifest.yaml: each of inputs has a name of small letters.")
    return Slot(
        name=str(raw["name"]),
        pattern=str(raw.get("pattern", "*")),
        least=int(raw.get("min_files", 1)),
        most=int(raw.get("max_files", 10_000)),
    )


def _parameters(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, dict) or schema.get("additionalProperties") is not False:
        raise BadRequest("manifest.yaml: parameters is a JSON Schema with additionalProperties: false.")
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise BadRequest("manifest.yaml: parameters is not a JSON Schema.") from error
    for name, rule in (schema.get("properties") or {}).items():
        _check_closed(str(name), rule)
    return schema


def _check_closed(name: str, rule: Any) -> None:
    if not isinstance(rule, dict):
        raise BadRequest(f"manifest.yaml: parameter {name} needs a schema of its own.")
    if rule.get("type") in ("integer", "number", "boolean") or "enum" in rule:
        return
    if rule.get("type") == "string" and SAFE_PATTERN.fullmatch(str(rule.get("pattern", ""))):
        return
    raise BadRequest(
        f"manifest.yaml: parameter {name} is a number, a boolean, an enum, or a string of plain letters by pattern."
    )


def check_parameters(manifest: Manifest, given: dict[str, Any]) -> dict[str, Any]:
    """Return `given` with defaults filled in; raise `BadRequest` naming each parameter that is not allowed."""
    properties = manifest.parameters.get("properties") or {}
    whole = {name: rule["default"] for name, rule in properties.items() if "default" in rule} | given
    validator = jsonschema.Draft202012Validator(manifest.parameters)
    wrong = {_place(error) for error in validator.iter_errors(whole)}
    # Python's $ matches before a final newline; no parameter needs one.
    wrong |= {f"{name} is not what the schema allows (pattern)" for name, value in whole.items() if _breaks(value)}
    if wrong:
        allowed = ", ".join(sorted(properties)) or "none"
        raise BadRequest(f"workflow_params: {'; '.join(sorted(wrong))}. This workflow's parameters are: {allowed}.")
    return whole


def _breaks(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value


def _place(error: jsonschema.ValidationError) -> str:
    # Never the value: it may be somebody's data.
    if error.validator == "additionalProperties":
        return "a parameter that this workflow does not have"
    if error.validator == "required":
        return "a parameter that this workflow needs is missing"
    return f"{'.'.join(str(p) for p in error.absolute_path)} is not what the schema allows ({error.validator})"

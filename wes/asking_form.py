"""Draws the form of a run from the JSON Schema of its workflow, and reads it back as `workflow_params`."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from strongroom.errors import BadRequest
from wes.parameters import FILE, TABLE, form_of, is_map

DATASET = "x-strongroom-dataset"
Kind = Literal["dataset", "choice", "number", "table", "file", "text"]


@dataclass(frozen=True)
class Field:
    """One field of the form; `options` are what a choice offers, as JSON so that 0.05 stays a number."""

    name: str
    label: str
    kind: Kind
    hint: str
    required: bool
    given: str
    options: tuple[tuple[str, str], ...] = ()
    least: float | None = None
    most: float | None = None
    step: str = "any"
    above: tuple[str, ...] = ()  # the objects that it is a part of


def fields(parameters: Mapping[str, Any], slots: list[Any]) -> list[Field]:
    """Return the fields of a workflow's form: a dataset for each input, then its parameters."""
    whole = form_of(parameters, slots)
    inputs = whole["properties"]["inputs"]["properties"]
    drawn = [_dataset(name, rule[DATASET]) for name, rule in inputs.items()]
    wanted = set(parameters.get("required", []))
    rules = {name: rule for name, rule in whole["properties"].items() if name != "inputs"}
    for name, rule in rules.items():
        drawn += _parts(name, rule, ()) if is_map(rule) else [_field(name, rule, required=name in wanted)]
    return drawn


def read(drawn: list[Field], given: Mapping[str, str]) -> dict[str, Any]:
    """Return `workflow_params` of a form as it was sent; what is left empty is left out, and its default counts."""
    inputs: dict[str, Any] = {}
    params: dict[str, Any] = {"inputs": inputs}
    for field in drawn:
        value = given.get(field_name(field), "")
        if field.kind == "dataset":
            if value:
                inputs[field.name] = value
            elif field.required:
                raise BadRequest(f"{field.label}: choose a dataset.")
        elif value:
            place = params
            for one in field.above:
                place = place.setdefault(one, {})
            place[field.name.removeprefix("".join(f"{one}." for one in field.above))] = _value(field, value)
    return params


def field_name(field: Field) -> str:
    """Return the name of a field in the form."""
    return f"input.{field.name}" if field.kind == "dataset" else f"param.{field.name}"


def _dataset(name: str, rule: Mapping[str, Any]) -> Field:
    least, most = rule["min_files"], rule["max_files"]
    files = (
        f"{least} file" if least == most == 1 else f"{least} files" if least == most else f"{least} to {most} files"
    )
    return Field(name, _label(name), "dataset", f"{files} like {rule['pattern']}", required=least > 0, given="")


def _parts(name: str, rule: Mapping[str, Any], above: tuple[str, ...]) -> list[Field]:
    """Return a field for each part of an object, by what the object has if nobody gives one."""
    holders, default = (*above, name), rule.get("default")
    drawn: list[Field] = []
    for key, own in rule["properties"].items():
        part = own | {"default": default[key]} if isinstance(default, dict) and key in default else own
        if is_map(part):
            drawn += _parts(key, part, holders)
        else:
            drawn.append(replace(_field(".".join((*holders, key)), part, required=False), above=holders))
    return drawn


def _field(name: str, rule: Mapping[str, Any], *, required: bool) -> Field:
    hint, default = str(rule.get("description", "")), rule.get("default")
    label, given = _label(name), "" if default is None else _text(default)
    needed = required and default is None
    if isinstance(rule.get("enum"), list):
        options = tuple((_told(one), str(one)) for one in rule["enum"])
        return Field(name, label, "choice", hint, needed, "" if default is None else _told(default), options)
    kind = rule.get("type")
    if kind == "boolean":
        choices = (("true", "yes"), ("false", "no"))
        return Field(name, label, "choice", hint, needed, "" if default is None else _told(default), choices)
    if kind in ("integer", "number"):
        step = "1" if kind == "integer" else "any"
        least, most = rule.get("minimum"), rule.get("maximum")
        return Field(name, label, "number", hint, needed, given, least=least, most=most, step=step)
    if TABLE in rule:
        columns = ", ".join(rule[TABLE]["columns"])
        return Field(
            name, label, "table", f"{hint} Tab-separated, with the columns {columns}.".strip(), needed, given
        )
    if FILE in rule:
        return Field(name, label, "file", f"{hint} The name of a file of {rule[FILE]}.".strip(), needed, given)
    return Field(name, label, "text", hint, needed, given)


def _value(field: Field, value: str) -> Any:
    match field.kind:
        case "choice":
            try:
                return json.loads(value)
            except (ValueError, RecursionError):
                raise BadRequest(f"{field.label}: choose one of the list.") from None
        case "number":
            try:
                number = int(value) if field.step == "1" else float(value)
            except ValueError:
                raise BadRequest(f"{field.label}: a number was expected.") from None
            if isinstance(number, float) and not math.isfinite(number):  # no JSON can say it
                raise BadRequest(f"{field.label}: a number was expected.")
            return number
        case "table":
            return value.replace("\r\n", "\n")
        case _:
            return value


def _told(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _told(value)


def _label(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").replace(".", ": ").capitalize()

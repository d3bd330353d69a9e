"""Reads the hints of a workflow's parameter schema: small tables of samples, files of a dataset, the whole form."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from strongroom.errors import BadRequest

TABLE, FILE = "x-strongroom-table", "x-strongroom-file"
MOST_BYTES, MOST_ROWS, MOST_COLUMNS = 64 << 10, 5000, 50
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,39}")


def check_hint(name: str, rule: Mapping[str, Any], *, safe: re.Pattern[str], slots: Sequence[str]) -> bool:
    """Say whether a parameter is a table or a file by its hint; raise `BadRequest` for a hint that cannot be kept."""
    if TABLE in rule:
        _check_table(name, rule, safe)
        return True
    if FILE in rule:
        if rule.get("type") != "string" or rule[FILE] not in slots:
            raise BadRequest(f"manifest.yaml: parameter {name}: {FILE} names one of the inputs, for a string.")
        return True
    return False


def _check_table(name: str, rule: Mapping[str, Any], safe: re.Pattern[str]) -> None:
    hint = rule[TABLE]
    columns = hint.get("columns") if isinstance(hint, dict) else None
    if rule.get("type") != "string" or not isinstance(columns, dict) or not 0 < len(columns) <= MOST_COLUMNS:
        raise BadRequest(f"manifest.yaml: parameter {name}: {TABLE} has columns, for a string.")
    if not set(hint) <= {"columns", "max_rows"} or not 0 < _most(hint) <= MOST_ROWS:
        raise BadRequest(f"manifest.yaml: parameter {name}: max_rows is from 1 to {MOST_ROWS}.")
    for column, cells in columns.items():
        words = isinstance(cells, list) and cells and all(isinstance(one, str) for one in cells)
        if not _COLUMN.fullmatch(str(column)) or not (words or (isinstance(cells, str) and safe.fullmatch(cells))):
            # A cell reaches a shell sooner or later, as any string does.
            raise BadRequest(
                f"manifest.yaml: parameter {name}: a column is a list of words, or a pattern of letters."
            )


def rows_of(name: str, text: str, rule: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the rows of a small tab-separated table, each cell checked; raise `BadRequest` with the line."""
    hint = rule[TABLE]
    columns: Mapping[str, Any] = hint["columns"]
    field = f"workflow_params.{name}"
    if len(text.encode()) > MOST_BYTES:
        raise BadRequest(f"{field}: a table of {MOST_BYTES >> 10} KiB at most.")
    lines = [line.removesuffix("\r").split("\t") for line in text.removesuffix("\n").split("\n")]
    if lines[0] != list(columns):
        raise BadRequest(f"{field}: the first line names the columns, with tabs between: {', '.join(columns)}.")
    if not 0 < len(lines) - 1 <= _most(hint):
        raise BadRequest(f"{field}: from 1 to {_most(hint)} rows.")
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        wrong = [c for c, cell in zip(columns, cells, strict=False) if not _fits(cell, columns[c])]
        if len(cells) != len(columns) or wrong:
            # Never the cell: it may be somebody's data.
            raise BadRequest(
                f"{field}, line {number}: {wrong[0] if wrong else 'a cell'} is not what the schema allows."
            )
        rows.append(dict(zip(columns, cells, strict=True)))
    return rows


def path_of(name: str, value: str, rule: Mapping[str, Any], chosen: Mapping[str, Sequence[str]]) -> str:
    """Return the path of the file that a parameter names: one of those chosen for its slot, and nothing else."""
    slot = rule[FILE]
    path = f"inputs/{slot}/{value}"
    if path not in chosen.get(slot, ()):
        raise BadRequest(f"workflow_params.{name}: the name of a file that this run reads as {slot}.")
    return path


def resolve(
    properties: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any], chosen: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return checked parameters as the engine reads them: tables as rows, files as paths."""
    found = dict(given)
    for name, value in given.items():
        rule = properties.get(name, {})
        if TABLE in rule:
            found[name] = rows_of(name, value, rule)
        elif FILE in rule:
            found[name] = path_of(name, value, rule, chosen)
    return found


def form_of(parameters: Mapping[str, Any], slots: Sequence[Any]) -> dict[str, Any]:
    """Return the JSON Schema of `workflow_params` as a whole: what a page needs to draw the form."""
    chosen = {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}
    inputs = {
        slot.name: {
            "x-strongroom-dataset": {"pattern": slot.pattern, "min_files": slot.least, "max_files": slot.most},
            "anyOf": [
                {"type": "string", "description": "A dataset's name: all of its files that fit."},
                {
                    "type": "object",
                    "properties": {"dataset": {"type": "string"}, "files": chosen},
                    "required": ["dataset"],
                    "additionalProperties": False,
                },
            ],
        }
        for slot in slots
    }
    whole = {"type": "object", "properties": inputs, "required": list(inputs), "additionalProperties": False}
    properties = {"inputs": whole, **(parameters.get("properties") or {})}
    return {**parameters, "properties": properties, "required": ["inputs", *parameters.get("required", [])]}


def _fits(cell: str, allowed: Any) -> bool:
    if isinstance(allowed, list):
        return cell in allowed
    return re.fullmatch(allowed.removeprefix("^").removesuffix("$"), cell) is not None


def _most(hint: Mapping[str, Any]) -> int:
    most = hint.get("max_rows", 1000)
    return most if isinstance(most, int) and not isinstance(most, bool) else 0

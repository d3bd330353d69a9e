"""Writes the output contract as a JSON Schema, from the same tables that its reader uses (pure)."""

from typing import Any

from airlock import columns, contract
from airlock.checks.promise import Promised
from airlock.contract import Release

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_POSITIVE = {"type": "integer", "minimum": 1, "maximum": 10**9}
_PLAIN = {"type": "string", "pattern": f"^{columns.PLAIN_NAME.pattern}$"}
_NAMES = {"type": "array", "items": _PLAIN, "uniqueItems": True, "maxItems": columns.MAX_LISTED}
_KEY = {
    "oneOf": [
        {"$ref": "#/$defs/values"},
        {"type": "object", "properties": {"values": {"$ref": "#/$defs/values"}}, "required": ["values"]}
        | {"additionalProperties": False},
        {"type": "object", "properties": {"pattern": {"type": "string"}}, "required": ["pattern"]}
        | {"additionalProperties": False},
    ]
}
_DECIMALS = {"type": "integer", "minimum": 0, "maximum": 18}
_NUMBER = {
    "oneOf": [
        _DECIMALS,
        {"type": "object", "properties": {"decimals": _DECIMALS}, "required": ["decimals"]},
    ]
}


def contract_schema() -> dict[str, Any]:
    """Return the schema of `outputs`; what it cannot say, such as the bits of a pattern, the linter does."""
    rules = [_inside(), _members(), *(_rule(promised) for promised in Promised)]
    return {
        "$schema": DIALECT,
        "title": "Output contract",
        "description": "The outputs section of a workflow's manifest; the first rule that fits a file decides.",
        "type": "array",
        "maxItems": contract.MAX_RULES,
        "items": {"oneOf": rules},
        "$defs": {
            "values": {
                "type": "array",
                "items": {"anyOf": [{"type": "string", "pattern": f"^{columns.CELL.pattern}$"}, {"type": "integer"}]},
                "minItems": 1,
                "maxItems": columns.MAX_VALUES,
                "uniqueItems": True,
            }
        },
    }


def _inside() -> dict[str, Any]:
    fields: dict[str, Any] = {name: _FIELDS.get(name, {}) for name in sorted(contract.ALWAYS)}
    fields |= {"release": {"const": Release.INSIDE.value}, "format": {}, "unit": {}, "rule": {}, "statbarn": {}}
    return _object("What stays inside", fields, ["release"])


def _members() -> dict[str, Any]:
    names = ("match", "rule", "description")
    fields: dict[str, Any] = {name: _FIELDS[name] for name in names}
    fields |= {"release": {"const": Release.INSIDE.value}, "members": {"const": True}}
    return _object("Whose data the results are about", fields, ["match", "release", "rule", "members"])


def _rule(promised: Promised) -> dict[str, Any]:
    fields: dict[str, Any] = {name: _FIELDS[name] for name in sorted(contract.FIELDS[promised])}
    fields |= {"release": {"const": Release.AIRLOCK.value}, "format": {"const": promised.value}}
    needed = {
        Promised.TSV: ["max_rows"],
        Promised.CSV: ["max_rows"],
        Promised.VCF: ["max_sites"],
        Promised.PNG: ["needs"],
        Promised.JSON: [],
        Promised.LOG: ["max_rows"],
    }[promised]
    one = _object(f"A {promised.value} that may leave", fields, ["release", "format", "rule", *needed])
    if "stream" in fields:
        tasks = {"properties": {"stream": {"enum": list(contract.STREAMS)}}, "required": ["stream", "rule"]}
        engine = {
            "properties": {"stream": {"const": contract.ENGINE}, "rule": False, "match": False},
            "required": ["stream"],
        }
        needed = [name for name in one["required"] if name != "rule"]
        return one | {"required": needed, "oneOf": [{"required": ["match", "rule"]}, tasks, engine]}
    return one | {"required": ["match", *one["required"]]}


def _object(title: str, fields: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "title": title,
        "type": "object",
        "properties": fields,
        "required": required,
        "additionalProperties": False,
    }


def _declared(what: dict[str, Any] | None) -> dict[str, Any]:
    """Return a list of names, or names with what is said of each."""
    told = {"type": "object", "additionalProperties": what or {"type": "null"}, "propertyNames": _PLAIN}
    return told if what is not None else {"oneOf": [_NAMES, told]}


_FIELDS: dict[str, Any] = {
    "match": {"type": "string", "maxLength": 200, "pattern": f"^(?:{contract.MATCH.pattern})$"},
    "rule": {"type": "string", "pattern": f"^{contract.ENGINE_RULE.pattern}$"},
    "statbarn": {"anyOf": [_PLAIN, {"const": ""}]},
    "unit": {"enum": list(contract.UNITS)},
    "description": {},
    "release": {},
    "format": {},
    "columns": _NAMES,
    "keys": _declared(_KEY),
    "counts": _declared(None),
    "integers": _declared(None),
    "numbers": _declared(_NUMBER),
    "max_rows": _POSITIVE,
    "max_sites": _POSITIVE,
    "class": {"const": "sites-only"},
    "min_ac": {"oneOf": [{"const": "policy"}, _POSITIVE]},
    "info": {"type": "array", "items": {"enum": ["AC", "AN", "AF"]}, "allOf": [{"contains": {"const": "AC"}}]},
    "needs": {"type": "array", "items": {"type": "string", "pattern": f"^{columns.NEEDED.pattern}$"}, "minItems": 1},
    "stream": {"enum": [*contract.STREAMS, contract.ENGINE]},
    "lines": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": columns.MAX_LISTED},
}

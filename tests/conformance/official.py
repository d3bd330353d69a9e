"""Reads GA4GH's official OpenAPI files, which are not part of this repository, and judges answers by them."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("STRONGROOM_SPECS", ROOT.parent / "shared" / "specs"))
FILES = {"wes": "wes-1.1.0.offline.openapi.yaml", "tes": "tes-1.1.0.offline.openapi.yaml"}
SERVICE = "service-info-1.0.0.openapi.yaml"
FILES["service"] = SERVICE


def check(api: str, schema: str, answer: Any) -> None:
    """Raise if `answer` is not what the official file says of `schema`."""
    validator(api, schema).validate(answer)


@cache
def validator(api: str, schema: str) -> jsonschema.Draft202012Validator:
    """Return a validator of one schema of one API."""
    registry: Registry[Any] = Registry().with_resources(
        [(f"urn:{name}", Resource(document(name), DRAFT202012)) for name in (FILES[api], SERVICE)]
    )
    reference = {"$ref": f"urn:{FILES[api]}#/components/schemas/{schema}"}
    return jsonschema.Draft202012Validator(reference, registry=registry)


@cache
def document(name: str) -> Any:
    """Return an official file as JSON Schema: OpenAPI 3.0's `nullable` and references between files translated."""
    path = FOLDER / name
    if not path.exists():
        pytest.fail(
            f"GA4GH's file {name} is not here. Point STRONGROOM_SPECS at a folder with GA4GH's OpenAPI files "
            "of WES 1.1.0, TES 1.1.0 and service-info 1.0.0.",
            pytrace=False,
        )
    return as_json_schema(yaml.safe_load(path.read_text()))


def as_json_schema(node: Any) -> Any:
    """Return an OpenAPI 3.0 document whose schemas a validator of JSON Schema understands."""
    if isinstance(node, list):
        return [as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: as_json_schema(value) for key, value in node.items() if key not in ("nullable", "example")}
    if isinstance(plain.get("$ref"), str) and plain["$ref"].startswith(SERVICE):
        plain["$ref"] = f"urn:{plain['$ref']}"
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain

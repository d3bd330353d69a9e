"""What TRS 2.0.1 asks of an answer, in our own table; and, where GA4GH's file is given, what that file asks too."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from official import as_json_schema

# CI does not have the file: STRONGROOM_TRS_SPEC is the path of a copy of one's own (CONTRIBUTING.md).
GIVEN = os.environ.get("STRONGROOM_TRS_SPEC", "")
DESCRIPTORS = frozenset({"CWL", "WDL", "NFL", "GALAXY", "SMK"})
IMAGES = frozenset({"Docker", "Singularity", "Conda"})
FILES = frozenset({"TEST_FILE", "PRIMARY_DESCRIPTOR", "SECONDARY_DESCRIPTOR", "CONTAINERFILE", "OTHER"})
Kind = type | str | frozenset[str] | list[Any]  # a type, another shape's name, words, or a list of one of them


@dataclass(frozen=True)
class Shape:
    """One of the specification's types: what it must have, and what it may have besides."""

    must: dict[str, Kind]
    may: dict[str, Kind]


SHAPES = {
    "Checksum": Shape({"checksum": str, "type": str}, {}),
    "Error": Shape({"code": int}, {"message": str}),
    "FileWrapper": Shape(
        {}, {"content": str, "checksum": ["Checksum"], "image_type": (IMAGES | DESCRIPTORS), "url": str}
    ),
    "ImageData": Shape(
        {},
        {
            "registry_host": str,
            "image_name": str,
            "size": int,
            "updated": str,
            "checksum": ["Checksum"],
            "image_type": IMAGES,
        },
    ),
    "Tool": Shape(
        {"url": str, "id": str, "organization": str, "toolclass": "ToolClass", "versions": ["ToolVersion"]},
        {
            "aliases": [str],
            "name": str,
            "description": str,
            "meta_version": str,
            "has_checker": bool,
            "checker_url": str,
        },
    ),
    "ToolClass": Shape({}, {"id": str, "name": str, "description": str}),
    "ToolFile": Shape({}, {"path": str, "file_type": FILES, "checksum": "Checksum"}),
    "ToolVersion": Shape(
        {"url": str, "id": str},
        {
            "author": [str],
            "name": str,
            "is_production": bool,
            "images": ["ImageData"],
            "descriptor_type": [DESCRIPTORS],
            "containerfile": bool,
            "meta_version": str,
            "verified": bool,
            "verified_source": [str],
            "signed": bool,
            "included_apps": [str],
        },
    ),
}
# Errors are of our own shape as well: every GA4GH path here has these two.
OURS = {"Error": {"msg": str, "status_code": int}}


def check(name: str, answer: Any) -> None:
    """Raise if `answer` is not of the specification's type `name`."""
    _check(name, answer, name)
    if GIVEN:
        document = as_json_schema(yaml.safe_load(Path(GIVEN).read_text()))
        schema = {**document, "$ref": f"#/components/schemas/{name}"}
        jsonschema.Draft202012Validator(schema).validate(answer)


def _check(kind: Kind, value: Any, where: str) -> None:
    match kind:
        case [one]:
            assert isinstance(value, list), where
            for item in value:
                _check(one, item, where)
        case frozenset():
            assert value in kind, where
        case str():
            shape = SHAPES[kind]
            assert isinstance(value, dict), where
            assert shape.must.keys() <= value.keys(), where
            known = shape.must | shape.may | OURS.get(kind, {})
            for field, inner in value.items():
                assert field in known, f"{where}.{field}"
                _check(known[field], inner, f"{where}.{field}")
        case _:
            assert type(value) is kind, where

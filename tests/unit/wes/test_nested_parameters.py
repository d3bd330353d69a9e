"""Parameters that are objects: closed as plain ones are, completed part by part, drawn in the form."""

from typing import Any

import pytest

from strongroom.errors import BadRequest
from wes import asking_form
from wes.draft_manifest import rehearsal
from wes.manifest import Manifest, check_parameters, parse_manifest
from wes.parameters import MOST_DEPTH, texts

MANIFEST = """
name: w
version: 1.0.0
engine: {name: nextflow, version: 25.04.4}
entry: main.nf
parameters:
  type: object
  additionalProperties: false
  properties:
    bins: {type: integer, default: 3}
    limits:
      type: object
      additionalProperties: false
      default: {min: 5}
      properties:
        min: {type: integer, minimum: 0, maximum: 50, default: 5}
        name: {type: string, pattern: "^[a-z]{1,9}$"}
        deep: {type: object, additionalProperties: false, properties: {really: {type: boolean, default: true}}}
    computed:
      type: object
      additionalProperties: false
      required: [b]
      properties: {a: {type: integer, default: 1}, b: {type: integer}}
"""


@pytest.fixture
def manifest() -> Manifest:
    return parse_manifest(MANIFEST)


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ({}, {"min": 5}),
        ({"limits": {}}, {"min": 5}),
        ({"limits": {"name": "x"}}, {"min": 5, "name": "x"}),
        ({"limits": {"min": 7, "deep": {}}}, {"min": 7, "deep": {"really": True}}),
    ],
)
def test_what_a_run_leaves_out_of_an_object_has_its_default(
    manifest: Manifest, given: dict[str, Any], whole: dict[str, Any]
) -> None:
    before = repr(manifest.parameters)
    assert check_parameters(manifest, given) == {"bins": 3, "limits": whole}
    assert repr(manifest.parameters) == before


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"limits": {"min": 51}}, "limits.min is not what the schema allows (maximum)"),
        ({"limits": {"min": "$(id)"}}, "limits.min is not what the schema allows (type)"),
        ({"limits": {"name": "$(id)"}}, "limits.name is not what the schema allows (pattern)"),
        ({"limits": {"name": "x\n"}}, "limits is not what the schema allows (pattern)"),
        ({"limits": {"$(id)": 1}}, "a parameter that this workflow does not have"),
        ({"limits": {"deep": {"really": "$(id)"}}}, "limits.deep.really is not what the schema allows (type)"),
        ({"limits": 5}, "limits is not what the schema allows (type)"),
        ({"computed": {"a": 2}}, "a parameter that this workflow needs is missing"),
    ],
)
def test_each_part_is_checked_by_its_own_rule(manifest: Manifest, given: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        check_parameters(manifest, given)
    assert words in refusal.value.sentence
    assert "bins, computed.a, computed.b, limits.deep.really, limits.min, limits.name." in refusal.value.sentence
    assert "$(id)" not in refusal.value.sentence


def nested(depth: int) -> str:
    rule = "{type: integer}"
    for _ in range(depth):
        rule = f"{{type: object, additionalProperties: false, properties: {{a: {rule}}}}}"
    return rule


@pytest.mark.parametrize(
    "rule",
    [
        "{type: object}",
        "{type: object, additionalProperties: false}",
        "{type: object, properties: {a: {type: integer}}}",
        "{type: object, additionalProperties: {type: string}, properties: {}}",
        "{type: object, additionalProperties: false, properties: {}, patternProperties: {a: {}}}",
        "{type: [object, string], additionalProperties: false, properties: {}}",
        "{type: object, additionalProperties: false, properties: {a: {type: string}}}",
        "{type: object, additionalProperties: false, properties: {a: {type: object}}}",
        "{type: object, additionalProperties: false, properties: {a.b: {type: integer}}}",
        "{type: object, additionalProperties: false, properties: {a: true}}",
        "{type: object, additionalProperties: false, properties: {a: {type: string, x-strongroom-file: calls}}}",
        nested(MOST_DEPTH + 1),
    ],
)
def test_an_object_that_is_not_closed_is_no_parameter(rule: str) -> None:
    with pytest.raises(BadRequest, match=r"manifest\.yaml: parameter bins"):
        parse_manifest(MANIFEST.replace("{type: integer, default: 3}", rule))


def test_objects_in_objects_are_parameters() -> None:
    parse_manifest(MANIFEST.replace("{type: integer, default: 3}", nested(MOST_DEPTH)))


def test_the_form_asks_for_each_part(manifest: Manifest) -> None:
    drawn = asking_form.fields(manifest.parameters, [])
    assert [(one.name, one.label, one.kind, one.given) for one in drawn] == [
        ("bins", "Bins", "number", "3"),
        ("limits.min", "Limits: min", "number", "5"),
        ("limits.name", "Limits: name", "text", ""),
        ("limits.deep.really", "Limits: deep: really", "choice", "true"),
        ("computed.a", "Computed: a", "number", "1"),
        ("computed.b", "Computed: b", "number", ""),
    ]
    sent = {"param.limits.min": "7", "param.limits.deep.really": "false", "param.computed.b": "2"}
    assert asking_form.read(drawn, sent) == {
        "inputs": {},
        "limits": {"min": 7, "deep": {"really": False}},
        "computed": {"b": 2},
    }


def test_texts_in_objects_are_known_to_be_texts(manifest: Manifest) -> None:
    assert texts(manifest.parameters) == {"limits.name"}


def test_a_rehearsal_has_every_part(manifest: Manifest) -> None:
    config, _ = rehearsal({"parameters": manifest.parameters, "inputs": []})
    assert config["limits"] == {"min": 5}
    assert config["computed"] == {"a": 1, "b": 1}

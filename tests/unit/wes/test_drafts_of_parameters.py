"""A drafted schema holds what the workflow has where nobody gives a parameter: a value, null, or nothing at all."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from test_commands_are_bound import WRITTEN, job
from test_workflows_are_read import HEAD, read

from strongroom.errors import BadRequest
from wes import draft_manifest
from wes.bound import CommandRefused, asked_of, check_command
from wes.commands import parse_commands
from wes.manifest import check_parameters, parse_manifest
from wes.outline import ABSENT
from wes.parameters import check_parameter

SNAKEFILE = """
configfile: "config.yaml"
A = [config["absent"], config["nothing"], config["deep"]["nothing"], config.get("none", None), config.get("bins")]
rule x:
    output: "x"
    params: n=config["nothing"], deep=config["deep"]["nothing"]
    shell: "echo {params.n} {params.deep} > {output}"
"""
CONFIG = "nothing: null\ndeep: {nothing: null}\nlater: 1\n"


def drafted(folder: Path, snakefile: str, config: str) -> dict[str, Any]:
    seen = read(folder, HEAD + snakefile, config_dot_yaml=config)
    return draft_manifest.draft(seen, {}, folder=("freq", "1.0.0"), version="9.27.1") | {"outputs": []}


def test_null_is_a_default_and_what_is_set_nowhere_has_none(tmp_path: Path) -> None:
    said = drafted(tmp_path / "w", SNAKEFILE, CONFIG)
    properties = said["parameters"]["properties"]
    assert {name: one.get("default", "-") for name, one in properties.items()} == {
        "absent": "-",
        "bins": "-",
        "none": "-",
        "nothing": None,
    }
    assert check_parameters(parse_manifest(yaml.safe_dump(said)), {}) == {"nothing": None}
    assert said["commands"]["x"]["holes"] == {"params.n": {"config": "nothing"}, "params.deep": {"enum": [None]}}
    assert draft_manifest.rehearsal(said)[0]["absent"] == 1


@pytest.mark.parametrize(
    ("word", "config", "is_admitted"),
    [
        ("None", {"x": None}, True),
        ("null", {"x": None}, False),
        ("", {"x": None}, False),
        ("None", {}, False),
        ("None", {"x": "a"}, False),
        ("None", {"deep": None}, False),
    ],
)
def test_t18_null_is_written_as_python_writes_it(word: str, config: dict[str, Any], is_admitted: bool) -> None:
    commands = parse_commands({"r": {"shell": "echo {params.x} .", "holes": {"params.x": {"config": "x"}}}})
    asked = asked_of("r", job("r", f"echo {word} ."))
    try:
        check_command(commands, asked, config=config, written=WRITTEN)
    except CommandRefused:
        assert not is_admitted
    else:
        assert is_admitted


@pytest.mark.parametrize(
    "value", [0, -5, 5, 0.0, -0.05, 1e-10, True, "a", None, float("inf"), float("nan"), "absent"]
)
def test_a_drafted_schema_allows_its_own_default(value: Any) -> None:
    said = draft_manifest.schema_of(ABSENT if value == "absent" else value)
    check_parameter("x", said, [])
    bounds = {"0": (0, 100), "0.0": (0, 1.0), "-5": (-50, 0), "5": (0, 50), "-0.05": (-0.5, 0)}
    if str(value) in bounds:
        assert (said["minimum"], said["maximum"]) == bounds[str(value)]
    assert "default" not in said or said["default"] == value


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "integer", "minimum": 0, "maximum": -50, "default": -5},
        {"enum": ["a"], "default": "b"},
        {"type": "string", "pattern": "^[a-z]{1,3}$", "default": "a;b"},
        {"type": "boolean", "default": None},
        {"type": "object", "additionalProperties": False, "properties": {"a": {"enum": [1]}}, "default": {"a": 2}},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {"a": {"enum": [1], "default": 2}},
        },
    ],
)
def test_t18_a_default_that_its_own_schema_refuses_is_no_manifests(rule: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=r"parameter x(\.a)?: its own schema does not allow its default"):
        check_parameter("x", rule, [])


def test_a_default_of_an_object_is_completed_by_those_of_its_parts() -> None:
    parts = {"a": {"type": "integer"}, "b": {"type": "integer", "default": 2}}
    rule = {"type": "object", "additionalProperties": False, "properties": parts, "required": ["a", "b"]}
    check_parameter("x", rule | {"default": {"a": 1}}, [])

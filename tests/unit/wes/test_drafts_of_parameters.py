"""A drafted schema holds what the workflow has where nobody gives a parameter: a value, null, or nothing at all."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from test_commands_are_bound import WRITTEN, job
from test_workflows_are_read import HEAD, read

from wes import draft_manifest
from wes.bound import CommandRefused, asked_of, check_command
from wes.commands import parse_commands
from wes.manifest import check_parameters, parse_manifest

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

"""The published schema of contracts takes what the reader takes, and refuses what has another shape."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from airlock_scene import OUTPUTS
from jsonschema import Draft202012Validator

from airlock.contract import lint
from airlock.contract_schema import contract_schema

ROOT = Path(__file__).resolve().parents[3]
MANIFESTS = sorted((ROOT / "workflows").rglob("manifest.yaml"))
VALIDATOR = Draft202012Validator(contract_schema())
TABLE = OUTPUTS[0]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(contract_schema())


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.parent.name)
def test_every_contract_of_the_catalogue_fits(manifest: Path) -> None:
    outputs = yaml.safe_load(manifest.read_text())["outputs"]
    assert [error.message for error in VALIDATOR.iter_errors(outputs)] == []


def test_a_list_of_members_fits() -> None:
    outputs = [{"match": "results/members.txt", "release": "inside", "rule": "table", "members": True}]
    for changed, good in (({}, True), ({"members": "yes"}, False), ({"release": "airlock"}, False)):
        assert VALIDATOR.is_valid([outputs[0] | changed]) is good
        assert (lint([outputs[0] | changed]) == ()) is good


def test_what_is_printed_is_a_rules_or_the_engines() -> None:
    log = {"format": "log", "release": "airlock", "max_rows": 20}
    for said, good in (
        ({"stream": "stdout", "rule": "count"}, True),
        ({"stream": "engine"}, True),
        ({"match": "results/a.log", "rule": "count"}, True),
        ({"stream": "engine", "rule": "count"}, False),
        ({"stream": "engine", "match": "logs/engine.txt"}, False),
        ({"stream": "stdout"}, False),
        ({"match": "results/a.log"}, False),
        ({}, False),
    ):
        assert VALIDATOR.is_valid([log | said]) is good, said
        assert (lint([log | said]) == ()) is good, said


def test_the_contract_of_the_tests_fits() -> None:
    assert MANIFESTS
    assert VALIDATOR.is_valid(OUTPUTS)


@pytest.mark.parametrize(
    "change",
    [
        {"max_rows": 0},
        {"max_rows": "ten"},
        {"release": "outside"},
        {"format": "xlsx"},
        {"unit": "dog"},
        {"rule": "no rule"},
        {"match": "../af.tsv"},
        {"keys": {"band": {"values": ["a"], "pattern": "a"}}},
        {"keys": {"band": []}},
        {"numbers": {"mean": -1}},
        {"surprise": 1},
        {"class": "sites-only"},
    ],
)
def test_what_the_schema_refuses_the_reader_refuses_too(change: dict[str, Any]) -> None:
    outputs = [TABLE | change]
    assert not VALIDATOR.is_valid(outputs)
    assert lint(outputs)

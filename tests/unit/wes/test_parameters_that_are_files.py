"""A parameter of a path in code is a file of a slot, or a pattern of its files; an empty slot leaves it unset."""

from typing import Any

import pytest
import yaml

from strongroom.errors import BadRequest
from wes.manifest import Manifest, check_parameters, parse_manifest
from wes.parameters import form_of, resolve

PAIRS = {"enum": ["*_{1,2}*", "*"], "default": "*_{1,2}*", "x-strongroom-files": "reads"}
PROPERTIES = {"fasta": {"type": "string", "x-strongroom-file": "fasta"}, "reads": PAIRS}
SLOTS = [{"name": "fasta", "min_files": 0, "max_files": 1}, {"name": "reads", "min_files": 0}]


def manifest(**properties: Any) -> Manifest:
    said = {"name": "w", "version": "1.0.0", "engine": {"name": "nextflow"}, "entry": "main.nf", "inputs": SLOTS}
    schema = {"type": "object", "additionalProperties": False, "properties": PROPERTIES | properties}
    return parse_manifest(yaml.safe_dump({**said, "parameters": schema}))


def read(chosen: dict[str, list[str]], **given: Any) -> dict[str, Any]:
    said = manifest()
    return resolve(said.parameters["properties"], check_parameters(said, given), chosen, said.single())


def test_each_is_what_its_slot_holds() -> None:
    chosen = {"fasta": ["inputs/fasta/x.fa"], "reads": ["inputs/reads/a_1.fq", "inputs/reads/a_2.fq"]}
    assert read(chosen) == {"fasta": "inputs/fasta/x.fa", "reads": "inputs/reads/*_{1,2}*"}
    assert read(chosen, reads="*")["reads"] == "inputs/reads/*"


def test_an_empty_slot_leaves_it_what_the_workflow_says() -> None:
    assert read({"fasta": [], "reads": []}) == {}
    assert read({}) == {}


def test_a_slot_of_several_files_chooses_none_by_itself() -> None:
    properties = {"fasta": PROPERTIES["fasta"]}
    assert resolve(properties, {}, {"fasta": ["inputs/fasta/x.fa"]}) == {}


def test_no_pattern_leads_out_of_its_folder() -> None:
    with pytest.raises(BadRequest, match="not what the schema allows"):
        check_parameters(manifest(), {"reads": "../other/*"})
    for pattern in ("../x/*", "..", ".*", "a/b", "", "a b", "$(id)", 1):
        with pytest.raises(BadRequest, match="an enum of patterns of names"):
            manifest(reads={**PAIRS, "enum": [pattern], "default": pattern})
    with pytest.raises(BadRequest, match="an enum of patterns of names"):
        manifest(reads={**PAIRS, "x-strongroom-files": "other"})
    with pytest.raises(BadRequest, match="an enum of patterns of names"):
        manifest(reads={"type": "string", "x-strongroom-files": "reads"})


def test_a_form_asks_for_no_slot_that_may_be_empty() -> None:
    assert form_of({}, manifest().slots)["properties"]["inputs"]["required"] == []

"""Parameters: tables of samples and files of datasets by hints of the schema, every cell checked; the form."""

from typing import Any

import jsonschema
import pytest

from strongroom.errors import BadRequest
from wes.manifest import Manifest, check_parameters, parse_manifest
from wes.parameters import MOST_BYTES, form_of, resolve

MANIFEST = """
name: w
version: 1.0.0
engine: {name: snakemake, version: 9.27.1}
entry: Snakefile
inputs:
  - {name: calls, pattern: "*.vcf.gz", min_files: 2, max_files: 9}
parameters:
  type: object
  additionalProperties: false
  properties:
    samples:
      type: string
      x-strongroom-table:
        columns: {sample: "^[A-Za-z0-9_-]{1,20}$", status: [case, control]}
        max_rows: 3
    panel: {type: string, x-strongroom-file: calls}
    bins: {type: integer, minimum: 1, default: 3}
"""
CHOSEN = {"calls": ["inputs/calls/a.vcf.gz", "inputs/calls/b.vcf.gz"]}


@pytest.fixture
def manifest() -> Manifest:
    return parse_manifest(MANIFEST)


def read(manifest: Manifest, **given: Any) -> dict[str, Any]:
    return resolve(manifest.parameters["properties"], check_parameters(manifest, given), CHOSEN)


def test_a_table_becomes_rows_and_a_file_its_path(manifest: Manifest) -> None:
    found = read(manifest, samples="sample\tstatus\nNA1\tcase\nNA2\tcontrol\n", panel="b.vcf.gz")
    assert found["samples"] == [{"sample": "NA1", "status": "case"}, {"sample": "NA2", "status": "control"}]
    assert (found["panel"], found["bins"]) == ("inputs/calls/b.vcf.gz", 3)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "first line"),
        ("sample\tstate\nNA1\tcase\n", "first line"),
        ("sample,status\nNA1,case\n", "first line"),
        ("sample\tstatus\n", "1 to 3 rows"),
        ("sample\tstatus\n" + "NA1\tcase\n" * 4, "1 to 3 rows"),
        ("sample\tstatus\nNA1\tsick\n", "line 2: status"),
        ("sample\tstatus\nNA1\tcase\n$(id)\tcase\n", "line 3: sample"),
        ("sample\tstatus\nNA1;id\tcase\n", "line 2: sample"),
        ("sample\tstatus\nNA1\tcase\tmore\n", "line 2"),
        ("sample\tstatus\nNA1\n", "line 2"),
        ("sample\tstatus\nNA1\tcase\rNA2\tcase\n", "line 2"),
        ("sample\tstatus\n\n", "line 2"),
        ('sample\tstatus\n"NA1"\tcase\n', "line 2: sample"),
        ("sample\tstatus\n" + "x" * MOST_BYTES, "KiB"),
    ],
)
def test_a_table_that_is_not_as_declared_is_refused_with_its_line(manifest: Manifest, table: str, words: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        read(manifest, samples=table)
    assert "workflow_params.samples" in refusal.value.sentence
    assert words in refusal.value.sentence
    assert "$(id)" not in refusal.value.sentence
    assert "sick" not in refusal.value.sentence


@pytest.mark.parametrize("name", ["c.vcf.gz", "../calls/a.vcf.gz", "/etc/passwd", "", "a.vcf.gz\n"])
def test_a_file_is_one_that_the_run_reads_anyway(manifest: Manifest, name: str) -> None:
    with pytest.raises(BadRequest, match="panel"):
        read(manifest, panel=name)


@pytest.mark.parametrize(
    "rule",
    [
        "{type: string, x-strongroom-table: {columns: {sample: '.*'}}}",
        "{type: string, x-strongroom-table: {columns: {sample: '^[a-z;]+$'}}}",
        "{type: string, x-strongroom-table: {columns: {}}}",
        "{type: string, x-strongroom-table: {columns: {'a b': [x]}}}",
        "{type: string, x-strongroom-table: {columns: {a: [x]}, max_rows: 100000}}",
        "{type: string, x-strongroom-table: {columns: {a: [x]}, more: 1}}",
        "{type: array, x-strongroom-table: {columns: {a: [x]}}}",
        "{type: string, x-strongroom-file: other}",
        "{type: string}",
    ],
)
def test_a_hint_that_cannot_be_kept_is_refused_at_vetting(rule: str) -> None:
    with pytest.raises(BadRequest, match="parameter p"):
        parse_manifest(MANIFEST.split("    samples:", maxsplit=1)[0] + f"    p: {rule}\n")


def test_the_form_is_a_schema_of_all_that_a_run_may_be_given(manifest: Manifest) -> None:
    form = form_of(manifest.parameters, manifest.slots)
    validator = jsonschema.Draft202012Validator(form)
    jsonschema.Draft202012Validator.check_schema(form)
    for good in ({"inputs": {"calls": "d"}}, {"inputs": {"calls": {"dataset": "d", "files": ["a"]}}, "bins": 4}):
        validator.validate(good)
    for bad in ({}, {"inputs": {}}, {"inputs": {"calls": "d"}, "bins": 0}, {"inputs": {"calls": "d"}, "other": 1}):
        assert not validator.is_valid(bad)
    hints = form["properties"]["inputs"]["properties"]["calls"]["x-strongroom-dataset"]
    assert hints == {"pattern": "*.vcf.gz", "min_files": 2, "max_files": 9}
    assert form["properties"]["samples"]["x-strongroom-table"]["columns"]["status"] == ["case", "control"]

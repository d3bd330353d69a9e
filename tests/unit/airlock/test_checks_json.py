"""JSON and notebooks: aggregates pass, persons are found in whatever shape a program writes them."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from samples import COUNTS, HEADER, PERSONS, POLICY, ROWS, codes, look

from airlock.checks.findings import Code, Severity
from airlock.checks.jail import inspect, repack
from airlock.checks.promise import Column, Kind, Promise, Promised, parse_promise

NAMES = HEADER.split(",")
RECORDS = [dict(zip(NAMES, one, strict=True)) for one in PERSONS]
AGGREGATE = {
    "auc": 0.81,
    "n": 4210,
    "bands": {"18-39": 120, "40-59": 215},
    "by": [{"arm": "a", "n": 50}, {"arm": "b", "n": 70}],
}


@pytest.mark.parametrize(
    "value",
    [
        AGGREGATE,
        {"intercept": -1.2, "age": 0.031, "sex": 0.2, "n_train": 4210},
        {"coefficients": {"age": {"beta": 0.1, "se": 0.02}, "bmi": {"beta": 0.2, "se": 0.01}}},
        {"tool": "bcftools", "version": "1.16", "filters": ["PASS", "LowQual"]},
        {"auc": [0.1, 0.2, 0.4], "thresholds": [0.9, 0.8, 0.7]},
        [1, 2, 3],
    ],
)
def test_aggregates_and_coefficients_pass(tmp_path: Path, value: Any) -> None:
    answer = look(tmp_path, json.dumps(value), "a.json")
    assert answer.verdict < Severity.BLOCK
    assert answer.format == "json"


@pytest.mark.parametrize(
    "value",
    [
        RECORDS,
        {"data": {"cohort": RECORDS}},
        {name: [one[name] for one in RECORDS] for name in NAMES},
        {"columns": NAMES, "index": list(range(40)), "data": PERSONS},
        {str(at): one for at, one in enumerate(RECORDS)},
        {name: {str(at): one[name] for at, one in enumerate(RECORDS)} for name in NAMES},
        {one["patient_id"]: 7.1 for one in RECORDS},
        [NAMES, *PERSONS],
        {"resourceType": "Patient", "id": "p0"},
        {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Observation"}}]},
        {"id": "x", "subject": {"id": "s"}, "phenotypicFeatures": []},
        {"note": ROWS},
    ],
)
def test_persons_are_found_in_every_shape(tmp_path: Path, value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=1)):
        answer = look(tmp_path, text, "a.json")
        assert answer.verdict is Severity.BLOCK
        assert "row-level" in codes(answer)


def test_a_long_list_of_values_needs_a_look(tmp_path: Path) -> None:
    answer = look(tmp_path, json.dumps({"predicted": [at / 7 for at in range(900)]}), "a.json")
    assert (answer.verdict, codes(answer)) == (Severity.WARN, {"row-level"})
    text = "p <- c(" + ", ".join(str(at) for at in range(900)) + ")\n"
    assert codes(look(tmp_path, text, "a.R")) >= {"row-level"}


def test_json_lines_are_one_table(tmp_path: Path) -> None:
    lines = "".join(json.dumps(one) + "\n" for one in RECORDS)
    assert "row-level" in codes(look(tmp_path, lines, "a.ndjson"))
    lines = '{"arm": "a", "n": 50}\n{"arm": "b", "n": 3}\n'
    assert "small-count" in codes(look(tmp_path, lines, "a.jsonl"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"a": 1', "broken-file"),
        ('{"n": 50, "n": 60}', "hidden-cells"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "too-deep"),
        ('{"a":' * 60 + "1" + "}" * 60, "too-deep"),
        ("[" * 100_000, "too-deep"),
        ('{"n": 3}', "small-count"),
        ("[" + ",".join(f'{{"k{at}": 1}}' for at in range(20_000)) + "]", "too-large"),
        ('{"note": "write to bob@example.org"}', "identifier"),
        ('{"note": "' + "QWxhZGRpbjpvcGVuIHNlc2FtZQ1" * 20 + '"}', "encoded-payload"),
    ],
)
def test_what_is_wrong_with_json_is_named(tmp_path: Path, text: str, code: str) -> None:
    answer = look(tmp_path, text, "a.json")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


def a_notebook(*outputs: dict[str, Any], source: str = "fit(d)", **cell: Any) -> str:
    one = {"cell_type": "code", "source": source, "metadata": {}, "outputs": list(outputs), **cell}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "x"}}, "cells": [one]})


FRAME = "".join(f"{n}  " + "  ".join(one) + "\n" for n, one in enumerate(PERSONS[:8]))
PRINTED = "   " + "  ".join(NAMES) + "\n" + FRAME


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (a_notebook({"output_type": "stream", "text": [PRINTED]}), "row-level"),
        (a_notebook({"data": {"text/plain": PRINTED}}), "row-level"),
        (
            a_notebook(
                {"data": {"text/html": "<table><tr><th>patient_id</th></tr><tr><td>P100007</td></tr></table>"}}
            ),
            "row-level",
        ),
        (a_notebook({"data": {"application/json": RECORDS}}), "row-level"),
        (a_notebook({"data": {"application/javascript": "1"}}), "active-content"),
        (a_notebook({"data": {"application/octet-stream": "x"}}), "embedded-file"),
        (a_notebook({"data": {"image/png": base64.b64encode(b"\x89PNG\r\n\x1a\nx").decode()}}), "broken-picture"),
        (a_notebook(source=f"d = io.StringIO('''{ROWS}''')"), "row-level"),
        (a_notebook(attachments={"a.csv": {"text/plain": ROWS}}), "embedded-file"),
        (a_notebook(metadata={"rows": RECORDS}), "row-level"),
        (a_notebook({"traceback": ["ValueError: bob@example.org"]}), "identifier"),
    ],
)
def test_a_notebooks_outputs_and_literals_are_judged(tmp_path: Path, text: str, code: str) -> None:
    answer = look(tmp_path, text, "a.ipynb")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


def test_a_notebook_of_code_and_totals_passes(tmp_path: Path) -> None:
    answer = look(tmp_path, a_notebook({"output_type": "stream", "text": "AUC 0.81, n = 4210\n"}), "a.ipynb")
    assert (answer.verdict, answer.format) == (Severity.PASS, "notebook")


LEAVES = Promise(
    Promised.JSON,
    columns=(
        Column("model.name", Kind.KEY, values=("glm", "gam")),
        Column("model.auc", Kind.NUMBER, decimals=2),
        Column("cases", Kind.COUNT),
    ),
)


def released(folder: Path, content: str, promise: Promise = LEAVES) -> tuple[bytes | None, set[Code]]:
    (folder / "subject").write_text(content, encoding="utf-8")
    clean, answer = repack(folder / "subject", "results/a.json", promise, POLICY)
    return clean, {finding.code for finding in answer.findings}


def test_t13_json_leaves_as_our_own_bytes(tmp_path: Path) -> None:
    first, _ = released(tmp_path, '{"cases": 50, "model": {"auc": 0.8149999, "name": "glm"}}')
    other, _ = released(tmp_path, '{ "model":{"name":"\\u0067lm","auc":8.149999e-1},\n"cases":50 }')
    assert first == other == b'{\n "cases": 50,\n "model": {\n  "auc": 0.81,\n  "name": "glm"\n }\n}\n'
    (tmp_path / "clean").write_bytes(first)
    answer = inspect(tmp_path / "clean", LEAVES, POLICY, name="results/a.json", must_be_clean=True)
    assert (answer.verdict, codes(answer)) == (Severity.PASS, set())
    assert parse_promise(LEAVES.as_json()) == LEAVES


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('{"cases": 50, "model": {"auc": 0.8, "name": "svm"}}', Code.CONTRACT_VALUE),
        ('{"cases": 50, "model": {"auc": 0.8, "name": "glm"}, "more": 1}', Code.CONTRACT_COLUMNS),
        ('{"cases": 50, "model.auc": 0.8, "model.name": "glm"}', Code.CONTRACT_COLUMNS),
        ('{"cases": [50], "model": {"auc": 0.8, "name": "glm"}}', Code.CONTRACT_VALUE),
        ('{"cases": true, "model": {"auc": 0.8, "name": "glm"}}', Code.CONTRACT_VALUE),
        (COUNTS, Code.CONTRACT_FORMAT),
    ],
)
def test_t13_json_with_anything_else_gets_no_copy(tmp_path: Path, content: str, code: Code) -> None:
    assert released(tmp_path, content) == (None, {code})


def test_a_declared_count_below_the_threshold_blocks_whatever_it_is_called(tmp_path: Path) -> None:
    promise = Promise(Promised.JSON, columns=(Column("things", Kind.COUNT),))
    clean, _ = released(tmp_path, '{"things": 3}', promise)
    assert clean is not None
    (tmp_path / "clean").write_bytes(clean)
    assert "small-count" in codes(inspect(tmp_path / "clean", promise, POLICY, name="a.json", must_be_clean=True))

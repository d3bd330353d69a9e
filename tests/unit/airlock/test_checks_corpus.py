"""The shared cases: every file that must be blocked is stopped, good ones of the formats we read pass."""

import csv
import os
import shutil
import time
from pathlib import Path

import pytest

from airlock.checks.findings import Severity
from airlock.checks.jail import inspect
from airlock.checks.thresholds import Policy

CASES = Path(__file__).parents[2] / "airlock-cases"
POLICY = Policy(version=1)
ROWS = list(csv.DictReader((CASES / "manifest.csv").read_text(encoding="utf-8").splitlines()))


def prepared(row: dict[str, str], folder: Path) -> Path:
    """Return a copy of the case with its set-up done."""
    source = CASES / "files" / row["file"]
    setup, _, word = row["setup"].partition(":")
    target = folder / (word if setup == "rename" else row["file"])
    if setup == "symlink":
        target.symlink_to(word)
    elif setup == "truncate":
        target.touch()
        os.truncate(target, int(word))
    else:
        assert setup in ("", "rename")
        shutil.copy(source, target)
    return target


@pytest.mark.parametrize("row", ROWS, ids=[row["file"] for row in ROWS])
def test_a_case_gets_the_verdict_that_its_manifest_accepts(row: dict[str, str], tmp_path: Path) -> None:
    answer = inspect(prepared(row, tmp_path), None, POLICY)
    verdict = answer.verdict.name.lower()
    assert verdict in row["accept"].split("|")


@pytest.mark.parametrize("row", [row for row in ROWS if row["finding"]], ids=lambda row: row["file"])
def test_each_case_is_stopped_for_the_right_reason(row: dict[str, str], tmp_path: Path) -> None:
    found = {finding.code.value for finding in inspect(prepared(row, tmp_path), None, POLICY).findings}
    assert row["finding"] in found


def test_no_file_that_must_be_blocked_passes_and_the_whole_set_is_quick(tmp_path: Path) -> None:
    started = time.monotonic()
    for row in ROWS:
        if "pass" not in row["accept"].split("|"):
            assert inspect(prepared(row, tmp_path), None, POLICY).verdict > Severity.PASS
    assert time.monotonic() - started < 15

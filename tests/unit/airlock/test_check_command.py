"""`strongroom check` on its own: folders, thresholds, contracts, forms of its answer, what it says without walls."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator
from typer.testing import CliRunner, Result

from airlock.checks.codes import Code
from airlock.contract import parse_contract
from airlock.promises import files_kept, promise_kept
from strongroom.cli import check_walls
from strongroom.cli.check import BLOCKED
from strongroom.cli.verbs import app
from strongroom.errors import BadRequest

# OASIS's schema as Microsoft's @microsoft/jest-sarif 1.0.0-beta.0 carries it (MIT), white space left out.
SARIF = Path(__file__).with_name("sarif-2.1.0.schema.json")
CONTRACT = """
outputs:
  - match: counts.csv
    format: csv
    release: airlock
    rule: count
    keys: {band: [a, b]}
    counts: [n]
    max_rows: 9
  - match: more/*.csv
    format: csv
    release: airlock
    rule: count
    keys: {band: [a, b]}
    counts: [n]
    max_rows: 9
"""
runner = CliRunner()


def run(*words: str | Path) -> Result:
    return runner.invoke(app, ["check", *map(str, words)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "out"
    (made / "more").mkdir(parents=True)
    (made / "counts.csv").write_text("band,n\na,50\nb,70\n")
    (made / "more" / "small.csv").write_text("band,n\na,7\nb,70\n")
    return made


def test_a_folder_is_walked_and_links_are_named_but_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.csv").write_text("a,b\n1,2\n")
    (folder / "link").symlink_to(tmp_path / "outside")
    os.mkfifo(folder / "pipe")
    done = run(folder, "--format", "json")
    answers = json.loads(done.stdout)
    assert done.exit_code == BLOCKED
    assert set(answers) == {"counts.csv", "more/small.csv", "link", "pipe"}
    assert {answers[name]["findings"][0]["code"] for name in ("link", "pipe")} == {Code.SPECIAL_FILE.value}
    assert answers["counts.csv"]["verdict"] == answers["more/small.csv"]["verdict"] == "pass"


def test_thresholds_are_made_stricter_by_a_file_and_never_laxer(folder: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("min_count: 10\n")
    assert run(folder).exit_code == 0
    assert run(folder, "--policy", policy).exit_code == BLOCKED
    for wrong in ("min_count: 3\n", "min_cuont: 10\n", "- 1\n", "{", "min_count: ten\n"):
        policy.write_text(wrong)
        done = run(folder, "--policy", policy)
        assert isinstance(done.exception, BadRequest)


def test_a_contract_stops_what_it_does_not_promise_and_tells_how_much_was_kept(folder: Path, tmp_path: Path) -> None:
    contract = tmp_path / "contract.yaml"
    contract.write_text(CONTRACT)
    done = run(folder, "--contract", contract)
    assert (done.exit_code, "Kept its promise: 2 of 2." in done.stdout) == (0, True)
    (folder / "extra.csv").write_text("band,n\na,50\nb,70\n")
    done = run(folder, "--contract", contract)
    assert (done.exit_code, "Kept its promise: 2 of 3." in done.stdout) == (BLOCKED, True)


def test_a_contract_is_linted(tmp_path: Path) -> None:
    contract = tmp_path / "contract.yaml"
    contract.write_text(CONTRACT)
    assert run("--lint-contract", contract).exit_code == 0
    contract.write_text(CONTRACT.replace("max_rows: 9", "max_rows: 900000", 1))
    done = run("--lint-contract", contract, "--format", "json")
    assert done.exit_code == BLOCKED
    assert "max_rows" in json.loads(done.stdout)["wrong"][0]


def test_sarif_names_every_rule_and_places_every_finding(folder: Path) -> None:
    (folder / "bad name.csv").write_text("band,n\na,2\nb,70\n")
    done = run(folder, "--format", "sarif")
    report: dict[str, Any] = json.loads(done.stdout)
    assert list(Draft4Validator(json.loads(SARIF.read_text())).iter_errors(report)) == []
    assert (report["version"], len(report["runs"])) == ("2.1.0", 1)
    driver = report["runs"][0]["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == [code.value for code in Code]
    results = report["runs"][0]["results"]
    assert results
    for result in results:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        physical = result["locations"][0]["physicalLocation"]
        assert physical["artifactLocation"]["uri"] == "bad%20name.csv"
        assert physical.get("region", {"startLine": 1})["startLine"] >= 1
    small = next(result for result in results if result["ruleId"] == "small-count")
    assert small["locations"][0]["physicalLocation"]["region"]["startLine"] == 2


def test_without_walls_it_says_so_and_finds_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (folder / "bad.csv").write_text("band,n\na,2\nb,70\n")
    inside = json.loads(run(folder, "--format", "json").stdout)
    monkeypatch.setattr(check_walls, "walls", lambda: check_walls.Walls(firm=False, why="None here."))
    done = run(folder, "--format", "json")
    assert "Without walls: None here." in done.stderr
    assert json.loads(done.stdout) == inside


def test_where_walls_do_not_nest_each_file_has_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "bad.csv").write_text("band,n\na,2\nb,70\n")
    nested = json.loads(run(folder, "--format", "json").stdout)
    monkeypatch.setattr(check_walls, "walls", lambda: check_walls.Walls(firm=True, nested=False))
    assert json.loads(run(folder, "--format", "json").stdout) == nested


def test_each_of_many_files_has_its_own_answer(tmp_path: Path) -> None:
    for number in range(120):
        (tmp_path / f"{number}.csv").write_text(f"band,n\na,{50 if number % 7 else 2}\nb,70\n")
    (tmp_path / "large.csv").write_text("band,n\n" + "".join(f"b{number},70\n" for number in range(20_000)))
    answers = json.loads(run(tmp_path, "--format", "json").stdout)
    stopped = {name for name, answer in answers.items() if answer["verdict"] == "block"} - {"large.csv"}
    assert (len(answers), stopped) == (121, {f"{number}.csv" for number in range(0, 120, 7)})
    assert answers["large.csv"]["facts"]["rows"] == 20_000


def test_a_large_file_is_refused_before_it_is_copied(tmp_path: Path) -> None:
    (tmp_path / "huge.csv").touch()
    os.truncate(tmp_path / "huge.csv", 2**40)
    done = run(tmp_path / "huge.csv", "--format", "json")
    (tmp_path / "huge.csv").unlink()  # whoever searches the disk later would read a terabyte of nothing
    assert json.loads(done.stdout)["huge.csv"]["findings"][0]["code"] == Code.TOO_LARGE.value


def test_promises_are_counted_by_file_and_by_what_never_came() -> None:
    one = {"match": "a.csv", "format": "csv", "release": "airlock", "rule": "r", "counts": ["n"], "max_rows": 9}
    contract = parse_contract([one, one | {"match": "b.csv"}, one | {"match": "c.csv"}])
    kept = promise_kept(contract, {"a.csv": [Code.SMALL_COUNT.value], "b.csv": [Code.CONTRACT_COLUMNS.value]})
    assert (str(kept), kept.broken) == ("Kept its promise: 1 of 3.", ("b.csv", "c.csv"))
    assert files_kept({"a": [], "b": []}).kept == 2

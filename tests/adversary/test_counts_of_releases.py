"""A count that differs by a few persons from one that left, or leaves beside it, is stopped in any file (O7, T7)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airlock_scene import API, LIST, OUTPUTS, TSV, Scene, scene

from airlock.checks.codes import Code
from airlock.checks.jail import inspect, repack
from airlock.checks.thresholds import Policy
from airlock.contract import parse_contract
from strongroom.canonical import canonical

PERSONS = [f"NA{n:05}" for n in range(100)]
POLICY = Policy(version=1)
SUMMARY, MORE = "results/summary.json", "results/tables/*.json"
LEAVES = {"format": "json", "release": "airlock", "rule": "count"}
LEAVES |= {"counts": ["carriers", "model.cases"], "keys": {"gene": ["BRCA1", "BRCA2"]}, "numbers": {"auc": 2}}
CONTRACT = parse_contract(
    [
        {"match": LIST, "release": "inside", "rule": "count", "members": True},
        {"match": SUMMARY, **LEAVES},
        {"match": MORE, **LEAVES},
        *OUTPUTS,
    ]
)


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as made:
        yield made


def clean(folder: Path, gene: str, carriers: int, cases: int, *, name: str = SUMMARY) -> Path:
    """Return our own copy of what a workflow tells of one gene."""
    rule = CONTRACT.rule_for(SUMMARY)
    assert rule is not None
    written = {"auc": 0.8, "carriers": carriers, "gene": gene, "model": {"cases": cases}}
    (folder / "subject").write_bytes(canonical(written))
    copy, answer = repack(folder / "subject", SUMMARY, rule.promise, POLICY)
    assert copy is not None, answer.findings
    made = folder / name.rsplit("/", 1)[-1]
    made.write_bytes(copy)
    return made


def judged(path: Path, *beside: Path) -> Any:
    """Return what the jail says of a clean copy beside others of its run."""
    rule = CONTRACT.rule_for(SUMMARY)
    assert rule is not None
    supporting = {f"beside-{n}.csv": other for n, other in enumerate(beside)}
    return inspect(path, rule.promise, POLICY, name=SUMMARY, supporting=supporting, must_be_clean=True).as_json()


def cells_of(path: Path) -> dict[str, Any]:
    cells: dict[str, Any] = judged(path)["cells"]
    return cells


def run_of(stage: Scene, *paths: str) -> str:
    return stage.complete_run(dict.fromkeys(paths, "count"), contract=CONTRACT, members=PERSONS)


def codes(stage: Scene, run: str, path: str) -> dict[str, str]:
    return {finding["code"]: finding["severity"] for finding in stage.files(run)[path].findings}


def test_t7_the_counts_of_json_are_its_promised_leaves_by_their_paths(tmp_path: Path) -> None:
    first, other = (cells_of(clean(tmp_path, gene, 57, 40)) for gene in ("BRCA1", "BRCA2"))
    assert [(value, row, column) for _, value, row, column in first["cells"]] == [(57, 0, 2), (40, 0, 3)]
    assert (first, first["complete"]) == (other, True)  # no word beside a count makes it another
    assert len({key for key, *_ in first["cells"]}) == 2


def test_t7_a_count_in_json_that_differs_by_one_is_stopped(stage: Scene, tmp_path: Path) -> None:
    stage.inspector.cells[SUMMARY] = cells_of(clean(tmp_path, "BRCA1", 57, 40))
    first = stage.released(run_of(stage, SUMMARY), SUMMARY)
    assert first["state"] == "RELEASED"
    stage.inspector.cells[SUMMARY] = cells_of(clean(tmp_path, "BRCA2", 56, 90))
    run = run_of(stage, SUMMARY)
    assert codes(stage, run, SUMMARY) == {Code.DIFFERENCING.value: "block"}
    request = stage.submitted(run, SUMMARY)
    assert (request["files"][0]["verdict"], request["files"][0]["findings"]) == ("pass", [])  # T5
    (shown,) = stage.ask("sam").get(f"{API}/reviews/{request['id']}").json()["files"]
    assert shown["findings"][0]["place"] == {"column": 2}
    assert shown["findings"][0]["earlier"] == [f"Request {first['id']} of project cohort, where it is 57."]
    stage.inspector.cells[SUMMARY] = cells_of(clean(tmp_path, "BRCA2", 62, 90))
    assert codes(stage, run_of(stage, SUMMARY), SUMMARY) == {}


def test_t7_a_count_in_json_that_left_since_the_review_stops_a_release(stage: Scene, tmp_path: Path) -> None:
    stage.inspector.cells[SUMMARY] = cells_of(clean(tmp_path, "BRCA1", 57, 40))
    first, second = (run_of(stage, SUMMARY) for _ in range(2))
    assert stage.released(first, SUMMARY)["state"] == "RELEASED"
    stage.inspector.cells[SUMMARY] = cells_of(clean(tmp_path, "BRCA2", 56, 90))
    waiting = stage.released(second, SUMMARY)
    assert (waiting["state"], "released since the review" in waiting["trouble"]) == ("RETURNED", True)


def test_t7_counts_of_json_are_held_against_the_other_files_of_their_run(stage: Scene, tmp_path: Path) -> None:
    mine = clean(tmp_path, "BRCA1", 57, 40)
    for other, found in (((56, 90), {"linked-tables"}), ((62, 90), set()), ((57, 40), set())):
        beside = clean(tmp_path, "BRCA2", *other, name="other.json")
        assert {one["code"] for one in judged(mine, beside)["findings"]} == found
    (tmp_path / "table.csv").write_text("band,carriers\n18-39,20\n40-59,36\n")  # a total that nobody wrote
    assert {one["code"] for one in judged(mine, tmp_path / "table.csv")["findings"]} == {"linked-tables"}
    run = run_of(stage, SUMMARY, "results/tables/a.json", TSV)
    copies = {file.clean for file in stage.files(run).values()}
    for one in [one for one in stage.inspector.asked if one["kind"] == "check"]:
        assert {*one["supporting"].values(), one["object"]} == copies

"""A count that differs by a few persons from one that left, or leaves beside it, is stopped in any file (O7, T7)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airlock_scene import API, FINGERPRINT, LIST, OUTPUTS, TSV, VCF, Scene, scene
from test_sites_of_releases import spread

from airlock import together
from airlock.checks.cells import Cell, Cells
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
        {**OUTPUTS[0], "match": "results/many/*.tsv"},
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


def table(*counts: int) -> dict[str, Any]:
    """Return the counts of a table of so many bands, as the jail tells them."""
    cells = [[f"{at:016x}", count, at, 2] for at, count in enumerate(counts, start=1)]
    return {"rounded": False, "complete": True, "cells": cells}


def leaves(stage: Scene, *counts: int, run: str = "") -> dict[str, Any]:
    """Have a table with these counts released; return the request."""
    stage.inspector.cells[TSV] = table(*counts)
    return stage.released(run or run_of(stage, TSV), TSV)


def lift(stage: Scene, request: dict[str, Any]) -> None:
    """Have a senior lift what blocks the files of a request."""
    files = [file["id"] for file in request["files"]]
    wanted = {"files": files, "reason": "agreed-exception", "note": "Agreed in writing."}
    done = stage.ask("sena").post(f"{API}/requests/{request['id']}:lift", wanted)
    assert done.status_code == 200, done.text


def approve(stage: Scene, request: dict[str, Any]) -> None:
    """Have two stewards approve a submitted request."""
    for name in ("sam", "sina"):
        assert stage.vote(name, request).status_code == 200
    url = f"{API}/reviews/{request['id']}:consolidate"
    assert stage.ask("sam").post(url, {"outcome": "approve"}).status_code == 200


def lifted(stage: Scene, request: dict[str, Any]) -> None:
    """Have a senior lift what blocks a submitted request, and two stewards approve it."""
    lift(stage, request)
    approve(stage, request)


def after(stage: Scene, request: dict[str, Any], *counts: int) -> dict[str, Any]:
    """Return an approved request as its requester sees it, once the workers came to it."""
    stage.inspector.cells[TSV] = table(*counts)
    stage.work()
    found: dict[str, Any] = stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()
    return found


def near_one(stage: Scene, *counts: int) -> dict[str, Any]:
    """Return a submitted request that is blocked because its first cell lies near an earlier release."""
    stage.inspector.cells[TSV] = table(*counts)
    run = run_of(stage, TSV)
    assert codes(stage, run, TSV) == {Code.DIFFERENCING.value: "block"}
    return stage.submitted(run, TSV)


def again(stage: Scene, request: dict[str, Any]) -> dict[str, Any]:
    """Return a request that was given back, once it is with the stewards again."""
    url = f"{API}/requests/{request['id']}"
    assert stage.ask("ruth").post(f"{url}:edit", {}).status_code == 200
    found: dict[str, Any] = stage.ask("ruth").post(f"{url}:submit", {"key": FINGERPRINT}).json()
    assert found["state"] == "SUBMITTED"
    return found


def test_t7_a_lifted_cell_leaves_as_long_as_nothing_else_conflicts(stage: Scene) -> None:
    assert leaves(stage, 50, 70)["state"] == "RELEASED"
    request = near_one(stage, 54, 90)
    assert leaves(stage, 200, 300)["state"] == "RELEASED"
    lifted(stage, request)
    assert after(stage, request, 54, 90)["state"] == "RELEASED"


@pytest.mark.parametrize("since", [(200, 91), (57, 300)], ids=["another cell", "another release at the cell"])
def test_t7_a_lifted_cell_covers_no_other_cell_and_no_other_release(stage: Scene, since: tuple[int, int]) -> None:
    assert leaves(stage, 50, 70)["state"] == "RELEASED"
    request = near_one(stage, 54, 90)
    assert leaves(stage, *since)["state"] == "RELEASED"
    lifted(stage, request)
    given = after(stage, request, 54, 90)
    assert (given["state"], "released since the review" in given["trouble"]) == ("RETURNED", True)
    assert (given["files"][0]["verdict"], given["files"][0]["findings"]) == ("pass", [])  # T5
    once_more = again(stage, given)
    assert stage.vote("sam", once_more).status_code == 409  # the block is to be lifted anew
    lifted(stage, once_more)
    assert after(stage, once_more, 54, 90)["state"] == "RELEASED"


def test_t7_a_lifted_block_of_many_cells_covers_none_beyond_those_that_are_told(stage: Scene) -> None:
    many = [1000 + 10 * at for at in range(60)]
    assert leaves(stage, *many)["state"] == "RELEASED"
    mine = [count + 1 for count in many[:-1]] + [5000]
    request = near_one(stage, *mine)
    first = leaves(stage, *[10_000 + 10 * at for at in range(59)], 5001)
    assert first["state"] == "RELEASED"
    lifted(stage, request)
    given = after(stage, request, *mine)
    assert given["state"] == "RETURNED"
    (shown,) = stage.ask("sam").get(f"{API}/reviews/{request['id']}").json()["files"]
    assert shown["findings"][0]["place"] == {"row": 60, "column": 2}  # what left last comes first
    assert shown["findings"][0]["earlier"] == [f"Request {first['id']} of project cohort, where it is 5001."]
    once_more = again(stage, given)
    lifted(stage, once_more)
    assert after(stage, once_more, *mine)["state"] == "RELEASED"


def places(stage: Scene, request: dict[str, Any], sketch: list[str]) -> str:
    """Return the state of an approved request for places, once the workers came to it."""
    stage.inspector.sites[VCF] = sketch
    stage.work()
    return str(stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()["state"])


def test_t7_a_lifted_budget_of_places_covers_no_more_places(stage: Scene) -> None:
    def asked(sketch: list[str]) -> dict[str, Any]:
        stage.inspector.sites[VCF] = sketch
        return stage.submitted(stage.complete_run({VCF: "sites"}, contract=CONTRACT, members=PERSONS), VCF)

    mine, others = spread(900_000, shift=1), spread(900_000, shift=2)
    stage.released(asked(spread(900_000))["run"], VCF)
    request, other = asked(mine), asked(others)
    assert codes(stage, request["run"], VCF) == {Code.SITE_BUDGET.value: "block"}
    lifted(stage, other)
    assert places(stage, other, others) == "RELEASED"
    lifted(stage, request)
    assert places(stage, request, mine) == "RETURNED"
    once_more = again(stage, request)
    lifted(stage, once_more)
    assert places(stage, once_more, mine) == "RELEASED"


def test_t7_a_lifted_cohort_covers_no_other_cohort(stage: Scene) -> None:
    def run_about(members: list[str]) -> str:
        return stage.complete_run({TSV: "count"}, contract=CONTRACT, members=members)

    assert stage.released(run_about(PERSONS), TSV)["state"] == "RELEASED"
    same = run_about(PERSONS)
    first, request = (stage.submitted(run_about(PERSONS[at:]), TSV) for at in (1, 2))
    assert codes(stage, request["run"], TSV) == {Code.COHORT_DIFFERENCE.value: "block"}
    assert stage.released(same, TSV)["state"] == "RELEASED"
    lifted(stage, first)
    assert after(stage, first)["state"] == "RELEASED"  # the cohorts are those that its senior knew of
    lifted(stage, request)
    assert after(stage, request)["state"] == "RETURNED"
    once_more = again(stage, request)
    lifted(stage, once_more)
    assert after(stage, once_more)["state"] == "RELEASED"


MANY = [f"results/many/{at:02}.tsv" for at in range(20)]


def many(stage: Scene, paths: list[str]) -> str:
    """Complete a run of as many tables, all far from each other but the last two, which are one apart."""
    for at, path in enumerate(paths):
        count = 100 * min(at, len(paths) - 2) + 1000 + (at == len(paths) - 1)
        stage.inspector.cells[path] = table(count)
    return run_of(stage, *paths)


def test_t7_a_run_of_more_tables_than_one_check_compares_never_passes(stage: Scene) -> None:
    run = many(stage, MANY)
    assert {path: codes(stage, run, path) for path in MANY} == {
        path: {"tables-not-compared": "warn"} for path in MANY
    }
    assert {file.verdict for file in stage.files(run).values()} == {"warn"}
    few = many(stage, MANY[:16])
    assert {file.verdict for file in stage.files(few).values()} == {"pass"}


def test_t7_tables_one_apart_do_not_leave_together_however_many_there_are(stage: Scene) -> None:
    given = stage.released(many(stage, MANY), *MANY)
    assert given["state"] == "RETURNED"
    shown = stage.ask("sam").get(f"{API}/reviews/{given['id']}").json()["files"]
    assert [file["path"] for file in shown if file["verdict"] == "block"] == MANY[-2:]
    (_, found) = shown[-1]["findings"]
    assert (found["code"], found["place"]) == ("linked-tables", {"row": 1, "column": 2})
    url, ruth = f"{API}/requests/{given['id']}", stage.ask("ruth")
    assert ruth.post(f"{url}:edit", {}).json()["state"] == "BLOCKED"  # these are tables of their own, and open ones
    blocked = given | {"files": given["files"][-2:]}  # the others keep their votes
    lift(stage, blocked)
    assert ruth.post(f"{url}:submit", {"key": FINGERPRINT}).status_code == 200
    approve(stage, blocked)
    stage.work()
    assert ruth.get(url).json()["state"] == "RELEASED"


def test_t7_tables_one_apart_do_not_leave_one_after_the_other(stage: Scene) -> None:
    run = many(stage, MANY)
    assert stage.released(run, *MANY[:-1])["state"] == "RELEASED"
    assert stage.released(run, MANY[-1])["state"] == "RETURNED"


@pytest.mark.parametrize(("row", "state"), [(1, "RELEASED"), (2, "RETURNED")])
def test_t7_only_a_lifted_cell_that_a_check_of_the_whole_run_found_leaves(stage: Scene, row: int, state: str) -> None:
    found = {"code": "linked-tables", "severity": "block", "place": {"row": row, "column": 2}}
    stage.inspector.findings |= {("check", path): [found] for path in MANY[:2]}
    request = stage.ready(many(stage, MANY[:2]), *MANY[:2])
    assert request["state"] == "BLOCKED"
    lift(stage, request)
    request = stage.ask("ruth").post(f"{API}/requests/{request['id']}:submit", {"key": FINGERPRINT}).json()
    approve(stage, request)
    stage.work()
    assert stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()["state"] == state


def test_t7_every_pair_that_leaves_together_is_compared() -> None:
    files = {f"{at:02}": Cells((Cell("k", 100 + 5 * at, 1, 2),), rounded=at == 3, complete=True) for at in range(50)}
    assert set(map(len, together.findings(files, least=5).values())) == {0}
    files["49"] = Cells((Cell("k", 99, 1, 2), Cell("k", 116, 2, 2), Cell("other", 101, 3, 2)), False, True)
    told = together.findings(files, least=5)
    assert {file for file, found in told.items() if found} == {"00", "03", "04", "49"}
    assert [(one["severity"], one["place"]["row"]) for one in told["49"]] == [("block", 1), ("block", 2)]
    assert [one["severity"] for one in told["03"]] == ["warn"]

"""Counts of released tables are remembered, and new ones are held against them: cells, sums, other projects."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airlock_scene import PROJECT, TSV, Scene, block, person, scene
from hypothesis import given
from hypothesis import strategies as st

from airlock import history
from airlock.checks.cells import MOST_CELLS, Cell, Cells, by_key, cells_of, close
from airlock.checks.codes import Code
from airlock.checks.jail import inspect
from airlock.checks.promise import Column, Kind, Promise, Promised
from airlock.checks.subject import Table
from airlock.checks.thresholds import Policy
from airlock.intake_files import IntakeState, Verdict
from airlock.observability import Scanned, scan_outcome, shown_verdict, visible
from airlock.release_requests import RequestState
from airlock.store import Release, ReleaseRequest
from strongroom.audit import Event
from strongroom.database import now, reading, transaction

POLICY = Policy(version=1)


def table(text: str) -> Table:
    lines = [tuple(line.split(",")) for line in text.strip().splitlines()]
    return Table(lines[0], tuple(lines[1:]), ",", "utf-8")


def counts(text: str) -> Cells:
    found = cells_of(table(text), None, POLICY)
    assert found is not None
    return found


def differ(new: str, old: str) -> set[tuple[int, int]]:
    return {(cell.value, value) for cell, value in close(counts(new), by_key(counts(old).cells), least=5)}


@pytest.mark.parametrize(
    ("new", "old", "found"),
    [
        ("sex,n\nf,52\nm,40", "sex,n\nf,50\nm,40", {(52, 50), (92, 90)}),
        ("sex,n\nf,55\nm,40", "sex,n\nf,50\nm,40", set()),
        ("sex,n\nf,50\nm,40", "sex,n\nf,50\nm,40", set()),
        ("SEX,N\nF,52\nM,90", "sex,n\nf,50\nm,20", {(52, 50)}),  # names and words in any case
        ("sex,n\nm,40\nf,52", "sex,n\nf,50\nm,90", {(52, 50)}),  # rows in any order
        ("sex,n\nf,52\nm,40", "site,n\nf,50\nm,70", set()),  # another category
        ("sex,cases\nf,52\nm,40", "sex,n\nf,50\nm,90", set()),  # another count
        # a finer table and an earlier total of one of its categories
        ("sex,band,n\nf,young,20\nf,old,31\nm,young,30\nm,old,40", "sex,n\nf,50\nm,90", {(51, 50)}),
        # an earlier finer table, and the total now
        ("sex,n\nf,50\nm,90", "sex,band,n\nf,young,20\nf,old,28\nm,young,10\nm,old,40", {(50, 48)}),
        # a suppressed part, and its total elsewhere
        ("sex,n\nf,23\nm,90", "sex,band,n\nf,young,20\nf,old,*\nm,young,10\nm,old,40", set()),
        ("sex,n\nf,53\nm,90", "sex,band,n\nf,young,20\nf,mid,30\nf,old,*\nm,young,10\nm,old,40", {(53, 50)}),
        # totals by name are the sums of others
        ("sex,n\nf,20\nm,31\ntotal,51", "region,n\na,20\nb,28", {(51, 48)}),
    ],
)
def test_counts_are_held_against_equal_keys_and_sums(new: str, old: str, found: set[tuple[int, int]]) -> None:
    assert differ(new, old) == found


values = st.lists(st.integers(5, 80), min_size=2, max_size=6)


@given(values, st.integers(1, 4), st.data())
def test_one_changed_count_is_always_found(base: list[int], by: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(base) - 1))
    changed = [value + (by if n == at else 0) for n, value in enumerate(base)]
    lines = ["band,n\n" + "\n".join(f"b{n},{value}" for n, value in enumerate(one)) for one in (changed, base)]
    assert (changed[at], base[at]) in differ(lines[0], lines[1])


def test_variants_and_contracts_of_other_units_are_not_compared() -> None:
    genes = table("gene,n\nENSG00000139618,20\nENSG00000139619,30")
    assert cells_of(genes, None, POLICY) is None
    columns = (Column("bin", Kind.KEY, pattern="[a-z]"), Column("n", Kind.COUNT))
    reads = Promise(Promised.CSV, unit="read", columns=columns, max_rows=9)
    assert cells_of(table("bin,n\na,20\nb,30"), reads, POLICY) is None


def test_a_table_with_too_many_counts_says_that_it_was_not_compared_whole() -> None:
    large = counts("band,n\n" + "\n".join(f"b{n},{n + 50}" for n in range(1900)))
    assert large.complete
    assert not counts("band,n,m\n" + "\n".join(f"b{n},{n + 50},{n + 90}" for n in range(2100))).complete
    assert len(large.cells) <= MOST_CELLS


def test_tables_of_one_run_that_subtract_to_a_small_count_are_stopped(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("sex,band,n\nf,young,20\nf,old,31\nm,young,30\nm,old,40\n")
    (tmp_path / "b").write_text("sex,n\nf,53\nm,70\n")
    answer = inspect(tmp_path / "a", None, POLICY, name="a.csv", supporting={"beside-0.csv": tmp_path / "b"})
    assert {finding.code for finding in answer.findings} == {Code.LINKED_TABLES}
    (tmp_path / "b").write_text("sex,n\nf,51\nm,70\n")
    answer = inspect(tmp_path / "a", None, POLICY, name="a.csv", supporting={"beside-0.csv": tmp_path / "b"})
    assert answer.findings == ()


def test_a_verdict_of_the_history_is_for_stewards_only() -> None:
    findings = ({"code": Code.DIFFERENCING.value, "severity": "block", "place": {"row": 2}},)
    file = Scanned(IntakeState.CHECKED, Verdict.BLOCK, findings)
    for coarse in (True, False):
        assert visible(findings, coarse=coarse) == []
        assert scan_outcome([file], coarse=coarse) is RequestState.READY
        assert shown_verdict(file, coarse=coarse).value in ("pass", "needs a steward")
    both = (*findings, {"code": Code.SMALL_COUNT.value, "severity": "block", "place": {}})
    assert scan_outcome([Scanned(IntakeState.CHECKED, Verdict.BLOCK, both)], coarse=False) is RequestState.BLOCKED


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as made:
        yield made


def as_answer(cells: Cells) -> dict[str, Any]:
    return cells.as_json()


def test_a_released_table_is_held_against_the_next_one_and_only_stewards_read_it(stage: Scene) -> None:
    stage.inspector.cells[TSV] = as_answer(counts("band,n\n18-39,50\n40-59,70"))
    first = stage.released(stage.complete_run({TSV: "count"}), TSV)
    assert first["state"] == "RELEASED"
    stage.inspector.cells[TSV] = as_answer(counts("band,n\n18-39,52\n40-59,90"))
    request = stage.submitted(stage.complete_run({TSV: "count"}), TSV)
    assert (request["files"][0]["verdict"], request["files"][0]["findings"]) == ("pass", [])
    seen = stage.ask("sam").get(f"/api/airlock/v1/reviews/{request['id']}").json()
    assert seen["files"][0]["verdict"] == "block"
    assert seen["files"][0]["findings"][0]["earlier"] == [f"Request {first['id']} of project cohort, where it is 50."]
    # These workflows write no list of members, so their persons may differ by one as well.
    assert [f["code"] for f in seen["files"][0]["findings"]] == [Code.DIFFERENCING.value, Code.UNKNOWN_MEMBERS.value]
    assert seen["promise"] == "Kept its promise: 1 of 1."


def test_a_release_after_the_review_stops_the_next_one(stage: Scene) -> None:
    stage.inspector.cells[TSV] = as_answer(counts("band,n\n18-39,50\n40-59,70"))
    first, second = (stage.complete_run({TSV: "count"}) for _ in range(2))
    assert stage.released(first, TSV)["state"] == "RELEASED"
    stage.inspector.cells[TSV] = as_answer(counts("band,n\n18-39,53\n40-59,99"))
    waiting = stage.released(second, TSV)
    assert waiting["state"] == "RETURNED"
    assert "released since the review" in waiting["trouble"]
    assert (waiting["files"][0]["verdict"], waiting["files"][0]["findings"]) == ("pass", [])  # T5


def test_thousands_of_released_tables_are_compared_at_once(stage: Scene) -> None:
    run = stage.complete_run({TSV: "count"})
    with transaction(stage.engine) as session:
        request = ReleaseRequest(
            id="0" * 32, run=run, project=PROJECT, requester=person("ruth"),
            purpose="x", state="RELEASED", turn=1, coarse=False, contract_version=1, policy_version=1, attempts=0,
            created=now(), changed=now(),
        )  # fmt: skip
        session.add(request)
        session.flush()
        session.add(
            Release(
                request=request.id, project=PROJECT, requester="r", recipient_fingerprint="0" * 64, policy_version=1,
                released=now(), expires=now(),
            )
        )  # fmt: skip
        session.flush()
        for n in range(3000):
            cells = tuple(Cell(f"{n:08x}{at:08x}", 50 + at, at + 1, 2) for at in range(10))
            history.remember(session, ["hapmap"], Cells(cells, rounded=False, complete=True), request=request.id,
                             file="f" * 32)  # fmt: skip
    asked = tuple(Cell(f"{n:08x}{3:08x}", 55, n + 1, 2) for n in range(0, 3000, 10))
    with reading(stage.engine) as session:
        near = history.compare(session, ["hapmap"], Cells(asked, rounded=False, complete=True), least=5)
        other = history.compare(session, ["another"], Cells(asked, rounded=False, complete=True), least=5)
        assert history.released_counts(session, "hapmap") == 30_000
    assert (len(near), other) == (300, [])
    assert near[0].finding() == {"code": "differencing", "severity": "block", "place": {"row": 1, "column": 2}}
    rounded = Cells(asked, rounded=True, complete=True)
    with reading(stage.engine) as session:
        assert {
            f["severity"] for f in history.findings(history.near_ones(session, ["hapmap"], rounded, least=5), rounded)
        } == {"warn"}


def test_a_steward_sees_what_a_request_would_get_under_a_stricter_policy(stage: Scene) -> None:
    stage.inspector.cells[TSV] = as_answer(counts("band,n\n18-39,50\n40-59,70"))
    request = stage.released(stage.complete_run({TSV: "count"}), TSV)
    url = f"/api/airlock/v1/reviews/{request['id']}:replay"
    done = stage.ask("sam").post(url, {"policy": {"min_count": 60}})
    assert done.json()["files"] == [{"path": TSV, "before": "pass", "after": "pass", "codes": []}]
    assert stage.inspector.asked[-1]["request"]["policy"]["min_count"] == 60
    assert stage.events(Event.FILE_VIEWED)[-1]["actor"] == person("sam")
    stage.inspector.findings["check", TSV] = block("small-count")
    assert stage.ask("sam").post(url, {"policy": {}}).json()["files"][0]["after"] == "block"
    assert stage.ask("sam").post(url, {"policy": {"min_count": 2}}).status_code == 400
    assert stage.ask("sam").post(url, {"policy": {"min_cuont": 9}}).status_code == 400
    assert stage.ask("ruth").post(url, {"policy": {}}).status_code in (403, 404)
    assert stage.ask("ruth").get(f"/api/airlock/v1/requests/{request['id']}").json()["state"] == "RELEASED"

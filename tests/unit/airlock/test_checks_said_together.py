"""Small counts that no single cell says: running shares, curves beside all persons, statistics below each other."""

import json
from pathlib import Path

import pytest
from judging import judged

from airlock.checks.codes import Code
from airlock.checks.findings import Severity
from airlock.checks.jail import inspect
from airlock.checks.promise import Column, Kind, Promise, Promised
from airlock.checks.thresholds import Policy

KEY = Column("a", Kind.KEY, pattern="[A-Za-z0-9 ]{1,20}")


def promised(folder: Path, content: str, *columns: Column, unit: str = "person") -> dict[Code, Severity]:
    is_json = content.startswith("{")
    path = folder / ("x.json" if is_json else "x.csv")
    path.write_text(content)
    promise = Promise(Promised.JSON if is_json else Promised.CSV, unit=unit, columns=columns, max_rows=99)
    return {one.code: one.severity for one in inspect(path, promise, Policy(version=1)).findings}


@pytest.mark.parametrize(
    ("content", "low"),
    [
        ({"n": 1204, "dead_percent": 0.2492}, True),
        ({"n": 1204, "dead_percent": 2.4917}, False),
        ({"n_patients": 1204, "risk": 0.0024916943}, True),
        ({"n_patients": 1204, "alive": 0.9975083056}, True),
        ({"n_train": 800, "n_test": 200, "auc": 0.985, "accuracy": 0.99, "p": 0.0025}, False),
    ],
)
def test_shares_below_a_count_are_shares_of_it(tmp_path: Path, content: dict[str, float], *, low: bool) -> None:
    assert (Code.SMALL_COUNT in judged(tmp_path, "x.json", json.dumps(content))) is low
    rows = "".join(f"{name},{value}\n" for name, value in content.items())
    assert (Code.SMALL_COUNT in judged(tmp_path, "x.csv", "statistic,value\n" + rows)) is low
    columns = [
        Column(name, Kind.COUNT) if name.startswith("n") else Column(name, Kind.NUMBER, decimals=10)
        for name in content
    ]
    assert (promised(tmp_path, json.dumps(content), *columns).get(Code.SMALL_COUNT) is Severity.BLOCK) is low


def test_a_finding_below_each_other_says_where_its_share_stands(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("statistic,women,men\nn,1204,900\npercent,12.5,0.33\n")
    findings = inspect(tmp_path / "x.csv", None, Policy(version=1)).findings
    assert {(one.place.row, one.place.column) for one in findings if one.code is Code.SMALL_COUNT} == {(2, 3)}


def test_a_share_of_genes_below_a_count_of_persons_is_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("metric,number\ngenes,252\nn,40\ngenes_at_5_percent,10\npercent,10\n")
    findings = inspect(tmp_path / "x.csv", None, Policy(version=1)).findings
    assert [(one.place.row, one.place.column) for one in findings if one.code is Code.SMALL_COUNT] == [(4, 2)]


@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.KEY, Kind.INTEGER])
def test_a_contract_cannot_call_a_count_something_else(tmp_path: Path, kind: Kind) -> None:
    column = Column("patients", kind, pattern="[0-9.]{1,9}" if kind is Kind.KEY else "")
    small = promised(tmp_path, "a,patients\nx,3\ny,50\n", KEY, column)
    assert small[Code.SMALL_COUNT] is Severity.BLOCK
    assert Code.SMALL_COUNT not in promised(tmp_path, "a,patients\nx,3\ny,50\n", KEY, column, unit="variant")
    if kind is Kind.NUMBER:
        assert Code.SMALL_COUNT not in promised(tmp_path, "a,patients\nx,3.25\ny,50.5\n", KEY, column)


def test_a_running_sum_is_judged_in_a_contract_too(tmp_path: Path) -> None:
    column = Column("cumulative_n", Kind.COUNT)
    told = promised(tmp_path, "a,cumulative_n\nm1,100\nm2,103\nm3,151\n", KEY, column)
    assert told[Code.SECONDARY_DISCLOSURE] is Severity.BLOCK
    assert Code.SECONDARY_DISCLOSURE not in promised(tmp_path, "a,cumulative_n\nm1,100\nm2,121\n", KEY, column)


@pytest.mark.parametrize("name", ["ecdf", "cumulative_fraction", "cum_share"])
@pytest.mark.parametrize("factor", [1, 100])
def test_steps_of_a_running_share_are_persons(tmp_path: Path, name: str, factor: int) -> None:
    """The values of a distribution function are those of persons, one by one; a constant n is no rounded one."""
    head = f"hba1c,{name},n\n"
    steps = "".join(f"{5 + at / 10},{at * factor / 100},100\n" for at in (1, 2, 3, 9, 100))
    assert judged(tmp_path, "x.csv", head + steps)[Code.SECONDARY_DISCLOSURE] is Severity.BLOCK
    wide = "".join(f"{5 + at / 10},{at * factor / 100},100\n" for at in (0, 10, 20, 50, 100))
    assert Code.SECONDARY_DISCLOSURE not in judged(tmp_path, "x.csv", head + wide)


def test_a_curve_beside_all_persons_shows_its_steps(tmp_path: Path) -> None:
    curve = "time,survival,n\n0,1,100\n30,0.99,100\n60,0.97,100\n90,0.90,100\n"
    assert judged(tmp_path, "x.csv", curve)[Code.SURVIVAL_STEPS] is Severity.BLOCK
    wide = "time,survival,n\n0,1,100\n30,0.91,100\n60,0.82,100\n90,0.70,100\n"
    assert judged(tmp_path, "x.csv", wide) == {}
    groups = "arm,time,survival,n\na,0,1,100\na,9,0.9,100\nb,0,1,200\nb,9,0.95,200\n"
    assert Code.SURVIVAL_STEPS not in judged(tmp_path, "x.csv", groups)


def test_one_count_in_every_row_is_not_rounded(tmp_path: Path) -> None:
    table = "arm,dead,alive,n\na,*,97,100\nb,40,60,100\nc,*,95,100\nd,50,50,100\n"
    assert judged(tmp_path, "x.csv", table)[Code.SECONDARY_DISCLOSURE] is Severity.BLOCK

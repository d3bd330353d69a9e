"""A share is one whatever its column is called: its product with the count beside it is whole, row after row."""

import random
from pathlib import Path

import pytest
from judging import judged

from airlock.checks.codes import Code
from airlock.checks.findings import Severity
from airlock.checks.jail import inspect
from airlock.checks.promise import Column, Kind, Promise, Promised
from airlock.checks.thresholds import Policy

GROUPS = ((3, 1204), (300, 2400), (697, 3100), (41, 812))


def _table(name: str, written: str, groups: tuple[tuple[int, int], ...] = GROUPS, factor: int = 1) -> str:
    rows = (f"g{at},{n},{part / n * factor:{written}}\n" for at, (part, n) in enumerate(groups))
    return f"group,n,{name}\n" + "".join(rows)


@pytest.mark.parametrize("name", ["risk", "fraction", "event_rate", "response frequency", "dead", "mean_dead", "y"])
@pytest.mark.parametrize(("written", "factor"), [(".6f", 1), (".4f", 100), (".17f", 1)])
def test_a_share_by_any_name_tells_its_small_count(tmp_path: Path, name: str, written: str, factor: int) -> None:
    told = judged(tmp_path, "x.csv", _table(name, written, factor=factor))
    assert told[Code.SMALL_COUNT] is Severity.BLOCK


def test_what_is_left_of_a_share_is_judged_too(tmp_path: Path) -> None:
    groups = tuple((n - part, n) for part, n in GROUPS)
    assert judged(tmp_path, "x.csv", _table("alive", ".6f", groups))[Code.SMALL_COUNT] is Severity.BLOCK


def test_a_single_float_is_enough(tmp_path: Path) -> None:
    assert judged(tmp_path, "x.csv", _table("dead", "", GROUPS[:1]))[Code.SMALL_COUNT] is Severity.BLOCK


def test_few_decimals_that_may_be_chance_are_for_stewards_unless_the_name_says_it(tmp_path: Path) -> None:
    assert judged(tmp_path, "x.csv", _table("y", ".4f", GROUPS[:3]))[Code.SMALL_COUNT] is Severity.WARN
    assert judged(tmp_path, "y.csv", _table("risk", ".4f", GROUPS[:3]))[Code.SMALL_COUNT] is Severity.BLOCK


def test_a_promise_of_numbers_hides_no_share(tmp_path: Path) -> None:
    columns = (
        Column("group", Kind.KEY, pattern="g\\d"),
        Column("n", Kind.COUNT),
        Column("risk", Kind.NUMBER, decimals=6),
    )
    (tmp_path / "x.csv").write_text(_table("risk", ".6f"))
    for unit, severity in (("person", {Severity.BLOCK}), ("variant", set())):
        promise = Promise(Promised.CSV, unit=unit, columns=columns, max_rows=9)
        findings = inspect(tmp_path / "x.csv", promise, Policy(version=1)).findings
        assert {one.severity for one in findings if one.code is Code.SMALL_COUNT} == severity


def test_shares_of_many_pass(tmp_path: Path) -> None:
    assert Code.SMALL_COUNT not in judged(tmp_path, "x.csv", _table("risk", ".6f", GROUPS[1:]))


@pytest.mark.parametrize("name", ["p_value", "mean_age", "hazard_rate", "false_discovery_rate", "auc", "call_rate"])
def test_other_numbers_beside_counts_pass(tmp_path: Path, name: str) -> None:
    chance = random.Random(7)
    for _ in range(40):
        rows = (f"g{at},{chance.randint(40, 2000)},{chance.random() ** 3:.3f}\n" for at in range(6))
        assert Code.SMALL_COUNT not in judged(tmp_path, "x.csv", f"group,n,{name}\n" + "".join(rows))


def test_round_numbers_beside_round_counts_pass(tmp_path: Path) -> None:
    doses = "".join(f"g{at},{n},{dose}\n" for at, (n, dose) in enumerate(((10, 10), (20, 20), (30, 10), (11, 100))))
    assert Code.SMALL_COUNT not in judged(tmp_path, "x.csv", "group,n,dose\n" + doses)
    halves = "".join(
        f"g{at},{n},{dose}\n" for at, (n, dose) in enumerate(((40, 2.5), (80, 5.0), (120, 7.5), (200, 10)))
    )
    assert Code.SMALL_COUNT not in judged(tmp_path, "x.csv", "group,n,dose\n" + halves)


def test_many_rows_and_columns_are_judged_in_time(tmp_path: Path) -> None:
    chance = random.Random(7)
    names = ",".join(f"stat{n}" for n in range(30))
    rows = (f"g{at},{at + 40}," + ",".join(f"{chance.random():.3f}" for _ in range(30)) + "\n" for at in range(4000))
    assert Code.SMALL_COUNT not in judged(tmp_path, "x.csv", f"group,n,{names}\n" + "".join(rows))

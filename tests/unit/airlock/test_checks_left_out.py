"""A small group that is not written is still counted in its total: every table that gives one back so is blocked."""

from pathlib import Path

import pytest
from judging import judged

from airlock.checks.codes import Code
from airlock.checks.findings import Severity
from airlock.checks.jail import inspect
from airlock.checks.promise import Column, Kind, Promise, Promised
from airlock.checks.thresholds import Policy

GIVEN_BACK = [
    # the row of three persons was deleted, their total was not
    "ethnicity,n\nWhite,1200\nBlack,181\nAsian,240\nTotal,1624\n",
    "ethnicity,cases,controls\nWhite,300,900\nBlack,41,140\nAll,341,1044\n",
    # the column of the third sex was deleted
    "region,male,female,total\nN,50,60,113\nS,70,80,150\nE,41,52,93\n",
    "region,n_male,n_female,n_total\nN,50,60,113\nS,71,82,153\n",
    # on one of two axes
    "sex,band,n\nf,young,20\nf,old,31\nf,all,53\nm,young,30\nm,old,40\nm,all,70\n",
    # in one of several variables below each other, where another adds up
    "variable,level,n\nsex,f,61\nsex,m,40\nsmoker,yes,20\nsmoker,no,78\ntotal,,101\n",
    # a mean of something else makes the total no sum
    "region,women,total,mean_age\nN,50,53,61.3\nS,70,150,60.2\n",
    # one group and its total
    "arm,n\ntreated,121\ntotal,124\n",
]
FINE = [
    "ethnicity,n\nWhite,1200\nBlack,181\nAsian,240\nTotal,1621\n",
    # nine persons of other groups are enough
    "ethnicity,n\nWhite,1200\nBlack,181\nAsian,240\nTotal,1630\n",
    # categories that overlap are no parts
    "illness,n\ndiabetes,400\nasthma,300\ntotal,601\n",
    "region,diabetes,asthma,total\nN,50,60,93\nS,70,80,153\nE,41,52,90\n",
    # rounded to five: what is left is not exact
    "ethnicity,n\nWhite,1200\nBlack,180\nAsian,240\nMixed,5\nTotal,1630\n",
    # few counts, all of which are rounded, where ten is few
    "group,n\nmale,300\nfemale,380\nall,685\n",
    # a total of what was measured of them
    "metric,people,total,mean\nhet,100,103,1.03\nhom,101,150,1.49\n",
    # genes, of which some are shown
    "gene,n\nENSG00000012048,50\nENSG00000139618,61\nTotal,113\n",
]


@pytest.mark.parametrize("content", GIVEN_BACK)
def test_a_group_left_out_is_what_its_total_has_beyond_the_rest(tmp_path: Path, content: str) -> None:
    assert judged(tmp_path, "x.csv", content)[Code.SECONDARY_DISCLOSURE] is Severity.BLOCK


@pytest.mark.parametrize("content", FINE)
def test_totals_that_add_up_or_are_far_from_it_pass(tmp_path: Path, content: str) -> None:
    assert Code.SECONDARY_DISCLOSURE not in judged(tmp_path, "x.csv", content)


def test_what_rounding_leaves_is_no_group_where_more_are_few(tmp_path: Path) -> None:
    for content, told in (("g,n\na,300\nb,380\nall,685\n", False), ("g,n\na,300\nb,381\nall,686\n", True)):
        (tmp_path / "x.csv").write_text(content)
        findings = inspect(tmp_path / "x.csv", None, Policy(version=1, min_count=10)).findings
        assert any(one.code is Code.SECONDARY_DISCLOSURE for one in findings) is told


@pytest.mark.parametrize(("unit", "blocked"), [("person", True), ("variant", False)])
@pytest.mark.parametrize("content", ["arm,n\na,121\nb,80\ntotal,204\n", "arm,n\na,121\ntotal,124\n"])
def test_a_promise_does_not_make_a_group_left_out_safe(
    tmp_path: Path, content: str, unit: str, *, blocked: bool
) -> None:
    columns = (Column("arm", Kind.KEY, values=("a", "b", "total")), Column("n", Kind.COUNT))
    promise = Promise(Promised.CSV, unit=unit, columns=columns, max_rows=9)
    (tmp_path / "x.csv").write_text(content)
    codes = {one.code for one in inspect(tmp_path / "x.csv", promise, Policy(version=1)).findings}
    assert (Code.SECONDARY_DISCLOSURE in codes) is blocked


def test_json_and_reports_are_judged_alike(tmp_path: Path) -> None:
    told = judged(tmp_path, "x.json", '{"n": {"White": 1200, "Black": 181, "Asian": 240, "Total": 1624}}')
    assert told[Code.SECONDARY_DISCLOSURE] is Severity.BLOCK
    report = "Result.\n\n| ethnicity | n |\n|---|---|\n| White | 1200 |\n| Black | 181 |\n| Total | 1384 |\n\nEnd.\n"
    assert judged(tmp_path, "x.md", report)[Code.SECONDARY_DISCLOSURE] is Severity.BLOCK

"""Counts of kinds of variants, sizes that only a comment says, and points that may be of thousands."""

import json
from pathlib import Path

import pytest
from judging import judged

from airlock.checks.codes import Code
from airlock.checks.findings import Severity

KINDS = "missense_variant,1204\nsynonymous_variant,900\nstop_gained,3\nsplice_donor_variant&intron_variant,1\n"


@pytest.mark.parametrize(
    "content",
    [
        "consequence,count\n" + KINDS,
        "Consequence,n\n" + KINDS,
        "consequence,count\n" + KINDS + "total,2108\n",
    ],
)
def test_counts_of_kinds_of_variants_are_for_stewards(tmp_path: Path, content: str) -> None:
    found = judged(tmp_path, "a.csv", content)
    assert found == {Code.UNCLEAR_COLUMN: Severity.WARN}


@pytest.mark.parametrize(
    "content",
    [
        "consequence,carriers\n" + KINDS,
        "consequence,patients\n" + KINDS,
        "consequence,count\nmissense_variant,1204\nP00017,3\nP00018,2\n",
        "region,count\nstop_gained,1204\nNorth,3\nSouth,40\n",
    ],
)
def test_counts_of_persons_by_kind_of_variant_are_not(tmp_path: Path, content: str) -> None:
    assert judged(tmp_path, "a.csv", content)[Code.SMALL_COUNT] is Severity.BLOCK


@pytest.mark.parametrize(
    "content",
    [
        "# N = 240\nregion,percent\nNorth,1.2\nSouth,98.8\n",
        "# cohort of the study, n=1,240\nregion\tprevalence (%)\nNorth\t0.25\nSouth\t31.1\n",
        "# N = 240\nregion,percent\nNorth,1.2\nSouth,98.8\n\n# sexes\nsex,percent\nF,40.1\nM,59.9\n",
    ],
)
def test_a_size_in_a_comment_is_one(tmp_path: Path, content: str) -> None:
    assert judged(tmp_path, "a.csv", content)[Code.SMALL_COUNT] is Severity.BLOCK


@pytest.mark.parametrize(
    "content",
    [
        "# N = 24000\nregion,percent\nNorth,1.2\nSouth,98.8\n",
        "# N = 240\nregion,percent\nNorth,40.1\nSouth,59.9\n",
        "# N = 240\nregion,hr\nNorth,1.2\nSouth,0.8\n",
        "# N = 240 of N = 900\nregion,percent\nNorth,1.2\nSouth,98.8\n",
    ],
)
def test_a_comment_says_no_more_than_it_says(tmp_path: Path, content: str) -> None:
    assert Code.SMALL_COUNT not in judged(tmp_path, "a.csv", content)


def test_a_count_with_a_point_is_for_stewards(tmp_path: Path) -> None:
    assert judged(tmp_path, "a.csv", "region;cases\nNord;1.204\nSued;300\n") == {Code.UNCLEAR_COLUMN: Severity.WARN}
    assert judged(tmp_path, "a.csv", "region,cases,hr\nNorth,1204,1.204\nSouth,300,0.981\n") == {}
    assert judged(tmp_path, "a.csv", "region;cases;hr\nNord;1.204;0,98\nSued;300;1,2\n") == {}


@pytest.mark.parametrize(
    "value",
    [
        {"n": 240, "outcomes": {"dead_percent": 1.2}},
        {
            "North": {"n": 240, "outcomes": {"dead_percent": 1.2}},
            "South": {"n": 300, "outcomes": {"dead_percent": 9}},
        },
    ],
)
def test_a_share_one_level_below_its_size_is_one_of_it(tmp_path: Path, value: object) -> None:
    assert judged(tmp_path, "a.json", json.dumps(value))[Code.SMALL_COUNT] is Severity.BLOCK


@pytest.mark.parametrize(
    "value",
    [
        {"n": 240, "age": {"mean": 52.1, "sd": 9.1}, "events": {"n": 120, "percent": 50.0}},
        {"threads": 4, "retries": 2, "resources": {"mem_gb": 3, "cpus": 2}},
        {
            "summary": {"reads": 1000000, "before": {"q20_rate": 0.97, "gc_content": 0.41}},
            "duplication": {"rate": 0.01},
        },
    ],
)
def test_numbers_on_two_levels_pass(tmp_path: Path, value: object) -> None:
    assert judged(tmp_path, "a.json", json.dumps(value)) == {}

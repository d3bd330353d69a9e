"""One person's value by another name: percentiles of few and their ends, sums of a mean, groups that are alike."""

from pathlib import Path

import pytest
from judging import judged

from airlock.checks.codes import Code
from airlock.checks.findings import Severity


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("group,n,p0,p50,p100\na,1204,2,99,107\n", True),
        ("group,n,bmi_p5,bmi_p95\na,1204,21,35\n", False),
        ("group,n,bmi_p5,bmi_p95\na,40,21,35\n", True),
        ("group,n,median,q1,q3\na,12,61.3,55.1,77.2\n", True),
        ("group,n,median,q1,q3\na,20,61.3,55.1,77.2\n", False),
        ("group,n,median_age\na,9,61.3\n", True),
        ("group,n,median_age\na,10,61.3\n", False),
        ("quantile,value\n0,12\n0.25,17\n0.5,29\n1,107\n", True),
        ("quantile,value\n0.05,12\n0.25,17\n0.5,29\n0.95,107\n", False),
        ("percentile,value\n0,12\n50,29\n100,107\n", True),
        ("level,value\n0%,12\n50%,29\n100%,107\n", True),
        # no percentile: a p-value, a phase, quarters
        ("model,n,p,phase\na,12,0.012,2\n", False),
        ("quarter,n\nq1 2024,12\nq2 2024,15\n", False),
    ],
)
def test_a_percentile_with_few_beyond_it_is_a_persons_value(tmp_path: Path, content: str, *, told: bool) -> None:
    answer = judged(tmp_path, "x.csv", content)
    assert answer.get(Code.ENDPOINTS) is (Severity.WARN if told else None)


def test_a_mean_and_its_count_are_a_sum_that_one_may_dominate(tmp_path: Path) -> None:
    assert judged(tmp_path, "x.csv", "group,n,mean,max\na,20,5,95\nb,26,2,4\n")[Code.DOMINANCE] is Severity.BLOCK
    assert Code.DOMINANCE not in judged(tmp_path, "x.csv", "group,n,mean,max\na,20,5,25\nb,26,2,4\n")
    other = "group,n,mean_cost,max_cost,mean_age,max_age\na,20,500,900,4,76\n"
    told = judged(tmp_path, "x.csv", other)
    assert told[Code.DOMINANCE] is Severity.BLOCK  # the ages, not the costs
    assert Code.DOMINANCE not in judged(tmp_path, "x.csv", other.replace("76", "17"))


def test_a_group_without_spread_is_all_alike(tmp_path: Path) -> None:
    told = judged(tmp_path, "x.csv", "group,n,mean,sd\na,20,61.3,0\nb,26,52.1,4.4\n")
    assert told == {Code.CLASS_DISCLOSURE: Severity.WARN}


def test_a_tools_seed_is_no_number_of_a_person(tmp_path: Path) -> None:
    log = "The run.\nRandom number seed: 1704067200\n"
    assert judged(tmp_path, "x.log", log) == {Code.IDENTIFIER: Severity.WARN}
    assert judged(tmp_path, "x.log", log + "seed 7, patient 9434765919\n")[Code.IDENTIFIER] is Severity.BLOCK

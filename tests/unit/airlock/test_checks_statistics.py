"""What the numbers of a table give away beyond themselves: truth tables, traps, and arithmetic by Hypothesis."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.checks.disclosure.grid import Hidden, read_cell, read_grid
from airlock.checks.disclosure.margins import Equation, solve
from airlock.checks.disclosure.secondary import judge
from airlock.checks.findings import Code, Severity
from airlock.checks.jail import inspect
from airlock.checks.subject import Table
from airlock.checks.thresholds import Policy

POLICY = Policy(version=1)


def told(folder: Path, content: str, *, policy: Policy = POLICY) -> dict[Code, Severity]:
    path = folder / "x.csv"
    path.write_text(content, encoding="utf-8")
    worst: dict[Code, Severity] = {}
    for finding in inspect(path, None, policy).findings:
        worst[finding.code] = max(finding.severity, worst.get(finding.code, Severity.PASS))
    return worst


HIDDEN = {Code.SECONDARY_DISCLOSURE: Severity.BLOCK}
WARNED = {Code.CLASS_DISCLOSURE: Severity.WARN}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # one suppressed cell and its total
        ("region,n\na,20\nb,*\nc,31\ntotal,54\n", HIDDEN),
        ("region,n\na,20\nb,<5\nc,31\nAll,54\n", HIDDEN),
        ("Region;Anzahl\na;20\nb;<5\nc;31\nGesamt;54\n", HIDDEN),
        ("region,n\na,20\nb,NA\nc,31\nd,12\noverall,66\n", HIDDEN),
        # the complement is suppressed too: 11 in both together
        ("region,n\na,20\nb,*\nc,*\ntotal,31\n", {}),
        # two suppressed cells that are together fewer than k
        ("region,n\na,20\nb,*\nc,*\ntotal,23\n", HIDDEN),
        # 1-4 and 1-4 that sum to 8: both are 4
        ("region,n\na,20\nb,<5\nc,<5\ntotal,28\n", HIDDEN),
        # a suppressed total is nobody's count
        ("region,n\na,20\nb,30\ntotal,*\n", {}),
        # a row's total, across
        ("region,men,women,total\na,20,25,45\nb,*,30,33\nc,40,41,81\n", HIDDEN),
        ("region,men,women,total\na,20,25,45\nb,*,*,33\nc,40,41,81\n", {}),
        # an unnamed total, known by the rows that are written
        ("region,men,women,n\na,20,25,45\nb,*,30,33\nc,40,41,81\n", HIDDEN),
        # four corners: each row and column has two, but together they are fixed
        (
            "region,x,y,z,total\na,*,*,20,42\nb,*,30,50,82\nc,11,12,13,36\ntotal,27,50,83,160\n",
            HIDDEN,
        ),
        ("region,x,y,z,total\na,*,*,20,50\nb,*,*,50,92\nc,11,12,13,36\ntotal,34,61,83,178\n", {}),
        # long form: a total on one axis
        ("sex,band,n\nf,young,20\nf,old,*\nf,all,23\nm,young,30\nm,old,40\nm,all,70\n", HIDDEN),
        ("sex,band,n\nf,young,*\nf,old,*\nf,all,33\nm,young,30\nm,old,40\nm,all,70\n", {}),
        # variables below each other with one total
        ("variable,level,n\nsex,f,60\nsex,m,40\nsmoker,yes,97\nsmoker,no,*\ntotal,,100\n", HIDDEN),
        # an unnamed last row that is the sum of a column that is all written
        ("region,tested,n\na,20,12\nb,30,*\nc,40,15\nd,90,31\n", HIDDEN),
        # rounded to five: the rest is not exact
        ("region,n\na,20\nb,*\nc,30\nd,45\ntotal,100\n", {}),
        # hidden count beside its share of all
        ("band,n,percent\na,120,60.0\nb,77,38.5\nc,*,1.5\ntotal,200,100.0\n", HIDDEN),
    ],
)
def test_a_suppressed_cell_is_solved_from_its_totals(
    tmp_path: Path, content: str, expected: dict[Code, Severity]
) -> None:
    assert told(tmp_path, content) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("band,n,percent\na,120,2.4\nb,4880,97.6\n", {}),  # shares of all rows: 2.4 % is what 120 is
        ("band,n,percent\na,120,2.4\nb,4880,97.6\ntotal,5000,100\n", {}),
        ("band,cases,n,percent\na,12,60,20.0\nb,100,400,25.0\n", {}),  # explained by a count that is written
        ("band,cases,n,percent\na,57,60,95.0\nb,100,400,25.0\n", {Code.SMALL_COUNT: Severity.BLOCK}),
        ("band,n,percent_positive\na,60,5.0\nb,400,25.0\n", {Code.SMALL_COUNT: Severity.BLOCK}),
        ("band,n,percent_positive\na,60,0\nb,400,25.0\n", WARNED),
        ("band,n,percent_positive\na,60,100\nb,400,25.0\n", WARNED),
        ("band,n,percent_positive\na,60,50\nb,400,25.0\ntotal,460,100\n", {}),
    ],
)
def test_a_percentage_is_judged_by_what_it_is_a_share_of(
    tmp_path: Path, content: str, expected: dict[Code, Severity]
) -> None:
    assert told(tmp_path, content) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("ward,n_cases,n_controls\na,12,0\nb,20,30\n", WARNED),
        ("ward,n_cases,n_controls\na,12,9\nb,20,30\n", {}),
        ("ward,dead,alive,total\na,12,0,12\nb,20,30,50\n", WARNED),
        ("ward,dead,alive,total\na,0,0,0\nb,20,30,50\n", {}),
        ("band,n\na,0\nb,20\n", {}),
        ("gene,n_cases,n_controls\nENSG00000139618,12,0\nENSG00000139619,20,30\n", {}),
    ],
)
def test_a_group_in_one_class_is_told_to_stewards(
    tmp_path: Path, content: str, expected: dict[Code, Severity]
) -> None:
    assert told(tmp_path, content) == expected


def test_a_project_may_have_zeros_and_endpoints_blocked(tmp_path: Path) -> None:
    strict = Policy(version=2, block_class_disclosure=1, block_endpoints=1)
    assert told(tmp_path, "ward,n_cases,n_controls\na,12,0\nb,20,30\n", policy=strict) == {
        Code.CLASS_DISCLOSURE: Severity.BLOCK
    }
    assert told(tmp_path, "variable,mean,max\nage,50,103\nbmi,27,61\n", policy=strict) == {
        Code.ENDPOINTS: Severity.BLOCK
    }


DOF = {Code.LOW_DEGREES_OF_FREEDOM: Severity.BLOCK}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("term,estimate,std_error,p\n(Intercept),-1.2,0.1,0.1\nage,0.03,0.004,0.1\nn,4210,,\ndof,4203,,\n", {}),
        ("term,estimate,std_error,p\n(Intercept),-1.2,0.1,0.1\nage,0.03,0.004,0.1\nn,30,,\ndof,7,,\n", DOF),
        ("term,estimate,std_error,p\n(Intercept),-1.2,0.1,0.1\nage,0.03,0.004,0.1\nn,11,,\n", DOF),
        ("term,beta,se,p,n\nage,0.1,0.2,0.5,11\nbmi,0.1,0.2,0.5,11\n", DOF),
        ("term,beta,se,p,n\nage,0.1,0.2,0.5,200\nbmi,0.1,0.2,0.5,200\n", {}),
        ("model,beta,se,df_residual\na,0.1,0.2,4\nb,0.1,0.2,40\n", DOF),
        ("variable,chi2,df,p\nsex,3.2,1,0.07\nband,9.1,3,0.03\n", {}),  # a test's df is no residual
        ("variable,estimate,wald_chi2,df,p\nsex,0.1,3.2,1,0.07\nband,0.2,9.1,3,0.03\n", {}),
    ],
)
def test_a_model_needs_more_persons_than_parameters(
    tmp_path: Path, content: str, expected: dict[Code, Severity]
) -> None:
    assert told(tmp_path, content) == expected


STEPS = Code.SURVIVAL_STEPS


@pytest.mark.parametrize(
    ("content", "stepped"),
    [
        ("time,n_risk,survival\n0,400,1\n30,380,0.95\n60,350,0.875\n", False),
        ("time,n_risk,survival\n0,40,1\n3,39,0.975\n6,38,0.95\n", True),
        ("time,at_risk,events,survival\n0,400,12,0.97\n30,380,2,0.965\n", True),
        ("months,number at risk,KM\n0,400,1\n1,398,0.995\n", True),
        ("days,survival\n" + "".join(f"{n},{1 - n / 100:.2f}\n" for n in range(1, 41)), True),
        ("year,survival\n1,0.91\n2,0.85\n3,0.8\n", False),
        ("site,relative_risk\na,1.2\nb,1.1\n", False),
    ],
)
def test_steps_of_a_survival_curve_are_counted_in_persons(tmp_path: Path, content: str, stepped: bool) -> None:
    assert (STEPS in told(tmp_path, content)) is stepped


@pytest.mark.parametrize(
    ("content", "dominated"),
    [
        ("centre,sum_cost,max_cost,top2_sum\na,100000,96000,97000\n", True),
        ("centre,sum_cost,max_cost,top2_sum\na,51000,3100,5900\n", False),
        ("centre,total_cost,largest,top2\na,1000,500,860\n", False),  # 140 of 500 is left
        ("centre,total_cost,largest,top2\na,1000,860,895\n", False),
        ("centre,total_cost,largest,top2\na,1000,890,899\n", False),
        ("centre,n,largest_share_percent\na,40,96\n", True),
        ("centre,n,largest_share_percent\na,40,16\n", False),
    ],
)
def test_one_unit_may_not_make_up_a_sum(tmp_path: Path, content: str, dominated: bool) -> None:
    assert (Code.DOMINANCE in told(tmp_path, content)) is dominated


def test_what_is_left_beside_the_largest_two_is_held_against_the_largest(tmp_path: Path) -> None:
    content = "centre,total_cost,largest,top2\na,1000,500,890\nb,1000,300,420\n"
    assert told(tmp_path, content) == {}
    strict = Policy(version=2, dominance_rest_percent=25)
    assert told(tmp_path, content, policy=strict) == {Code.DOMINANCE: Severity.BLOCK}


@pytest.mark.parametrize(
    ("content", "low"),
    [
        (
            "chrom\tpos\tref\talt\tn\teaf\tbeta\n7\t10000\tC\tT\t50000\t0.00002\t0.1\n7\t9\tA\tT\t50000\t0.2\t0.1\n",
            True,
        ),
        (
            "chrom\tpos\tref\talt\tn\teaf\tbeta\n7\t10000\tC\tT\t50000\t0.02\t0.1\n7\t9\tA\tT\t50000\t0.2\t0.1\n",
            False,
        ),
        ("snp\tn_case\tn_control\taf_case\naf\t100\t200\t0.01\nx\t100\t200\t0.2\n", True),
        ("snp\tn_case\tn_control\taf_case\naf\t1000\t20\t0.01\nx\t1000\t20\t0.2\n", False),
        ("rsid\tN\tMAF\nrs1\t100\t0.01\nrs2\t100\t0.4\n", True),
    ],
)
def test_a_frequency_times_its_persons_is_an_allele_count(tmp_path: Path, content: str, low: bool) -> None:
    assert (Code.LOW_ALLELE_COUNT in told(tmp_path, content)) is low


@pytest.mark.parametrize(
    "content",
    [
        "band,cases\na,3\nb,9\nc,15\nd,27\ne,33\n",  # midpoint-6: 3 stands for 1 to 6
        "band,cases,controls\na,3,9\nb,9,15\nc,21,3\n",
        "gene,n_variants\nBRCA1,3\nBRCA2,4\nTP53,17\n",
        "sex,age_band,mean_bmi,mean_age\n"
        + "".join(
            f"{s},{b},27.{i},5{i}.2\n"
            for i, (s, b) in enumerate(
                [("f", "18-39"), ("m", "18-39"), ("f", "40-59"), ("m", "40-59"), ("f", "60+"), ("m", "60+")]
            )
        ),
        "snp,PC1,PC2\n" + "".join(f"rs{n}123,0.{n},0.{n * 7 % 90}\n" for n in range(10, 40)),
        "month,n_admissions\n2025-01,500\n2025-02,430\n2025-03,470\n",
        "date,n_tests\n" + "".join(f"2025-01-{n:02d},{500 + n * 13}\n" for n in range(1, 29)),
        "region,population,rate\nnorth,51234,0.12\nsouth,40111,0.14\n",
        "total_bilirubin,mean,sd,n\nx,12.1,3.0,400\ny,10.2,2.0,390\n",
    ],
)
def test_good_tables_pass(tmp_path: Path, content: str) -> None:
    assert told(tmp_path, content) == {}


@pytest.mark.parametrize(
    "content",
    [
        "birth_date,visit_date,result\n"
        + "".join(f"19{n}-01-02,2024-02-{n % 28 + 1:02d},x\n" for n in range(50, 90)),
        "age,bmi,hba1c,n_visits\n" + "".join(f"{n},2{n % 9}.{n},4{n}.1,{n}\n" for n in range(30, 70)),
        "PC1,PC2,PC3\n" + "".join(f"0.{n},0.{n * 7 % 90},0.{n * 3 % 70}\n" for n in range(10, 60)),
        "sex,admission\n" + "".join(f"f,{n:02d}.03.2024\n" for n in range(1, 29)),
    ],
)
def test_rows_of_persons_without_a_key_are_stopped(tmp_path: Path, content: str) -> None:
    assert told(tmp_path, content)[Code.ROW_LEVEL] is Severity.BLOCK


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("12", 12),
        ("<5", Hidden(0, 4)),
        ("≤5", Hidden(0, 5)),
        ("1-4", Hidden(1, 4)),
        ("*", Hidden()),
        ("[c]", Hidden()),
        ("Suppressed", Hidden()),
        ("", Hidden()),
        ("1.5", None),
        ("north", None),
        ("-3", None),
    ],
)
def test_a_cell_is_a_count_or_hides_one(text: str, cell: object) -> None:
    assert read_cell(text) == cell


counts = st.integers(0, 60)


@given(cells=st.lists(st.lists(counts, min_size=2, max_size=4), min_size=2, max_size=4), data=st.data())
def test_bounds_always_hold_the_hidden_truth(cells: list[list[int]], data: st.DataObject) -> None:
    width = min(len(row) for row in cells)
    truth = {(r, c): row[c] for r, row in enumerate(cells) for c in range(width)}
    hidden = data.draw(st.sets(st.sampled_from(sorted(truth)), min_size=1))
    lines = [[spot for spot in truth if spot[0] == r] for r in range(len(cells))]
    lines += [[spot for spot in truth if spot[1] == c] for c in range(width)]
    equations = [
        Equation({spot: 1 for spot in line if spot in hidden}, sum(truth[spot] for spot in line if spot in hidden))
        for line in lines
    ]
    answer = solve({spot: (0, None) for spot in hidden}, equations)
    for spot in hidden:
        low, high = answer.bounds[spot]
        assert low <= truth[spot] <= high
    for group, total in answer.groups:
        assert sum(truth[spot] for spot in group) == total


@given(rows=st.lists(st.integers(5, 99), min_size=2, max_size=8), small=st.integers(1, 4), data=st.data())
def test_a_lone_suppressed_cell_under_a_total_never_passes(rows: list[int], small: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(rows)))
    written = [*map(str, rows[:at]), "*", *map(str, rows[at:]), str(sum(rows) + small)]
    names = [f"r{n}" for n in range(len(rows) + 1)] + ["total"]
    grid = read_grid(Table(("region", "n"), tuple(zip(names, written, strict=True)), ",", "utf-8"), None)
    assert grid is not None
    assert [f.place.row for f in judge(grid, least=5)] == [at + 1]

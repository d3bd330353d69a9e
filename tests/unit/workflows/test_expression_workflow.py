"""Genes of real women and men: right numbers, and no gene of two people anywhere."""

import gzip
from collections import Counter
from pathlib import Path

import pytest
from cohort_scene import RNASEQ, K, Slots, check_columns_are_needed, check_promise, members, table

from demo import bare, cohorts

# Planted: genes that two of the cases have, or two nearly alone.
FEW_GENE, TWO_GENE = "ENSG99999999991", "ENSG99999999992"


@pytest.fixture(scope="module")
def sexes(tmp_path_factory: pytest.TempPathFactory) -> Slots:
    """Real counts of 12 women and 12 men, with planted genes."""
    slots = cohorts.reads(tmp_path_factory.mktemp("reads"))
    cases = [row["person"] for row in table(slots["groups"][0]) if row["group"] == "case"]
    for path in slots["counts"]:
        person = path.name.split(".")[0]
        few = 900 if person in cases[:2] or person not in cases else 0
        two = 9000 if person in cases[:2] else 20
        text = gzip.decompress(path.read_bytes()).decode() + f"{FEW_GENE}\t{few}\n{TWO_GENE}.3\t{two}\n"
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return slots


@pytest.fixture(scope="module")
def expression(sexes: Slots, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bare.run(RNASEQ, sexes, tmp_path_factory.mktemp("rnaseq"), parameters={"top": 5000})


def test_reads_are_summed_over_groups_and_men_have_a_y_chromosome(sexes: Slots, expression: Path) -> None:
    cases = {row["person"] for row in table(sexes["groups"][0]) if row["group"] == "case"}
    sums: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for path in sexes["counts"]:
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            gene, count = line.split("\t")
            sums[path.name.split(".")[0] in cases][gene] += int(count)
    rows = table(expression / "genes.tsv")
    assert len(rows) == 5000
    for row in rows:
        assert int(row["reads_case"]) == sums[True][row["gene"]]
        assert int(row["reads_control"]) == sums[False][row["gene"]]
    kdm5d = next(row for row in rows if row["gene"] == "ENSG00000012817")
    assert float(kdm5d["log2_fold_change"]) < -5
    assert float(kdm5d["minus_log10_q"]) > 10


def test_genes_of_two_people_are_in_no_output(sexes: Slots, expression: Path) -> None:
    text = "".join(path.read_text() for path in expression.glob("*.tsv"))
    assert FEW_GENE not in text
    assert TWO_GENE not in text
    told = {row["metric"]: int(row["number"]) for row in table(expression / "summary.tsv")}
    assert (told["case"], told["control"]) == (12, 12)
    fields = [int(row["genes"]) for row in table(expression / "volcano.tsv")]
    assert all(n >= K for n in fields)
    real = len(gzip.decompress(sexes["counts"][0].read_bytes()).splitlines()) - 2
    assert 5000 + sum(fields) <= told["genes"] <= real


def test_t7_each_group_lists_its_own_members(sexes: Slots, tmp_path: Path) -> None:
    """Only who has counts and a group: neither alone makes anybody a member."""
    said = {row["person"]: row["group"] == "case" for row in table(sexes["groups"][0])}
    left_out = sorted(said)[0]
    groups = tmp_path / "planted.groups.tsv"
    kept = {name: case for name, case in said.items() if name != left_out}
    cohorts.write_groups(groups, {**kept, "nobody-here": True})
    made = bare.run(RNASEQ, {**sexes, "groups": [groups]}, tmp_path / "run")
    cases, controls = (sorted(name for name, case in kept.items() if case is one) for one in (True, False))
    assert members(RNASEQ, made) == {"members/cases.txt": cases, "members/controls.txt": controls}
    told = {row["metric"]: row["number"] for row in table(made / "summary.tsv")}
    assert (told["case"], told["control"]) == (str(len(cases)), str(len(controls)))


def test_two_cases_have_no_genes(sexes: Slots, tmp_path: Path) -> None:
    few = tmp_path / "few.groups.tsv"
    cohorts.write_groups(few, {path.name.split(".")[0]: at < 2 for at, path in enumerate(sexes["counts"])})
    made = bare.run(RNASEQ, {**sexes, "groups": [few]}, tmp_path / "run")
    assert [len(table(made / name)) for name in ("genes.tsv", "volcano.tsv", "summary.tsv")] == [0, 0, 0]


def test_what_leaves_keeps_its_promise(expression: Path, tmp_path: Path) -> None:
    check_promise(RNASEQ, expression, tmp_path)


def test_a_manifest_without_a_promised_column_is_refused() -> None:
    check_columns_are_needed(RNASEQ)

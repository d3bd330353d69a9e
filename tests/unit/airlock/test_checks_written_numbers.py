"""Numbers are read as people write them: thousands apart, decimal commas, shares in one cell."""

from decimal import Decimal
from pathlib import Path

import pytest
from judging import judged

from airlock.checks.codes import Code
from airlock.checks.findings import Severity
from airlock.checks.formats import table
from airlock.checks.promise import Column, Kind
from airlock.checks.thresholds import Policy


@pytest.mark.parametrize(
    ("cell", "decimal_comma", "expected"),
    [
        ("1204", False, "1204"),
        ("1,204", False, "1204"),
        ("1,204,311.5", False, "1204311.5"),
        ("1 204", False, "1204"),
        ("1\u00a0204", False, "1204"),
        ("1'204", False, "1204"),
        ("0,204", False, None),
        ("1,20", False, None),
        ("1,204 311", False, None),
        ("1204,311", False, None),
        ("1,204", True, "1.204"),
        ("1.204", True, "1204"),
        ("1.204,5", True, "1204.5"),
        ("0.25", True, "0.25"),
        ("12.5", True, "12.5"),
        ("0,25 %", True, "0.25"),
        ("1.204", False, "1.204"),
    ],
)
def test_a_number_is_what_its_writer_meant(cell: str, *, decimal_comma: bool, expected: str | None) -> None:
    assert table.number(cell, decimal_comma=decimal_comma) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("cells", "comma"),
    [
        ((("1,204", "0.25"),), False),
        ((("1,204", "0,25"),), True),
        ((("1,204", "2.100"),), True),  # nothing says which
        ((("1.204", "2.5"),), False),
    ],
)
def test_commas_are_of_thousands_where_points_are_decimal(cells: tuple[tuple[str, ...], ...], *, comma: bool) -> None:
    text = "a\tb\n" + "".join("\t".join(row) + "\n" for row in cells)
    read = table.read(text, delimiter="\t", encoding="utf-8", policy=Policy(version=1))
    assert read.decimal_comma is comma


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        # what is hidden is the rest of a total
        ("x.tsv", "group\tn\nA\t1,204\nB\t*\nTotal\t1,207\n", Code.SECONDARY_DISCLOSURE),
        ("x.csv", 'group,n\nA,"1,204"\nB,*\nC,"2,100"\nTotal,"3,307"\n', Code.SECONDARY_DISCLOSURE),
        ("x.csv", "group,n\nA,1 204\nB,*\nC,2 100\nTotal,3 307\n", Code.SECONDARY_DISCLOSURE),
        ("x.csv", "group;n;mean\nA;1.204;0,5\nB;*;0,5\nTotal;1.207;0,5\n", Code.SECONDARY_DISCLOSURE),
        # a share of it
        ("x.csv", 'group,n,percent\nA,"1,204",0.25\nB,"2,400",12.5\n', Code.SMALL_COUNT),
        ("x.tsv", "group\tn\tpercent\nA\t1,204\t0.25\nB\t2,400\t12.5\n", Code.SMALL_COUNT),
        # one cell with a comma is no reason to read 0.25 as 25
        ("x.tsv", "group\tn\tpercent\tnote\nA\t1204\t0.25\t1,5\nB\t2400\t12.5\t\n", Code.SMALL_COUNT),
        # three persons
        ("x.csv", "group;n;mean\nA;3,0;1,5\nB;20,0;2,5\n", Code.SMALL_COUNT),
    ],
)
def test_small_counts_are_found_however_numbers_are_written(
    tmp_path: Path, name: str, content: str, code: Code
) -> None:
    assert judged(tmp_path, name, content)[code] is Severity.BLOCK


def test_a_clean_copy_guesses_nothing() -> None:
    column = Column("n", Kind.NUMBER, decimals=3)
    assert table.clean_cell("1204.5", column, policy=Policy(version=1)) == "1204.500"
    for cell in ("1,204", "1 204", "1'204", "1,204.5"):
        assert table.clean_cell(cell, column, policy=Policy(version=1)) is None


@pytest.mark.parametrize("name", ["value", "Overall", "Cases (N=240)"])
@pytest.mark.parametrize("cell", ["3 (1.2%)", "3/240 (1.2%)", "1.2% (3)", "1.2% (n=3)", "1.2 % [3/240]"])
def test_a_count_with_its_share_is_one_under_any_name(tmp_path: Path, name: str, cell: str) -> None:
    small = f"characteristic,{name}\nFemale,{cell.replace('3', '120', 1)}\nOther,{cell}\n"
    assert judged(tmp_path, "x.csv", small)[Code.SMALL_COUNT] is Severity.BLOCK
    fine = f"characteristic,{name}\nFemale,120 (50.0%)\nOther,45 (18.8%)\nAge,61.3 (12.1)\n"
    assert judged(tmp_path, "x.csv", fine) == {}


@pytest.mark.parametrize("cell", ["3 (0.1%)", "0.1% (3)"])
def test_a_share_of_variants_is_nobodys(tmp_path: Path, cell: str) -> None:
    assert judged(tmp_path, "x.csv", f"statistic,value\nvariants filtered,{cell}\nreads kept,990 (99.0%)\n") == {}


@pytest.mark.parametrize("name", ["percent (N=240)", "Cases, n=240", "Women (N = 1,240)"])
def test_a_share_of_persons_that_the_name_counts(tmp_path: Path, name: str) -> None:
    table = f'sex;"{name}"\nF;{{}}%\nM;{{}}%\n'
    assert judged(tmp_path, "x.csv", table.format(0.3, 52.5))[Code.SMALL_COUNT] is Severity.BLOCK
    assert judged(tmp_path, "x.csv", table.format(52.5, 99.7))[Code.SMALL_COUNT] is Severity.BLOCK
    assert Code.SMALL_COUNT not in judged(tmp_path, "x.csv", table.format(47.5, 52.5))


@pytest.mark.parametrize("cell", ["~3", "3*", "3 patients", "≈ 3"])
def test_a_mark_beside_a_count_hides_it_not(tmp_path: Path, cell: str) -> None:
    assert judged(tmp_path, "x.csv", f"group,n\nA,{cell}\nB,80\n")[Code.SMALL_COUNT] is Severity.BLOCK


@pytest.mark.parametrize("cell", ["³", "Ⅲ", "0x3", "③"])
def test_a_count_that_no_check_reads_is_for_stewards(tmp_path: Path, cell: str) -> None:
    assert judged(tmp_path, "x.csv", f"group,n\nA,{cell}\nB,80\n")[Code.UNCLEAR_COLUMN] is Severity.WARN

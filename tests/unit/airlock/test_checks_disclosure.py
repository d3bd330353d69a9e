"""What each check finds, as truth tables: small files in, codes out."""

import time
from pathlib import Path

import pytest

from airlock.checks.disclosure.identifiers import holds_one
from airlock.checks.findings import Code, Severity
from airlock.checks.jail import inspect
from airlock.checks.promise import Column, Kind, Promise, Promised
from airlock.checks.thresholds import Policy

POLICY = Policy(version=1)
META = (
    "##fileformat=VCFv4.3\n##contig=<ID=1>\n"
    '##INFO=<ID=AC,Number=A,Type=Integer,Description="c">\n##INFO=<ID=AN,Number=1,Type=Integer,Description="n">\n'
)
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def codes(
    folder: Path, content: str | bytes, *, name: str = "x.csv", rule: Promise | None = None, policy: Policy = POLICY
) -> set[Code]:
    path = folder / "subject"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return {finding.code for finding in inspect(path, rule, policy, name=name).findings}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("band,cases\na,5\nb,10\n", set()),
        ("band,cases\na,4\nb,10\n", {Code.SMALL_COUNT}),
        ("band,cases\na,0\nb,10\n", set()),
        ("band,cases\na,NA\nb,<5\n", set()),
        ("band,n_patients,mean\na,1,3\nb,10,2\n", {Code.SMALL_COUNT}),
        ("band;Fälle\na;2\nb;10\n", {Code.SMALL_COUNT}),
        ("term,value\nn,3\nbeta,0.2\n", {Code.SMALL_COUNT}),
        ("snp,mac,beta\nrs1,2,0.1\nrs2,90,0.1\n", {Code.LOW_ALLELE_COUNT}),
        ("band,things\na,2\nb,90\n", {Code.UNCLEAR_COLUMN}),
        ("year,things\n2020,50\n2021,90\n", set()),
        ("group,n,percent\na,60,5.0\nb,400,25\n", {Code.SMALL_COUNT}),
        ("group,n,share\na,60,0.98\nb,400,0.25\n", {Code.SMALL_COUNT}),
        ("group,n,percent\na,60,50\nb,400,25\n", set()),
        ("centre,sum_cost,top2_sum\na,1000,950\nb,1000,100\n", {Code.DOMINANCE}),
        ("centre,sum_cost,top2_sum\na,1000,300\nb,1000,100\n", set()),
        ("variable,mean,max\nage,50,103\nbmi,27,61\n", {Code.ENDPOINTS}),
        ("a,b\n1,=cmd()\n1,2\n", {Code.FORMULA}),
        ("a,b\n1,-0.5\n1,+2\n", set()),
        ("a,b\n1,2\n1,2\n1,2\n1,2\n1,2,3\n", {Code.RAGGED_ROWS}),
        ("a,,b\n1,x,2\n1,x,2\n", {Code.HIDDEN_COLUMNS}),
        ("a,b\nx\u200by,20\nz,70\n", {Code.HIDDEN_CHARACTERS}),
        ("a,b\nx\x07y,20\nz,70\n", {Code.CONTROL_CHARACTERS}),
        ("12,340\n15,410\n20,505\n", {Code.UNCLEAR_COLUMN}),
        ("a,b\n" + "ACGT" * 13 + ",9\nx,7\n", {Code.READS}),
        ("a,b\n", {Code.TYPE_MISMATCH}),
        ("", {Code.EMPTY}),
    ],
)
def test_a_table_gets_the_findings_of_its_cells(tmp_path: Path, content: str, expected: set[Code]) -> None:
    assert codes(tmp_path, content) == expected


@pytest.mark.parametrize(
    ("content", "blocked"),
    [
        ("patient_id,result\n7,a\n8,b\n9,c\n", True),
        ("SampleID,result\nS1,a\nS2,b\n", True),
        ("key,result\n" + "".join(f"AB{n:06d},x\n" for n in range(9)), True),
        ("sex,birth_date,result\n" + "".join(f"f,19{n}-01-0{n % 9 + 1},x\n" for n in range(50, 60)), True),
        ("gene,beta\n" + "".join(f"ENSG{n:011d},0.1\n" for n in range(9)), False),
        ("snp,beta\n" + "".join(f"rs{n}12345,0.1\n" for n in range(1, 9)), False),
        ("sex,age_band,n\nf,18-39,50\nm,18-39,60\n", False),
        ("patients,rate\n50,0.1\n60,0.2\n", False),
    ],
)
def test_rows_of_persons_are_told_from_aggregates(tmp_path: Path, content: str, blocked: bool) -> None:
    assert (Code.ROW_LEVEL in codes(tmp_path, content)) is blocked


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("999 000 1235", True),
        ("9990001235", True),
        ("9990001236", False),
        ("0.9990001235", False),
        ("19811218-9876", True),
        ("811218-9875", False),
        ("A123456780", True),
        ("A123456781", False),
        ("DE89 3704 0044 0532 0130 00", True),
        ("DE89 3704 0044 0532 0130 01", False),
        ("write to jane.doe@example.org", True),
        ("NA18507", True),
        ("TCGA-02-0001", True),
        ("OX1 3QD", True),
        ("+49 30 1234567", True),
        ("rs123456789", False),
        ("ENSG00000139618", False),
        ("2025-01-01", False),
        ("beta = -1.203", False),
        ("chr1:1000000-2000000", False),
    ],
)
def test_identifiers_are_told_by_their_check_digits(text: str, holds: bool) -> None:
    assert holds_one(text) is holds


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ("1\t5\t.\tA\tG\t.\tPASS\tAC=5;AN=10\n", set()),
        ("1\t5\t.\tA\tG\t.\tPASS\tAC=4;AN=44\n", {Code.LOW_ALLELE_COUNT}),
        ("1\t5\t.\tA\tG\t.\tPASS\tAC=0;AN=44\n", {Code.LOW_ALLELE_COUNT}),
        ("1\t5\t.\tA\tG\t.\tPASS\tAC=40;AN=44\n", {Code.LOW_ALLELE_COUNT}),
        ("1\t5\t.\tA\tG,T\t.\tPASS\tAC=20,4;AN=44\n", {Code.LOW_ALLELE_COUNT}),
        ("1\t5\t.\tA\tG,T\t.\tPASS\tAC=20,20;AN=44\n", {Code.LOW_ALLELE_COUNT}),
        (
            "1\t5\t.\tA\tG\t.\tPASS\tAC=20;AN=44\n1\t5\t.\tA\tT\t.\tPASS\tAC=20;AN=44\n",
            {Code.LOW_ALLELE_COUNT},
        ),
        ("1\t5\t.\tA\tG,T\t.\tPASS\tAC=20,10;AN=44\n", set()),
        ("1\t5\t.\tA\tG\t.\tPASS\tAC=50;AN=44\n", {Code.INCONSISTENT_COUNTS, Code.LOW_ALLELE_COUNT}),
        ("1\t5\t.\tA\tG\t.\tPASS\tAC=20;AN=44;AF=0.9\n", {Code.INCONSISTENT_COUNTS}),
        ("1\t5\t.\tA\tG\t.\tPASS\tAF=0.2\n", {Code.NO_DENOMINATOR}),
        ("1\t5\t.\tA\tG\t.\tPASS\tAC=20;AN=44;HOMS=p1\n", {Code.SAMPLE_IDS}),
        ("", {Code.EMPTY}),
    ],
)
def test_sites_get_the_findings_of_their_counts(tmp_path: Path, records: str, expected: set[Code]) -> None:
    assert codes(tmp_path, META + COLUMNS + records, name="x.vcf") == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("##SAMPLE=<ID=x>", {Code.HEADER_TEXT}),
        ("##bcftools_viewCommand=view /data/p7.vcf", {Code.HEADER_TEXT}),
        ("##reference=file:///data/NA18507.fa", {Code.HEADER_TEXT, Code.IDENTIFIER}),
        ('##FORMAT=<ID=GT,Number=1,Type=String,Description="g">', {Code.GENOTYPES}),
    ],
)
def test_header_lines_of_a_vcf_are_judged(tmp_path: Path, line: str, expected: set[Code]) -> None:
    record = "1\t5\t.\tA\tG\t.\tPASS\tAC=20;AN=44\n"
    assert codes(tmp_path, META + line + "\n" + COLUMNS + record, name="x.vcf") == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("results/af.csv", set()),
        ("results/fig_9990000778.csv", {Code.FILENAME_CHANNEL}),
        ("results/\u202ecsv.exe", {Code.FILENAME_CHANNEL}),
        ("results/MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOV3HO6DZ.csv", {Code.FILENAME_CHANNEL}),
        ("../x.csv", {Code.FILENAME_CHANNEL}),
        ("results/.hidden.csv", {Code.FILENAME_CHANNEL}),
        ("results/my file.csv", {Code.FILENAME_CHANNEL}),
    ],
)
def test_names_that_could_carry_data_are_found(tmp_path: Path, name: str, expected: set[Code]) -> None:
    assert codes(tmp_path, "band,cases\na,50\nb,90\n", name=name) == expected


def test_a_contract_names_the_counts_and_an_integer_named_like_a_count_stays_one(tmp_path: Path) -> None:
    columns = (
        Column("bin", Kind.KEY, values=("a", "b")),
        Column("hits", Kind.COUNT),
        Column("n_cases", Kind.INTEGER),
    )
    rule = Promise(Promised.CSV, columns=columns, max_rows=9)
    assert codes(tmp_path, "bin,hits,n_cases\na,3,50\nb,90,70\n", rule=rule) == {Code.SMALL_COUNT}
    assert codes(tmp_path, "bin,hits,n_cases\na,50,3\nb,90,70\n", rule=rule) == {Code.SMALL_COUNT}
    assert codes(tmp_path, "bin,hits,n_cases\na,50,50\nb,90,70\n", rule=rule) == set()


def test_a_higher_threshold_of_the_project_counts(tmp_path: Path) -> None:
    content = "band,cases\na,7\nb,10\n"
    assert codes(tmp_path, content) == set()
    assert codes(tmp_path, content, policy=Policy(version=2, min_count=10)) == {Code.SMALL_COUNT}
    sites = META + COLUMNS + "1\t5\t.\tA\tG\t.\tPASS\tAC=7;AN=44\n"
    rule = Promise(Promised.VCF, max_sites=9, min_allele_count=8)
    assert codes(tmp_path, sites, name="x.vcf") == set()
    assert codes(tmp_path, sites, name="x.vcf", rule=rule) == {Code.LOW_ALLELE_COUNT}


def test_more_rows_than_a_person_reads_is_a_warning_and_far_more_is_a_block(tmp_path: Path) -> None:
    table = "area,rate\n" + "".join(f"a{n},0.5\n" for n in range(5001))
    (tmp_path / "x.csv").write_text(table, encoding="utf-8")
    answer = inspect(tmp_path / "x.csv", None, POLICY)
    assert (answer.verdict, [f.code for f in answer.findings]) == (Severity.WARN, [Code.TOO_MANY_ROWS])
    (tmp_path / "x.csv").write_text(table * 20, encoding="utf-8")
    answer = inspect(tmp_path / "x.csv", None, POLICY)
    assert (answer.verdict, answer.complete) == (Severity.BLOCK, False)


def test_a_promised_number_that_looks_like_an_identifier_is_for_stewards(tmp_path: Path) -> None:
    columns = (Column("bin", Kind.KEY, pattern="[a-z0-9]{1,10}"), Column("bases", Kind.INTEGER))
    rule = Promise(Promised.CSV, columns=columns, unit="read", max_rows=9)
    path = tmp_path / "x.csv"
    path.write_text("bin,bases\na,9990001235\nb,5\n", encoding="utf-8")
    assert [f.severity for f in inspect(path, rule, POLICY).findings] == [Severity.WARN]
    path.write_text("bin,bases\n9990001235,7\nb,5\n", encoding="utf-8")
    assert inspect(path, rule, POLICY).verdict is Severity.BLOCK


@pytest.mark.parametrize("content", ["," * 4_100_000 + "\n1\n", "a,b\n" * 2_000_000, "a" * 9_000_000, '"' * 999_999])
def test_a_table_made_to_be_slow_is_bounded(tmp_path: Path, content: str) -> None:
    started = time.monotonic()
    (tmp_path / "x.csv").write_text(content, encoding="utf-8")
    assert inspect(tmp_path / "x.csv", None, POLICY).verdict is Severity.BLOCK
    assert time.monotonic() - started < 20

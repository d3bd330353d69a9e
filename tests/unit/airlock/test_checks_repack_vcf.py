"""Clean copies of VCF: sites only, AC, AN and AF recomputed, a header of our own (T13)."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.checks.findings import Code
from airlock.checks.formats import envelope
from airlock.checks.jail import inspect, repack
from airlock.checks.promise import Promise, Promised
from airlock.checks.thresholds import Policy

POLICY = Policy(version=1)
PROMISE = Promise(Promised.VCF, max_sites=1000)
META = "##fileformat=VCFv4.2\n##bcftools_viewCommand=view -s NA00007 /data/p.vcf\n##SAMPLE=<ID=NA00007>\n"
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
OURS = (
    '##fileformat=VCFv4.3\n##FILTER=<ID=PASS,Description="All filters passed">\n{contigs}'
    '##INFO=<ID=AC,Number=A,Type=Integer,Description="Allele count">\n'
    '##INFO=<ID=AN,Number=1,Type=Integer,Description="Allele number">\n'
    '##INFO=<ID=AF,Number=A,Type=Float,Description="Allele frequency">\n' + COLUMNS + "\n"
)


def clean(folder: Path, records: str, *, columns: str = COLUMNS, name: str = "results/sites.vcf") -> Any:
    (folder / "subject").write_bytes((META + columns + "\n" + records).encode())
    return repack(folder / "subject", name, PROMISE, POLICY)


def test_t13_header_ids_quality_and_foreign_fields_do_not_survive(tmp_path: Path) -> None:
    records = (
        "22\t20\tNA00007_secret\tC\tT\t99\tPASS\tAC=30;AN=44;AF=0.1234567;HETS=NA00007\n"
        "chr1\t7\trs12;rs13\tA\tG,AT\t.\t.\tDP=3;AN=100;AC=10,20\n"
        "2\t9\trs5\tG\tC\t.\tPASS\tAC=8;AN=44\n"
    )
    content, _ = clean(tmp_path, records)
    contigs = "##contig=<ID=2>\n##contig=<ID=22>\n##contig=<ID=chr1>\n"
    assert content.decode() == OURS.format(contigs=contigs) + (
        "2\t9\trs5\tG\tC\t.\tPASS\tAC=8;AN=44;AF=0.181818\n"
        "22\t20\t.\tC\tT\t.\tPASS\tAC=30;AN=44;AF=0.681818\n"
        "chr1\t7\trs12;rs13\tA\tG,AT\t.\t.\tAC=10,20;AN=100;AF=0.100000,0.200000\n"
    )


def test_t13_which_filter_failed_is_free_text_and_becomes_one_word(tmp_path: Path) -> None:
    content, _ = clean(tmp_path, "1\t5\t.\tA\tG\t.\tP100007;q10\tAC=10;AN=44\n")
    assert b"P100007" not in content
    assert b"\tFAIL\tAC=10" in content
    assert b"##FILTER=<ID=FAIL," in content


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ("1\t5\t.\tA\tG\t.\tPASS\tAF=0.2", Code.NO_DENOMINATOR),
        ("1\t5\t.\tA\tG\t.\tPASS\tAC=x;AN=44", Code.NO_DENOMINATOR),
        ("1\t5\t.\tA\tG\t.\tPASS\tAC=45;AN=44", Code.INCONSISTENT_COUNTS),
        ("1\t5\t.\tA\tG,T\t.\tPASS\tAC=10;AN=44", Code.INCONSISTENT_COUNTS),
        ("person7\t5\t.\tA\tG\t.\tPASS\tAC=10;AN=44", Code.UNMODELLED_RECORD),
        ("1\t0\t.\tA\tG\t.\tPASS\tAC=10;AN=44", Code.UNMODELLED_RECORD),
        ("1\t5\t.\tA\t<DEL>\t.\tPASS\tAC=10;AN=44", Code.UNMODELLED_RECORD),
        ("1\t5\t.\tA\tA\t.\tPASS\tAC=10;AN=44", Code.UNMODELLED_RECORD),
        ("1\t5\t.\tA\t" + "ACGT" * 13 + "\t.\tPASS\tAC=10;AN=44", Code.UNMODELLED_RECORD),
        ("1\t5\t.\tA\tG\t.\t\tAC=10;AN=44", Code.UNMODELLED_RECORD),
        ("1\t5\t.\tA\tG\t.\tPASS\tAC=10;AC=11;AN=44", Code.UNMODELLED_RECORD),
        ("1\t5\t.\tA\tG\t.\tPASS\tAC=10;AN=44\n1\t5\t.\tA\tG\t.\tPASS\tAC=11;AN=44", Code.UNMODELLED_RECORD),
        ("free text", Code.UNMODELLED_RECORD),
    ],
)
def test_a_record_that_cannot_be_modelled_is_refused(tmp_path: Path, record: str, code: Code) -> None:
    copy, answer = clean(tmp_path, record + "\n")
    assert copy is None
    assert [finding.code for finding in answer.findings] == [code]


def test_a_file_with_sample_columns_is_refused_and_not_quietly_stripped(tmp_path: Path) -> None:
    record = "1\t5\t.\tA\tG\t.\tPASS\tAC=10;AN=44\tGT\t0/1\n"
    copy, answer = clean(tmp_path, record, columns=COLUMNS + "\tFORMAT\tNA00007")
    assert copy is None
    assert [finding.code for finding in answer.findings] == [Code.GENOTYPES]


def test_block_gzip_in_and_out_is_read_by_others(tmp_path: Path) -> None:
    record = "1\t5\t.\tA\tG\t.\tPASS\tAC=10;AN=44\n"
    (tmp_path / "subject").write_bytes(gzip.compress((META + COLUMNS + "\n" + record).encode()))
    copy, _ = repack(tmp_path / "subject", "sites.vcf.gz", PROMISE, POLICY)
    plain, _ = clean(tmp_path, record)
    assert gzip.decompress(copy or b"") == plain
    assert (copy or b"")[12:14] == b"BC"


def test_block_gzip_of_many_blocks_unpacks_again() -> None:
    content = bytes(range(256)) * 1024
    assert envelope.unpack(envelope.pack(content), limit=2**20) == content
    assert gzip.decompress(envelope.pack(content)) == content


ALLELE = st.text("ACGT", min_size=1, max_size=6)
SITE = st.tuples(
    st.sampled_from(["1", "2", "22", "X", "chr7"]),
    st.integers(1, 2**31 - 1),
    st.one_of(st.just("."), st.integers(1, 10**9).map(lambda n: f"rs{n}"), st.text("abcNA0123", max_size=8)),
    st.lists(ALLELE, min_size=2, max_size=4, unique=True),
    st.sampled_from(["PASS", ".", "q10;s50"]),
    st.lists(st.integers(0, 1000), min_size=3, max_size=3),
    st.text("ABCDEF=0123,", max_size=10),
)


def record_of(site: Any) -> str:
    chrom, pos, rsid, alleles, filtered, counts, extra = site
    alts = alleles[1:]
    info = f"AC={','.join(str(n) for n in counts[: len(alts)])};AN={sum(counts) + 10}"
    info += f";ZZ={extra}" if extra else ""
    return "\t".join((chrom, str(pos), rsid or ".", alleles[0], ",".join(alts), ".", filtered, info))


@given(sites=st.lists(SITE, max_size=15, unique_by=lambda site: (site[0], site[1], site[3][0], tuple(site[3]))))
def test_t13_a_clean_copy_is_stable_sorted_and_without_samples(
    sites: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("vcf")
    records = [record_of(site) + "\n" for site in sites]
    once, _ = clean(folder, "".join(records))
    turned, _ = clean(folder, "".join(reversed(records)))
    assert once is not None
    assert once == turned
    (folder / "subject").write_bytes(once)
    again, _ = repack(folder / "subject", "results/sites.vcf", PROMISE, POLICY)
    assert again == once
    assert b"FORMAT" not in once
    assert b"ZZ" not in once
    assert {line.count(b"\t") for line in once.splitlines() if not line.startswith(b"##")} == {7}
    answer = inspect(folder / "subject", PROMISE, POLICY, name="results/sites.vcf", must_be_clean=True)
    assert Code.NOT_OUR_COPY not in {finding.code for finding in answer.findings}


@given(
    content=st.one_of(st.binary(max_size=300), st.text("ACGT.;=,\t\n0123456789ANPS/|", max_size=300).map(str.encode))
)
def test_any_bytes_after_a_header_give_sites_or_a_refusal(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    (folder / "subject").write_bytes((META + COLUMNS + "\n").encode() + content)
    copy, answer = repack(folder / "subject", "x.vcf", PROMISE, POLICY)
    assert (copy is None) == (answer.verdict.name == "BLOCK")

"""Low allele counts are found as tools of the field write them: in lists, in pairs, beside any word for persons."""

from pathlib import Path

import pytest
from judging import judged

from airlock.checks.codes import Code
from airlock.checks.findings import Severity

SSF = (
    "rsid\teffect_allele\tother_allele\teffect_allele_frequency\tbeta\t{}\n"
    "rs1\tA\tG\t{}\t.1\t1000\nrs2\tA\tG\t0.25\t.1\t1000\n"
)
HAIL = 'locus\talleles\t{}\tvariant_qc.AN\n1:100\t["A","G"]\t{}\t200\n1:200\t["A","G"]\t{}\t200\n'
SITES = "CHROM\tPOS\tREF\tALT\t{}\tAN\nchr1\t100\tA\tG,T\t{}\t2000\nchr1\t200\tA\tG\t{}\t2000\n"
PAIRS = "CHROM\tPOS\tN_ALLELES\tN_CHR\t{{ALLELE:{}}}\n1\t100\t2\t2000\tA:{}\tG:{}\n1\t200\t2\t2000\tA:{}\tG:{}\n"


@pytest.mark.parametrize("size", ["sample_size", "Neff", "N_eff", "N_SAMPLES", "NMISS", "SampleSize"])
def test_persons_by_any_usual_word_are_those_of_a_frequency(tmp_path: Path, size: str) -> None:
    assert judged(tmp_path, "x.tsv", SSF.format(size, "0.001"))[Code.LOW_ALLELE_COUNT] is Severity.BLOCK
    assert Code.LOW_ALLELE_COUNT not in judged(tmp_path, "y.tsv", SSF.format(size, "0.01"))


@pytest.mark.parametrize(
    ("name", "low", "fine"),
    [
        ("x.tsv", HAIL.format("variant_qc.AC", "[198,2]", "[150,50]"), HAIL.format("AC", "[180,20]", "[150,50]")),
        ("x.tsv", HAIL.format("AF", "[0.99,0.01]", "[.7,.3]"), HAIL.format("AF", "[0.9,0.1]", "[.7,.3]")),
        ("x.tsv", SITES.format("AC", "2,400", "300"), SITES.format("AC", "20,400", "300")),
        ("x.tsv", SITES.format("AF", "0.001,0.2", "0.3"), SITES.format("AF", "0.01,0.2", "0.3")),
        ("x.frq.count", PAIRS.format("COUNT", 1998, 2, 1500, 500), PAIRS.format("COUNT", 1980, 20, 1500, 500)),
        ("x.frq", PAIRS.format("FREQ", 0.999, 0.001, 0.75, 0.25), PAIRS.format("FREQ", 0.99, 0.01, 0.75, 0.25)),
    ],
)
def test_a_list_of_alleles_is_read_one_by_one(tmp_path: Path, name: str, low: str, fine: str) -> None:
    assert judged(tmp_path, name, low)[Code.LOW_ALLELE_COUNT] is Severity.BLOCK
    assert Code.LOW_ALLELE_COUNT not in judged(tmp_path, name, fine)


def test_thousands_are_no_list_of_two(tmp_path: Path) -> None:
    table = 'rsid,ref,alt,AC,AN\nrs1,A,G,"2,400","12,000"\nrs2,A,T,"3,100","12,000"\n'
    assert Code.LOW_ALLELE_COUNT not in judged(tmp_path, "x.csv", table)

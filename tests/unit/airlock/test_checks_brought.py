"""What comes in is what it was said to be, readable, and free of programs, secrets and persons of the data."""

import gzip
import hashlib
from pathlib import Path

import pytest
from samples import POLICY, ROWS, codes, tarred, zipped

from airlock.checks.answer import Answer
from airlock.checks.brought import Declared, inspect
from airlock.checks.findings import Code, Severity
from airlock.checks.people import DIGEST, NOBODY, People
from airlock.checks.view import view_brought

GENES = "gene\tchrom\tstart\nBRCA1\tchr17\t43044295\nBRCA2\tchr13\t32315086\nTP53\tchr17\t7661779\n"
GTF = "#!genome-build GRCh38\n"
GTF += 'chr1\thavana\tgene\t11869\t14409\t.\t+\t.\tgene_id "ENSG00000290825"; gene_name "DDX11L2";\n'
GTF += 'chr1\thavana\texon\t11869\t12227\t.\t+\t.\tgene_id "ENSG00000290825"; exon_number 1;\n' * 8
BED = "chr1\t100\t200\nchr2\t300\t400\nchrX\t5\t90\n"
FASTA = ">chr22 GRCh38\n" + "ACGTNNACGTTTGACCA" * 90 + "\n>chrM\n" + "GATTACA" * 200 + "\n"
VCF = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
VCF += "chr22\t100\trs1\tA\tG\t.\tPASS\tAC=10;AN=44;CLNSIG=Benign\n"
CALLS = VCF.replace("INFO\n", "INFO\tFORMAT\tNA1\n").replace("Benign\n", "Benign\tGT\t0/1\n")
SCRIPT = "#!/usr/bin/env python3\nimport sys\n\n\ndef main():\n    print(len(sys.argv))\n"
D = Declared


def brought(folder: Path, content: bytes | str, name: str, declared: Declared, people: People = NOBODY) -> Answer:
    path = folder / "subject"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return inspect(path, name, declared, POLICY, people=people)


@pytest.mark.parametrize(
    ("content", "name", "declared"),
    [
        (GENES, "genes.tsv", D.TABLE),
        (GTF, "genes.gtf", D.TABLE),
        (BED, "targets.bed", D.TABLE),
        ("MZB1\nBRCA2\nTP53\n", "genes.txt", D.TEXT),
        (FASTA, "ref.fa", D.FASTA),
        (gzip.compress(FASTA.encode(), mtime=0), "ref.fa.gz", D.FASTA),
        (VCF, "sites.vcf", D.VCF),
        ('{"threshold": 0.05, "genes": ["BRCA1"]}', "settings.json", D.JSON),
        (zipped({"a.tsv": GENES, "ref.fa.txt": "Notes on the reference.\n"}), "panel.zip", D.ARCHIVE),
        (tarred({"panel/a.tsv": GENES.encode()}), "panel.tar", D.ARCHIVE),
    ],
)
def test_reference_data_passes(tmp_path: Path, content: bytes | str, name: str, declared: Declared) -> None:
    answer = brought(tmp_path, content, name, declared)
    assert (answer.verdict, answer.complete, codes(answer)) == (Severity.PASS, True, set())


def test_a_script_is_shown_as_one_and_whole(tmp_path: Path) -> None:
    answer = brought(tmp_path, SCRIPT, "plot.py", D.SCRIPT)
    assert (answer.verdict, codes(answer)) == (Severity.WARN, {"script"})
    view = view_brought(tmp_path / "subject", "plot.py", D.SCRIPT, POLICY).view
    assert view is not None
    assert [row[0] for row in view["rows"]] == SCRIPT.splitlines()
    assert view["truncated"] is False


@pytest.mark.parametrize("long", ["x = 1\n" * 2001, "x = 1\ny = '" + "a b " * 200 + "'\n", "x = 'a b c'\n" * 12_000])
def test_a_script_that_nobody_can_read_whole_is_stopped(tmp_path: Path, long: str) -> None:
    answer = brought(tmp_path, SCRIPT + long, "plot.py", D.SCRIPT)
    assert answer.verdict is Severity.BLOCK
    assert Code.TOO_MANY_ROWS.value in codes(answer)


@pytest.mark.parametrize(
    ("content", "name", "declared", "code"),
    [
        (SCRIPT, "genes.tsv", D.TABLE, "not-as-declared"),
        (SCRIPT, "notes.txt", D.TEXT, "not-as-declared"),
        (GENES, "ref.fa", D.FASTA, "not-as-declared"),
        (FASTA, "notes.txt", D.TEXT, "not-as-declared"),
        (VCF, "genes.tsv", D.TABLE, "not-as-declared"),
        (zipped({"a.tsv": GENES}), "genes.tsv", D.TABLE, "not-as-declared"),
        (b"\x7fELF\x02\x01\x01" + bytes(200), "tool", D.SCRIPT, "executable"),
        (b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(200), "A.class", D.TEXT, "executable"),
        (b"\xa7\x0d\r\n\0\0\0\0" + bytes(range(256)), "a.pyc", D.SCRIPT, "executable"),
        (zipped({"bin/tool": b"\x7fELF\x02\x01\x01" + bytes(200)}), "tools.zip", D.ARCHIVE, "unreviewable-type"),
        (GENES.encode() + zipped({"a.tsv": ROWS}), "genes.tsv", D.TABLE, "polyglot"),
        (SCRIPT.encode() + zipped({"a.py": SCRIPT}), "app.py", D.SCRIPT, "polyglot"),
        (FASTA.encode() + b"\n\0\1\2binary\n", "ref.fa", D.FASTA, "polyglot"),
        (b"crypt4gh\1\0\0\0" + bytes(range(256)) * 4, "a.c4gh", D.TEXT, "ciphertext"),
        (hashlib.shake_256(b"noise").digest(5000), "a.bin", D.TEXT, "ciphertext"),
        (SCRIPT + "password = 'hunter2-very-long'\n", "plot.py", D.SCRIPT, "credential"),
        (SCRIPT + "x = 1  # \u202e not what it seems\n", "plot.py", D.SCRIPT, "hidden-characters"),
        (ROWS, "persons.csv", D.TABLE, "row-level"),
        (CALLS, "calls.vcf", D.VCF, "genotypes"),
        ("@r1\nACGTACGTACGTACGTACGTACGT\n+\nIIIIIIIIIIIIIIIIIIIIIIII\n", "reads.fq", D.FASTA, "reads"),
        (tarred({"a.tsv": GENES.encode()}, links={"x": "/etc/passwd"}), "panel.tar", D.ARCHIVE, "archive-path"),
        (zipped({"../a.tsv": GENES}), "panel.zip", D.ARCHIVE, "archive-path"),
        (zipped({"a.txt": b"0" * (300 << 20)}), "bomb.zip", D.ARCHIVE, "archive-bomb"),
        (b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x05hello\x94.", "model.pkl", D.TEXT, "unsafe-serialisation"),
    ],
)
def test_what_must_not_come_in_is_stopped(
    tmp_path: Path, content: bytes | str, name: str, declared: Declared, code: str
) -> None:
    answer = brought(tmp_path, content, name, declared)
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


def test_code_in_an_archive_is_flagged(tmp_path: Path) -> None:
    answer = brought(tmp_path, zipped({"a.tsv": GENES, "run.sh": "set -e\necho 1\n"}), "panel.zip", D.ARCHIVE)
    assert (answer.verdict, codes(answer)) == (Severity.WARN, {"script"})


def test_identifiers_are_flagged_for_stewards(tmp_path: Path) -> None:
    answer = brought(tmp_path, "Ask jane.doe@hospital.example about this list.\n", "notes.txt", D.TEXT)
    assert (answer.verdict, codes(answer)) == (Severity.WARN, {"identifier"})
    reads = "".join(f">r{n}\n{'ACGTTGCA' * 19}\n" for n in range(200))
    answer = brought(tmp_path, reads, "ref.fa", D.FASTA)
    assert (answer.verdict, codes(answer)) == (Severity.WARN, {"reads"})


@pytest.mark.parametrize(
    ("content", "name", "declared"),
    [
        ("keep\nPAT-00172\nPAT-00175\n", "keep.txt", D.TEXT),
        (">PAT-00172\nACGTACGTACGTACGTACGTACGTACGT\n", "one.fa", D.FASTA),
        ('{"keep": ["PAT-00172"]}', "keep.json", D.JSON),
        (GENES, "PAT-00172.tsv", D.TABLE),
        (zipped({"a.txt": "keep PAT-00172 only\n"}), "keep.zip", D.ARCHIVE),
        (SCRIPT + "keep = ['PAT-00172']\n", "keep.py", D.SCRIPT),
    ],
)
def test_t6_a_list_of_persons_of_the_data_is_stopped(
    tmp_path: Path, content: bytes | str, name: str, declared: Declared
) -> None:
    digest = hashlib.blake2b(b"pat-00172", key=b"k" * 32, digest_size=DIGEST).digest()
    answer = brought(tmp_path, content, name, declared, People(b"k" * 32, frozenset({digest})))
    assert answer.verdict is Severity.BLOCK
    assert "known-person" in codes(answer)

"""Persons and small numbers in shapes that nobody expects, and results of tools that look like them and may leave."""

# ruff: noqa: E501 (a table stands on one line)

import gzip
import random
from pathlib import Path

import pytest
from judging import judged

from airlock.checks.codes import Code
from airlock.checks.findings import Severity

RANDOM = random.Random(7)
SITES = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr1>\n"
    '##INFO=<ID=AC,Number=A,Type=Integer,Description="x">\n##INFO=<ID=AN,Number=1,Type=Integer,Description="x">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
)


def _lines(row: str, many: int) -> str:
    """Return lines made by a pattern with the fields n (the line), a (an age), f (a fraction), g (a normal value)."""
    return "".join(
        row.format(n=n, a=RANDOM.randint(20, 90), f=RANDOM.random(), g=RANDOM.gauss(0, 1), b=RANDOM.choice("01"))
        for n in range(many)
    )


GOOD = {
    "diagnoses.csv": "icd10,n\nE11651,120\nE11649,98\nI25110,77\nC50911,64\nJ44189,51\nK21900,45\n",
    "part-00000.csv": "region,n\nN,120\nS,330\n",
    "named_rows.csv": '"","n","mean"\n"1",120,5.2\n"2",330,4.9\n"3",210,5.6\n',
    "correlation.csv": ",age,bmi,sbp\nage,1,0.23,0.41\nbmi,0.23,1,0.35\nsbp,0.41,0.35,1\n",
    "by_year.csv": "measure,2010,2011,2012\nadmissions,420,391,406\ndeaths,44,61,52\n",
    "proteins.csv": "protein,P04637,P38398,P00533,P01116,P60484\nP04637,1,0.2,0.1,0.4,0.2\nP38398,0.2,1,0.3,0.2,0.1\nP00533,0.1,0.3,1,0.5,0.3\nP01116,0.4,0.2,0.5,1,0.1\nP60484,0.2,0.1,0.3,0.1,1\n",
    "steps.log": _lines("[{n}] step {n} took {a} s\n", 40),
    "engine.log": "[2026-11-27] Building DAG of jobs...\nProvided cores: 2\n23 of 23 steps (100%) done\nKeyError: 'age'\n",
    "missing.log": "FileNotFoundError: [Errno 2] No such file: 'results/chr21.vcf.gz'\n",
    "table1.md": "| Characteristic | Cases | Controls |\n|---|---:|---:|\n| N | 900 | 1200 |\n| Age, mean (SD) | 55.0 (9.0) | 53.6 (9.2) |\n| Female, n (%) | 430 (47.8) | 620 (51.7) |\n",
    "table1.tex": "\\begin{tabular}{lrr}\nsite & cases & controls\\\\ \\hline\nA & 43 & 120\\\\\nB & 44 & 210\\\\\n\\end{tabular}\n",
    "meta.tbl": "MarkerName Allele1 Allele2 Weight Zscore P-value Direction\n"
    + _lines("rs{n}77 a g 50210.00 {g:.3f} {f:.4f} ++-\n", 30),
    "score.tsv": "#a polygenic score\nrsID\tchr\tpos\teffect_allele\teffect_weight\n"
    + _lines("rs{n}\t1\t{n}00\tA\t{g:.4f}\n", 40),
    "targets.bed": _lines("chr1\t{n}000\t{n}900\tGENE{n}\t0\t+\n", 30),
    "depth.bedgraph": _lines("chr1\t{n}000\t{n}999\t{a}\n", 30),
    "genes.gff3": "##gff-version 3\n"
    + _lines("chr1\tENSEMBL\tgene\t{n}001\t{n}900\t.\t+\t.\tID=gene{n};Name=GENE{n}\n", 30),
    "freq.frq": " CHR SNP A1 A2 MAF NCHROBS\n" + _lines(" 1 rs{n} A G 0.31 10000\n", 30),
    "checksums.txt": _lines("d41d8cd98f00b204e9800998ecf8427e  part{n}.txt\n", 12),
    "qq.csv": "expected,observed\n" + "".join(f"{n / 20:.2f},{n / 19:.2f}\n" for n in range(100)),
    "methods.md": "We fitted a Cox model (HR 1.03, 95% CI 1.01 to 1.05) in 2,100 persons who were followed for 8 years.\n",
    "greek.md": "The effect of the β-blocker was 3 µg; ΔCt and χ2 are given below. ✔️\n",
}
STOPPED = {
    "floats.csv": ("region,cases\nN,3.0\nS,120.0\n", Code.SMALL_COUNT),
    "powers.csv": ("region,cases\nN,3e0\nS,1.2e2\n", Code.SMALL_COUNT),
    "signs.csv": ("region,cases\nN,+3\nS,+120\n", Code.SMALL_COUNT),
    "wide_digits.csv": ("region,cases\nN,\uff13\nS,120\n", Code.HIDDEN_CHARACTERS),
    "arabic_digits.csv": ("region,cases\nN,\u0663\nS,120\n", Code.HIDDEN_CHARACTERS),
    "paths.log": (
        "sorted /data/cohort/MRN00123456/reads.bam\nsorted /data/cohort/MRN00123457/reads.bam\n",
        Code.IDENTIFIER,
    ),
    "cpr.txt": ("CPR 010190-1234 was removed\n", Code.IDENTIFIER),
    "P00017.csv": ("region,n\nN,120\nS,330\n", Code.FILENAME_CHANNEL),
    "of_1961-03-12.csv": ("region,n\nN,120\nS,330\n", Code.FILENAME_CHANNEL),
    "segments.seg": (
        "ID\tchrom\tloc.start\tloc.end\tnum.mark\tseg.mean\n" + _lines("T{n}\t1\t{n}000\t{n}900\t{a}\t{g:.3f}\n", 30),
        Code.ROW_LEVEL,
    ),
    "sideways.csv": (
        "variable,"
        + ",".join(f"P{n:05d}" for n in range(20))
        + "\nage,"
        + ",".join(str(20 + n) for n in range(20))
        + "\nbmi,"
        + ",".join(str(30 + n) for n in range(20))
        + "\n",
        Code.ROW_LEVEL,
    ),
    "nameless.csv": (_lines("{a},{b},{g:.1f},1{a}\n", 120), Code.ROW_LEVEL),
    "cells.csv": (
        'label,n\n"ok\nP00001,1961-03-12,F,8035,E11.9\nP00002,1951-01-02,M,8035,I10\nP00003,1971-09-22,F,1010,I10\nP00004,1971-09-25,F,1010,I10\nP00005,1931-09-22,F,1010,I11\nP00006,1971-03-22,F,1010,I10",120\n',
        Code.ROW_LEVEL,
    ),
    "carriers.csv": ("rsid,found_in\nrs123,P00001;P00002\nrs124,P00007\n", Code.IDENTIFIER),
    "dump.sql": (
        "INSERT INTO x VALUES ('P00001','a','F');\nINSERT INTO x VALUES ('P00002','b','M');\nINSERT INTO x VALUES ('P00003','c','F');\n",
        Code.IDENTIFIER,
    ),
    "hashes.csv": ("k,n\n" + "".join(f"{RANDOM.getrandbits(64):016x},{20 + n}\n" for n in range(40)), Code.ROW_LEVEL),
    "relatives.tsv": ("ID1\tID2\tKinship\n" + _lines("S{n}\tT{n}\t{f:.4f}\n", 30), Code.ROW_LEVEL),
    "times.csv": (
        "time,status\n" + "".join(f"{RANDOM.randint(1, 900)},{n % 2}\n" for n in range(80)),
        Code.ROW_LEVEL,
    ),
    "labs.csv": (
        "glucose,hba1c,ldl\n"
        + "".join(
            f"{RANDOM.gauss(5, 1):.1f},{RANDOM.randint(20, 60)},{RANDOM.gauss(3, 0.5):.2f}\n" for _ in range(90)
        ),
        Code.ROW_LEVEL,
    ),
    "predicted.csv": ("y_true,y_pred\n" + _lines("{b},{f:.4f}\n", 60), Code.ROW_LEVEL),
    "staff.csv": (
        "name,result\n"
        + "".join(
            f"{RANDOM.choice(['Anna', 'Ben', 'Clara'])} {RANDOM.choice(['Meyer', 'Olsen'])},pos\n" for _ in range(20)
        ),
        Code.ROW_LEVEL,
    ),
    "phased.haps": (
        "".join(f"1 rs{n} {n}00 A G " + " ".join(RANDOM.choice("01") for _ in range(60)) + "\n" for n in range(30)),
        Code.GENOTYPES,
    ),
    "company.txt": (
        "# rsid\tchromosome\tposition\tgenotype\n"
        + "".join(f"rs{n}\t1\t{n}00\t{RANDOM.choice('ACGT')}{RANDOM.choice('ACGT')}\n" for n in range(60)),
        Code.GENOTYPES,
    ),
    "hla.tsv": ("who\tHLA-A\tHLA-B\n" + _lines("{n}\tA*{a}:01\tB*{a}:02\n", 30), Code.GENOTYPES),
    "rare.frq": (" CHR SNP A1 A2 MAF NCHROBS\n" + _lines(" 1 rs{n} A G 0.0001 10000\n", 20), Code.LOW_ALLELE_COUNT),
    "short.fa": (">P1\nACGTACGTACGT\n>P2\nACGTACGTACGA\n", None),
    "report.md": ("# Results\n\n| centre | deaths |\n|---|---|\n| A | 2 |\n| B | 14 |\n", Code.SMALL_COUNT),
    "report.tex": (
        "\\begin{tabular}{lrr}\nsite & cases & controls\\\\\nA & 3 & 120\\\\\nB & 44 & 210\\\\\n\\end{tabular}\n",
        Code.SMALL_COUNT,
    ),
    "parts.csv": ("region,cases/total\nN,3/120\nS,44/210\n", Code.SMALL_COUNT),
    "with_shares.csv": (
        'characteristic,all\n"Rare syndrome, n (%)",3 (0.3)\n"Female, n (%)",430 (47.8)\n',
        Code.SMALL_COUNT,
    ),
    "selectors.txt": ("Result" + "".join(chr(0xFE00 + n % 15) for n in range(40)) + "\n", Code.HIDDEN_CHARACTERS),
    "pile.txt": ("R" + "\u0301" * 40 + "esult\n", Code.HIDDEN_CHARACTERS),
    "looks_alike.txt": ("All r\u0435sults are aggregated.\n", Code.HIDDEN_CHARACTERS),
    "secret.txt": ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIaK7MDENGabPxRfiCYEXAMPLEKEY\n", Code.CREDENTIAL),
}
WARNED = {
    "sites.vcf": (SITES + "chr1\t1000\tP00017\tA\tG\t.\tPASS\tAC=200;AN=5000\n", Code.SAMPLE_IDS),
    "one_case.txt": ("A 43-year-old woman from Visby was excluded.\n", Code.IDENTIFIER),
    "notes.txt": ("Anna Meyer, 43 years, female: HbA1c 43\nBen Olsen, 51 years, male: HbA1c 40\nClara Novak, 47 years, female: HbA1c 39\nDavid Rossi, 38 years, male: HbA1c 41\nEva Dubois, 70 years, female: HbA1c 52\nIda Brown, 71 years, female: HbA1c 50\n", Code.IDENTIFIER),
    "points.csv": ("x,y\n" + _lines("{a},{g:.2f}\n", 150), Code.ROW_LEVEL),
    "villages.csv": ("village,hiv_positive,hiv_negative\nA,25,0\nB,30,112\nC,14,80\n", Code.CLASS_DISCLOSURE),
    "trace.log": ("Traceback (most recent call last):\nValueError: could not convert string to float: 'Anna Meyer 1961'\n", Code.QUOTED_VALUE),
    "words.txt": ("Only two patients had the variant, both women.\n", Code.SMALL_COUNT),
    "names.txt": ("Anna Meyer\nBen Olsen\nClara Novak\nDavid Rossi\nEva Dubois\n", Code.IDENTIFIER),
    "places.csv": ("lat,lon,n\n" + "".join(f"{55 + RANDOM.random():.5f},{12 + RANDOM.random():.5f},{20 + n}\n" for n in range(10)), Code.IDENTIFIER),
    "address.txt": ("see https://example.org/?d=UDAwMDE3LDE5NjEtMDMtMTIsRiw4MDM1LEUxMS45\n", Code.ENCODED_PAYLOAD),
    "digits.csv": ("k,size\n" + "".join(f"A{n},{RANDOM.randint(10**14, 10**15)}\n" for n in range(30)), Code.ENCODED_PAYLOAD),
    "blanks.txt": ("".join("step done" + " " * (n % 7) + "\n" for n in range(60)), Code.HIDDEN_CHARACTERS),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_tools_write_is_not_stopped(tmp_path: Path, name: str) -> None:
    """The worst that may be said of these is a warning."""
    found = judged(tmp_path, name, GOOD[name])
    assert Severity.BLOCK not in found.values(), found


@pytest.mark.parametrize("name", STOPPED)
def test_persons_in_disguise_are_stopped(tmp_path: Path, name: str) -> None:
    """Each is stopped, and by the check that knows why."""
    content, code = STOPPED[name]
    found = judged(tmp_path, name, content)
    assert Severity.BLOCK in found.values()
    assert code is None or found.get(code) == Severity.BLOCK, found


@pytest.mark.parametrize("name", WARNED)
def test_what_only_a_person_can_judge_is_shown_to_one(tmp_path: Path, name: str) -> None:
    """A steward is told of it."""
    content, code = WARNED[name]
    assert judged(tmp_path, name, content).get(code, Severity.PASS) >= Severity.WARN


def test_a_table_below_comments_hides_nothing(tmp_path: Path) -> None:
    """Comments and table are judged apart, packed or not."""
    small = "#made by a tool\nregion,cases\nN,3\nS,44\n"
    assert judged(tmp_path, "a.csv", small)[Code.SMALL_COUNT] is Severity.BLOCK
    packed = gzip.compress(b"# P00017 and P00018\nregion,cases\nN,30\nS,44\n")
    assert Code.IDENTIFIER in judged(tmp_path, "b.csv.gz", packed)


@pytest.mark.parametrize(
    ("flags", "said", "code"),
    [
        (8, b"counts.csv\0", None),
        (8, b"P00017_AnnaMeyer.csv\0", Code.FILENAME_CHANNEL),
        (8, b"x" * 5000 + b"\0", Code.FILENAME_CHANNEL),
        (16, b"P00017 was born in 1961\0", Code.HIDDEN_METADATA),
        (4, b"\x06\0XY\x02\0\x01\x02", Code.HIDDEN_METADATA),
    ],
)
def test_the_header_of_packed_bytes_carries_nothing(
    tmp_path: Path, flags: int, said: bytes, code: Code | None
) -> None:
    """RFC 1952 lets a gzip header hold a name, a comment and any extra field; tools drop them in silence."""
    body = gzip.compress(b"region,n\nN,120\nS,330\n")[10:]
    packed = b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\x02\xff" + said + body
    assert set(judged(tmp_path, "counts.csv.gz", packed)) == (set() if code is None else {code})

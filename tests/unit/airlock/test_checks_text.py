"""Logs and other text: clean ones pass and may leave; reads, persons and encoded data are found."""

import base64
import hashlib
import zlib
from pathlib import Path

import pytest
from samples import HEADER, PERSONS, POLICY, ROWS, codes, look

from airlock.checks.findings import Code, Severity
from airlock.checks.formats.text import MAX_BYTES
from airlock.checks.jail import inspect, repack
from airlock.checks.promise import Promise, Promised, parse_promise

DIGEST = hashlib.sha256(b"x").hexdigest()
PACKED = base64.b64encode(zlib.compress(ROWS.encode())).decode()
FRAME = "".join(f"{one[0]:>10} {one[1]:>12} {one[2]:>4} {one[4]:>8}\n" for one in PERSONS[:6])
SNAKEMAKE = (
    "Building DAG of jobs...\nUsing shell: /usr/bin/bash\nProvided cores: 2\nJob stats:\njob      count\n"
    "-----  -------\nall            1\nmap            3\ntotal          4\n\n[Mon Nov 23 10:00:00 2026]\n"
    "rule map:\n    input: reads.fq\n    output: out/a.bam\n    jobid: 1\nFinished job 1.\n4 of 4 steps (100%) done\n"
)


@pytest.mark.parametrize(
    "text",
    [
        SNAKEMAKE,
        f"pulled image sha256:{DIGEST}\nexit 0\n",
        "".join(f"2026-01-01 10:0{n}:00 INFO step {n} done in {n * 7} s\n" for n in range(9)),
        "gene\nBRCA1\nBRCA2\nTP53\nPTEN\nATM\n",
        "rs1799950\nrs4986850\nrs2227945\nrs16942\nrs1799966\nrs766173\n",
        "Version 1.16 of bcftools (see PMID 33590861 and PMID 22743226).\n",
        "step loss\n" + "".join(f"{row * 7000} {row * 9000} {row * 5000} {row * 11000}\n" for row in range(2, 9)),
        "a,b,c,d,e,f,g,h\n" + "".join(",".join([str(70_000 * row)] * 8) + "\n" for row in range(2, 9)),
        "AUC 0.81 (95% CI 0.79 to 0.83), n = 4210\n",
    ],
)
def test_clean_text_passes(tmp_path: Path, text: str) -> None:
    answer = look(tmp_path, text, "a.log")
    assert (answer.verdict, codes(answer)) == (Severity.PASS, set())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"INFO start\n  patient_id   birth_date  sex    icd10\n{FRAME}done\n", "row-level"),
        (f"start\n{ROWS}", "row-level"),
        ("x <- data.frame(id=c('P100001','P100002','P100003','P100004','P100005'))\n", "row-level"),
        (
            "d = [" + ",\n".join(str(dict(zip(HEADER.split(","), one, strict=True))) for one in PERSONS[:8]) + "]\n",
            "row-level",
        ),
        ("rows = [\n" + "".join(f"    {one!r},\n" for one in PERSONS[:8]) + "]\n", "row-level"),
        ("the carriers are S-00012, S-00018 and S-00077\n", "identifier"),
        (f"INFO\n{PACKED}\n", "encoded-payload"),
        ("\n".join(PACKED[at : at + 60] for at in range(0, 600, 60)), "encoded-payload"),
        ("\n".join(ROWS.encode().hex()[at : at + 64] for at in range(0, 800, 64)), "encoded-payload"),
        (base64.b32encode(zlib.compress(ROWS.encode())).decode() + "\n", "encoded-payload"),
        ("00000000: 7061 7469 656e 745f 6964 2c62 6972 7468  patient_id,birth\n" * 5, "encoded-payload"),
        (base64.b85encode(zlib.compress(ROWS.encode())).decode() + "\n", "encoded-payload"),
        ("begin 644 rows.csv\nM<&%T:65N=%]I9\n", "encoded-payload"),
        ("ok\n\x1b[2J\x1b[8mhidden\n", "control-characters"),
        ("ok\ncaf\u200b\u200d\u200b\n", "hidden-characters"),
        ("low quality " + "ACGTTGCA" * 8 + "\n", "reads"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n", "encoded-payload"),
        ("P100001\nP100002\nP100003\nP100004\nP100005\nP100006\nP100007\n", "row-level"),
    ],
)
def test_what_a_text_may_not_hold_is_found(tmp_path: Path, text: str, code: str) -> None:
    answer = look(tmp_path, text, "a.log")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


LOG = Promise(Promised.LOG, max_rows=200)
TEMPLATES = Promise(
    Promised.LOG, max_rows=200, lines=(r"rule [a-z]{1,20}:", r"\d{1,4} of \d{1,4} steps \(\d{1,3}%\) done")
)


def released(folder: Path, text: str, promise: Promise) -> tuple[bytes | None, set[Code]]:
    (folder / "subject").write_text(text, encoding="utf-8")
    clean, answer = repack(folder / "subject", "logs/a.log", promise, POLICY)
    return clean, {finding.code for finding in answer.findings}


def test_t13_a_log_leaves_as_plain_lines_within_ten_kilobytes(tmp_path: Path) -> None:
    clean, _ = released(tmp_path, SNAKEMAKE, LOG)
    assert clean == SNAKEMAKE.encode()
    (tmp_path / "clean").write_bytes(clean)
    answer = inspect(tmp_path / "clean", LOG, POLICY, name="logs/a.log", must_be_clean=True)
    assert (answer.verdict, codes(answer)) == (Severity.PASS, set())
    clean, _ = released(
        tmp_path, "".join(f"line {n}\t \r\n" for n in range(5000)), Promise(Promised.LOG, max_rows=5000)
    )
    assert clean is not None
    assert len(clean) <= MAX_BYTES
    assert clean.endswith(b"line 4999\n")


def test_t13_with_templates_other_lines_stay_inside(tmp_path: Path) -> None:
    clean, _ = released(tmp_path, SNAKEMAKE + "patient P100007 failed\n", TEMPLATES)
    assert clean == b"rule map:\n4 of 4 steps (100%) done\n"
    assert parse_promise(TEMPLATES.as_json()) == TEMPLATES
    assert parse_promise(LOG.as_json()) == LOG


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a\x1b[2J\n", Code.CONTROL_CHARACTERS),
        ("caf\u00e9\n", Code.ENCODING),
        ("x" * 500 + "\n", Code.CONTRACT_VALUE),
    ],
)
def test_t13_a_log_of_more_than_printable_ascii_gets_no_copy(tmp_path: Path, text: str, code: Code) -> None:
    assert released(tmp_path, text, LOG) == (None, {code})


def test_a_promised_log_with_persons_in_it_is_blocked(tmp_path: Path) -> None:
    clean, _ = released(tmp_path, f"start\n{ROWS}", LOG)
    assert clean is not None
    (tmp_path / "clean").write_bytes(clean)
    answer = inspect(tmp_path / "clean", LOG, POLICY, name="logs/a.log", must_be_clean=True)
    assert answer.verdict is Severity.BLOCK
    assert "row-level" in codes(answer)

"""A workflow that writes what it likes gets nothing out but what its contract promised (T13, T27)."""

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

import airlock.checks
from airlock.contract import parse_contract
from airlock.policy import FLOOR

CANARY = "MRSJANEDOE"
CODE = (
    "import sys, pathlib; sys.path.insert(0, sys.argv[1]); "
    "from checks.jail import main; main(pathlib.Path(sys.argv[2]))"
)
CONTRACT = parse_contract(
    [
        {
            "match": "results/counts.tsv",
            "format": "tsv",
            "release": "airlock",
            "rule": "count",
            "keys": {"band": ["18-39", "40-59"]},
            "counts": ["n"],
            "numbers": {"rate": 2},
            "max_rows": 10,
        },
        {"match": "results/*.vcf.gz", "format": "vcf", "release": "airlock", "rule": "sites", "max_sites": 100},
        {
            "match": "results/plot.png",
            "format": "png",
            "release": "airlock",
            "rule": "plot",
            "needs": ["results/counts.tsv"],
        },
    ]
)
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def in_jail(work: Path, kind: str, name: str, content: bytes) -> tuple[bytes | None, dict[str, Any], bytes]:
    """Run the jail's program on its own, as the sandbox does; return clean copy, answer, the answer's bytes."""
    work.mkdir(exist_ok=True)
    rule = CONTRACT.rule_for(name)
    assert rule is not None
    (work / "clean").unlink(missing_ok=True)
    (work / "subject").write_bytes(content)
    request = {
        "kind": kind,
        "file": str(work / "subject"),
        "name": name,
        "rule": rule.as_request(),
        "policy": FLOOR.as_json(),
        "supporting": {},
    }
    (work / "request.json").write_text(json.dumps(request), encoding="utf-8")
    folder = work.parent / "program"
    if not folder.exists():
        folder.mkdir()
        (folder / "checks").symlink_to(Path(airlock.checks.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", CODE, str(folder), str(work)], capture_output=True, timeout=60, check=True
    )
    assert done.stdout + done.stderr == b""
    raw = (work / "answer.json").read_bytes()
    clean = (work / "clean").read_bytes() if (work / "clean").exists() else None
    return clean, json.loads(raw), raw


def vcf(records: str, *, columns: str = COLUMNS, meta: str = "") -> bytes:
    return gzip.compress(("##fileformat=VCFv4.3\n" + meta + columns + records).encode())


def test_t13_a_vcf_stuffed_with_words_comes_out_as_counts_alone(tmp_path: Path) -> None:
    meta = f"##SAMPLE=<ID={CANARY}>\n##cmd={CANARY}\n##contig=<ID=1,length=7,x={CANARY}>\n"
    record = f"1\t5\t{CANARY}\tA\tG\t{CANARY}\t{CANARY}\tAC=20;AN=44;AF=0.123;WHO={CANARY}\n"
    clean, answer, raw = in_jail(tmp_path / "w", "repack", "results/sites.vcf.gz", vcf(record, meta=meta))
    assert clean is not None
    assert CANARY.encode() not in gzip.decompress(clean) + raw
    assert gzip.decompress(clean).splitlines()[-1] == b"1\t5\t.\tA\tG\t.\tFAIL\tAC=20;AN=44;AF=0.454545"
    assert answer["verdict"] == "pass"
    _, answer, _ = in_jail(tmp_path / "w", "check", "results/sites.vcf.gz", clean)
    assert (answer["verdict"], answer["findings"]) == ("pass", [])


def test_t13_genotypes_under_a_sites_only_promise_give_no_copy(tmp_path: Path) -> None:
    content = vcf("1\t5\t.\tA\tG\t.\tPASS\tAC=20;AN=44\tGT\t0/1\n", columns=COLUMNS[:-1] + f"\tFORMAT\t{CANARY}\n")
    clean, answer, raw = in_jail(tmp_path / "w", "repack", "results/sites.vcf.gz", content)
    assert (clean, answer["verdict"]) == (None, "block")
    assert CANARY.encode() not in raw


@pytest.mark.parametrize(
    "content",
    [
        f"band\tn\trate\n{CANARY}\t50\t0.1\n",
        f"band\tn\trate\n18-39\t{CANARY}\t0.1\n",
        f"band\tn\trate\n18-39\t50\t{CANARY}\n",
        f"band\tn\trate\t{CANARY}\n18-39\t50\t0.1\t1\n",
        f"band\tn\trate\n18-39\t50\t0.1\t{CANARY}\n",
        f"# {CANARY}\nband\tn\trate\n18-39\t50\t0.1\n",
    ],
)
def test_t13_a_table_with_a_word_too_many_gives_no_copy(tmp_path: Path, content: str) -> None:
    clean, answer, raw = in_jail(tmp_path / "w", "repack", "results/counts.tsv", content.encode())
    assert (clean, answer["verdict"]) == (None, "block")
    assert CANARY.encode() not in raw


def test_t13_order_of_rows_spare_digits_and_spelling_carry_nothing(tmp_path: Path) -> None:
    one = b"band\tn\trate\n18-39\t50\t0.1000001\n40-59\t60\t.2\n"
    two = b"rate\tband\tn\r\n2E-1\t40-59\t60\r\n0.09999\t18-39\t50\r\n\r\n"
    copies = {in_jail(tmp_path / "w", "repack", "results/counts.tsv", content)[0] for content in (one, two)}
    assert copies == {b"band\tn\trate\n18-39\t50\t0.10\n40-59\t60\t0.20\n"}


def test_t13_a_picture_carries_no_word_and_no_hidden_bit(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", CANARY)
    copies = set()
    for payload in (0, 1):
        image = Image.new("RGB", (64, 64), (250, 250, 250))
        for at in range(64 * payload):
            image.putpixel((at, 9), (250 - CANARY.encode()[at % 10] % 2, 250, 251))
        out = io.BytesIO()
        image.save(out, "PNG", pnginfo=info)
        content = out.getvalue() + CANARY.encode()
        copies.add(in_jail(tmp_path / "w", "repack", "results/plot.png", content)[0])
    assert len(copies) == 1
    assert CANARY.encode() not in (copies.pop() or b"")


def test_t13_bytes_that_we_did_not_write_are_never_judged_fit(tmp_path: Path) -> None:
    clean, _, _ = in_jail(tmp_path / "w", "repack", "results/counts.tsv", b"band\tn\trate\n18-39\t50\t0.1\n")
    assert clean is not None
    assert in_jail(tmp_path / "w", "check", "results/counts.tsv", clean)[1]["verdict"] == "pass"
    for other in (clean.replace(b"\n", b"\r\n"), clean + b"\n", clean.replace(b"0.10", b"0.1"), b"\n" + clean):
        assert in_jail(tmp_path / "w", "check", "results/counts.tsv", other)[1]["verdict"] == "block"


def test_t13_a_count_below_the_threshold_is_blocked_after_all_washing(tmp_path: Path) -> None:
    clean, _, _ = in_jail(tmp_path / "w", "repack", "results/counts.tsv", b"band\tn\trate\n18-39\t4\t0.1\n")
    assert in_jail(tmp_path / "w", "check", "results/counts.tsv", clean or b"")[1]["verdict"] == "block"
    clean, _, _ = in_jail(
        tmp_path / "w", "repack", "results/sites.vcf.gz", vcf("1\t5\t.\tA\tG\t.\tPASS\tAC=4;AN=44\n")
    )
    assert in_jail(tmp_path / "w", "check", "results/sites.vcf.gz", clean or b"")[1]["verdict"] == "block"

"""A second parser reads every clean copy again: it agrees with the first on ours, on nothing that differs (T27)."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from samples import POLICY, codes

from airlock.checks.findings import Severity
from airlock.checks.formats import opening, second
from airlock.checks.jail import inspect, repack
from airlock.checks.promise import Column, Kind, Promise, Promised

TABLE = (Column("band", Kind.KEY, values=("a,b", "c d", "(e)")), Column("n", Kind.COUNT))
VCF = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
VCF += "chr1\t5\trs7\tA\tG,C\t.\tPASS\tAC=11,12;AN=44\n"


def chart() -> bytes:
    image = Image.new("RGB", (61, 40), "white")
    ImageDraw.Draw(image).rectangle((5, 5, 20, 30), fill="navy")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


OURS = [
    ("a.tsv", b"band\tn\na,b\t50\nc d\tNA\n", Promise(Promised.TSV, columns=TABLE, max_rows=9)),
    ("a.csv.gz", b'band,n\n"a,b",50\n(e),70\n', Promise(Promised.CSV, columns=TABLE, max_rows=9)),
    ("a.vcf.gz", VCF.encode(), Promise(Promised.VCF, max_sites=9)),
    ("a.png", chart(), Promise(Promised.PNG)),
    ("a.json", b'{"n": 50, "band": "a,b"}', Promise(Promised.JSON, columns=TABLE)),
    ("a.json", b'{"n": null, "band": "(e)"}', Promise(Promised.JSON, columns=TABLE)),
    ("a.log", b"rule map:\n\n  done\n", Promise(Promised.LOG, max_rows=9)),
]


@pytest.mark.parametrize(("name", "content", "promise"), OURS)
def test_t27_two_parsers_agree_on_our_copies(tmp_path: Path, name: str, content: bytes, promise: Promise) -> None:
    (tmp_path / "subject").write_bytes(content)
    clean, answer = repack(tmp_path / "subject", name, promise, POLICY)
    assert clean is not None, answer.findings
    (tmp_path / "clean").write_bytes(clean)
    checked = inspect(tmp_path / "clean", promise, POLICY, name=name, must_be_clean=True)
    assert codes(checked) <= {"contract-numbers-missing"}


@pytest.mark.parametrize(("name", "content", "promise"), OURS)
def test_t27_what_differs_in_a_byte_is_seen(tmp_path: Path, name: str, content: bytes, promise: Promise) -> None:
    (tmp_path / "subject").write_bytes(content)
    clean, _ = repack(tmp_path / "subject", name, promise, POLICY)
    assert clean is not None
    (tmp_path / "clean").write_bytes(clean)
    opened = opening.open_subject(tmp_path / "clean", name, policy=POLICY, promise=promise)
    plain, model = opened.plain, opened.subject.model
    assert second.agrees(plain, model, promise.format)
    for other in (plain[:-1], plain + b"x\n", plain.replace(b"50", b"51").replace(b"44", b"45") + b" ", b""):
        assert not second.agrees(other, model, promise.format)
    for wrong in Promised:
        same = {promise.format, Promised.LOG}
        assert wrong in same or not second.agrees(plain, model, wrong)


def test_t27_a_copy_that_parsers_read_differently_is_blocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clean").write_bytes(b"band\tn\na,b\t50\n")
    monkeypatch.setattr(second, "agrees", lambda *_: False)
    promise = Promise(Promised.TSV, columns=TABLE, max_rows=9)
    answer = inspect(tmp_path / "clean", promise, POLICY, name="a.tsv", must_be_clean=True)
    assert (answer.verdict, codes(answer)) == (Severity.BLOCK, {"parsers-disagree"})


CELL = st.text(st.characters(codec="ascii", exclude_characters="\r\0"), max_size=6)


@given(st.lists(st.tuples(CELL, CELL), min_size=1))
def test_the_second_reader_of_tables_reads_what_the_csv_module_writes(rows: list[tuple[str, str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    assert list(second._rows(out.getvalue(), ",")) == rows

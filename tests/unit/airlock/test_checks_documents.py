"""PDF, HTML, SVG, Office texts and models: words are judged, hidden and working parts are named."""

import base64
import json
import pickle
import struct
import time
from pathlib import Path

import pytest
from samples import COUNTS, ROWS, codes, look, opendocument, pdf, sheet, word, workbook

from airlock.checks.findings import Severity

FINE = "BT /F1 12 Tf 40 200 Td (All cases 4210) Tj ET"
PERSON = "BT /F1 12 Tf 40 200 Td (mail bob@example.org) Tj ET"
CAT = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'
PAGE = "<!DOCTYPE html><html><head><title>Report</title></head><body><h1>All</h1>{}</body></html>"
TABLE = (
    "<table><tr><th>age_band</th><th>cases</th></tr><tr><td>18-39</td><td>120</td></tr>"
    "<tr><td>40+</td><td>{}</td></tr></table>"
)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (pdf(FINE), "a.pdf"),
        (pdf(FINE, pages=20), "a.pdf"),
        (pdf(FINE, catalog="/OpenAction [ 0 /Fit ]"), "a.pdf"),
        (PAGE.format("<p>n = 4210</p>" + TABLE.format(330)), "a.html"),
        (PAGE.format('<a href="https://example.org">source</a>'), "a.html"),
        (CAT.format('<rect width="5" height="5"/><text x="1" y="2">n = 4210</text>'), "a.svg"),
        (
            '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd">'
            + CAT.format("<g/>" + '<use xlink:href="#a" x="3"/>' * 200),
            "a.svg",
        ),
        (word("<w:p><w:r><w:t>All cases 4210</w:t></w:r></w:p>"), "a.docx"),
        (opendocument("<office:text><text:p>All</text:p></office:text>", kind="text"), "a.odt"),
        ("fit <- glm(case ~ age + sex, data = d)\nprint(c(0.1, 0.2, 0.3, 0.4, 0.5))\n", "a.R"),
        ("import pandas as pd\n\nAGES = [18, 40, 60, 80]\nd = pd.read_csv(path)\n", "a.py"),
    ],
)
def test_plain_documents_are_not_held_back(tmp_path: Path, content: str | bytes, name: str) -> None:
    answer = look(tmp_path, content, name)
    assert answer.verdict < Severity.BLOCK, codes(answer)
    assert answer.complete


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (pdf(PERSON), "identifier"),
        (pdf("1 1 1 rg " + FINE), "hidden-text"),
        (pdf("1 g " + PERSON), "identifier"),
        (pdf("0 0 0 0 k " + FINE), "hidden-text"),
        (pdf(FINE.replace("12 Tf", "1 Tf")), "hidden-text"),
        (pdf("3 Tr " + FINE), "hidden-text"),
        (pdf(FINE.replace("40 200 Td", "900 200 Td")), "hidden-text"),
        (pdf(FINE, catalog="/OpenAction << /S /JavaScript /JS (app.alert(1)) >>"), "active-content"),
        (pdf(FINE, page="/AA << /O << /S /URI /URI (http://x) >> >>"), "active-content"),
        (pdf(FINE, page="/Annots [ << /Type /Annot /Subtype /Text /Contents (bob@example.org) >> ]"), "identifier"),
        (pdf(FINE, page="/Annots [ << /Type /Annot /Subtype /Text /Contents (hm) >> ]"), "hidden-text"),
        (
            pdf(
                FINE,
                catalog="/Names << /EmbeddedFiles << /Names [ (a) << /Type /Filespec /EF << /F 5 0 R >> >> ] >> >>",
                objects=(f"<< /Type /EmbeddedFile /Length {len(ROWS)} >>\nstream\n{ROWS}\nendstream",),
            ),
            "row-level",
        ),
        (pdf(FINE) + b"PK\x03\x04rows", "trailing-bytes"),
        (b"#!/bin/sh\n" + pdf(FINE), "polyglot"),
        (pdf(FINE) + pdf(FINE)[9:], "hidden-text"),
        (pdf(FINE)[: len(pdf(FINE)) // 2] + b"%%EOF", "broken-file"),
        (
            pdf(FINE).replace(
                b"/Root 1 0 R", b"/Root 1 0 R /Encrypt << /Filter /Standard /V 1 /R 2 /O (x) /U (x) /P 0 >>"
            ),
            "*",
        ),
    ],
)
def test_what_a_pdf_hides_or_runs_is_named(tmp_path: Path, content: bytes, code: str) -> None:
    answer = look(tmp_path, content, "a.pdf")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer) or code == "*"


def test_t27_no_log_quotes_a_broken_document(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = pdf(FINE)
    for broken in (whole[: len(whole) // 2], whole[:-8], whole.replace(b"trailer", b"trailer << alice")):
        assert codes(look(tmp_path, broken, "a.pdf"))
    assert caplog.records == []


def test_five_thousand_pages_are_too_many_and_soon_so(tmp_path: Path) -> None:
    started = time.monotonic()
    answer = look(tmp_path, pdf(FINE, pages=5000), "a.pdf")
    assert (answer.verdict, answer.complete) == (Severity.BLOCK, False)
    assert codes(answer) == {"too-many-members"}
    assert time.monotonic() - started < 20


def data_uri(content: str) -> str:
    return "data:text/csv;base64," + base64.b64encode(content.encode()).decode()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (PAGE.format("<script>go()</script>"), "active-content"),
        (PAGE.format('<img src="x.png" onerror="go()">'), "active-content"),
        (PAGE.format('<iframe src="//example.org"></iframe>'), "active-content"),
        (PAGE.format('<img src="https://example.org/?d=1">'), "active-content"),
        (PAGE.format("<style>@import 'https://example.org/x.css'</style>"), "active-content"),
        (PAGE.format('<a href="javascript:go()">x</a>'), "active-content"),
        (PAGE.format("<!-- bob@example.org -->"), "identifier"),
        (PAGE.format('<p style="display:none">x</p>'), "hidden-text"),
        (PAGE.format("<p hidden>bob@example.org</p>"), "identifier"),
        (PAGE.format(TABLE.format(3)), "small-count"),
        (PAGE.format(f"<script>var csv = `{ROWS}`</script>"), "row-level"),
        (PAGE.format(f'<a href="{data_uri(ROWS)}">rows</a>'), "row-level"),
        (PAGE.format('<p title="bob@example.org">x</p>'), "identifier"),
        (PAGE.format('<div data-x="bob@example.org"></div>'), "identifier"),
        (CAT.format("<script>go()</script>"), "active-content"),
        (CAT.format('<rect onclick="go()"/>'), "active-content"),
        (CAT.format('<image xlink:href="https://example.org/x.png"/>'), "active-content"),
        (CAT.format("<foreignObject><p/></foreignObject>"), "active-content"),
        (CAT.format('<circle cx="1" cy="2" r="1"/>' * 300), "row-level"),
        (CAT.format('<use xlink:href="#m" x="1" y="2"/>' * 300), "row-level"),
        (CAT.format("<g><title>bob@example.org</title></g>"), "identifier"),
        (CAT.format('<text fill="white">x</text>'), "hidden-text"),
        (CAT.format(f'<image xlink:href="{data_uri(ROWS)}"/>'), "row-level"),
        (
            '<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + CAT.format("<text>&b;</text>"),
            "active-content",
        ),
        (CAT.format("<g>"), "broken-file"),
        ("<?xml version='1.0'?><data><row/></data>", "unreviewable-type"),
        (word("<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>x</w:t></w:r></w:p>"), "hidden-text"),
        (
            word('<w:p><w:r><w:rPr><w:color w:val="FFFFFF"/></w:rPr><w:t>bob@example.org</w:t></w:r></w:p>'),
            "identifier",
        ),
        (word("<w:p><w:del><w:r><w:delText>bob@example.org</w:delText></w:r></w:del></w:p>"), "identifier"),
        (word("<w:p/>", {"word/comments.xml": "<c><t>bob@example.org</t></c>"}), "identifier"),
        (word("<w:p/>", {"word/embeddings/Book1.xlsx": workbook(sheet(ROWS))}), "row-level"),
        (word("<w:p/>", {"word/vbaProject.bin": b"x"}), "active-content"),
        (word("<w:p><w:instrText>DDEAUTO c:\\x</w:instrText></w:p>"), "active-content"),
        (
            word(
                "<w:tbl>"
                + "".join(
                    "<w:tr>"
                    + "".join(f"<w:tc><w:p><w:t>{cell}</w:t></w:p></w:tc>" for cell in line.split(","))
                    + "</w:tr>"
                    for line in ROWS.splitlines()
                )
                + "</w:tbl>"
            ),
            "row-level",
        ),
    ],
)
def test_what_a_document_hides_or_runs_is_named(tmp_path: Path, content: str | bytes, code: str) -> None:
    answer = look(tmp_path, content, "a.out")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


def tensors(header: dict[str, object], body: bytes = bytes(8)) -> bytes:
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + body


W = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


@pytest.mark.parametrize(
    ("content", "verdict", "code"),
    [
        (tensors(W), Severity.WARN, "model-needs-attack-report"),
        (tensors({**W, "__metadata__": {"format": "pt"}}), Severity.WARN, "model-needs-attack-report"),
        (tensors({**W, "__metadata__": {"note": "x"}}), Severity.BLOCK, "hidden-metadata"),
        (tensors({**W, "__metadata__": {"rows": ROWS}}), Severity.BLOCK, "row-level"),
        (tensors({"bob@example.org": W["w"]}), Severity.BLOCK, "identifier"),
        (tensors(W, bytes(8) + b"rows"), Severity.BLOCK, "trailing-bytes"),
        (tensors(W, bytes(4)), Severity.BLOCK, "broken-file"),
        (tensors({"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}), Severity.BLOCK, "broken-file"),
        (pickle.dumps({"a": 1}, protocol=0), Severity.BLOCK, "unsafe-serialisation"),
        (pickle.dumps([1, 2], protocol=1), Severity.BLOCK, "unsafe-serialisation"),
        (pickle.dumps({"a": 1}, protocol=5), Severity.BLOCK, "unsafe-serialisation"),
        (b"cposix\nsystem\n(S'x'\ntR.", Severity.BLOCK, "unsafe-serialisation"),
        (b"X\n\0\0\0\3" + bytes(40), Severity.BLOCK, "unsafe-serialisation"),
        (bytes(128) + b"DICM" + bytes(40), Severity.BLOCK, "row-level"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), Severity.BLOCK, "unreviewable-type"),
        (b"\x93NUMPY\x01\0" + bytes(40), Severity.BLOCK, "unreviewable-type"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), Severity.BLOCK, "unreviewable-type"),
    ],
)
def test_models_and_binaries_get_their_own_words(
    tmp_path: Path, content: bytes, verdict: Severity, code: str
) -> None:
    answer = look(tmp_path, content, "a.bin")
    assert answer.verdict is verdict
    assert code in codes(answer)


def test_prose_that_ends_like_a_pickle_is_prose(tmp_path: Path) -> None:
    for text in ("In all, 4210 cases.", "(no rows.)", "N = 4210.", "VCF was read.", COUNTS + "."):
        assert "unsafe-serialisation" not in codes(look(tmp_path, text, "a.txt"))

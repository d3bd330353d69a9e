"""JSON, notebooks, HTML, SVG, VCF and text under other names: what a reader skipped is read, or stops the file."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from samples import ROWS, codes, look, pdf

from airlock.checks.findings import Severity

LINES = ROWS.splitlines()
SECRET = ROWS.encode()
BITS = "".join(" " if byte >> at & 1 else "\t" for byte in SECRET for at in range(8))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (json.dumps({line: {} for line in LINES}), "row-level"),
        (json.dumps({line: [1] for line in LINES}), "row-level"),
        (json.dumps([{"x" * 200 + ROWS: 1}, {"x" * 200 + ROWS: 2}]), "row-level"),
        (json.dumps({"cohorts": {line: {"n": 40} for line in LINES}}), "row-level"),
        ('{"effect": 0.' + "".join(f"{byte:03d}" for byte in SECRET) + "}", "encoded-payload"),
        ('{"n":' + BITS + "40}", "hidden-characters"),
        ('{"n":\n' + BITS + '40, "m": 50}', "hidden-characters"),
        ('{"a": ' + ",".join(f'"{n}":{" " * (n % 11)}{n}' for n in range(50, 90))[5:] + "}", "hidden-characters"),
    ],
)
def test_json_hides_nothing_in_keys_digits_and_blanks(tmp_path: Path, content: str, code: str) -> None:
    answer = look(tmp_path, content, "a.json")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


CRATE = {
    "@context": "https://w3id.org/ro/crate/1.1/context",
    "@graph": [
        {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"}},
        {"@id": "./", "@type": "Dataset", "name": "Results", "hasPart": [{"@id": "a.csv"}, {"@id": "b.png"}]},
        {"@id": "a.csv", "@type": "File", "encodingFormat": "text/csv"},
    ],
}
SUMMARY = {
    "model": {"auc": 0.8123456789012345, "n": 4210},
    "tiny": 1.2345678901234567e-300,
    "bands": ["18-39", "40+"],
}


@pytest.mark.parametrize(
    "content", [json.dumps(CRATE, indent=2), json.dumps(SUMMARY), json.dumps(SUMMARY, indent="\t")]
)
def test_json_of_crates_and_models_passes(tmp_path: Path, content: str) -> None:
    assert codes(look(tmp_path, content, "a.json")) == set()


def notebook(change: Callable[[dict[str, Any]], object]) -> str:
    cell = {"cell_type": "code", "execution_count": 1, "id": "a1b2", "metadata": {}, "source": ["1+1"], "outputs": []}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made: dict[str, Any] = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": [cell]}
    change(made)
    return json.dumps(made)


def output(**facts: object) -> Callable[[dict[str, Any]], object]:
    return lambda made: made["cells"][0].update(outputs=[{"output_type": "display_data", **facts}])


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made["cells"][0].update(rows=ROWS),
        lambda made: made["metadata"].update(kernelspec={"rows": ROWS}),
        lambda made: made["metadata"].update(language_info={"name": ROWS}),
        lambda made: made["cells"][0].update(source=[{"rows": ROWS}]),
        lambda made: made["cells"][0].update(source={"rows": ROWS}),
        lambda made: made["cells"][0].update(outputs={"rows": ROWS}),
        lambda made: made["cells"][0].update(cell_type=ROWS),
        lambda made: made["cells"][0].update(attachments=ROWS),
        output(metadata={"rows": ROWS}),
        output(data={"text/plain": {"rows": ROWS}}),
        output(data=ROWS),
        output(text={"rows": ROWS}),
        output(name=ROWS),
    ],
)
def test_every_part_of_a_notebook_is_read(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    answer = look(tmp_path, notebook(change), "a.ipynb")
    assert answer.verdict is Severity.BLOCK
    assert "row-level" in codes(answer)


def test_a_plain_notebook_passes(tmp_path: Path) -> None:
    assert codes(look(tmp_path, notebook(output(data={"text/plain": ["2"]}, metadata={})), "a.ipynb")) == set()


PAGE = "<!DOCTYPE html><html lang='en'><head><title>Report</title></head><body><h1>All</h1>{}</body></html>"
PACKED = "data:text/csv;base64," + base64.b64encode(SECRET).decode()
SMALL = "<table><th>age_band<th>cases<tr><td>18-39<td>3<tr><td>40+<td>90</table>"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (PAGE.format(f"<p foo='{ROWS}'>x</p>"), "row-level"),
        (PAGE.format(f"<p class='{ROWS}'>x</p>"), "row-level"),
        (PAGE.format(f"<p id='{LINES[3]} {LINES[4]}'>x</p>"), "identifier"),
        (PAGE.format(f"<p style='--x: \"{ROWS}\"'>x</p>"), "row-level"),
        (PAGE.format(f"<img srcset='x.png 1x, {PACKED} 2x'>"), "encoded-payload"),
        (PAGE.format("<a href='https://example.org/?P100001,F,1961,P100002,M,P100003'>x</a>"), "identifier"),
        (PAGE.format(SMALL), "small-count"),
        ("Report of today\n" + SMALL.replace("<th>a", "<tr><th>a"), "small-count"),
        (PAGE.format("<script>go()</script>").encode("utf-16"), "active-content"),
        (b"\xef\xbb\xbf" + PAGE.format("<script>go()</script>").encode(), "active-content"),
    ],
)
def test_every_part_of_a_page_is_read(tmp_path: Path, content: str | bytes, code: str) -> None:
    answer = look(tmp_path, content, "a.html")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


@pytest.mark.parametrize(
    ("mark", "verdict"),
    [
        ("<circle cx='{0}.5' cy='{0}.25' r='2'/>", Severity.BLOCK),
        ("<use xlink:href='#m' x='{0}.5' y='{0}.25'/>", Severity.BLOCK),
        ("<i style='position:absolute;left:{0}px;top:{0}px'></i>", Severity.WARN),
        ("<i style='color:red'></i>", Severity.PASS),
    ],
)
def test_points_that_a_page_draws_itself_are_counted(tmp_path: Path, mark: str, verdict: Severity) -> None:
    drawn = "".join(mark.format(n) for n in range(300))
    assert look(tmp_path, PAGE.format(f"<p>n = 4210</p><svg>{drawn}</svg>"), "a.html").verdict is verdict


def test_a_page_with_layout_and_links_passes(tmp_path: Path) -> None:
    body = (
        "<p class='n big' id='top' style='margin:0 auto'>n = 4210 <a href='https://example.org/paper'>paper</a></p>"
    )
    assert codes(look(tmp_path, PAGE.format(body), "a.html")) == set()


CAT = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'
SPOT = "<path d='M {0} 20 C {0} 22 {1} 22 {1} 20 C {1} 18 {0} 18 {0} 20 Z'/>"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (CAT.format(f"<g foo='{ROWS}'/>"), "identifier"),
        (CAT.format(f"<path d='{ROWS}'/>"), "identifier"),
        (CAT.format(f"<rect style='--x:{ROWS}'/>"), "identifier"),
        (
            '<?xml version="1.0"?><?xml-stylesheet href="https://example.org/x.css"?>' + CAT.format(""),
            "active-content",
        ),
        (CAT.format("<rect stroke='url(https://example.org/x)'/>"), "active-content"),
        (CAT.format("<object xmlns='http://www.w3.org/1999/xhtml' data='x'/>"), "active-content"),
    ],
)
def test_every_part_of_a_drawing_is_read(tmp_path: Path, content: str, code: str) -> None:
    answer = look(tmp_path, content, "a.svg")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


def test_points_that_are_drawn_as_paths_are_told(tmp_path: Path) -> None:
    drawn = "".join(SPOT.format(n, n + 4) for n in range(300))
    assert "row-level" in codes(look(tmp_path, CAT.format(drawn), "a.svg"))
    assert "row-level" not in codes(look(tmp_path, CAT.format(SPOT.format(1, 5)), "a.svg"))


HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def vcf(*, chrom: str = "chr1", rsid: str = ".", ref: str = "A", alt: str = "G", quality: str = ".") -> str:
    lines = (f"{chrom}\t{n}00\t{rsid}\t{ref}\t{alt}\t{quality}\tPASS\tAC=200;AN=5000\n" for n in range(1, 9))
    return HEADER + "".join(lines)


@pytest.mark.parametrize(
    "content",
    [
        vcf(quality="P100001 F 1961"),
        vcf(chrom="P100001_F_1961"),
        vcf(rsid="anna\u200b meyer"),
        vcf(ref="P100001"),
        vcf(alt="P100001_F_1961"),
        vcf(alt="<P100001>"),
        vcf(alt="G[P100001:5["),
        "\ufeff" + vcf().replace("AC=200", "AC=1"),
    ],
)
def test_a_record_holds_a_variant_and_no_words(tmp_path: Path, content: str) -> None:
    answer = look(tmp_path, content, "a.vcf")
    assert answer.verdict is Severity.BLOCK
    assert "unmodelled-record" in codes(answer)


@pytest.mark.parametrize(
    "content",
    [
        vcf(quality="99.5", rsid="rs12;COSV55"),
        vcf(quality="1e3", alt="G,*"),
        vcf(chrom="GL000207.1", alt="<DEL:ME:ALU>"),
        vcf(chrom="chrUn_KI270302v1", alt="G[chr2:321682["),
        vcf(chrom="HLA-A*01:01:01:01", ref="N", alt="<CN0>", rsid="1:100:A:<CN0>"),
    ],
)
def test_records_of_structural_variants_pass(tmp_path: Path, content: str) -> None:
    # They were refused before only where a clean copy is asked for.
    assert codes(look(tmp_path, content.replace("AC=200", "AC=200,300") if "," in content else content, "a.vcf")) in (
        set(),
        {"inconsistent-counts"},
    )


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"junk\n" + pdf("BT (P1) Tj ET") + b"\n" * 3000, "a.pdf", "type-mismatch"),
        ("Report of today\n<b>All</b>\n", "a.html", "type-mismatch"),
        ("region,n\nN,40\nS,50\n", "a.xlsx", "type-mismatch"),
        ("RDA2\nA\n2\n263168\n" + "1\n" * 40, "a.txt", "unsafe-serialisation"),
    ],
)
def test_text_under_the_name_of_a_richer_format_is_stopped(
    tmp_path: Path, content: str | bytes, name: str, code: str
) -> None:
    answer = look(tmp_path, content, name)
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)

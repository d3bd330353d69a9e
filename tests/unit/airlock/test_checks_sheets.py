"""Workbooks: each sheet is judged as a table, and what Excel or LibreOffice would not show is named."""

from pathlib import Path

import pytest
from samples import COUNTS, ROWS, codes, look, opendocument, sheet, workbook, zipped

from airlock.checks.findings import Severity

CELL = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'


def ods_sheet(text: str, *, attributes: str = "", row: str = "") -> str:
    lines = [
        f"<table:table-row {row if number == 2 else ''}>{''.join(CELL.format(cell) for cell in line.split(','))}"
        "</table:table-row>"
        for number, line in enumerate(text.splitlines())
    ]
    return f'<table:table table:name="S" {attributes}>{"".join(lines)}</table:table>'


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (workbook(sheet(COUNTS)), "a.xlsx"),
        (workbook(sheet(COUNTS), sheet(COUNTS)), "a.xlsx"),
        (opendocument(f"<office:spreadsheet>{ods_sheet(COUNTS)}</office:spreadsheet>"), "a.ods"),
    ],
)
def test_aggregates_pass(tmp_path: Path, content: bytes, name: str) -> None:
    answer = look(tmp_path, content, name)
    assert (answer.verdict, codes(answer)) == (Severity.PASS, set())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (workbook(sheet(COUNTS), sheet(ROWS)), "row-level"),
        (workbook(sheet(COUNTS.replace("45", "3"))), "small-count"),
        (workbook(sheet(COUNTS), sheet(COUNTS), states=("visible", "hidden")), "hidden-sheet"),
        (workbook(sheet(COUNTS), sheet(ROWS), states=("visible", "veryHidden")), "row-level"),
        (workbook(sheet(COUNTS, row='hidden="1"')), "hidden-cells"),
        (workbook(sheet(COUNTS, before='<cols><col min="2" max="2" hidden="1"/></cols>')), "hidden-cells"),
        (
            workbook(sheet(COUNTS), more={"xl/comments1.xml": "<comments><t>bob@example.org</t></comments>"}),
            "identifier",
        ),
        (workbook(sheet(COUNTS), more={"xl/comments1.xml": "<comments><t>hm</t></comments>"}), "hidden-text"),
        (workbook(sheet(COUNTS), more={"xl/vbaProject.bin": b"\xd0\xcf\x11\xe0"}), "active-content"),
        (workbook(sheet(COUNTS), more={"xl/embeddings/oleObject1.bin": b"\0" * 50}), "embedded-file"),
        (workbook(sheet(COUNTS), more={"xl/embeddings/Book1.xlsx": workbook(sheet(ROWS))}), "row-level"),
        (workbook(sheet(COUNTS), more={"xl/pivotCache/pivotCacheRecords1.xml": "<r/>"}), "hidden-cells"),
        (workbook(sheet(COUNTS), more={"docProps/custom.xml": "<Properties/>"}), "hidden-metadata"),
        (workbook(sheet(COUNTS), more={"notes/x.bin": b"rows"}), "embedded-file"),
        (workbook(sheet(COUNTS), more={"xl/media/image1.png": b"\x89PNG\r\n\x1a\n"}), "broken-picture"),
        (
            workbook(
                sheet(COUNTS), more={"xl/_rels/workbook.xml.rels": '<R><Relationship TargetMode="External"/></R>'}
            ),
            "active-content",
        ),
        (workbook(sheet("a,b\n1,2\n").replace("<v>2</v>", "<f>1+1</f><v>2</v>")), "formula"),
        (workbook(sheet(COUNTS, after='<c r="XFD900"><v>5</v></c>')), "hidden-columns"),
        (workbook("<worksheet"), "broken-file"),
        (
            workbook('<!DOCTYPE x [<!ENTITY a "b">]><worksheet><sheetData/></worksheet>'),
            "active-content",
        ),
        (zipped({"[Content_Types].xml": "<Types/>", "xl/worksheets/sheet1.xml": sheet(COUNTS)}), "broken-file"),
        (opendocument(f"<office:spreadsheet>{ods_sheet(ROWS)}</office:spreadsheet>"), "row-level"),
        (opendocument(ods_sheet(COUNTS, row='table:visibility="collapse"')), "hidden-cells"),
        (opendocument(ods_sheet(COUNTS, attributes='table:display="false"')), "hidden-sheet"),
        (
            opendocument(ods_sheet(COUNTS) + "<office:annotation><text:p>x</text:p></office:annotation>"),
            "hidden-text",
        ),
        (opendocument(ods_sheet(COUNTS), more={"Basic/Standard/m.xml": "<x/>"}), "active-content"),
        (opendocument(ods_sheet(COUNTS), more={"Object 1/content.xml": "<x/>"}), "embedded-file"),
    ],
)
def test_what_a_reader_would_not_see_is_named(tmp_path: Path, content: bytes, code: str) -> None:
    answer = look(tmp_path, content, "a.xlsx")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


def test_repeats_cannot_swell(tmp_path: Path) -> None:
    cell = '<table:table-cell table:number-columns-repeated="900000000"><text:p>1</text:p></table:table-cell>'
    answer = look(
        tmp_path,
        opendocument(f'<table:table table:name="S"><table:table-row>{cell}</table:table-row></table:table>'),
        "a.ods",
    )
    assert (answer.verdict, answer.complete) == (Severity.BLOCK, False)


def test_what_office_programs_write_unasked_is_a_warning(tmp_path: Path) -> None:
    made = workbook(sheet(COUNTS), more={"customXml/item1.xml": "<sources/>", "xl/printerSettings1.bin": b"A4"})
    answer = look(tmp_path, made, "a.xlsx")
    assert (answer.verdict, codes(answer)) == (Severity.WARN, {"hidden-metadata"})
    said = workbook(sheet(COUNTS), more={"customXml/item1.xml": "<s>bob@example.org</s>"})
    assert "identifier" in codes(look(tmp_path, said, "a.xlsx"))


def test_white_letters_are_found(tmp_path: Path) -> None:
    styles = (
        "<styleSheet><fonts><font/><font><color rgb='FFFFFFFF'/></font></fonts>"
        "<cellXfs><xf fontId='0'/><xf fontId='1'/></cellXfs></styleSheet>"
    )
    shown = sheet(COUNTS).replace("<c><v>45</v>", '<c s="1"><v>45</v>')
    assert codes(look(tmp_path, workbook(shown, more={"xl/styles.xml": styles}), "a.xlsx")) == {"hidden-text"}

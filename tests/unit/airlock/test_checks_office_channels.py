"""Every part of an Office file is read, also those that only its program reads."""

import base64
import io
import zipfile
from pathlib import Path

import pytest
from samples import COUNTS, ROWS, codes, look, opendocument, sheet, word, workbook, zipped

from airlock.checks.findings import Severity

LINES = ROWS.splitlines()
FINE = "<w:p><w:r><w:t>All cases 4210</w:t></w:r></w:p>"


def book(name: str, part: str) -> bytes:
    return workbook(sheet(COUNTS), more={name: part})


def strings(*lines: str) -> str:
    return "<sst>" + "".join(f"<si><t>{line}</t></si>" for line in lines) + "</sst>"


def commented() -> bytes:
    out = io.BytesIO(workbook(sheet(COUNTS)))
    with zipfile.ZipFile(out, "a") as archive:
        archive.comment = ROWS.encode()
    return out.getvalue()


def chart(rows: int) -> str:
    ages = "".join(f"<pt><v>{18 + n * 7 % 60}</v></pt>" for n in range(rows))
    names = "".join(f"<pt><v>patient {n}</v></pt>" for n in range(rows))
    return f"<c><ser><cat><strCache>{names}</strCache></cat><val><numCache>{ages}</numCache></val></ser></c>"


def relation(facts: str) -> bytes:
    return book("xl/_rels/workbook.xml.rels", f"<Relationships><Relationship Id='a' {facts}/></Relationships>")


DOUBLED = "".join(f'<c r="A2" t="inlineStr"><is><t>{line}</t></is></c>' for line in LINES)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (commented(), "hidden-metadata"),
        (book("docProps/app.xml", f"<Properties><Company>{ROWS}</Company></Properties>"), "row-level"),
        (book("xl/theme/theme1.xml", f"<t><!--{ROWS}--></t>"), "row-level"),
        (book("xl/theme/theme1.xml", f"<t><latin typeface='{LINES[3]} {LINES[4]}'/></t>"), "identifier"),
        (book("xl/styles.xml", f"<styleSheet><extLst>{ROWS}</extLst></styleSheet>"), "row-level"),
        (book("xl/calcChain.xml", f"<calcChain>{ROWS}</calcChain>"), "row-level"),
        (book("xl/sharedStrings.xml", strings(*LINES)), "hidden-cells"),
        (book("xl/charts/chart1.xml", chart(60)), "row-level"),
        (workbook(sheet(COUNTS).replace('<row r="2" >', '<row r="2">' + DOUBLED)), "hidden-cells"),
        (workbook(sheet(COUNTS).replace("<v>120</v>", f"<v>120</v><is><t>{ROWS}</t></is>")), "hidden-cells"),
        (workbook(sheet(COUNTS).replace("<c><v>120</v>", f"<c><is><t>{ROWS}</t></is>")), "hidden-cells"),
        (workbook(sheet(COUNTS, after="<scenarios><inputCells r='A1' val='3'/></scenarios>")), "hidden-cells"),
        (workbook(sheet(COUNTS, after=f"<dataValidation prompt='{ROWS}'/>")), "identifier"),
        (workbook(sheet(COUNTS, before="<cols><col min='1' width='0.05'/></cols>")), "hidden-cells"),
        (workbook(sheet(COUNTS, row='ht="0.1"')), "hidden-cells"),
        (relation("Type='http://x/image' Target='http://example.org/x' TargetMode='External'"), "active-content"),
        (
            relation(f"Type='http://x/relationships/hyperlink' Target='http://x/?{LINES[3]};{LINES[4]}'"),
            "identifier",
        ),
        (word(FINE + ROWS), "row-level"),
        (word(FINE + f"<w:tblCaption w:val='{ROWS}'/>"), "identifier"),
        (word(FINE, {"word/styles.xml": f"<styles><style>{ROWS}</style></styles>"}), "row-level"),
        (word(FINE, {"word/charts/chart1.xml": chart(60)}), "row-level"),
        (
            opendocument(
                "<office:text><text:p>All</text:p></office:text>",
                kind="text",
                more={"styles.xml": f"<s xmlns:text='t'><text:p>{ROWS}</text:p></s>"},
            ),
            "row-level",
        ),
        (
            opendocument(
                "<office:spreadsheet><table:table table:name='a'><table:table-row>"
                f"<table:table-cell office:string-value='{ROWS}'><text:p>a</text:p></table:table-cell>"
                "</table:table-row></table:table></office:spreadsheet>"
            ),
            "identifier",
        ),
        (
            zipped({"mimetype": f"application/vnd.oasis.opendocument.text{ROWS}", "content.xml": "<a/>"}, method=0),
            "embedded-file",
        ),
        (opendocument("<a/>", kind="text", more={"Configurations2/rows": ROWS}), "embedded-file"),
    ],
)
def test_no_part_of_an_office_file_goes_unread(tmp_path: Path, content: bytes, code: str) -> None:
    answer = look(tmp_path, content, "a.bin")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


THEME = (
    "<a:theme xmlns:a='http://schemas.openxmlformats.org/drawingml/2006/main' name='Office Theme'>"
    "<a:srgbClr val='4F81BD'/><a:font script='Jpan' typeface='ＭＳ Ｐゴシック'/><a:ext uri="
    "'{05A4C25C-085E-4340-85A3-A5531E510DB2}'/></a:theme>"
)
APP = "<Properties><Application>Microsoft Excel</Application><AppVersion>16.0300</AppVersion></Properties>"
SHOWN = sheet("age_band,cases\n18-39,120\n").replace(
    '<c t="inlineStr"><is><t>cases</t></is></c>', '<c t="s"><v>0</v></c>'
)


@pytest.mark.parametrize(
    "content",
    [
        book("xl/theme/theme1.xml", THEME),
        book("docProps/app.xml", APP),
        workbook(SHOWN, more={"xl/sharedStrings.xml": strings("cases")}),
        word(FINE, {"word/numbering.xml": "<numbering><lvl><lvlText val='\uf0b7'/></lvl></numbering>"}),
        workbook(sheet(COUNTS, before="<cols><col min='1' width='9.14'/></cols>")),
        word(FINE, {"word/fontTable.xml": "<fonts><panose1 panose1='02020603050405020304'/></fonts>"}),
        book("xl/styles.xml", "<s documentId='13_ncr:1_{05A4C25C-085E-4340-85A3-A5531E510DB2}'/>"),
        book(
            "xl/charts/chart1.xml",
            "<c><ser><cat><pt><v>18-39</v></pt><pt><v>40+</v></pt></cat>"
            "<val><pt><v>120</v></pt><pt><v>90</v></pt></val></ser></c>",
        ),
    ],
)
def test_what_office_programs_write_of_themselves_passes(tmp_path: Path, content: bytes) -> None:
    assert codes(look(tmp_path, content, "a.bin")) == set()


def test_settings_of_a_printer_are_told_and_bounded(tmp_path: Path) -> None:
    for length, code in ((600, "hidden-metadata"), (60_000, "encoded-payload")):
        packed = base64.b64encode(bytes(range(256)) * (length // 256 + 1)).decode()[:length]
        item = f"<s xmlns:config='c'><config:config-item config:name='PrinterSetup'>{packed}</config:config-item></s>"
        body = "<office:text><text:p>All</text:p></office:text>"
        answer = look(tmp_path, opendocument(body, kind="text", more={"settings.xml": item}), "a.odt")
        assert code in codes(answer)
        assert (answer.verdict is Severity.WARN) == (length < 8192)

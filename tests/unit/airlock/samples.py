"""Small files of every kind for the tests of the check engine; all persons in them are invented."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from airlock.checks.answer import Answer
from airlock.checks.jail import inspect
from airlock.checks.thresholds import Policy

POLICY = Policy(version=1)
COUNTS = "age_band,cases,controls\n18-39,120,340\n40-59,215,410\n60-79,330,505\n80+,45,60\n"
HEADER = "patient_id,birth_date,sex,postcode,icd10"
PERSONS = [
    (f"P10{n:04d}", f"19{30 + n}-0{1 + n % 9}-1{n % 9}", "FM"[n % 2], f"OX{n % 9} 3AB", "E11.9") for n in range(40)
]
ROWS = HEADER + "\n" + "".join(",".join(one) + "\n" for one in PERSONS)


def look(folder: Path, content: str | bytes, name: str, policy: Policy = POLICY) -> Answer:
    """Judge the content as a file of that name."""
    path = folder / "subject"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return inspect(path, None, policy, name=name)


def codes(answer: Answer) -> set[str]:
    """Return the codes of all findings."""
    return {finding.code.value for finding in answer.findings}


def zipped(members: Mapping[str, str | bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, compress_type=method)
    return out.getvalue()


def tarred(members: Mapping[str, bytes], *, links: Mapping[str, str] | None = None) -> bytes:
    """Return a tar of these members and symbolic links."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return out.getvalue()


_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_TYPES = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'


def sheet(text: str, *, before: str = "", row: str = "", after: str = "") -> str:
    """Return a worksheet of inline strings and numbers; `before`, `row` and `after` are XML put in place."""
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        cells = "".join(
            f"<c><v>{cell}</v></c>" if cell.isdigit() else f'<c t="inlineStr"><is><t>{cell}</t></is></c>'
            for cell in line.split(",")
        )
        rows.append(f'<row r="{number}" {row if number == 3 else ""}>{cells}</row>')
    return f"<worksheet {_MAIN}>{before}<sheetData>{''.join(rows)}</sheetData>{after}</worksheet>"


def workbook(*sheets: str, states: tuple[str, ...] = (), more: Mapping[str, str | bytes] | None = None) -> bytes:
    """Return an xlsx of these worksheets."""
    said = "".join(
        f'<sheet name="S{n}" sheetId="{n}" {f"state={states[n - 1]!r}" if len(states) >= n else ""}/>'
        for n in range(1, len(sheets) + 1)
    )
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": _TYPES,
        "xl/workbook.xml": f"<workbook {_MAIN}><sheets>{said}</sheets></workbook>",
    }
    parts |= {f"xl/worksheets/sheet{n}.xml": one for n, one in enumerate(sheets, start=1)}
    return zipped({**parts, **(more or {})})


def opendocument(body: str, *, kind: str = "spreadsheet", more: Mapping[str, str | bytes] | None = None) -> bytes:
    """Return an ods (or odt) with this body."""
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text", "style")
    )
    content = f"<office:document-content {spaces}><office:body>{body}</office:body></office:document-content>"
    first = {"mimetype": f"application/vnd.oasis.opendocument.{kind}", "content.xml": content}
    return zipped({**first, **(more or {})}, method=zipfile.ZIP_STORED)


def word(body: str, more: Mapping[str, str | bytes] | None = None) -> bytes:
    """Return a docx with this body."""
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    document = f"<w:document {space}><w:body>{body}</w:body></w:document>"
    return zipped({"[Content_Types].xml": _TYPES, "word/document.xml": document, **(more or {})})


def pdf(stream: str, *, pages: int = 1, catalog: str = "", page: str = "", objects: tuple[str, ...] = ()) -> bytes:
    """Return a PDF whose pages all show one content stream; `objects` get the numbers from 5 on."""
    kids = " ".join(f"{6 + len(objects) + n} 0 R" for n in range(pages))
    bodies = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        f"<< /Type /Pages /Count {pages} /Kids [ {kids} ] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        *objects,
        "<< >>",
        *[
            "<< /Type /Page /Parent 2 0 R /MediaBox [ 0 0 400 300 ] /Contents 4 0 R "
            f"/Resources << /Font << /F1 3 0 R >> >> {page} >>"
        ]
        * pages,
    ]
    out = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(bodies, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(bodies) + 1
    tail = (
        f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer << /Root 1 0 R /Size {size} >>\nstartxref\n{len(out)}\n"
    )
    return out + tail.encode() + b"%%EOF\n"

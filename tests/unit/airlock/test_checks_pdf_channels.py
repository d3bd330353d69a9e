"""A PDF is its pages: what hangs beside them, lies between objects or was replaced is found."""

import io
import zlib
from pathlib import Path

import pytest
from PIL import Image
from samples import ROWS, codes, look, pdf

from airlock.checks.findings import Severity

LINES = ROWS.splitlines()
SECRET = ROWS.encode()
FINE = "BT /F1 12 Tf 40 200 Td (All cases 4210) Tj ET"
COMMENTS = b"".join(b"% " + line.encode() + b"\n" for line in LINES)
CIRCLE = "{0} 20 m {0} 22 4 22 4 20 c 4 18 3 18 3 20 c 1 1 1 1 1 1 c 1 1 1 1 1 1 c f "


LETTERS = " ".join(f"{n}/a{n}" for n in range(144, 170))
ENCODING = (
    f"<< /Type /Encoding /Differences [ 45/minus 96/quoteleft {LETTERS} ] >>"  # R's, whether a font needs it or not
)


def stream(body: str, facts: str = "") -> str:
    return f"<< {facts} /Length {len(body)} >>\nstream\n{body}\nendstream"


SHOWN = stream("BT /F1 12 Tf 40 100 Td (bob) Tj ET", "/Type /XObject /Subtype /Form /BBox [ 0 0 400 300 ]")


def built(content: bytes, *more: bytes, facts: bytes = b"", resources: bytes = b"") -> bytes:
    """Return a PDF of one page whose content stream is of raw bytes; `more` are objects from 6 on."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [ 0 0 400 300 ] /Contents 4 0 R /Resources << "
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [ 5 0 R ] >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), facts, content),
        page + resources + b" /Font << /F1 3 0 R >> >> >>",
        *more,
    ]
    out = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    places = []
    for number, body in enumerate(bodies, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(bodies) + 1
    tail = b"trailer << /Root 1 0 R /Size %d >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + tail


def updated(*, first_end: bytes = b"", head: bytes = b"") -> bytes:
    """Return a PDF whose page was replaced later; its first words are still inside."""
    old = pdf("BT /F1 12 Tf 40 200 Td (bob) Tj ET")
    start = int(old.split(b"startxref\n")[1].split(b"\n")[0])
    body = old[: old.rindex(b"%%EOF")] + first_end
    place = len(body)
    body += f"4 0 obj\n{stream(FINE)}\nendobj\n".encode()
    tail = b"trailer << /Root 1 0 R /Size 7 /Prev %d >>\nstartxref\n%d\n%%%%EOF\n" % (start, len(body))
    whole = body + b"xref\n4 1\n%010d 00000 n \n" % place + tail
    return whole.replace(b"%PDF-1.4\n", b"%PDF-1.4\n" + head)


def picture(data: bytes, facts: bytes) -> bytes:
    size = b"/Type /XObject /Subtype /Image /Width 40 /Height 30 /ColorSpace /DeviceRGB /BitsPerComponent 8 "
    body = b"<< %s %s /Length %d >>\nstream\n%s\nendstream" % (size, facts, len(data), data)
    return built(FINE.encode() + b" /Im Do", body, resources=b"/XObject << /Im 6 0 R >>")


def photograph(**options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(out, "JPEG", **options)
    return out.getvalue()


EXIF = Image.Exif()
EXIF[0x010E] = ROWS
PIXELS = b"\xff" * 3600


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (pdf(FINE, objects=(stream(ROWS),)), "hidden-text"),
        (pdf(FINE, objects=(f"({LINES[3]})",)), "hidden-text"),
        (pdf(FINE, catalog="/Foo 5 0 R", objects=(stream(ROWS),)), "embedded-file"),
        (pdf(FINE, catalog=f"/Foo ({ROWS})"), "row-level"),
        (pdf(FINE, catalog=f"/Foo <{SECRET.hex()}>"), "row-level"),
        (
            pdf(FINE, catalog="/Foo [ " + " ".join("/" + line.replace(" ", "_") for line in LINES) + " ]"),
            "identifier",
        ),
        (pdf(FINE).replace(b"2 0 obj", COMMENTS + b"2 0 obj", 1), "hidden-text"),
        (pdf(FINE).replace(b"2 0 obj", SECRET + b"2 0 obj", 1), "hidden-text"),
        (pdf(FINE).replace(b"2 0 obj", b"(" + SECRET + b")\n2 0 obj", 1), "hidden-text"),
        (pdf(FINE, objects=("[ 1961 3 12 1 1972 4 13 0 1983 5 14 1 ]",)), "hidden-text"),
        (pdf(FINE + "\n" + COMMENTS.decode()), "hidden-text"),
        (pdf("BX " + " ".join(f"({line}) Xx" for line in LINES) + " EX " + FINE), "hidden-text"),
        (pdf(f"/Span << /ActualText (bob@example.org) >> BDC {FINE} EMC"), "identifier"),
        (pdf(FINE, page="/Annots [ << /Subtype /Stamp /AP << /N 5 0 R >> >> ]", objects=(SHOWN,)), "hidden-text"),
        (
            pdf(FINE, page="/Annots [ << /Type /Annot /Subtype /Link /AP << /N 5 0 R >> >> ]", objects=(SHOWN,)),
            "hidden-text",
        ),
        (updated(), "hidden-text"),
        (updated(first_end=b"%%EOF\n", head=b"%/Linearized\n"), "hidden-text"),
        (built(zlib.compress(FINE.encode()) + SECRET, facts=b"/Filter /FlateDecode"), "trailing-bytes"),
        (picture(photograph(exif=EXIF), b"/Filter /DCTDecode"), "hidden-metadata"),
        (picture(PIXELS + SECRET, b""), "trailing-bytes"),
        (picture(zlib.compress(PIXELS + SECRET), b"/Filter /FlateDecode"), "trailing-bytes"),
    ],
)
def test_nothing_stands_beside_the_pages(tmp_path: Path, content: bytes, code: str) -> None:
    answer = look(tmp_path, content, "a.pdf")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (built(FINE.encode()), set()),
        (built(zlib.compress(FINE.encode()), facts=b"/Filter /FlateDecode"), set()),
        (built(b"BT /F1 12 Tf 40 200 Td (50% of \\(all\\)) Tj ET"), set()),
        (built(FINE.encode()).replace(b"\nxref", b"\n% made by a program\nxref"), set()),
        (picture(photograph(), b"/Filter /DCTDecode"), {"picture-alone"}),
        (picture(PIXELS, b""), {"picture-alone"}),
        (pdf(CIRCLE.format(1) * 30 + FINE), set()),
        (pdf(FINE, objects=(ENCODING,)), set()),
    ],
)
def test_what_programs_write_of_themselves_passes(tmp_path: Path, content: bytes, said: set[str]) -> None:
    start = content.index(b"\nxref") + 1
    if b"made by" in content:  # the table moved
        content = content[: content.rindex(b"startxref\n") + 10] + b"%d\n%%%%EOF\n" % start
    assert codes(look(tmp_path, content, "a.pdf")) == said


def test_many_points_are_shown_to_a_steward(tmp_path: Path) -> None:
    answer = look(tmp_path, pdf("".join(CIRCLE.format(n) for n in range(300)) + FINE), "a.pdf")
    assert (answer.verdict, codes(answer)) == (Severity.WARN, {"row-level"})

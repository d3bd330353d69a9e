"""Pages of PDF become pictures of ours, one at a time, and no page can break or fill the inspection around it."""

import base64
import io
import json
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter
from samples import POLICY, codes, look, pdf, zipped

from airlock.answers import MOST_BYTES, PageView
from airlock.checks import jail
from airlock.checks.answer import Answer
from airlock.checks.brought import Declared
from airlock.checks.formats import pages
from airlock.checks.subject import Printed
from airlock.checks.view import view, view_brought

WORDS = "BT /F1 24 Tf 40 200 Td (All cases 4210) Tj ET"
INK = "0 0 1 rg 0 0 200 300 re f"
GENES = "gene\tchrom\nBRCA1\tchr17\nTP53\tchr17\n"


def two_pages() -> bytes:
    """Return a PDF of a page of words and a page whose left half is blue."""
    writer, out = PdfWriter(), io.BytesIO()
    for stream in (WORDS, INK):
        writer.add_page(PdfReader(io.BytesIO(pdf(stream))).pages[0])
    writer.write(out)
    return out.getvalue()


def drawn(folder: Path, content: bytes, page: int) -> dict[str, Any]:
    """Return the view of one page of a PDF as the airlock reads it."""
    (folder / "subject").write_bytes(content)
    return told(view(folder / "subject", "a.pdf", None, POLICY, page=page))


def told(answer: Answer) -> dict[str, Any]:
    assert answer.view is not None
    assert len(answer.as_bytes()) < MOST_BYTES
    PageView.model_validate(answer.view, strict=True)
    return answer.view


def picture(shown: dict[str, Any]) -> Image.Image:
    """Return the picture, which is a PNG of our own chunks and nothing else."""
    content = base64.b64decode(shown["png"])
    image = Image.open(io.BytesIO(content))
    assert image.size == (shown["width"], shown["height"])
    assert image.info == {}
    assert [content.count(one) for one in (b"IHDR", b"PLTE", b"IEND", b"tEXt", b"iCCP")] == [1, 1, 1, 0, 0]
    return image.convert("RGB")


def test_each_page_is_drawn_again_as_a_picture(tmp_path: Path) -> None:
    words, ink = (picture(drawn(tmp_path, two_pages(), page)) for page in (1, 2))
    assert words.size == ink.size == (600, 450)
    dark = sum(count for count, colour in words.getcolors(1 << 20) or [] if max(colour) < 128)
    assert 500 < dark < 20_000
    assert ink.getpixel((150, 200)) == (0, 0, 255)
    assert ink.getpixel((450, 200)) == (255, 255, 255)


def test_a_page_beyond_the_end_is_said_to_be_none(tmp_path: Path) -> None:
    shown = drawn(tmp_path, two_pages(), 3)
    assert (shown["png"], shown["number"], shown["total"]) == ("", 3, 2)


def test_pages_of_what_is_brought_in_an_archive_are_counted_through(tmp_path: Path) -> None:
    members = {"a.tsv": GENES, "manual.pdf": two_pages(), "notes.txt": "Notes.\n", "more.pdf": pdf(INK)}
    (tmp_path / "subject").write_bytes(zipped(members))
    parts = view_brought(tmp_path / "subject", "x.zip", Declared.ARCHIVE, POLICY).view
    assert parts is not None
    assert (parts["kind"], parts["pages"]) == ("parts", 3)
    seen = [
        told(view_brought(tmp_path / "subject", "x.zip", Declared.ARCHIVE, POLICY, page=page)) for page in (1, 2, 3)
    ]
    assert [(one["number"], one["total"], one["part"]) for one in seen] == [(1, 3, 2), (2, 3, 2), (3, 3, 4)]
    assert [picture(one).getpixel((150, 200)) == (0, 0, 255) for one in seen] == [False, True, True]
    (tmp_path / "subject").write_bytes(zipped({"a.tsv": GENES}))
    assert view_brought(tmp_path / "subject", "x.zip", Declared.ARCHIVE, POLICY, page=1).view is None


def test_a_page_of_dense_words_stays_legible(tmp_path: Path) -> None:
    lines = " ".join(f"BT /F1 9 Tf 40 {780 - 11 * n} Td ({'Words of a manual ' * 6}{n}) Tj ET" for n in range(68))
    shown = drawn(tmp_path, pdf(lines, page="/MediaBox [ 0 0 595 842 ]"), 1)
    assert shown["width"] > 800


@pytest.mark.parametrize("box", ["0 0 1000000000 1000000000", "0 0 30000 1"])
def test_a_page_that_no_paper_has_is_not_drawn(tmp_path: Path, box: str) -> None:
    started = time.monotonic()
    shown = drawn(tmp_path, pdf(INK, page=f"/MediaBox [ {box} ]"), 1)
    assert (shown["png"], shown["total"]) == ("", 1)
    assert time.monotonic() - started < pages._SECONDS


@pytest.mark.parametrize("box", ["0 0 1e38 1e38", f"0 0 1{'0' * 38} 300", "9 9 9 9", "300 400 0 0"])
def test_what_is_no_box_is_drawn_in_bounds_or_not_at_all(tmp_path: Path, box: str) -> None:
    (tmp_path / "subject").write_bytes(pdf(INK, page=f"/MediaBox [ {box} ]"))
    shown = view(tmp_path / "subject", "a.pdf", None, POLICY, page=1).view
    assert shown is None or shown["width"] * shown["height"] <= pages._MAX_PIXELS


@pytest.mark.parametrize("box", [(14_400, 14_400), (14_400, 10), (1, 1), (595, 842), (20_000, 20_000)])
def test_pixels_are_bounded_whatever_the_paper(box: tuple[int, int]) -> None:
    size = pages.fitted(*box)
    assert size is not None
    assert 1 <= size[0] * size[1] <= pages._MAX_PIXELS
    assert max(size) <= pages._MAX_SIDE


@pytest.mark.parametrize("side", [float("nan"), float("inf"), 0.0, -5.0])
def test_a_page_without_a_size_is_not_drawn(side: float) -> None:
    assert pages.fitted(side, 100) is None


def test_five_thousand_pages_are_refused_at_once(tmp_path: Path) -> None:
    content = pdf(WORDS, pages=5000)
    started = time.monotonic()
    assert "too-many-members" in codes(look(tmp_path, content, "a.pdf"))
    (tmp_path / "subject").write_bytes(content)
    answer = view(tmp_path / "subject", "a.pdf", None, POLICY, page=4999)
    assert (answer.view, answer.complete) == (None, False)
    assert time.monotonic() - started < pages._SECONDS


def test_t27_a_page_that_takes_for_ever_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forms = tuple(
        f"<< /Type /XObject /Subtype /Form /BBox [ 0 0 400 300 ] /Resources << /XObject << /X {6 + n} 0 R >> >> "
        f"/Length 60 >>\nstream\n{('/X Do ' * 10):<60}\nendstream"
        for n in range(12)
    )
    last = "<< /Type /XObject /Subtype /Form /BBox [ 0 0 400 300 ] /Length 15 >>\nstream\n0 0 9 9 re f    \nendstream"
    content = pdf("/X Do", objects=(*forms, last)).replace(b"/Font << /F1 3 0 R >>", b"/XObject << /X 5 0 R >>")
    monkeypatch.setattr(pages, "_SECONDS", 2)
    started = time.monotonic()
    found = pages.draw(Printed(content, 1), 1, policy=POLICY)
    assert time.monotonic() - started < 10
    assert found is None


def test_t27_memory_of_a_page_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    side = 60_000
    zeros = zlib.compress(b"\0" * 1_000_000)
    head = (
        f"<< /Type /XObject /Subtype /Image /Width {side} /Height {side} /ColorSpace /DeviceRGB /BitsPerComponent 8"
    )
    body = f"{head} /Filter /FlateDecode /Length {len(zeros)} >>\nstream\n{zeros.decode('latin-1')}\nendstream"
    content = pdf("400 0 0 300 0 0 cm /X Do", objects=(body,)).replace(
        b"/Font << /F1 3 0 R >>", b"/XObject << /X 5 0 R >>"
    )
    monkeypatch.setattr(pages, "_SECONDS", 10)
    started = time.monotonic()
    found = pages.draw(Printed(content, 1), 1, policy=POLICY)
    assert found is None or found.width * found.height <= pages._MAX_PIXELS
    assert time.monotonic() - started < 12


@pytest.mark.parametrize(
    ("content", "count"), [(two_pages(), 1), (two_pages(), 300), (b"%PDF-1.4\nbroken", 1), (b"", 1)]
)
def test_t27_what_two_readers_see_differently_is_not_drawn(content: bytes, count: int) -> None:
    assert pages.draw(Printed(content, count), 1, policy=POLICY) is None


@pytest.mark.parametrize("page", [0, -1, 1.0, "1", True, 10**9 + 1])
def test_the_jail_takes_whole_pages_from_one_on(page: object) -> None:
    whole = {"kind": "view", "file": "/x", "name": "a.pdf", "rule": None, "policy": POLICY.as_json(), "page": page}
    with pytest.raises(jail.RequestRefused):
        jail.parse_request(json.dumps(whole).encode())


def test_the_airlock_takes_no_other_bytes_for_a_page() -> None:
    facts = {"kind": "page", "media_type": "image/png", "width": 1, "height": 1, "number": 1, "total": 1, "part": 1}
    for png in ("AAAA", "no base64"):
        with pytest.raises(ValueError, match=r"PNG|base64|padding|Only"):
            PageView.model_validate({**facts, "png": png}, strict=True)

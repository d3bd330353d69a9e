"""JPEG and GIF: words beside the pixels, bytes behind the end, and sizes that no memory holds."""

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, PngImagePlugin
from samples import POLICY, codes, look

from airlock.checks import jail
from airlock.checks.findings import Severity


def picture(kind: str, **options: Any) -> bytes:
    image = Image.new("RGB", (60, 40), "white")
    ImageDraw.Draw(image).rectangle((5, 5, 20, 30), fill="navy")
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif() -> Image.Exif:
    facts = Image.Exif()
    facts[0x010E] = "P100007 1961-04-02"
    return facts


@pytest.mark.parametrize("kind", ["JPEG", "GIF"])
def test_plain_pictures_warn_that_pixels_cannot_be_judged(tmp_path: Path, kind: str) -> None:
    answer = look(tmp_path, picture(kind), f"a.{kind.lower()}")
    assert (answer.verdict, codes(answer)) == (Severity.WARN, {"picture-alone"})
    assert answer.facts["width"] == 60


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (picture("JPEG", exif=exif()), "hidden-metadata"),
        (picture("JPEG", comment=b"P100007"), "hidden-metadata"),
        (picture("JPEG", icc_profile=b"rows" * 40), "hidden-metadata"),
        (picture("JPEG") + b"PK\x03\x04rows", "trailing-bytes"),
        (picture("JPEG")[:-2], "broken-picture"),
        (picture("JPEG")[:200], "broken-picture"),
        (picture("GIF", comment=b"P100007"), "hidden-metadata"),
        (picture("GIF") + b"rows", "trailing-bytes"),
        (picture("GIF")[:-4], "broken-picture"),
        (b"\x89PNG\r\n\x1a\n" + picture("GIF"), "broken-picture"),
        (b"GIF89a" + struct.pack("<HHB", 60000, 60000, 0) + b"\0\0;", "too-large"),
        (b"\xff\xd8\xff\xc0\0\x0b\x08" + struct.pack(">HH", 60000, 60000) + b"\x01\0\0\0\xff\xd9", "too-large"),
    ],
)
def test_what_a_picture_carries_beside_its_pixels_is_named(tmp_path: Path, content: bytes, code: str) -> None:
    answer = look(tmp_path, content, "a.out")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


def test_the_name_of_the_plotting_library_is_a_warning_and_no_other_word(tmp_path: Path) -> None:
    for key, value, verdict in (
        ("Software", "Matplotlib version3.9.0, https://matplotlib.org/", Severity.WARN),
        ("Software", "P100007|1961", Severity.BLOCK),
        ("Comment", "x", Severity.BLOCK),
    ):
        info = PngImagePlugin.PngInfo()
        info.add_text(key, value)
        answer = look(tmp_path, picture("PNG", pnginfo=info), "a.png")
        assert (answer.verdict, "hidden-metadata" in codes(answer)) == (verdict, True)


def test_frames_behind_the_first_are_not_shown_and_block(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "green", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    assert "hidden-metadata" in codes(look(tmp_path, out.getvalue(), "a.gif"))


@pytest.mark.parametrize("kind", ["JPEG", "GIF"])
def test_a_steward_sees_our_own_drawing_of_it(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").write_bytes(picture(kind))
    shown = jail.view(tmp_path / "a", "a", None, POLICY).view
    assert shown is not None
    assert (shown["kind"], shown["media_type"], shown["width"]) == ("image", "image/png", 60)

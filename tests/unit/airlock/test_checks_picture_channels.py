"""Pictures carry pixels that are seen, and nothing beside, behind or below them."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image
from samples import ROWS, codes, look

from airlock.checks.findings import Severity

SECRET = ROWS.encode()


def drawn() -> Image.Image:
    image = Image.new("RGB", (160, 120), (255, 255, 255))
    for at in range(0, 120, 10):
        image.paste((at, 30, 200 - at), (at, at // 2, at + 9, 110))
    return image


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


PNG, JPEG = saved(drawn(), "PNG"), saved(drawn(), "JPEG")
GIF = saved(drawn().quantize(16), "GIF")
AFTER_IHDR, BEFORE_IEND = 33, len(PNG) - 12


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def in_png(*chunks: bytes, at: int = AFTER_IHDR) -> bytes:
    return PNG[:at] + b"".join(chunks) + PNG[at:]


def pieces(size: int) -> list[bytes]:
    return [SECRET[at : at + size].ljust(size) for at in range(0, len(SECRET), size)]


def longer() -> bytes:
    """More rows of pixels than the picture is high."""
    start = PNG.index(b"IDAT")
    length = int.from_bytes(PNG[start - 4 : start], "big")
    rows = zlib.decompress(PNG[start + 4 : start + 4 + length])
    return PNG[: start - 4] + chunk(b"IDAT", zlib.compress(rows + SECRET)) + PNG[BEFORE_IEND:]


def clear() -> bytes:
    image = drawn().convert("RGBA")
    for at, byte in enumerate(SECRET[:1000]):
        image.putpixel((at % 160, at // 160), (byte, byte, byte, 0))
    return saved(image, "PNG")


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def in_jpeg(*segments: bytes) -> bytes:
    return JPEG[:2] + b"".join(segments) + JPEG[2:]


def in_gif(extension: bytes) -> bytes:
    at = 13 + (3 << ((GIF[10] & 7) + 1))
    return GIF[:at] + extension + GIF[at:]


LOOP = b"!\xff\x0bNETSCAPE2.0"


@pytest.mark.parametrize(
    "content",
    [
        in_png(chunk(b"bKGD", SECRET)),
        in_png(*(chunk(b"pHYs", one) for one in pieces(9))),
        in_png(*(chunk(b"tEXt", b"Software\0P " + one.replace(b",", b" ")) for one in SECRET.splitlines())),
        in_png(chunk(b"IDAT", SECRET), at=BEFORE_IEND),
        PNG[:BEFORE_IEND] + chunk(b"IEND", SECRET),
        longer(),
        clear(),
        JPEG[:-2] + SECRET + JPEG[-2:],
        in_jpeg(*(segment(0xE0, b"JFIF\0" + one) for one in pieces(9))),
        in_jpeg(*(segment(0xDB, b"\0" + one) for one in pieces(64))),
        in_jpeg(segment(0xCC, SECRET)),
        in_gif(LOOP + b"".join(bytes([200]) + one for one in pieces(200)) + b"\0"),
        in_gif(b"".join(LOOP + b"\3\1" + one + b"\0" for one in pieces(2))),
        in_gif(b"!\xf9" + b"".join(bytes([200]) + one for one in pieces(200)) + b"\0"),
    ],
)
def test_nothing_travels_beside_the_pixels(tmp_path: Path, content: bytes) -> None:
    answer = look(tmp_path, content, "a.bin")
    assert answer.verdict is Severity.BLOCK
    assert codes(answer) & {"hidden-metadata", "broken-picture"}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (PNG, "a.png"),
        (in_png(chunk(b"tEXt", b"Software\0Matplotlib version3.10.0, https://matplotlib.org/")), "a.png"),
        (in_png(chunk(b"pHYs", struct.pack(">IIB", 3937, 3937, 1)), chunk(b"gAMA", bytes(4))), "a.png"),
        (saved(drawn().convert("1"), "PNG"), "a.png"),
        (saved(drawn().quantize(16), "PNG"), "a.png"),
        (saved(Image.new("RGBA", (90, 60), (255, 255, 255, 0)), "PNG"), "a.png"),
        (JPEG, "a.jpg"),
        (saved(drawn(), "JPEG", progressive=True, quality=95), "a.jpg"),
        (saved(drawn().convert("L"), "JPEG", optimize=True), "a.jpg"),
        (saved(Image.new("RGB", (900, 700), (128, 128, 128)), "JPEG"), "a.jpg"),
        (GIF, "a.gif"),
        (in_gif(LOOP + b"\3\1\0\0\0"), "a.gif"),
    ],
)
def test_what_programs_write_is_not_stopped(tmp_path: Path, content: bytes, name: str) -> None:
    assert look(tmp_path, content, name).verdict is Severity.WARN


def test_an_interlaced_picture_is_measured_by_its_passes(tmp_path: Path) -> None:
    passes = b"".join(b"\0" + bytes([shade]) for shade in range(1))  # one pixel: the first pass alone
    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 1)
    for more, stopped in ((b"", False), (SECRET, True)):
        content = PNG[:8] + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(passes + more)) + chunk(b"IEND", b"")
        assert (look(tmp_path, content, "a.png").verdict is Severity.BLOCK) == stopped

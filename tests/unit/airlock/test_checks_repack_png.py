"""Clean copies of pictures: few plain colours, no word beside the pixels, no hidden bits (T13)."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, PngImagePlugin

from airlock.checks.findings import Code
from airlock.checks.formats import png
from airlock.checks.jail import inspect, repack
from airlock.checks.promise import Promise, Promised
from airlock.checks.thresholds import Policy

POLICY = Policy(version=1)
PROMISE = Promise(Promised.PNG, needs=("results/numbers.tsv",))


def chart(*, mode: str = "RGB", size: tuple[int, int] = (60, 40)) -> Image.Image:
    image = Image.new(mode, size, "white")
    ImageDraw.Draw(image).rectangle((5, 5, 20, 30), fill="navy")
    return image


def saved(image: Image.Image, info: PngImagePlugin.PngInfo | None = None, *, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind, pnginfo=info)
    return out.getvalue()


def clean(folder: Path, content: bytes) -> bytes | None:
    (folder / "subject").write_bytes(content)
    return repack(folder / "subject", "results/x.png", PROMISE, POLICY)[0]


def test_t13_text_and_trailing_bytes_do_not_survive(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "patient P100007", zip=True)
    copy = clean(tmp_path, saved(chart(), info) + b"PK\x03\x04 rows")
    assert copy is not None
    assert copy == clean(tmp_path, saved(chart()))
    chunks = png.read(copy, policy=POLICY)
    assert set(chunks.chunks) == {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
    assert chunks.trailing == 0
    assert Image.open(io.BytesIO(copy)).convert("RGB").tobytes() == chart().tobytes()


def test_t13_least_significant_bits_do_not_survive(tmp_path: Path) -> None:
    noisy = chart()
    for at in range(60):
        red, green, blue = noisy.getpixel((at, 35))  # type: ignore[misc]
        noisy.putpixel((at, 35), (red - at % 2, green, blue - at % 3 % 2))
    assert clean(tmp_path, saved(noisy)) == clean(tmp_path, saved(chart()))
    (tmp_path / "noisy.png").write_bytes(saved(noisy))
    found = {finding.code for finding in inspect(tmp_path / "noisy.png", None, POLICY).findings}
    assert Code.STEGANOGRAPHY in found


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_each_kind_of_png_is_drawn_again(tmp_path: Path, mode: str) -> None:
    drawn = chart().convert(mode)
    copy = clean(tmp_path, saved(drawn))
    assert copy is not None
    assert Image.open(io.BytesIO(copy)).convert("RGB").tobytes() == drawn.convert("RGB").tobytes()


def bomb(width: int, height: int) -> bytes:
    parts = [png.SIGNATURE]
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 1000)),
        (b"IEND", b""),
    ):
        parts.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
    return b"".join(parts)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (bomb(100_000, 100_000), Code.TOO_LARGE),
        (bomb(0, 5), Code.TOO_LARGE),
        (bomb(300, 300), Code.BROKEN_PICTURE),
        (saved(chart())[:-20], Code.BROKEN_PICTURE),
        (saved(chart()).replace(b"IDAT", b"IDAX"), Code.BROKEN_PICTURE),
        (png.SIGNATURE, Code.BROKEN_PICTURE),
        (b"GIF89a", Code.BROKEN_PICTURE),
        (saved(chart(), kind="GIF"), Code.CONTRACT_FORMAT),
        (saved(chart(), kind="JPEG"), Code.CONTRACT_FORMAT),
    ],
)
def test_a_bomb_or_a_broken_picture_is_refused(tmp_path: Path, content: bytes, code: Code) -> None:
    (tmp_path / "subject").write_bytes(content)
    copy, answer = repack(tmp_path / "subject", "results/x.png", PROMISE, POLICY)
    assert copy is None
    assert [finding.code for finding in answer.findings] == [code]


@given(pixels=st.binary(min_size=300, max_size=300))
def test_t13_a_clean_copy_of_a_clean_picture_is_the_same(
    pixels: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("png")
    once = clean(folder, saved(Image.frombytes("RGB", (10, 10), pixels)))
    assert once is not None
    assert clean(folder, once) == once
    assert len(Image.open(io.BytesIO(once)).convert("RGB").getcolors() or []) <= POLICY.max_colours


def test_a_picture_without_its_numbers_is_blocked(tmp_path: Path) -> None:
    copy = clean(tmp_path, saved(chart()))
    (tmp_path / "subject").write_bytes(copy or b"")
    numbers = tmp_path / "numbers"
    numbers.write_text("bin\tn\n1\t20\n", encoding="utf-8")

    def verdict(supporting: dict[str, Path]) -> str:
        return inspect(
            tmp_path / "subject",
            PROMISE,
            POLICY,
            name="results/x.png",
            supporting=supporting,
            must_be_clean=True,
        ).verdict.name

    assert verdict({}) == "BLOCK"
    assert verdict({"results/other.tsv": numbers}) == "BLOCK"
    assert verdict({"results/numbers.tsv": numbers}) == "PASS"
    numbers.write_text("just words", encoding="utf-8")
    assert verdict({"results/numbers.tsv": numbers}) == "BLOCK"

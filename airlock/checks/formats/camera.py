"""Reads the outlines of JPEG and GIF: segments, comments, and what follows the picture's end."""

import io
import struct
from collections.abc import Iterator
from dataclasses import replace

from PIL import Image, JpegImagePlugin

from ..findings import Code, refuse
from ..subject import Format, Picture
from ..thresholds import Policy

_MAX_SEGMENTS = 20_000
_MAX_SIDE = 20_000
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
# Huffman's tables, one set a scan; quantisation's; how often to restart: each with the bytes that they take at most.
_TABLES = {0xC4: 8192, 0xDB: 1200, 0xDD: 64}
_CUT, _LEAST_CUT = 64, 1024  # bytes of a scan's end without which it cannot be the same picture
# JFIF (APP0) without a thumbnail and Adobe's colour marker (APP14) only say how to show the pixels.
_ONCE = frozenset({b"jfif", b"adobe", b"frame", b"control", b"loop"})
HARMLESS = frozenset({b"tables", b"frame", b"scan", b"jfif", b"adobe", b"image", b"control", b"loop"})


def read_jpeg(content: bytes, *, policy: Policy) -> Picture:
    """Return what the segments say, sizes checked before a pixel is decoded (ITU T.81, annex B)."""
    kinds: list[bytes] = []
    size = (0, 0)
    room = dict(_TABLES)
    at, scan = 2, 0
    for _ in range(_MAX_SEGMENTS):
        at = _marker(content, at)
        marker = content[at + 1]
        if marker == 0xD9:
            picture = _picture(content, size, kinds, at + 2, Format.JPEG, policy=policy)
            more = at - scan > _LEAST_CUT and _is_same_without(content, at)
            return replace(picture, chunks=(*kinds, b"other")) if more else picture
        if at + 4 > len(content):
            break
        length = struct.unpack(">H", content[at + 2 : at + 4])[0]
        body = content[at + 4 : at + 2 + length]
        if length < 2 or at + 2 + length > len(content):
            break
        kind = _segment(marker, body)
        kinds.append(b"other" if kind in kinds and kind in _ONCE else kind)
        if marker in room:
            room[marker] -= len(body)
            kinds += [b"other"] if room[marker] < 0 else []
        if marker in _FRAMES and len(body) >= 5:
            size = struct.unpack(">HH", body[1:5])[::-1]
        at += 2 + length
        if marker == 0xDA:
            scan = at
            at = _after_scan(content, at)
    raise refuse(Code.BROKEN_PICTURE, offset=at)


def _marker(content: bytes, at: int) -> int:
    while content[at : at + 2] == b"\xff\xff":
        at += 1
    if at + 2 > len(content) or content[at] != 0xFF:
        raise refuse(Code.BROKEN_PICTURE, offset=at)
    return at


def _segment(marker: int, body: bytes) -> bytes:
    if marker in _FRAMES and len(body) >= 6 and len(body) == 6 + 3 * body[5]:
        return b"frame"
    if marker in _TABLES:
        return b"tables"
    if marker == 0xDA and body and len(body) == 4 + 2 * body[0]:
        return b"scan"
    if marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) == 14:
        return b"jfif"
    if marker == 0xEE and body.startswith(b"Adobe") and len(body) == 12:
        return b"adobe"
    return b"other"


def _after_scan(content: bytes, at: int) -> int:
    """Return where the next marker stands; entropy-coded bytes hold FF only before 00 or a restart."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            raise refuse(Code.BROKEN_PICTURE, offset=len(content))
        if content[at + 1] == 0 or 0xD0 <= content[at + 1] <= 0xD7:
            at += 2
            continue
        return at


def _is_same_without(content: bytes, end: int) -> bool:
    """Return whether the last bytes before a picture's end change nothing: then they are none of it."""
    shown = []
    for one in (content[: end + 2], content[: end - _CUT] + content[end : end + 2]):
        try:
            shown.append(JpegImagePlugin.JpegImageFile(io.BytesIO(one)).tobytes())
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return False  # whoever draws it next says so
    return shown[0] == shown[1]


def read_gif(content: bytes, *, policy: Policy) -> Picture:
    """Return what the blocks say (GIF 89a)."""
    if len(content) < 13:
        raise refuse(Code.BROKEN_PICTURE)
    width, height, flags = struct.unpack("<HHB", content[6:11])
    at = 13 + _colours(flags)
    kinds: list[bytes] = []
    for _ in range(_MAX_SEGMENTS):
        mark = content[at : at + 1]
        if mark == b";":
            return _picture(content, (width, height), kinds, at + 1, Format.GIF, policy=policy)
        if mark == b",":
            if at + 10 > len(content):
                break
            kinds.append(b"image")
            at = _blocks(content, at + 11 + _colours(content[at + 9]))
        elif mark == b"!":
            end = _blocks(content, at + 2)
            kind = _extension(content[at + 1 : end])
            kinds.append(b"other" if kind in kinds else kind)
            at = end
        else:
            break
    raise refuse(Code.BROKEN_PICTURE, offset=at)


def _extension(body: bytes) -> bytes:
    """Return what an extension is that has the one length which it may have."""
    if body[:2] == b"\xf9\x04" and len(body) == 7:
        return b"control"
    return b"loop" if body[:15] == b"\xff\x0bNETSCAPE2.0\x03\x01" and len(body) == 18 else b"other"


def _colours(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks(content: bytes, at: int) -> int:
    for size in _sizes(content, at):
        at += size + 1
    return at + 1


def _sizes(content: bytes, at: int) -> Iterator[int]:
    while at < len(content) and content[at]:
        yield content[at]
        at += content[at] + 1
    if at >= len(content):
        raise refuse(Code.BROKEN_PICTURE, offset=at)


def _picture(
    content: bytes, size: tuple[int, int], kinds: list[bytes], end: int, format: Format, *, policy: Policy
) -> Picture:
    width, height = size
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE and width * height <= policy.max_pixels):
        raise refuse(Code.TOO_LARGE)
    return Picture(content, width, height, tuple(kinds), len(content) - end, format)

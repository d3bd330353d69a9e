"""Reads PNG chunk by chunk, draws it again from few plain colours and nothing else (T13)."""

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator

from PIL import GifImagePlugin, Image, ImageFile, JpegImagePlugin, PngImagePlugin

from ..findings import Code, refuse
from ..subject import Format, Picture
from ..thresholds import Policy

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Plotting libraries sign their pictures with this one word; all other text is the author's.
MAKER = b"made"
_SOFTWARE = re.compile(rb"Software\0[A-Za-z][A-Za-z0-9 .,:/_-]{0,79}")
_MAX_CHUNKS = 10_000
# How long chunks are at most that may stand there, each once (PNG specification, third edition, section 11).
_LONGEST = {b"IHDR": 13, b"PLTE": 768, b"tRNS": 256, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"sBIT": 4} | {
    b"bKGD": 6,
    b"pHYs": 9,
    b"IEND": 0,
    MAKER: 100,
}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Of Adam7's seven passes: first column and row, steps between columns and rows.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_CLEAR_COLOURS = 2  # of pixels that nobody sees; programs leave one
_MAX_SIDE = 20_000
# Colours nearer than this on every channel are drawn as one: hides least-significant-bit payloads.
_NEAR = 12
_DECODERS: dict[Format, type[ImageFile.ImageFile]] = {
    Format.PNG: PngImagePlugin.PngImageFile,
    Format.JPEG: JpegImagePlugin.JpegImageFile,
    Format.GIF: GifImagePlugin.GifImageFile,
}
_MORE = b"more"
_Colour = tuple[int, int, int]


def read(content: bytes, *, policy: Policy) -> Picture:
    """Return what the chunks say, sizes checked before a pixel is decoded."""
    chunks: list[bytes] = []
    end = len(SIGNATURE)
    width = height = 0
    outline = b""
    drawn: list[bytes] = []
    for kind, body, after in _walk(content):
        if not chunks:
            if kind != b"IHDR" or len(body) != 13:
                raise refuse(Code.BROKEN_PICTURE, offset=end)
            width, height = struct.unpack(">II", body[:8])
            outline = body
        known = MAKER if kind == b"tEXt" and _SOFTWARE.fullmatch(body) else kind
        if known in _LONGEST and known != b"IHDR" and (len(body) > _LONGEST[known] or known in chunks):
            known = _MORE
        chunks.append(known)
        drawn += [body] if kind == b"IDAT" else []
        end = after
    if not chunks or chunks[-1] != b"IEND" or chunks.count(b"IHDR") != 1:
        raise refuse(Code.BROKEN_PICTURE, offset=end)
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE and width * height <= policy.max_pixels):
        raise refuse(Code.TOO_LARGE)
    if _is_more(b"".join(drawn), _inflated_size(width, height, outline)):
        chunks.append(_MORE)
    return Picture(content, width, height, tuple(chunks), len(content) - end)


def _inflated_size(width: int, height: int, outline: bytes) -> int:
    """Return how many bytes the rows of pixels are, a filter byte before each."""
    depth, kind, interlaced = outline[8], outline[9], outline[12]
    bits = depth * _CHANNELS.get(kind, 0)
    sizes = [(width, height)]
    if interlaced:
        sizes = [(-((x - width) // across), -((y - height) // down)) for x, y, across, down in _PASSES]
    return sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns > 0 and rows > 0)


def _is_more(packed: bytes, size: int) -> bool:
    """Return whether there is more than the pixels; decoders stop there, and what is less they refuse."""
    machine = zlib.decompressobj()
    try:
        unpacked = len(machine.decompress(packed, size)) + len(machine.decompress(machine.unconsumed_tail, 1))
    except zlib.error:
        return False  # they refuse it too
    return unpacked > size or bool(machine.unused_data)


def _walk(content: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Yield kind, body and end of each chunk up to IEND; refuses a wrong length or checksum."""
    at = len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(content):
            raise refuse(Code.BROKEN_PICTURE, offset=at)
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        after = at + 12 + length
        if after > len(content):
            raise refuse(Code.BROKEN_PICTURE, offset=at)
        body = content[at + 8 : after - 4]
        if zlib.crc32(kind + body) != int.from_bytes(content[after - 4 : after], "big"):
            raise refuse(Code.BROKEN_PICTURE, offset=at)
        yield kind, body, after
        if kind == b"IEND":
            return
        at = after
    raise refuse(Code.BROKEN_PICTURE, offset=at)


def pixels(picture: Picture) -> Image.Image:
    """Return the decoded picture as plain RGB over white; refuses what Pillow cannot decode whole."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            image = _DECODERS[picture.format](io.BytesIO(picture.content))
            image.load()
            if getattr(image, "n_frames", 1) != 1:
                raise refuse(Code.HIDDEN_METADATA)
            clear = image.convert("RGBA")
    except (OSError, SyntaxError, ValueError, struct.error, zlib.error, Warning, Image.DecompressionBombError):
        raise refuse(Code.BROKEN_PICTURE) from None
    if clear.size != (picture.width, picture.height):
        raise refuse(Code.BROKEN_PICTURE)
    white = Image.new("RGBA", clear.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, clear).convert("RGB")


def is_clear_drawn(picture: Picture) -> bool:
    """Return whether pixels that cannot be seen at all have colours, more than the one that a program leaves."""
    image = _DECODERS[picture.format](io.BytesIO(picture.content)).convert("RGBA")
    clear = image.getchannel("A").point([255, *[0] * 255])
    alone = Image.composite(image.convert("RGB"), Image.new("RGB", image.size), clear)
    return alone.getcolors(_CLEAR_COLOURS + 1) is None


def write(picture: Picture, *, policy: Policy) -> bytes:
    """Return the clean copy: a palette of few, clearly different colours in fixed order and no ancillary chunk."""
    flat = pixels(picture)
    if flat.getcolors(policy.max_colours) is None:
        flat = flat.quantize(policy.max_colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert(
            "RGB"
        )
    colours = flat.getcolors(policy.max_colours) or []
    kept = _merge([(count, _triple(colour)) for count, colour in colours])
    order = sorted(set(kept.values()))
    return encode(_paint(flat, kept, order), order)


def encode(indexed: Image.Image, order: list[_Colour]) -> bytes:
    """Return PNG bytes written chunk by chunk by ourselves, so that no library adds a word."""
    width, height = indexed.size
    raw = indexed.tobytes()
    rows = b"".join(b"\0" + raw[at : at + width] for at in range(0, width * height, width))
    palette = b"".join(bytes(colour) for colour in order)
    parts = [SIGNATURE]
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    ):
        parts.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
    return b"".join(parts)


def halve(picture: Picture, *, policy: Policy) -> bytes:
    """Return a clean copy of half the width and height."""
    flat = pixels(picture)
    small = flat.resize((max(picture.width // 2, 1), max(picture.height // 2, 1)))
    order = [(shade, shade, shade) for shade in range(256)]
    grey = Picture(encode(small.convert("L"), order), *small.size, (), 0)
    return write(grey, policy=policy)


def near_pairs(image: Image.Image, *, policy: Policy) -> bool:
    """Return whether a flat picture has colours that the eye cannot tell apart, as hidden data would."""
    colours = image.getcolors(policy.max_colours)
    if colours is None:
        return False
    merged = _merge([(count, _triple(colour)) for count, colour in colours])
    return any(
        colour != onto and max(abs(a - b) for a, b in zip(colour, onto, strict=True)) <= 2
        for colour, onto in merged.items()
    )


def _triple(colour: object) -> _Colour:
    if not isinstance(colour, tuple) or len(colour) != 3:
        raise refuse(Code.BROKEN_PICTURE)
    return (int(colour[0]), int(colour[1]), int(colour[2]))


def _merge(colours: list[tuple[int, _Colour]]) -> dict[_Colour, _Colour]:
    """Map each colour to itself or to a more frequent one that is near; kept ones are never near each other."""
    kept: list[_Colour] = []
    onto: dict[_Colour, _Colour] = {}
    for _, colour in sorted(colours, key=lambda pair: (-pair[0], pair[1])):
        twin = next((one for one in kept if max(abs(a - b) for a, b in zip(colour, one, strict=True)) <= _NEAR), None)
        if twin is None:
            kept.append(colour)
        onto[colour] = colour if twin is None else twin
    return onto


def _paint(flat: Image.Image, kept: dict[_Colour, _Colour], order: list[_Colour]) -> Image.Image:
    """Return an image of palette indices, each the place of its kept colour in `order`."""
    place = {bytes((*colour, 255)): order.index(onto) for colour, onto in kept.items()}
    lookup = {memoryview(key).cast("I")[0]: index for key, index in place.items()}
    words = memoryview(flat.convert("RGBA").tobytes()).cast("I")
    return Image.frombytes("L", flat.size, bytes(map(lookup.__getitem__, words)))

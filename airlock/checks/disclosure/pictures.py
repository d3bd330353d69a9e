"""Finds what a picture carries beside the pixels that a person sees."""

from collections.abc import Iterator

from ..findings import Code, Finding, Refused, Severity, found
from ..formats import camera, png
from ..subject import Format, Picture, Subject

# Chunks that only say how to show the pixels (PNG specification, third edition, section 11).
_HARMLESS = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs"}
)


def check(subject: Subject) -> Iterator[Finding]:
    """Judge chunks, what follows the end, then whether near colours hide data."""
    picture = subject.model
    if not isinstance(picture, Picture):
        return
    if set(picture.chunks) - (_HARMLESS if picture.format is Format.PNG else camera.HARMLESS):
        only_maker = set(picture.chunks) - _HARMLESS == {png.MAKER}
        yield found(Code.HIDDEN_METADATA, Severity.WARN if only_maker else None)
    if picture.trailing:
        yield found(Code.TRAILING_BYTES, offset=len(picture.content) - picture.trailing)
    try:
        if png.near_pairs(png.pixels(picture), policy=subject.policy):
            yield found(Code.STEGANOGRAPHY)
        if png.is_clear_drawn(picture):
            yield found(Code.HIDDEN_METADATA)
    except Refused as refused:
        yield refused.finding
    if subject.promise is None:
        yield found(Code.PICTURE_ALONE)

"""Draws one page of a PDF, in a process of its own; the only importer of PDFium."""

import io
import struct
import subprocess
import sys
from typing import Any

from PIL import Image

from ..subject import Picture, Printed
from ..thresholds import Policy
from . import png

# PDFium is C++: what makes it crash, swell or hang ends a child, and not the inspection around it (T27, T30).
_SECONDS = 20
_CPU_SECONDS = 15
_MEMORY = 512 << 20
_POINTS_TO_PIXELS = 1.5
_MAX_SIDE = 1600
_MAX_PIXELS = 1_600_000
_MAX_BOX = 20_000.0  # points; PDF itself allows 14,400
_SIZE = struct.Struct(">II")
_CHILD = "import sys; sys.path[:] = sys.argv[3:]; from {} import main; main()"
_ANNOTATIONS, _REVERSED = 0x01, 0x10  # as fpdfview.h has them: notes are drawn, bytes are red, green, blue
_BGR = 2


def draw(printed: Printed, number: int, *, policy: Policy) -> Picture | None:
    """Return page `number`, from 1, as a PNG of ours; None where it cannot be drawn, in the bounds or at all."""
    words = [sys.executable, "-I", "-c", _CHILD.format(__name__), str(number), str(printed.pages), *sys.path]
    try:
        drawn = subprocess.run(
            words, input=printed.content, capture_output=True, timeout=_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    if len(drawn) < _SIZE.size:
        return None
    width, height = _SIZE.unpack_from(drawn)
    if width * height > _MAX_PIXELS or len(drawn) != _SIZE.size + 3 * width * height or not width or not height:
        return None
    out = io.BytesIO()
    Image.frombytes("RGB", (width, height), drawn[_SIZE.size :]).save(out, "PNG")
    return png.read(out.getvalue(), policy=policy)


def main() -> None:
    """Draw the page that the arguments name of the PDF on standard input: size and pixels on standard output."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    drawn = _pixels(sys.stdin.buffer.read(), int(sys.argv[1]), int(sys.argv[2]))
    if drawn is not None:
        (width, height), content = drawn
        sys.stdout.buffer.write(_SIZE.pack(width, height) + content)


def _pixels(content: bytes, number: int, pages: int) -> tuple[tuple[int, int], bytes] | None:
    import ctypes

    import pypdfium2_raw as pdfium

    pdfium.FPDF_InitLibrary()
    document: Any = pdfium.FPDF_LoadMemDocument64(content, len(content), None)
    # Two parsers that count differently do not see the same document, and the words of one were judged.
    if not document or pdfium.FPDF_GetPageCount(document) != pages:
        return None
    page: Any = pdfium.FPDF_LoadPage(document, number - 1)
    if not page:
        return None
    size = fitted(pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page))
    if size is None:
        return None
    width, height = size
    held = ctypes.create_string_buffer(3 * width * height)
    bitmap: Any = pdfium.FPDFBitmap_CreateEx(width, height, _BGR, held, 3 * width)
    if not bitmap:
        return None
    pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
    pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, _ANNOTATIONS | _REVERSED)
    return size, held.raw


def fitted(width: float, height: float) -> tuple[int, int] | None:
    """Return the pixels of a page of this size in points; None for a page that no paper has."""
    if not (1 <= width <= _MAX_BOX and 1 <= height <= _MAX_BOX):  # NaN fails too
        return None
    scale = min(_POINTS_TO_PIXELS, _MAX_SIDE / max(width, height), (_MAX_PIXELS / (width * height)) ** 0.5)
    return max(1, int(width * scale)), max(1, int(height * scale))

"""Reads a clean copy again by other means than its first reader, so that what two see differently is blocked."""

import ast
import re
import struct
import zlib
from collections.abc import Iterator
from typing import assert_never

from ..findings import Refused
from ..promise import Promised
from ..subject import Bundle, Model, Picture, Prose, Site, Sites, Table
from . import json_leaves, png

_RECORD = re.compile(
    rb"([^\t\n]+)\t(\d+)\t([^\t\n]+)\t([A-Z]+)\t([A-Z,]+)\t\.\t([A-Z.]+)\tAC=([\d,]+);AN=(\d+)(?:;AF=[\d.,]+)?\n"
)
_NULL = re.compile(r"(\"): null(,?)$", re.MULTILINE)


def agrees(content: bytes, model: Model, promised: Promised) -> bool:
    """Return whether plain bytes of our own copy say the same to a second parser; anything odd is a no."""
    try:
        match promised:
            case Promised.TSV | Promised.CSV:
                mark = "\t" if promised is Promised.TSV else ","
                return isinstance(model, Table) and list(_rows(content.decode(), mark)) == [model.header, *model.rows]
            case Promised.VCF:
                return isinstance(model, Sites) and _sites(content) == [_site_words(site) for site in model.sites]
            case Promised.PNG:
                return isinstance(model, Picture) and _same_pixels(content, model)
            case Promised.JSON:
                return isinstance(model, Bundle) and _same_leaves(content, model)
            case Promised.LOG:
                return isinstance(model, Prose) and _lines(content) == list(model.lines)
            case _:
                assert_never(promised)
    except (Refused, ValueError, SyntaxError, IndexError, KeyError, RecursionError, struct.error, zlib.error):
        return False


def _rows(text: str, mark: str) -> Iterator[tuple[str, ...]]:
    """Walk letter by letter: a quoted cell ends at a quote that is not doubled (RFC 4180)."""
    row: list[str] = []
    cell: list[str] = []
    quoted = False
    at = 0
    while at < len(text):
        letter = text[at]
        at += 1
        if quoted and letter == '"':
            if text[at : at + 1] == '"':
                cell.append(letter)
                at += 1
            else:
                quoted = False
        elif quoted or letter not in ('"', mark, "\n"):
            cell.append(letter)
        elif letter == '"':
            quoted = True
        else:
            row.append("".join(cell))
            cell = []
            if letter == "\n":
                yield tuple(row)
                row = []
    if row or cell or quoted:
        raise ValueError  # our copies end with a line break


def _sites(content: bytes) -> list[tuple[str, ...]]:
    body = content[content.index(b"\n#CHROM\t") + 1 :]
    body = body[body.index(b"\n") + 1 :]
    matches = list(_RECORD.finditer(body))
    if sum(match.end() - match.start() for match in matches) != len(body):
        raise ValueError
    return [tuple(one.decode("ascii") for one in match.groups()) for match in matches]


def _site_words(site: Site) -> tuple[str, ...]:
    counts = ",".join(str(count) for count in site.counts or ())
    place = (site.chrom, str(site.pos), site.rsid, site.ref, ",".join(site.alts))
    return (*place, site.filter, counts, str(site.total))


def _same_pixels(content: bytes, model: Picture) -> bool:
    """Our copies have four chunks, one palette and no filter, so that inflating them is all there is to do."""
    at = len(png.SIGNATURE)
    bodies: dict[bytes, bytes] = {}
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        bodies[kind] = bodies.get(kind, b"") + content[at + 8 : at + 8 + length]
        at += 12 + length
    width, height = struct.unpack(">II", bodies[b"IHDR"][:8])
    if (
        at != len(content)
        or set(bodies) != {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
        or width * height != model.width * model.height
    ):
        return False
    raw = zlib.decompressobj().decompress(bodies[b"IDAT"], (width + 1) * height + 1)
    if len(raw) != (width + 1) * height or any(raw[:: width + 1]):
        return False
    indices = b"".join(raw[row + 1 : row + 1 + width] for row in range(0, len(raw), width + 1))
    shown = png.pixels(model)
    palette = bodies[b"PLTE"].ljust(768, b"\0")
    return all(indices.translate(palette[band::3]) == shown.getchannel(band).tobytes() for band in range(3))


def _same_leaves(content: bytes, model: Bundle) -> bool:
    if not content.endswith(b"}\n"):
        return False
    tree = ast.literal_eval(_NULL.sub(r"\1: None\2", content.decode("ascii")))
    return {path: value for path, value in _leaves(tree, "")} == json_leaves.leaves(model.source)


def _leaves(tree: object, before: str) -> Iterator[tuple[str, str]]:
    if not isinstance(tree, dict):
        raise ValueError
    for key, one in tree.items():
        if isinstance(one, dict):
            yield from _leaves(one, f"{before}{key}.")
        else:
            yield f"{before}{key}", "" if one is None else str(one)


def _lines(content: bytes) -> list[str]:
    *lines, last = content.split(b"\n")
    if last:
        raise ValueError
    return [line.decode("ascii") for line in lines]

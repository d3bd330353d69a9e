"""Draws a bounded picture of a file for stewards, with every odd character made visible and inert."""

import base64
from collections import Counter
from pathlib import Path
from typing import Any

from .answer import Answer, failed
from .findings import Code, Refused, found
from .formats import opening, png
from .formats.vcf import COLUMNS
from .inspection import facts
from .promise import Promise
from .subject import Picture, Prose, Sites, Table
from .thresholds import Policy

MAX_ROWS = 200
_MAX_COLUMNS = 60
_MAX_CELL = 80
_MAX_TEXT = 150_000
_MAX_PICTURE = 120_000
_BINS = 20


def view(path: Path, name: str, rule: Promise | None, policy: Policy) -> Answer:
    """Return an answer whose `view` a page or terminal can show as it stands; never raw bytes."""
    try:
        opened = opening.open_subject(path, name, policy=policy, promise=rule)
        if opened.given_up:
            return failed("view", policy, opened.given_up[0])
        drawn = _draw(opened.subject.model, policy=policy)
    except Refused as refused:
        return failed("view", policy, refused.finding)
    if drawn is None:
        return failed("view", policy, found(Code.UNREVIEWABLE_TYPE))
    numbers = facts(opened.subject.model, opened.stored)
    return Answer("view", policy.version, opened.subject.format.value, (), facts=numbers, view=drawn)


def _draw(model: object, *, policy: Policy) -> dict[str, Any] | None:
    match model:
        case Table():
            return {
                "kind": "table",
                "columns": _row(model.header),
                **_bounded([list(row) for row in model.rows[: MAX_ROWS + 1]], len(model.rows)),
            }
        case Sites():
            return _draw_sites(model)
        case Picture():
            return _draw_picture(model, policy=policy)
        case Prose():
            lines = [[line] for line in model.lines[: MAX_ROWS + 1]]
            return {"kind": "text", **_bounded(lines, len(model.lines))}
        case _:
            return None


def _draw_sites(model: Sites) -> dict[str, Any]:
    """Show sites with AC and AN and the shape of all frequencies; never a sample column."""
    rows = [
        [
            site.chrom,
            str(site.pos),
            site.rsid,
            site.ref,
            ",".join(site.alts),
            site.filter,
            ",".join(str(count) for count in site.counts or ()),
            str(site.total if site.total is not None else ""),
        ]
        for site in model.sites[: MAX_ROWS + 1]
    ]
    bins = Counter(
        min(int(count * _BINS / site.total), _BINS - 1)
        for site in model.sites
        for count in site.counts or ()
        if site.total
    )
    return {
        "kind": "vcf",
        "columns": ["CHROM", "POS", "ID", "REF", "ALT", "FILTER", "AC", "AN"],
        "header_lines": len(model.meta),
        "sample_columns": max(len(model.columns) - len(COLUMNS) - 1, 0),
        "frequency_histogram": [bins[index] for index in range(_BINS)],
        **_bounded(rows, len(model.sites)),
    }


def _draw_picture(model: Picture, *, policy: Policy) -> dict[str, Any]:
    """Draw the picture again, halved until it fits the answer."""
    content = png.write(model, policy=policy)
    shown = png.read(content, policy=policy)
    while len(content) > _MAX_PICTURE and min(shown.width, shown.height) > 16:
        content = png.halve(shown, policy=policy)
        shown = png.read(content, policy=policy)
    return {
        "kind": "image",
        "media_type": "image/png",
        "png": base64.b64encode(content).decode(),
        "width": shown.width,
        "height": shown.height,
    }


def _bounded(rows: list[list[str]], total: int) -> dict[str, Any]:
    """Return as many rows as fit in number and length, and how many there are in all."""
    shown: list[list[str]] = []
    length = 0
    for row in rows[:MAX_ROWS]:
        cells = _row(row)
        length += sum(len(cell) + 4 for cell in cells)
        if length > _MAX_TEXT:
            break
        shown.append(cells)
    return {"rows": shown, "total_rows": total, "truncated": len(shown) < total}


def _row(cells: list[str] | tuple[str, ...]) -> list[str]:
    return [visible(cell) for cell in cells[:_MAX_COLUMNS]]


def visible(text: str) -> str:
    """Return the text with everything but printable characters written as an escape, cut to what fits a cell."""
    shown = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text[: _MAX_CELL + 1])
    return shown if len(text) <= _MAX_CELL else shown[:_MAX_CELL] + "…"

"""Draws a bounded picture of a file for stewards, with every odd character made visible and inert."""

import base64
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from .answer import Answer, failed
from .brought import LONGEST_LINE, MOST_LINES, MOST_SHOWN, Declared, shown
from .findings import Code, Refused, found
from .formats import opening, png
from .formats.vcf import COLUMNS
from .inspection import facts
from .promise import Promise
from .subject import Bundle, Picture, Printed, Prose, Sites, Subject, Table
from .thresholds import Policy

MOST_ROWS = 2000
MAX_PARTS = 20
_MAX_COLUMNS = 60
_MAX_CELL = 80
_MAX_PICTURE = 120_000
_BINS = 20
One = TypeVar("One")


class Rows(NamedTuple):
    """Which rows are drawn: the first of them, from 1, and how many at most."""

    first: int
    most: int


FIRST_ROWS = Rows(1, 200)


def view(
    path: Path,
    name: str,
    rule: Promise | None,
    policy: Policy,
    *,
    rows: Rows = FIRST_ROWS,
    page: int | None = None,
) -> Answer:
    """Return an answer whose `view` a page or terminal can show as it stands; never raw bytes.

    With `page` it is a picture of that page, from 1, of all PDFs in the file.
    """
    try:
        opened = opening.open_subject(path, name, policy=policy, promise=rule)
        if opened.given_up:
            return failed("view", policy, opened.given_up[0])
        drawn = _draw_what(opened.subject.model, rows, page, policy=policy)
    except Refused as refused:
        return failed("view", policy, refused.finding)
    if drawn is None:
        return failed("view", policy, found(Code.UNREVIEWABLE_TYPE))
    numbers = facts(opened.subject.model, opened.stored)
    return Answer("view", policy.version, opened.subject.format.value, (), facts=numbers, view=drawn)


def view_brought(path: Path, name: str, declared: Declared, policy: Policy, *, page: int | None = None) -> Answer:
    """Return the picture of a file that is to come in; a script is drawn whole."""
    try:
        subject, refused = shown(path, name, declared, policy)
        drawn = (
            _draw_script(subject.model)
            if declared is Declared.SCRIPT
            else _draw_what(subject.model, FIRST_ROWS, page, policy=policy)
        )
    except Refused as given_up:
        return failed("view", policy, given_up.finding)
    if refused is not None:
        return refused
    if drawn is None:
        return failed("view", policy, found(Code.UNREVIEWABLE_TYPE))
    numbers = facts(subject.model, b"")
    return Answer("view", policy.version, subject.format.value, (), facts=numbers, view=drawn)


def _draw_script(model: object) -> dict[str, Any] | None:
    if not isinstance(model, Prose):
        return None
    rows = [[visible(line, most=LONGEST_LINE)] for line in model.lines[:MOST_LINES]]
    while sum(len(row[0]) + 4 for row in rows) > MOST_SHOWN:
        rows.pop()
    total = len(model.lines)
    return {"kind": "text", "rows": rows, "total_rows": total, "truncated": len(rows) < total}


def _draw_what(model: object, rows: Rows, page: int | None, *, policy: Policy) -> dict[str, Any] | None:
    return _draw(model, rows, policy=policy) if page is None else _draw_page(model, page, policy=policy)


def _draw(model: object, rows: Rows, *, policy: Policy, most: int = MOST_SHOWN) -> dict[str, Any] | None:
    match model:
        case Table():
            return {
                "kind": "table",
                "columns": _row(model.header),
                **_bounded([list(row) for row in _window(model.rows, rows)], rows, len(model.rows), most=most),
            }
        case Sites():
            return _draw_sites(model, rows)
        case Picture():
            return _draw_picture(model, policy=policy)
        case Prose():
            lines = [[line] for line in _window(model.lines, rows)]
            return {"kind": "text", **_bounded(lines, rows, len(model.lines), most=most)}
        case Bundle():
            return _draw_parts(model, policy=policy)
        case _:
            return None


def _draw_parts(model: Bundle, *, policy: Policy) -> dict[str, Any]:
    """Draw the first parts, each bounded so that all fit; a part without a picture of itself is counted only."""
    parts: list[dict[str, Any]] = []
    flat = _flatten(model)
    most = MOST_SHOWN // MAX_PARTS
    for number, one in enumerate(flat, start=1):
        if len(parts) >= MAX_PARTS:
            break
        if isinstance(one.model, (Table, Prose)) and (
            drawn := _draw(one.model, FIRST_ROWS, policy=policy, most=most)
        ):
            parts.append({"number": number, "format": one.format.value, "view": drawn})
    return {
        "kind": "parts",
        "parts": parts,
        "total_parts": len(flat),
        "pages": sum(one.pages for one, _ in _printed(model)),
    }


def _draw_page(model: object, page: int, *, policy: Policy) -> dict[str, Any] | None:
    """Draw one page of the PDFs in a file, counted through; one that cannot be drawn has no picture."""
    from .formats import pages

    printed = _printed(model) if isinstance(model, Bundle) else []
    if not printed:
        return None
    drawn: dict[str, Any] = {"png": "", "width": 0, "height": 0}
    number, part = page, 0
    for one, first_part in printed:
        if number <= one.pages:
            part, picture = first_part, pages.draw(one, number, policy=policy)
            drawn = _draw_picture(picture, policy=policy) if picture else drawn
            break
        number -= one.pages
    total = sum(one.pages for one, _ in printed)
    return {**drawn, "kind": "page", "media_type": "image/png", "number": page, "total": total, "part": part}


def _printed(model: Bundle, part: int = 1) -> list[tuple[Printed, int]]:
    """Return the PDFs in a file, each with the number of the part that holds its words."""
    found = [(model.printed, part)] if model.printed else []
    for one in model.members:
        inner = one.model
        found += _printed(inner, part) if isinstance(inner, Bundle) else []
        part += len(_flatten(inner)) if isinstance(inner, Bundle) else 1
    return found


def _flatten(model: Bundle) -> list[Subject]:
    flat: list[Subject] = []
    for one in model.members:
        flat += _flatten(one.model) if isinstance(one.model, Bundle) else [one]
    return flat


def _draw_sites(model: Sites, rows: Rows) -> dict[str, Any]:
    """Show sites with AC and AN and the shape of all frequencies; never a sample column."""
    drawn = [
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
        for site in _window(model.sites, rows)
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
        **_bounded(drawn, rows, len(model.sites)),
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


def _window(rows: Sequence[One], wanted: Rows) -> Sequence[One]:
    return rows[wanted.first - 1 : wanted.first - 1 + wanted.most]


def _bounded(rows: list[list[str]], wanted: Rows, total: int, *, most: int = MOST_SHOWN) -> dict[str, Any]:
    """Return as many rows as fit in length, with the number of the first, and how many there are in all."""
    shown: list[list[str]] = []
    length = 0
    for row in rows:
        cells = _row(row)
        length += sum(len(cell) + 4 for cell in cells)
        if length > most:
            break
        shown.append(cells)
    return {"rows": shown, "first": wanted.first, "total_rows": total, "truncated": len(shown) < total}


def _row(cells: list[str] | tuple[str, ...]) -> list[str]:
    return [visible(cell) for cell in cells[:_MAX_COLUMNS]]


def visible(text: str, *, most: int = _MAX_CELL) -> str:
    """Return the text with everything but printable characters written as an escape, cut to what fits a cell."""
    drawn = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text[: most + 1])
    return drawn if len(text) <= most else drawn[:most] + "…"

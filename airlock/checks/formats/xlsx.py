"""Reads an Excel workbook's sheets into tables, with what Excel would not show."""

import re
from collections.abc import Callable, Iterator

from ..findings import Code, Finding, found, refuse
from ..subject import Bundle, Format, Subject, Table
from ..thresholds import Policy
from .xmltree import Document, Node

Part = Callable[[str], Document | None]
Text = Callable[[str, list[str]], Subject]
_SHEET = re.compile(r"xl/(?:worksheets|chartsheets)/[^/]+\.xml")
_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_MAX_CELLS = 2_000_000
_LONG_CHOICE = 10  # values that a cell may take, which only its menu shows
_WHITE = re.compile(r"(?:[0-9A-Fa-f]{2})?[Ff]{6}")


def read(part: Part, names: list[str], *, policy: Policy, text: Text) -> Bundle:
    """Return one table a sheet; raises `Refused` for parts that are not of the format."""
    workbook = part("xl/workbook.xml")
    if workbook is None:
        raise refuse(Code.BROKEN_FILE)
    strings = [_shown(node) for node in _top(part("xl/sharedStrings.xml"), "si")]
    unseen = _unseen_styles(part("xl/styles.xml"))
    seen = list(_workbook(workbook))
    words = [node.attributes.get("name", "") for node in workbook.root.named("sheet", "definedName")]
    words += [node.text for node in workbook.root.named("definedName")]
    members: list[Subject] = []
    for number, name in enumerate((one for one in names if _SHEET.fullmatch(one)), start=1):
        sheet = part(name)
        if sheet is None:
            continue
        seen += [
            found(one.code, one.severity, row=one.place.row, column=one.place.column, member=number)
            for one in _outline(sheet.root, unseen)
        ]
        cells = dict(_cells(sheet.root, strings))
        words += [node.words() for node in sheet.root.named("oddHeader", "oddFooter", "evenHeader", "evenFooter")]
        words += list(sheet.comments)
        if cells:
            members.append(Subject(f"sheet-{number}", Format.TABLE, grid(cells), policy))
    drawn = [name for name in names if name.startswith(("xl/drawings/", "xl/charts/")) and name.endswith(".xml")]
    for name in drawn:
        drawing = part(name)
        words += [] if drawing is None else [node.text for node in drawing.root.walk() if node.text.strip()]
    if not members:
        seen.append(found(Code.EMPTY))
    return Bundle((*members, text("words", words)), tuple(seen))


def grid(cells: dict[tuple[int, int], str]) -> Table:
    """Return the cells (row, column from 1) as a table that starts at the first row with a value."""
    rows = sorted({row for row, _ in cells})
    width = max(column for _, column in cells)
    if len(rows) * width > _MAX_CELLS:
        raise refuse(Code.HIDDEN_COLUMNS)
    place = {row: at for at, row in enumerate(rows)}
    lines = [[""] * width for _ in rows]
    for (row, column), value in cells.items():
        lines[place[row]][column - 1] = value
    first = min(column for _, column in cells) - 1  # a table may start at column B
    return Table(
        tuple(cell.strip() for cell in lines[0][first:]),
        tuple(tuple(line[first:]) for line in lines[1:]),
        "",
        "utf-8",
    )


def _workbook(workbook: Document) -> Iterator[Finding]:
    for number, node in enumerate(workbook.root.named("sheet"), start=1):
        if node.attributes.get("state", "visible") != "visible":
            yield found(Code.HIDDEN_SHEET, member=number)
    for node in workbook.root.named("definedName"):
        if node.attributes.get("hidden") in ("1", "true") and not node.attributes.get("name", "").startswith(
            "_xlnm."
        ):
            yield found(Code.HIDDEN_CELLS)
        elif "!" not in node.text:
            yield found(Code.HIDDEN_CELLS)  # the name of a value, which stands in no cell
    if workbook.root.named("externalReference", "oleSize"):
        yield found(Code.ACTIVE_CONTENT)


def _outline(sheet: Node, unseen: frozenset[str]) -> Iterator[Finding]:
    for node in sheet.named("col"):
        if _true(node, "hidden") or node.attributes.get("width") in ("0", "0.0"):
            yield found(Code.HIDDEN_CELLS, column=_number(node.attributes.get("min")))
    for node in sheet.named("formula1", "formula2"):
        if node.text.strip().startswith('"') and node.text.count(",") >= _LONG_CHOICE:
            yield found(Code.HIDDEN_CELLS)
    for node in sheet.named("row"):
        if _true(node, "hidden") or node.attributes.get("ht") in ("0", "0.0"):
            yield found(Code.HIDDEN_CELLS, row=_number(node.attributes.get("r")))
    if any(_true(node, "zeroHeight") for node in sheet.named("sheetFormatPr")):
        yield found(Code.HIDDEN_CELLS)
    if any(node.attributes.get("s") in unseen and node.children for node in sheet.named("c")):
        yield found(Code.HIDDEN_TEXT)
    if sheet.named("f"):
        yield found(Code.FORMULA)
    if sheet.named("oleObject", "control", "legacyDrawingHF", "webPublishItem"):
        yield found(Code.ACTIVE_CONTENT)


def _cells(sheet: Node, strings: list[str]) -> Iterator[tuple[tuple[int, int], str]]:
    row = column = 0
    for node in sheet.walk():
        if node.name == "row":
            row, column = _number(node.attributes.get("r")) or row + 1, 0
        elif node.name == "c":
            column += 1
            if (place := _CELL.fullmatch(node.attributes.get("r", ""))) is not None:
                column, row = _column(place[1]), int(place[2])
            value = _value(node, strings)
            if value != "":
                yield (row, column), value


def _value(cell: Node, strings: list[str]) -> str:
    kind = cell.attributes.get("t", "n")
    if kind == "inlineStr":
        return "".join(_shown(node) for node in cell.children if node.name == "is")
    raw = "".join(node.words() for node in cell.children if node.name == "v")
    if kind == "s":
        place = _number(raw)
        if place is None or place >= len(strings):
            raise refuse(Code.BROKEN_FILE)
        return strings[place]
    return raw


def _shown(node: Node) -> str:
    return "".join(one.text for one in node.named("t"))


def _top(document: Document | None, name: str) -> list[Node]:
    return [] if document is None else [node for node in document.root.children if node.name == name]


def _unseen_styles(styles: Document | None) -> frozenset[str]:
    """Return the cell styles that show nothing: white letters, or the number format `;;;`."""
    if styles is None:
        return frozenset()
    white = set()
    for at, font in enumerate(node for fonts in _top(styles, "fonts") for node in fonts.children):
        colours = [node.attributes for node in font.named("color")]
        if any(_WHITE.fullmatch(one.get("rgb", "")) or one.get("theme") == "0" for one in colours):
            white.add(str(at))
    blank = {
        node.attributes.get("numFmtId", "")
        for node in styles.root.named("numFmt")
        if node.attributes.get("formatCode", "").replace(" ", "") in (";;;", ";;")
    }
    formats = [node for group in _top(styles, "cellXfs") for node in group.children]
    filled = {str(at) for at, node in enumerate(formats) if node.attributes.get("fillId", "0") not in ("0", "1")}
    return frozenset(
        str(at)
        for at, node in enumerate(formats)
        if node.attributes.get("numFmtId") in blank
        or (node.attributes.get("fontId") in white and str(at) not in filled)
    )


def _true(node: Node, name: str) -> bool:
    return node.attributes.get(name) in ("1", "true")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number

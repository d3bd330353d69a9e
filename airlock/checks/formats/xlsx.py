"""Reads an Excel workbook's sheets into tables, with what Excel would not show."""

import re
from collections.abc import Callable, Iterator
from itertools import zip_longest

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
_THIN = 0.5
_SIZE = re.compile(r"\d{1,9}(?:\.\d{1,17})?")
_WHITE_PLACES = ("1", "9")  # of the palette
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
    used: set[int | None] = set()
    for number, name in enumerate((one for one in names if _SHEET.fullmatch(one)), start=1):
        sheet = part(name)
        if sheet is None:
            continue
        seen += [
            found(one.code, one.severity, row=one.place.row, column=one.place.column, member=number)
            for one in _outline(sheet.root, unseen)
        ]
        written = list(_cells(sheet.root, strings))
        cells = dict(written)
        used |= set(_strings(sheet.root))
        if len(cells) < len(written):
            seen.append(found(Code.HIDDEN_CELLS, member=number))  # of two in one place only one is shown
        words += [node.words() for node in sheet.root.named("oddHeader", "oddFooter", "evenHeader", "evenFooter")]
        words += list(sheet.comments)
        if cells:
            members.append(Subject(f"sheet-{number}", Format.TABLE, grid(cells), policy))
    if left := [one for at, one in enumerate(strings) if at not in used and one.strip()]:
        seen.append(found(Code.HIDDEN_CELLS))
        words += left
    drawn = [name for name in names if name.startswith(("xl/drawings/", "xl/charts/")) and name.endswith(".xml")]
    for name in drawn:
        drawing = part(name)
        words += [] if drawing is None else [node.text for node in drawing.root.walk() if node.text.strip()]
        members += [] if drawing is None else series(drawing.root, policy=policy)
    if not members:
        seen.append(found(Code.EMPTY))
    return Bundle((*members, text("words", words)), tuple(seen))


def _strings(sheet: Node) -> Iterator[int | None]:
    """Yield the numbers of all strings that cells show."""
    for node in sheet.named("c"):
        if node.attributes.get("t") == "s":
            yield from (_number(one.words()) for one in node.children if one.name == "v")


def series(drawing: Node, *, policy: Policy) -> list[Subject]:
    """Return what a chart keeps of its data, which may be gone from the sheets, as a table for each series."""
    tables = []
    for one in drawing.named("ser"):
        columns = [
            (node.name, [point.words().strip() for point in node.named("pt")])
            for node in one.children
            if node.name in ("cat", "val", "xVal", "yVal", "bubbleSize")
        ]
        filled = [(name, cells) for name, cells in columns if cells]
        if filled:
            rows = zip_longest(*(cells for _, cells in filled), fillvalue="")
            tables.append(Table(tuple(name for name, _ in filled), tuple(rows), "", "utf-8"))
    return [Subject("series", Format.TABLE, table, policy) for table in tables]


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
        if _true(node, "hidden") or _is_thin(node.attributes.get("width")):
            yield found(Code.HIDDEN_CELLS, column=_number(node.attributes.get("min")))
    for node in sheet.named("formula1", "formula2"):
        if node.text.strip().startswith('"') and node.text.count(",") >= _LONG_CHOICE:
            yield found(Code.HIDDEN_CELLS)
    for node in sheet.named("row"):
        if _true(node, "hidden") or _is_thin(node.attributes.get("ht")):
            yield found(Code.HIDDEN_CELLS, row=_number(node.attributes.get("r")))
    if any(_true(node, "zeroHeight") for node in sheet.named("sheetFormatPr")):
        yield found(Code.HIDDEN_CELLS)
    if any(node.attributes.get("s") in unseen and node.children for node in sheet.named("c")):
        yield found(Code.HIDDEN_TEXT)
    if sheet.named("inputCells") or any(_is_doubled(node) for node in sheet.named("c")):
        yield found(Code.HIDDEN_CELLS)  # values of another case, and such as stand below a cell's own
    if sheet.named("f"):
        yield found(Code.FORMULA)
    if sheet.named("oleObject", "control", "legacyDrawingHF", "webPublishItem"):
        yield found(Code.ACTIVE_CONTENT)


def _is_thin(size: str | None) -> bool:
    """Return whether a row or column is too small for any letter."""
    return size is not None and _SIZE.fullmatch(size) is not None and float(size) < _THIN


def _is_doubled(cell: Node) -> bool:
    kinds = [node.name for node in cell.children if node.name in ("v", "is")]
    return len(kinds) > 1 or (kinds == ["is"]) != (cell.attributes.get("t") == "inlineStr" and bool(kinds))


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
        if any(
            _WHITE.fullmatch(one.get("rgb", "")) or one.get("theme") == "0" or one.get("indexed") in _WHITE_PLACES
            for one in colours
        ):
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

"""Reads OpenDocument sheets and texts into tables and words, with what an office program would not show."""

from collections.abc import Iterator

from ..findings import Code, Finding, found, refuse
from ..subject import Bundle, Format, Subject
from ..thresholds import Policy
from .xlsx import Part, Text, grid
from .xmltree import Node

_MAX_REPEAT = 20_000
_HIDDEN_ROW = ("collapse", "filter")


def read(part: Part, *, policy: Policy, text: Text) -> Bundle:
    """Return one table a sheet, or the words of a text document."""
    content = part("content.xml")
    if content is None:
        raise refuse(Code.BROKEN_FILE)
    members: list[Subject] = []
    seen: list[Finding] = list(_outline(content.root))
    hidden = {
        node.attributes.get("name", "")
        for node in content.root.named("style")
        if any(one.attributes.get("display") == "false" for one in node.children)
    }
    words = list(content.comments)
    for number, sheet in enumerate(content.root.named("table"), start=1):
        words.append(sheet.attributes.get("name", ""))
        if sheet.attributes.get("style-name") in hidden or sheet.attributes.get("display") == "false":
            seen.append(found(Code.HIDDEN_SHEET, member=number))
        cells = dict(_cells(sheet))
        if cells:
            members.append(Subject(f"sheet-{number}", Format.TABLE, grid(cells), policy))
    words += [node.words() for node in content.root.named("p", "h")]
    meta = part("meta.xml")
    if meta is not None and meta.root.named("user-defined"):
        seen.append(found(Code.HIDDEN_METADATA))
    return Bundle((*members, text("words", words)), tuple(seen))


def _outline(root: Node) -> Iterator[Finding]:
    if root.named("annotation", "tracked-changes", "hidden-text", "hidden-paragraph"):
        yield found(Code.HIDDEN_TEXT)
    if any(node.children or node.text.strip() for node in root.named("scripts", "event-listeners")):
        yield found(Code.ACTIVE_CONTENT)
    for node in root.named("table-row", "table-column"):
        if node.attributes.get("visibility") in _HIDDEN_ROW:
            yield found(Code.HIDDEN_CELLS)
            break
    if any("formula" in node.attributes for node in root.named("table-cell")):
        yield found(Code.FORMULA)
    if root.named("object", "object-ole", "plugin", "applet"):
        yield found(Code.EMBEDDED_FILE)


def _cells(sheet: Node) -> Iterator[tuple[tuple[int, int], str]]:
    at = 0
    for row in sheet.named("table-row"):
        values = [(node, _repeat(node, "number-columns-repeated")) for node in row.children if "cell" in node.name]
        filled = any(_value(node) for node, _ in values)
        repeat = _repeat(row, "number-rows-repeated")
        if filled and repeat > _MAX_REPEAT:
            raise refuse(Code.TOO_LARGE)
        for _ in range(repeat if filled else 1):
            at += 1
            column = 0
            for node, times in values:
                value = _value(node)
                if value and times > _MAX_REPEAT:
                    raise refuse(Code.TOO_LARGE)
                for offset in range(times if value else 0):
                    yield (at, column + offset + 1), value
                column += times


def _value(cell: Node) -> str:
    said = cell.attributes.get("value") or cell.attributes.get("date-value")
    if said is not None:
        return said
    return "\n".join(node.words() for node in cell.children if node.name in ("p", "h"))


def _repeat(node: Node, name: str) -> int:
    raw = node.attributes.get(name, "1")
    if not raw.isascii() or not raw.isdigit() or len(raw) > 9:
        raise refuse(Code.BROKEN_FILE)
    return int(raw)

"""Reads Word and PowerPoint files into words and tables, with what a reader would not see."""

import re
from collections.abc import Iterator

from ..findings import Code, Finding, found, refuse
from ..subject import Bundle, Format, Subject, Table
from ..thresholds import Policy
from .xlsx import Part, Text, series
from .xmltree import Node

_BODY = re.compile(
    r"word/(?:document|footnotes|endnotes|header\d*|footer\d*|settings)\.xml"
    r"|ppt/slides/[^/]+\.xml|(?:word|ppt)/(?:charts|diagrams|drawings)/[^/]+\.xml"
)
_CHANGES = ("del", "delText", "moveFrom", "rPrChange", "tblPrChange")
_RUNS = {"instrText", "fldSimple"}
_ACTIVE_FIELD = re.compile(r"\b(?:DDE|DDEAUTO|INCLUDETEXT|INCLUDEPICTURE|IMPORT|LINK|MACROBUTTON)\b")
_SMALL_HALF_POINTS = 6
_SMALL_HUNDREDTHS = 300


def read(part: Part, names: list[str], *, policy: Policy, text: Text) -> Bundle:
    """Return all words, and each table by itself."""
    bodies = [name for name in names if _BODY.fullmatch(name)]
    if not bodies:
        raise refuse(Code.BROKEN_FILE)
    members: list[Subject] = []
    seen: list[Finding] = []
    words: list[str] = []
    for number, name in enumerate(bodies, start=1):
        document = part(name)
        if document is None:
            continue
        root = document.root
        seen += [found(one.code, member=number) for one in _unseen(root)]
        words += list(document.comments)
        words += [paragraph_words(node) for node in root.named("p")]
        words += [node.attributes.get("descr", "") for node in root.named("docPr", "cNvPr")]
        words += [node.text for node in root.named("v") if node.text.strip()]
        members += series(root, policy=policy)
        for table in root.named("tbl"):
            rows = [tuple(_cell(cell) for cell in row.children if cell.name == "tc") for row in table.named("tr")]
            if len(rows) > 1:
                header, *rest = rows
                members.append(
                    Subject(f"table-{number}", Format.TABLE, Table(header, tuple(rest), "", "utf-8"), policy)
                )
    return Bundle((*members, text("words", words)), tuple(seen))


def paragraph_words(node: Node) -> str:
    """Return what a paragraph says, hidden runs included: they are judged as well."""
    return "".join(one.text for one in node.named("t", "delText", "instrText"))


def _cell(cell: Node) -> str:
    return "\n".join(paragraph_words(node) for node in cell.named("p")).strip()


def _unseen(root: Node) -> Iterator[Finding]:
    if root.named(*_CHANGES) or any(_on(node) for node in root.named("vanish", "webHidden")):
        yield found(Code.HIDDEN_TEXT)
    if root.attributes.get("show") in ("0", "false"):
        yield found(Code.HIDDEN_SHEET)
    if any(_white(node) for node in root.named("color")) or any(_tiny(node) for node in root.named("sz", "rPr")):
        yield found(Code.HIDDEN_TEXT)
    if any(_ACTIVE_FIELD.search(node.text + node.attributes.get("instr", "")) for node in root.named(*_RUNS)):
        yield found(Code.ACTIVE_CONTENT)
    if root.named("docVar", "control", "oleObj", "OLEObject"):
        yield found(Code.EMBEDDED_FILE)


def _on(node: Node) -> bool:
    return node.attributes.get("val", "1") not in ("0", "false", "off")


def _white(node: Node) -> bool:
    return node.attributes.get("val", "").upper() == "FFFFFF"


def _tiny(node: Node) -> bool:
    """Half points in Word, hundredths of a point in PowerPoint."""
    size = node.attributes.get("val" if node.name == "sz" else "sz", "")
    limit = _SMALL_HALF_POINTS if node.name == "sz" else _SMALL_HUNDREDTHS
    return size.isascii() and size.isdigit() and int(size) < limit

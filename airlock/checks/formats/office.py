"""Sorts the parts of an Office file: what a reader sees, what is hidden, what runs, what nobody knows."""

import re
import zipfile
from dataclasses import dataclass
from functools import partial

from ..findings import Code, Finding, Refused, Severity, found
from ..subject import Bundle, Format, Nest, Prose, Subject
from ..thresholds import Policy
from . import archive, documents, ods, xlsx, xmltree
from .budget import Budget

_PICTURES = ("Pictures/", "media/", "Thumbnails/", "docProps/thumbnail")
_XLSX = "xl/workbook.xml"
# First match decides. None: read by the reader of the format, or harmless layout.
_PARTS: tuple[tuple[re.Pattern[str], Code | None], ...] = tuple(
    (re.compile(pattern), code)
    for pattern, code in (
        (r"\[Content_Types\]\.xml|(?:[a-z]+/)*_rels/[A-Za-z0-9.]*\.rels", None),
        (r"docProps/(?:app|core)\.xml", None),
        (r"docProps/thumbnail\..*", Code.HIDDEN_METADATA),
        (r"docProps/custom\.xml|customXml/.*|.*/printerSettings\d*\.bin|.*/metadata\.xml", Code.HIDDEN_METADATA),
        (
            r".*(?:vbaProject|vbaData|activeX|macrosheets|ctrlProps|externalLinks?/|customUI|connections\.xml).*",
            Code.ACTIVE_CONTENT,
        ),
        (r".*(?:embeddings|oleObject|package)[^/]*/?.*\.(?:bin|xls[xmb]?|docx?|pptx?|ole)", Code.EMBEDDED_FILE),
        (r".*(?:pivotCache|queryTables|slicerCaches|timelineCaches|revisions)/.*", Code.HIDDEN_CELLS),
        (r".*/(?:pivotTables|tables|slicers|timelines)/.*\.xml|xl/calcChain\.xml|.*/theme/.*", None),
        (r".*(?:[cC]omments|persons?/|notesSlides|commentsDrawing|vmlDrawing|commentAuthors).*", Code.HIDDEN_TEXT),
        (r"xl/(?:workbook|styles|sharedStrings)\.xml|xl/worksheets/[A-Za-z0-9]+\.xml", None),
        (r"xl/chartsheets/.*|(?:xl|word|ppt)/(?:drawings|charts|diagrams)/.*\.xml", None),
        (
            r"word/(?:document|styles|settings|webSettings|fontTable|numbering|footnotes|endnotes|header\d*|footer\d*"
            r"|stylesWithEffects)\.xml",
            None,
        ),
        (r"ppt/(?:presentation|presProps|viewProps|tableStyles)\.xml", None),
        (r"ppt/(?:slides|slideLayouts|slideMasters|notesMasters|handoutMasters)/[A-Za-z0-9]+\.xml", None),
        (r".*/media/.*", None),
    )
)
_ODF_PARTS: tuple[tuple[re.Pattern[str], Code | None], ...] = tuple(
    (re.compile(pattern), code)
    for pattern, code in (
        (r"mimetype|content\.xml|styles\.xml|meta\.xml|settings\.xml|manifest\.rdf|META-INF/manifest\.xml", None),
        (r"Basic/.*|Scripts/.*|Configurations2/.+/.+", Code.ACTIVE_CONTENT),
        (r"Configurations2/.*", None),
        (r"Thumbnails/.*", Code.HIDDEN_METADATA),
        (r"Pictures/.*|media/.*", None),
    )
)
_PANOSE, _SHAPE = frozenset({"panose", "panose1"}), re.compile(r"[0-9A-Fa-f]{20}")  # how the letters of a font look
_PRINTER, _LONGEST_SETUP = "PrinterSetup", 8192  # of OpenDocument: packed, as Excel's parts for printers are
_TYPE = re.compile(rb"application/vnd\.oasis\.opendocument\.[a-z]{4,20}(?:-template)?")
# Office programs write these unasked; their words are judged, pictures of pages are seen by stewards.
_USUAL = re.compile(r"docProps/thumbnail\..*|Thumbnails/.*|customXml/.*|.*/printerSettings\d*\.bin")
# What the readers of bodies take from these parts: what stands there under another name, they do not see.
_BODIES = re.compile(r"xl/(?:worksheets|charts|drawings)/.*|xl/sharedStrings\.xml|word/.*|ppt/slides/.*|content\.xml")
_READ = frozenset({"v", "t", "delText", "instrText", "p", "h", "span", "a", "f"})
# Values of layout: numbers, colours, keys of styles and parts, places in sheets; anything else is judged as words.
_LAYOUT = re.compile(
    r"-?\d{1,10}(?:\.\d{1,17})?(?:[eE][+-]?\d{1,3})?(?:pt|in|cm|mm|%)?|[0-9A-Fa-f]{6,8}|[\w:]{0,12}\{?[0-9A-Fa-f-]{36}\}?"
    r"|Pictures/[0-9A-F]{20,60}\.[a-z]{3,4}"
    r"|(?!.*\d{4})[\w.:;/#+-]{0,120}|(?:https?://|urn:)(?:schemas|www\.w3\.org|purl\.o)[\w./:#-]{1,100}"
    r"|(?:\$?[A-Z]{1,3}\$?\d{1,7}[: ]?){1,60}"
)


@dataclass(frozen=True, slots=True)
class Parts:
    """The unpacked parts by name."""

    named: dict[str, bytes]

    def xml(self, name: str) -> xmltree.Document | None:
        """Return a part as a tree, None where it is missing."""
        content = self.named.get(name)
        return None if content is None else xmltree.read(content)


def kind_of(names: frozenset[str], first: bytes) -> Format | None:
    """Return what kind of Office file has these parts, None for a plain archive."""
    if "[Content_Types].xml" in names:
        return Format.SHEETS if any(name.startswith("xl/") for name in names) else Format.DOCUMENT
    if b"mimetypeapplication/vnd.oasis.opendocument" in first:
        return Format.SHEETS if b"opendocument.spreadsheet" in first else Format.DOCUMENT
    return None


def read(content: bytes, *, policy: Policy, budget: Budget, nest: Nest) -> Bundle:
    """Return tables, texts and embedded parts of a workbook, text document or presentation."""
    opened = archive.directory(content)
    seen = list(archive.zip_outline(opened, content))
    named, broken = _unpack(opened, budget=budget)
    seen += broken
    parts = Parts(named)
    is_odf = "mimetype" in named and "content.xml" in named
    members: list[Subject] = []
    nested: list[str] = []
    for row, name in enumerate(named, start=1):
        code = _code_of(name, _ODF_PARTS if is_odf else _PARTS)
        if code is None and not _is_read(name, named[name]):
            seen.append(found(Code.EMBEDDED_FILE, member=row))
        if code is not None:
            seen.append(found(code, Severity.WARN if _USUAL.fullmatch(name) else None, member=row))
        if name.endswith(".rels") and _outside(xmltree.read(named[name])):
            seen.append(found(Code.ACTIVE_CONTENT, member=row))
        if code is Code.EMBEDDED_FILE or "/media/" in name or name.startswith(_PICTURES):
            nested.append(name)
        elif code in (Code.HIDDEN_TEXT, Code.HIDDEN_METADATA, Code.HIDDEN_CELLS) and name.endswith(("xml", "vml")):
            members.append(_words(parts, name, policy=policy))
    text = partial(_text, policy=policy)
    if is_odf:
        told = ods.read(parts.xml, policy=policy, text=text)
    elif _XLSX in named or any(name.startswith("xl/") for name in named):
        told = xlsx.read(parts.xml, list(named), policy=policy, text=text)
    else:
        told = documents.read(parts.xml, list(named), policy=policy, text=text)
    for name in ("docProps/core.xml", "meta.xml"):
        if name in named:
            members.append(_words(parts, name, policy=policy))
    settings = parts.xml("settings.xml") if is_odf else None
    if settings is not None and any(node.text and _is_for_printer(node) for node in settings.root.walk()):
        seen.append(found(Code.HIDDEN_METADATA, Severity.WARN))
    members += told.members
    members.append(_text("parts", _left(parts), policy=policy))
    members += [nest(name.rpartition("/")[2], named[name]) for name in nested]
    shown = [one for one in members if not isinstance(one.model, Prose) or one.model.lines]
    return Bundle(tuple(shown), (*seen, *told.seen), finished=not broken)


def _unpack(opened: zipfile.ZipFile, *, budget: Budget) -> tuple[dict[str, bytes], list[Finding]]:
    named: dict[str, bytes] = {}
    broken: list[Finding] = []
    for row, info in enumerate(opened.infolist(), start=1):
        if info.filename.endswith("/"):
            continue
        try:
            named[info.filename] = archive.member(opened, info, budget=budget)
        except Refused as refused:
            broken.append(found(refused.finding.code, member=row))
    return named, broken


def _code_of(name: str, table: tuple[tuple[re.Pattern[str], Code | None], ...]) -> Code | None:
    return next((code for pattern, code in table if pattern.fullmatch(name)), Code.EMBEDDED_FILE)


def _is_read(name: str, content: bytes) -> bool:
    """Return whether a harmless part is XML, which is read, or a picture, or says no more than what the file is."""
    if name == "mimetype":
        return _TYPE.fullmatch(content) is not None
    return not content or name.endswith((".xml", ".rels", ".rdf")) or "media/" in name or name.startswith(_PICTURES)


def _outside(rels: xmltree.Document) -> bool:
    """Return whether a relationship loads something from elsewhere; a plain hyperlink loads nothing."""
    return any(
        node.attributes.get("TargetMode") == "External"
        and not node.attributes.get("Type", "").endswith("/relationships/hyperlink")
        for node in rels.root.named("Relationship")
    )


def _left(parts: Parts) -> list[str]:
    """Return the words of all parts that no other reader takes: of styles, themes, links, and under odd names."""
    words: dict[str, None] = {}
    for name in parts.named:
        document = parts.xml(name) if name.endswith((".xml", ".rels", ".rdf")) else None
        if document is None:
            continue
        words |= dict.fromkeys(document.comments)
        read = _READ if _BODIES.fullmatch(name) else frozenset[str]()
        for node in document.root.walk():
            words |= dict.fromkeys(
                value
                for key, value in node.attributes.items()
                if not _LAYOUT.fullmatch(value) and not (key in _PANOSE and _SHAPE.fullmatch(value))
            )
            if _is_for_printer(node):
                continue
            said = (node.tail,) if node.name in read else (node.text, node.tail)
            words |= dict.fromkeys(piece for piece in said if piece.strip())
    return [word for word in words if len(word.strip()) > 1]  # one letter is a bullet of a list


def _is_for_printer(node: xmltree.Node) -> bool:
    return node.attributes.get("name") == _PRINTER and len(node.text) < _LONGEST_SETUP


def _words(parts: Parts, name: str, *, policy: Policy) -> Subject:
    document = parts.xml(name)
    words = [] if document is None else _pieces(document)
    return _text("text", words, policy=policy)


def _pieces(document: xmltree.Document) -> list[str]:
    pieces = list(document.comments)
    for node in document.root.walk():
        pieces += [value for key, value in node.attributes.items() if key in ("v", "name", "ref", "text")]
        pieces += [piece for piece in (node.text, node.tail) if piece.strip()]
    return pieces


def _text(name: str, lines: list[str], *, policy: Policy) -> Subject:
    return Subject(name, Format.TEXT, Prose(tuple("\n".join(lines).splitlines())), policy)

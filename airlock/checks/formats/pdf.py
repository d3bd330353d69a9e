"""Reads PDF into its words and attachments, and what a viewer would run or not show."""

import io
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any

from pypdf import PageObject, PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, StreamObject

from ..findings import Code, Finding, Refused, Severity, found, refuse
from ..subject import Bundle, Format, Nest, Printed, Prose, Subject
from ..thresholds import Policy
from .budget import Budget
from .pdf_beside import Walked, beside

# What it says of a broken file quotes the file (T27).
logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)
Pdf = Any  # pypdf's objects have no types of their own that say more
MAX_PAGES = 300
_MAX_OPERATORS = 300_000
_MAX_WORDS = 4_000_000
_PLAIN_INFO = frozenset({"/Producer", "/Creator", "/CreationDate", "/ModDate", "/Trapped"})
_RUNS = frozenset(
    {"/JS", "/JavaScript", "/OpenAction", "/AA", "/Launch", "/XFA", "/RichMedia", "/SubmitForm", "/URL"}
)
_ACTIONS = frozenset(
    {
        "/JavaScript",
        "/Launch",
        "/SubmitForm",
        "/ImportData",
        "/GoToR",
        "/GoToE",
        "/Rendition",
        "/Movie",
        "/Sound",
        "/RichMediaExecute",
    }
)
_FILES = frozenset({"/EF", "/EmbeddedFiles", "/AF"})
_HARMLESS_NOTES = frozenset({"/Link", "/Popup"})
_SHOW = frozenset({b"Tj", b"TJ", b"'", b'"'})
_FILL = frozenset({b"g", b"rg", b"k", b"sc", b"scn"})
_TINY = 2.5
_WHITE = 0.93
_OF_LINEARIZED = re.compile(rb"\bstartxref\s+0\s*\Z")
_PHOTOGRAPHS = ("/DCTDecode", ["/DCTDecode"])
# Of ISO 32000-1, annex A; readers skip any other, with its operands.
_OPERATORS = frozenset(
    b"b B b* B* BDC BI BMC BT BX c cm CS cs d d0 d1 Do DP EI EMC ET EX f F f* G g gs h i ID j J K k l m M MP n q Q "
    b"re RG rg ri s S SC sc SCN scn sh T* Tc Td TD Tf Tj TJ TL Tm Tr Ts Tw Tz v w W W* y ' \"".split()
)
_INLINE = b"INLINE IMAGE"  # pypdf's word for BI, ID and EI together
_PAINTS = frozenset({b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"s", b"S"})
_ROUND, _MANY_POINTS = 4, 100  # curves of a circle; circles and markers, as one for each person
_END = re.compile(rb"%%EOF[\r\n \t\0]*")


def read(content: bytes, *, policy: Policy, budget: Budget, nest: Nest) -> Bundle:
    """Return all words of all pages, attachments opened again, and hidden or working parts as findings."""
    seen = list(_envelope(content))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(content, seen, policy=policy, budget=budget, nest=nest)
    except Refused:
        raise
    except (PyPdfError, RecursionError, MemoryError, OSError):
        raise refuse(Code.BROKEN_FILE) from None
    except Exception:  # pypdf raises whatever its parts raise on broken files
        raise refuse(Code.BROKEN_FILE) from None


def _read(content: bytes, seen: list[Finding], *, policy: Policy, budget: Budget, nest: Nest) -> Bundle:
    reader = PdfReader(io.BytesIO(content), strict=False)
    if reader.is_encrypted:
        raise refuse(Code.ENCRYPTED)
    root: Pdf = reader.trailer["/Root"]
    declared = root["/Pages"].get("/Count", 0)
    if declared > MAX_PAGES or len(reader.pages) > MAX_PAGES:
        raise refuse(Code.TOO_MANY_MEMBERS)
    walked = Walked(reader.trailer)
    objects = [one for _, one in walked.dictionaries]
    seen += _structure(walked.dictionaries)
    seen += beside(content, reader, walked, limit=budget.left)
    words: list[str] = []
    for number, page in enumerate(reader.pages, start=1):
        words += _page(page, seen, number)
        budget.spend(len(words[-1]) if words else 0)
        if sum(map(len, words[-2000:])) > _MAX_WORDS:
            raise refuse(Code.TOO_LARGE)
    words += [*_told(reader, objects, seen), *dict.fromkeys(walked.words)]
    members = [Subject("words", Format.TEXT, Prose(tuple(words)), policy)]
    for attached in objects:
        if attached.get("/Type") == "/EmbeddedFile" and isinstance(attached, StreamObject):
            body = attached.get_data()
            budget.spend(len(body))
            members.append(nest("attachment", body))
        elif attached.get("/Subtype") == "/Image" and attached.get("/Filter") in _PHOTOGRAPHS:
            members.append(nest("image", getattr(attached, "_data", b"")))
    return Bundle(tuple(members), tuple(dict.fromkeys(seen)), printed=Printed(content, len(reader.pages)))


def _envelope(content: bytes) -> Iterator[Finding]:
    if not content.startswith(b"%PDF"):
        yield found(Code.POLYGLOT)
    ends = list(_END.finditer(content))
    if not ends or ends[-1].end() != len(content):
        yield found(Code.TRAILING_BYTES, offset=ends[-1].end() if ends else None)
    first = content[: ends[0].start()] if ends else b""
    if len(ends) > (2 if b"/Linearized" in content[:2048] and _OF_LINEARIZED.search(first) else 1):
        yield found(Code.HIDDEN_TEXT)  # earlier versions of the document are still inside


def _structure(objects: list[tuple[str, DictionaryObject]]) -> Iterator[Finding]:
    for key, one in objects:
        names = set(one)
        if key == "/Annots" and (one.get("/Subtype") not in _HARMLESS_NOTES or "/AP" in names):
            yield found(Code.HIDDEN_TEXT)
        if names & _RUNS or one.get("/S") in _ACTIONS:
            if "/OpenAction" in names and not names & (_RUNS - {"/OpenAction"}) and _is_view(one["/OpenAction"]):
                continue
            yield found(Code.ACTIVE_CONTENT)
        if names & _FILES or one.get("/Type") == "/EmbeddedFile":
            yield found(Code.EMBEDDED_FILE)
        if one.get("/Type") == "/Annot" and one.get("/Subtype") not in _HARMLESS_NOTES:
            yield found(Code.HIDDEN_TEXT)
        if one.get("/Type") == "/OCG" or "/OCProperties" in names:
            yield found(Code.HIDDEN_TEXT)
        if one.get("/Subtype") == "/Image":
            yield found(Code.PICTURE_ALONE)


def _is_view(action: Pdf) -> bool:
    """Return whether what happens at opening is to show a place of this document."""
    action = action.get_object()
    return isinstance(action, ArrayObject) or (isinstance(action, DictionaryObject) and action.get("/S") == "/GoTo")


def _told(reader: PdfReader, objects: list[DictionaryObject], seen: list[Finding]) -> Iterator[str]:
    """Yield words beside the pages: properties, notes, form fields, titles of outlines."""
    info: dict[str, Pdf] = dict(reader.metadata or {})
    if any(str(value).strip() for key, value in info.items() if key not in _PLAIN_INFO):
        seen.append(found(Code.HIDDEN_METADATA, Severity.WARN))
    yield from (str(value) for value in info.values())
    for one in objects:
        for key in ("/Contents", "/V", "/Title", "/TU", "/Alt", "/ActualText", "/Subj", "/T", "/RC"):
            value = one.get(key)
            if isinstance(value, (str, bytes)):
                yield str(value)
        if one.get("/Type") == "/Metadata" and isinstance(one, StreamObject):
            yield from one.get_data().decode("utf-8", "replace").splitlines()


class _Pen:
    """What the page would draw letters with, as its operators say."""

    def __init__(self, box: tuple[float, float, float, float]) -> None:
        self.box = box
        self.white = False
        self.mode = 0
        self.size = 12.0
        self.saved: list[tuple[bool, int, float]] = []
        self.operators = 0
        self.unseen = False
        self.pictures = False
        self.words: list[str] = []
        self.curves = self.points = 0

    def step(self, operator: bytes, operands: list[Pdf], now: list[float], text: list[float]) -> None:
        self.operators += 1
        if self.operators > _MAX_OPERATORS:
            raise refuse(Code.TOO_LARGE)
        self._look(operator, operands)
        if operator == b"q":
            self.saved.append((self.white, self.mode, self.size))
        elif operator == b"Q" and self.saved:
            self.white, self.mode, self.size = self.saved.pop()
        elif operator in _FILL:
            self.white = _is_white(operands, ink=operator == b"k")
        elif operator == b"Tr" and operands:
            self.mode = int(operands[0])
        elif operator == b"Tf" and len(operands) > 1:
            self.size = float(operands[1])
        elif operator in _SHOW:
            self.unseen = self.unseen or self._hides(now, text)

    def _look(self, operator: bytes, operands: list[Pdf]) -> None:
        """See what is drawn without words, and words that are not drawn."""
        if operator == _INLINE:
            self.pictures = True
        elif operator not in _OPERATORS:
            self.unseen = True
        if operator in (b"BDC", b"DP"):
            self.words += Walked(ArrayObject(operands)).words
        elif operator == b"c":
            self.curves += 1
        elif operator in _PAINTS:
            self.points += self.curves == _ROUND
            self.curves = 0
        self.points += operator == b"Do"

    def _hides(self, now: list[float], text: list[float]) -> bool:
        scale = (abs(text[3]) or abs(text[1]) or 1.0) * (abs(now[3]) or abs(now[1]) or 1.0)
        x = text[4] * now[0] + text[5] * now[2] + now[4]
        y = text[4] * now[1] + text[5] * now[3] + now[5]
        left, bottom, right, top = self.box
        outside = not (left - 1 <= x <= right + 1 and bottom - 1 <= y <= top + 1)
        return self.white or self.mode in (3, 7) or abs(self.size) * scale < _TINY or outside


def _is_white(operands: list[Pdf], *, ink: bool) -> bool:
    shades = [float(one) for one in operands if isinstance(one, (int, float))]
    if not shades:
        return False
    return max(shades) < 1 - _WHITE if ink else min(shades) > _WHITE


def _page(page: PageObject, seen: list[Finding], number: int) -> list[str]:
    box = page.mediabox
    pen = _Pen((float(box.left), float(box.bottom), float(box.right), float(box.top)))
    text: str = page.extract_text(visitor_operand_before=pen.step)
    if pen.unseen:
        seen.append(found(Code.HIDDEN_TEXT, member=number))
    if pen.pictures:
        seen.append(found(Code.PICTURE_ALONE, member=number))
    if pen.points >= _MANY_POINTS:
        seen.append(found(Code.ROW_LEVEL, Severity.WARN, member=number))  # points may be persons: a steward looks
    return [*text.splitlines(), *pen.words]

"""Finds what a PDF holds beside what its pages show: comments, old versions, lost objects, ends of streams."""

import re
import zlib
from collections.abc import Iterator
from typing import Any

from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, NameObject, StreamObject

from ..findings import Code, Finding, found, refuse

Pdf = Any  # pypdf's objects have no types of their own that say more
_MAX_OBJECTS = 60_000
_TOKEN = re.compile(rb"\(|%|>>[\s\0]*stream\r?\n")
_IN_STRING = re.compile(rb"[()\\]")
_LINE_END = re.compile(rb"[\r\n]")
_HEADER = re.compile(rb"%PDF-\d\.\d\s*|%%EOF\s*")
# Programs sign with one or two, of letters and perhaps some bytes that say it is not text.
_COMMENT = re.compile(rb"%(?!.*\d{4})[ -~\x80-\xff]{0,100}")
_UNPRINTED = re.compile(rb"[^ -~]")
_MOST_COMMENTS = 3
_LONGEST_MARK = 16  # the second line of a file: some bytes that say it is not text
_TABLE = re.compile(rb"(?:xref[\d\snf]*trailer\s*<<.*>>\s*)?startxref\s+\d{1,12}", re.DOTALL)
_STARTS = re.compile(rb"\b(\d{1,10})\s{1,9}\d{1,5}\s{1,9}obj\b")
_BLANK = b"\0\t\n\f\r "
_MOST_TOKENS, _DEEPEST = 1_000_000, 100
# Where a stream may hang, by the key that leads to it, or to what holds it.
_KEYS = (
    "/Contents /CharProcs /ToUnicode /FontFile /FontFile2 /FontFile3 /CIDToGIDMap /CIDSet /Metadata /F /UF /XObject "
    "/Pattern /Shading /SMask /Mask /G /Function /Functions /TR /TR2 /ColorSpace /CS /AP /Encoding /UseCMap "
    "/DestOutputProfile /JS /Thumb /HT /Alternates /Image /Root /Obj"
)
_PLACES = frozenset(_KEYS.split())
# Whose children have names of their own, so that only the container says what they are.
_CONTAINERS = frozenset({"/CharProcs", "/XObject", "/Pattern", "/Shading", "/ColorSpace", "/AP", "/Function"})
_DRAWS = frozenset({"/Contents", "/CharProcs", "/AP", "/Pattern", "/G"})
_UNJUDGED = frozenset({"/ID", "/CharSet", "/Lookup", "/Registry", "/Ordering", "/ColorSpace", "/Panose", "/U", "/O"})
_MAP_WORD = re.compile(rb"<[0-9A-Fa-f ]*>|<<|>>|[\[\]]|\(\)|/?[A-Za-z-]+[\w-]{0,20}|\d{1,6}")
_LONG_NAME = re.compile(r"/.*\d{4}.*|/.{40,}")
_LONGEST_BYTES = 64
_FEW_FIGURES, _LETTERS = 8, 256  # of an object that nothing leads to
_MARKS = (b"\xfe\xff", b"\xff\xfe")
_COMPONENTS = {"/DeviceGray": 1, "/DeviceRGB": 3, "/DeviceCMYK": 4, "/CalGray": 1, "/CalRGB": 3}
_INLINE = re.compile(rb"\bID\s")


class Walked:
    """Every dictionary that can be reached, with the key that leads to it, and the numbers of all objects met."""

    def __init__(self, top: Pdf) -> None:
        self.dictionaries: list[tuple[str, DictionaryObject]] = []
        self.words: list[str] = []
        self.seen: list[Finding] = []
        self.numbers: set[int] = set()
        self.figures = 0
        self.add(top)

    def add(self, top: Pdf) -> None:
        """Walk on from another top."""
        waiting: list[tuple[str, Pdf]] = [("/Root", top)]
        # Ids stay true only as long as their objects live.
        held: dict[int, Pdf] = {id(one): one for _, one in self.dictionaries}
        while waiting:
            key, one = waiting.pop()
            if isinstance(one, IndirectObject):
                self.numbers.add(one.idnum)
                one = one.get_object()
            if not isinstance(one, (DictionaryObject, ArrayObject)):
                self._word(key, one)
                continue
            if id(one) in held:
                continue
            held[id(one)] = one
            if len(held) > _MAX_OBJECTS:
                raise refuse(Code.TOO_LARGE)
            if isinstance(one, ArrayObject):
                waiting.extend((key, inner) for inner in one)
                continue
            self.dictionaries.append((key, one))
            inherits = key in _CONTAINERS and not isinstance(one, StreamObject) and "/Type" not in one
            for name, inner in one.items():
                self._word("", NameObject(name))
                waiting.append((key if inherits else str(name), inner))

    def _word(self, key: str, value: Pdf) -> None:
        if key in _UNJUDGED:
            return
        if isinstance(value, NameObject):
            self.words += [str(value)[1:].replace("_", " ")] if _LONG_NAME.fullmatch(value) else []
        elif isinstance(value, str):
            self.words += value.splitlines()
        elif isinstance(value, (int, float)):
            self.figures += 1
        elif isinstance(value, bytes):
            text = value.decode("utf-16" if value.startswith(_MARKS) else "latin-1", "replace")
            if text.replace("\n", "").isprintable():
                self.words += text.splitlines()
            elif len(value) > _LONGEST_BYTES:
                self.seen.append(found(Code.HIDDEN_METADATA))


def beside(content: bytes, reader: PdfReader, walked: Walked, *, limit: int) -> Iterator[Finding]:
    """Name everything in the file that is no part of its pages."""
    yield from _bytes(content, reader, walked)
    yield from _lost(reader, walked)
    for key, one in walked.dictionaries:
        if isinstance(one, StreamObject):
            yield from _stream(key, one, limit=limit)
    yield from walked.seen


def _bytes(content: bytes, reader: PdfReader, walked: Walked) -> Iterator[Finding]:
    """Take streams and strings out of the bytes: what is left are objects side by side, and tables of them."""
    comments, bare = _scanned(content)
    said = [
        one
        for number, one in enumerate(comments)
        if not _HEADER.fullmatch(one) and not (number == 1 and len(one) <= _LONGEST_MARK and not one.isascii())
    ]
    walked.words += [_UNPRINTED.sub(b"", one).decode("ascii") for one in said]
    if len(said) > _MOST_COMMENTS or not all(map(_COMMENT.fullmatch, said)):
        yield found(Code.HIDDEN_TEXT)
    at, numbers = 0, list[int]()
    while (match := _STARTS.search(bare, at)) is not None and _is_between(bare[at : match.start()]):
        end = bare.find(b"endobj", match.end())
        if end < 0 or _STARTS.search(bare, match.end(), end) is not None:
            break
        at = end + len(b"endobj")
        numbers.append(int(match[1]))
    known = {number for table in reader.xref.values() for number in table}
    if not _is_between(bare[at:]):
        yield found(Code.HIDDEN_TEXT)  # what is neither an object nor a table of them
    if len(set(numbers)) < len(numbers) or set(numbers) - known:
        yield found(Code.HIDDEN_TEXT)  # an object that was replaced, or one that no table names


def _is_between(part: bytes) -> bool:
    """Return whether bytes between objects are blank, or a table of objects up to where it says that it stands."""
    plain = part.strip(_BLANK)
    return not plain or _TABLE.fullmatch(plain) is not None


def _scanned(content: bytes) -> tuple[list[bytes], bytes]:
    comments: list[bytes] = []
    bare: list[bytes] = []
    at = 0
    while (match := _TOKEN.search(content, at)) is not None:
        bare += [content[at : match.start()], b" () " if match[0] == b"(" else b" "]
        if len(bare) > _MOST_TOKENS:
            raise refuse(Code.TOO_LARGE)
        if match[0] == b"(":
            at = _string_end(content, match.end())
        elif match[0] == b"%":
            end = _LINE_END.search(content, match.end())
            at = len(content) if end is None else end.start()
            comments.append(content[match.start() : at])
        else:
            at = content.find(b"endstream", match.end())
            if at < 0:
                raise refuse(Code.BROKEN_FILE)
    return comments, b"".join([*bare, content[at:]])


def _string_end(content: bytes, at: int) -> int:
    depth = 1
    while depth:
        match = _IN_STRING.search(content, at)
        if match is None or depth > _DEEPEST:
            raise refuse(Code.BROKEN_FILE)
        at = match.end() + (match[0] == b"\\")
        depth += (match[0] == b"(") - (match[0] == b")")
    return at


def _lost(reader: PdfReader, walked: Walked) -> Iterator[Finding]:
    """Look at objects that nothing leads to, and at streams of objects."""
    tables = [(number, generation) for generation, table in reader.xref.items() for number in table]
    tables += [(number, 0) for number in reader.xref_objStm]
    for number, generation in tables:
        if number in walked.numbers:
            continue
        one: Pdf = reader.get_object(IndirectObject(number, generation, reader))
        if isinstance(one, StreamObject):
            if one.get("/Type") == "/ObjStm":
                yield from _packed(number, one, reader)
            elif one.get("/Type") != "/XRef" and not _is_map(one.get_data(), walked):
                yield found(Code.HIDDEN_TEXT)
        elif isinstance(one, (DictionaryObject, ArrayObject, str, bytes)):
            alone = Walked(ArrayObject([one]))
            walked.words += alone.words
            # R writes its encoding also where no letter is drawn.
            few = _LETTERS if isinstance(one, DictionaryObject) and one.get("/Type") == "/Encoding" else _FEW_FIGURES
            if (
                alone.words
                or alone.figures > few
                or any(isinstance(inner, StreamObject) for _, inner in alone.dictionaries)
            ):
                yield found(Code.HIDDEN_TEXT)


def _is_map(data: bytes, walked: Walked) -> bool:
    """Return whether this is a map of letters, which TeX writes also for fonts that it does not use."""
    comments, bare = _scanned(data)
    walked.words += [one.decode("latin-1") for one in comments]
    return data.startswith(b"%!PS-Adobe-3.0 Resource-CMap") and not _MAP_WORD.sub(b"", bare).strip()


def _packed(number: int, one: Pdf, reader: PdfReader) -> Iterator[Finding]:
    data = one.get_data()
    first = int(one["/First"])
    numbers = [int(word) for word in data[:first].split()[::2]]
    held = {inner for inner, (stream, _) in reader.xref_objStm.items() if stream == number}
    if _scanned(data)[0] or set(numbers) != held or len(numbers) != len(held):
        yield found(Code.HIDDEN_TEXT)


def _stream(key: str, one: StreamObject, *, limit: int) -> Iterator[Finding]:
    if key not in _PLACES and not key[1:].isdecimal():
        yield found(Code.EMBEDDED_FILE)
    raw: bytes = one._data
    if one.get("/Filter") in ("/FlateDecode", ["/FlateDecode"]) and _is_longer(raw, limit=limit):
        yield found(Code.TRAILING_BYTES)
    if one.get("/Subtype") == "/Image":
        yield from _image(one)
    elif key in _DRAWS or one.get("/Subtype") == "/Form":
        data = one.get_data()
        start = data.find(b"BI")  # of a picture in the stream itself, whose bytes may be anything
        if (start < 0 or _INLINE.search(data, start) is None) and _scanned(data)[0]:
            yield found(Code.HIDDEN_TEXT)


def _is_longer(raw: bytes, *, limit: int) -> bool:
    """Return whether bytes follow the end of what inflates; readers stop there."""
    machine = zlib.decompressobj()
    rest, size = raw, 0
    try:
        while rest and not machine.eof:
            size += len(machine.decompress(rest, 1 << 20))
            rest = machine.unconsumed_tail
            if size > limit:
                raise refuse(Code.ARCHIVE_BOMB)
    except zlib.error:
        return False  # whoever reads it says so
    return bool(machine.unused_data.strip(b"\r\n\0 "))


def _image(one: StreamObject) -> Iterator[Finding]:
    """Hold the bytes of pixels against the picture's size; JPEG is opened by itself."""
    if one.get("/Filter") not in (None, "/FlateDecode", ["/FlateDecode"], [], "/LZWDecode"):
        return
    space: Pdf = one.get("/ColorSpace")
    space = space.get_object() if space is not None else None
    kind = space[0] if isinstance(space, ArrayObject) and space else space
    parts = 1 if one.get("/ImageMask") or kind == "/Indexed" else _COMPONENTS.get(str(kind))
    if kind == "/ICCBased" and isinstance(space, ArrayObject):
        parts = int(space[1].get_object().get("/N", 0)) or None
    if parts is None:
        return  # a picture is for stewards anyway
    depth = 1 if one.get("/ImageMask") else int(one.get("/BitsPerComponent", 8))
    width, height = (int(one.get(side, 0)) for side in ("/Width", "/Height"))
    if len(one.get_data()) > (width * parts * depth + 7) // 8 * height + 2:
        yield found(Code.TRAILING_BYTES)

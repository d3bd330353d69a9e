"""Reads HTML into its words, tables and scripts, and what a browser would run, load or hide."""

import base64
import binascii
import re
from collections.abc import Container, Iterator
from html.parser import HTMLParser
from urllib.parse import unquote_to_bytes

from ..findings import Code, Finding, Severity, found, refuse
from ..subject import Bundle, Format, Nest, Prose, Subject, Table
from ..thresholds import Policy

_LONGEST = 8 << 20
_MAX_TAGS = 300_000
_FEWEST_MARKS, _MOST_NAMES = 5, 50
_RUNS = frozenset(["script", "iframe", "object", "embed", "applet", "frame", "form", "base", "portal"])
_LOADS = frozenset(["src", "href", "data", "poster", "srcset", "background", "action", "formaction", "xlink:href"])
_UNSEEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0+)?\s*(?:;|$)|font-size\s*:\s*0"
    r"|color\s*:\s*(?:#fff(?:fff)?\b|white\b|transparent\b)|(?:left|top|text-indent)\s*:\s*-\d{3,}",
    re.IGNORECASE,
)
# What says how to show something, as long as it is a short word without a long number.
_LAYOUT_KEYS = (
    "abbr accept align async bgcolor border cellpadding cellspacing charset checked class color cols colspan defer "
    "dir disabled draggable for frame headers height hidden href hreflang http-equiv id lang loading maxlength "
    "enctype media method multiple name nowrap open placeholder property readonly rel role rows rowspan rules scope "
    "selected size sizes span src start summary tabindex target type valign width xml:lang xmlns"
)
_LAYOUT = frozenset(_LAYOUT_KEYS.split())
_SHORT = re.compile(r"(?!.*\d{4})[\w%#.,:;/ -]{0,80}")
MANY_POINTS, SOME_POINTS = 100, 40
_PLACED = re.compile(r"(?:^|[;\s])(?:left|top|bottom|right)\s*:\s*-?\d+(?:\.\d+)?(?:px|%)", re.IGNORECASE)
_FAR = re.compile(r"(?:https?|ftp|wss?|file):|//", re.IGNORECASE)
_FETCH = re.compile(r"@import|url\(\s*['\"]?\s*(?:https?:|//)", re.IGNORECASE)
_DATA = re.compile(r"data:([\w/+.-]{0,80})((?:;[\w=.-]{1,40}){0,4}),", re.IGNORECASE)
_VOID = frozenset(
    {
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
    }
)


def read(text: str, *, policy: Policy, nest: Nest) -> Bundle:
    """Return words, scripts, tables and data URIs, each judged by itself."""
    if len(text) > _LONGEST:
        raise refuse(Code.TOO_LARGE)
    reader = _Reader()
    reader.feed(text)
    reader.close()
    members = [
        Subject("words", Format.TEXT, Prose(tuple(" ".join(line.split()) for line in reader.lines())), policy),
        *(Subject("script", Format.TEXT, Prose(tuple(one.splitlines())), policy) for one in reader.scripts),
        *(Subject("table", Format.TABLE, _table(rows), policy) for rows in reader.tables if len(rows) > 1),
        *(Subject("table", Format.TABLE, one, policy) for one in _marks(reader.marked)),
        *(nest("data", content) for content in reader.data),
    ]
    shown = tuple(one for one in members if not isinstance(one.model, Prose) or one.model.lines)
    seen = [*reader.seen, *cloud(reader.points), *_placed(reader.placed), *([] if shown else [found(Code.EMPTY)])]
    return Bundle(shown, tuple(dict.fromkeys(seen)))


def cloud(points: int) -> Iterator[Finding]:
    """Judge how many points are drawn: as many as persons, one by one, and no curve, grid or axis."""
    if points >= MANY_POINTS:
        yield found(Code.ROW_LEVEL)
    elif points >= SOME_POINTS:
        yield found(Code.ROW_LEVEL, Severity.WARN)


def _placed(many: int) -> Iterator[Finding]:
    if many >= MANY_POINTS:
        yield found(Code.ROW_LEVEL, Severity.WARN)  # pages are laid out so, too


def is_mark(tag: str, facts: Container[str]) -> bool:
    """Return whether this draws a point: a letter drawn by `use` has no height of its own, a marker has x and y."""
    return tag in ("circle", "ellipse") or (tag == "use" and "x" in facts and "y" in facts)


def data_uri(uri: str) -> bytes | None:
    """Return what a data URI holds, None for another address; refuses a broken one."""
    match = _DATA.match(uri.strip())
    if match is None:
        return None
    rest = uri.strip()[match.end() :]
    if "base64" not in match[2].lower():
        return unquote_to_bytes(rest)
    try:
        return base64.b64decode("".join(unquote_to_bytes(rest).decode("latin-1").split()), validate=True)
    except (binascii.Error, ValueError):
        raise refuse(Code.BROKEN_FILE) from None


def loads_far(address: str) -> bool:
    """Return whether an address leads out of the file."""
    return _FAR.match(address.strip()) is not None or address.strip().lower().startswith("javascript:")


def is_unseen(style: str) -> bool:
    """Return whether a style hides what it applies to."""
    return _UNSEEN.search(style) is not None


def fetches(style: str) -> bool:
    """Return whether a style sheet loads something from elsewhere."""
    return _FETCH.search(style) is not None


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[Finding] = []
        self.scripts: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.data: list[bytes] = []
        self.marked: list[dict[str, str]] = []
        self.open: list[str] = []
        self.points = self.placed = 0
        self._words: list[str] = []
        self._tags = 0

    def lines(self) -> list[str]:
        return [line for line in "".join(self._words).split("\n") if line.strip()]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tags += 1
        if self._tags > _MAX_TAGS:
            raise refuse(Code.TOO_LARGE)
        if tag not in _VOID:
            self.open.append(tag)
        if tag in _RUNS:
            self._see(Code.ACTIVE_CONTENT)
        named = {key: value or "" for key, value in attrs}
        for key, value in named.items():
            self._attribute(tag, key, value)
        if marks := {key: value for key, value in named.items() if key.startswith("data-")}:
            self.marked.append(marks)
        self.points += is_mark(tag, named)
        self.placed += _PLACED.search(named.get("style", "")) is not None
        if tag == "meta" and "refresh" in named.get("http-equiv", "").lower():
            self._see(Code.ACTIVE_CONTENT)
        if "hidden" in named or (tag == "input" and named.get("type") == "hidden"):
            self._see(Code.HIDDEN_TEXT)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables:
            if not self.tables[-1]:  # a browser starts the row by itself
                self.tables[-1].append([])
            self.tables[-1][-1].append("")
        if tag in ("p", "br", "div", "tr", "li", "dt", "dd", "option", "h1", "h2", "h3", "h4", "td", "th"):
            self._words.append("\n" if tag not in ("td", "th") else "  ")

    def _attribute(self, tag: str, key: str, value: str) -> None:
        if key.startswith("on") or value.strip().lower().startswith("javascript:"):
            self._see(Code.ACTIVE_CONTENT)
        elif key == "style" and is_unseen(value):
            self._see(Code.HIDDEN_TEXT)
        elif key in _LOADS and (content := data_uri(value)) is not None:
            self.data.append(content)
        elif key == "style":
            self.scripts.append(value)
        elif key in _LOADS and tag not in ("a", "area") and loads_far(value):
            self._see(Code.ACTIVE_CONTENT)
        if not (key in _LAYOUT and _SHORT.fullmatch(value)) and not _DATA.match(value.strip()) and key != "style":
            self._words.append(f"\n{value}\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                continue

    def handle_data(self, data: str) -> None:
        where = self.open[-1] if self.open else ""
        if where == "script":
            self.scripts.append(data)
        elif where == "style":
            if fetches(data):
                self._see(Code.ACTIVE_CONTENT)
            self.scripts.append(data)
        else:
            self._words.append(data)
            if self.tables and self.tables[-1] and self.tables[-1][-1] and where not in ("table", "tr"):
                self.tables[-1][-1][-1] += data.strip()

    def handle_comment(self, data: str) -> None:
        if data.strip():
            self._see(Code.HIDDEN_TEXT)
            self.scripts.append(data)

    def unknown_decl(self, data: str) -> None:
        self.handle_comment(data)

    def handle_pi(self, data: str) -> None:
        self.handle_comment(data)

    def _see(self, code: Code) -> None:
        self.seen.append(found(code, row=self.getpos()[0]))


def _marks(marked: list[dict[str, str]]) -> list[Table]:
    """Return what tags carry in their own attributes as a table, a row a tag."""
    names = tuple(dict.fromkeys(key for one in marked for key in one))
    if len(marked) < _FEWEST_MARKS or not 1 < len(names) <= _MOST_NAMES:
        return []
    return [Table(names, tuple(tuple(one.get(name, "") for name in names) for one in marked), "", "utf-8")]


def _table(rows: list[list[str]]) -> Table:
    filled = [tuple(row) for row in rows if row]
    return Table(filled[0], tuple(filled[1:]), "", "utf-8") if filled else Table((), (), "", "utf-8")

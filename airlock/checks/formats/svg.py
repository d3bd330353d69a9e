"""Reads SVG into its words, and what it would run, load or draw for each person."""

import re
from collections.abc import Iterator

from ..findings import Code, Finding, Severity, found, refuse
from ..subject import Bundle, Format, Nest, Prose, Subject
from ..thresholds import Policy
from . import markup, xmltree
from .xmltree import Document, Node

_RUNS = frozenset(
    {
        "script",
        "foreignObject",
        "iframe",
        "handler",
        "listener",
        "set",
        "animate",
        "animateTransform",
        "animateMotion",
        "animateColor",
        "object",
        "embed",
        "audio",
        "video",
    }
)
_MAX_PATH = 200_000
_SPOT = 12  # units across and high, and closed: how a drawing without circles shows a point
_LONGEST_SPOT = 600
_STYLE_SHEET = "xml-stylesheet "
_PATH = re.compile(r"(?:[MmLlHhVvCcSsQqTtAaZz\d\s,.eE+()-]|matrix|translate|rotate|skew[XY])*")
_PLAIN = re.compile(r"[-+\d.,eE%\s]*(?:px|pt|em|in|cm|mm|deg)?|#[0-9A-Fa-f]{3,8}|url\(#[\w-]{1,40}\)")
_NUMBER = re.compile(r"-?\d{0,9}\.?\d{1,9}")


def read(content: bytes, *, policy: Policy, nest: Nest) -> Bundle:
    """Return words and embedded data; marks are counted."""
    document = xmltree.read(content)
    if document.root.name != "svg":
        raise refuse(Code.UNREVIEWABLE_TYPE)
    nodes = document.root.walk()
    data: list[Subject] = []
    for node in nodes:
        for key in ("href", "src"):
            if (body := markup.data_uri(node.attributes.get(key, ""))) is not None:
                data.append(nest("data", body))
    words = [word for node in nodes for word in _words(node)]
    lines = "\n".join([*words, *document.comments]).splitlines()
    prose = Subject("words", Format.TEXT, Prose(tuple(line for line in lines if line.strip())), policy)
    return Bundle((prose, *data), tuple(_outline(document, nodes)))


def _outline(document: Document, nodes: list[Node]) -> Iterator[Finding]:
    for row, node in enumerate(nodes, start=1):
        if node.name in _RUNS or any(_is_active(key, value) for key, value in node.attributes.items()):
            yield found(Code.ACTIVE_CONTENT, row=row)
        if node.name == "style" and markup.fetches(node.words()):
            yield found(Code.ACTIVE_CONTENT, row=row)
        if node.name in ("text", "tspan") and _is_unseen(node):
            yield found(Code.HIDDEN_TEXT, row=row)
        if len(node.attributes.get("d", "")) > _MAX_PATH or len(node.attributes.get("points", "")) > _MAX_PATH:
            yield found(Code.TOO_LARGE, row=row)
    if any(one.startswith(_STYLE_SHEET) for one in document.comments):
        yield found(Code.ACTIVE_CONTENT)
    if document.comments and any(one.strip() for one in document.comments if len(one) > 200):
        yield found(Code.HIDDEN_TEXT)
    if any(node.words().strip() for node in nodes if node.name in ("metadata", "desc")):
        yield found(Code.HIDDEN_METADATA, Severity.WARN)
    marks = sum(1 for node in nodes if markup.is_mark(node.name, node.attributes))
    titles = sum(1 for node in nodes if node.name == "title")
    if titles >= markup.SOME_POINTS and marks < markup.MANY_POINTS:
        yield found(Code.ROW_LEVEL)
    yield from markup.cloud(marks)
    if marks < markup.SOME_POINTS and sum(map(_is_spot, nodes)) >= markup.MANY_POINTS:
        yield found(Code.ROW_LEVEL, Severity.WARN)
    yield found(Code.PICTURE_ALONE)


def _is_spot(node: Node) -> bool:
    """Return whether a path is a small round thing: drawings by Cairo show each point as one."""
    path = node.attributes.get("d", "")
    if node.name != "path" or len(path) > _LONGEST_SPOT or not path.strip().endswith(("Z", "z")) or "C" not in path:
        return False
    places = [float(one) for one in _NUMBER.findall(path)]
    return all(bool(side) and max(side) - min(side) <= _SPOT for side in (places[::2], places[1::2]))


def _is_active(key: str, value: str) -> bool:
    if key.startswith("on"):
        return True
    if key in ("href", "src") and not value.strip().startswith("#"):
        return markup.data_uri(value) is None
    return markup.fetches(value)


def _is_unseen(node: Node) -> bool:
    facts = node.attributes
    return (
        markup.is_unseen(facts.get("style", "").replace("fill", "color"))
        or facts.get("display") == "none"
        or facts.get("visibility") == "hidden"
        or facts.get("opacity") in ("0", "0.0")
        or facts.get("fill", "").lower() in ("#fff", "#ffffff", "white", "none", "transparent")
    )


def _words(node: Node) -> Iterator[str]:
    for text in (node.text, node.tail):
        if text.strip():
            yield text.strip()
    for key, value in node.attributes.items():
        if key in ("href", "src") and markup.data_uri(value) is not None:
            continue  # opened by itself
        if not (_PATH if key in ("d", "points", "transform") else _PLAIN).fullmatch(value):
            yield value

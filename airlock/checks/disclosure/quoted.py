"""Finds values that error messages quote: what a program could not read is often a cell of somebody's row."""

import re
from collections.abc import Iterator

from ..findings import Code, Finding, found
from ..subject import Prose, Subject

_MESSAGE = re.compile(
    r"(?<![A-Za-z])(?:[A-Za-z_.]{0,60}(?:Error|Exception|Warning)|could not convert|invalid literal"
    r"|[Uu]nable to parse|NAs introduced)\b[^\"'\n]{0,160}([\"'])(?P<value>[^\n]{1,300}?)\1"
)
_PATH = re.compile(r"\S*/\S*|\S+\.[A-Za-z]{1,6}")
_NAMES = re.compile(r"[A-ZÄÖÜ][a-zäöüß]+ [A-ZÄÖÜ][a-zäöüß]+")
_LONGEST_LINE = 4000


def check(subject: Subject) -> Iterator[Finding]:
    """Look at the messages of Python and R in text; names of columns and files are none of anybody's data."""
    model = subject.model
    if not isinstance(model, Prose):
        return
    for row, line in enumerate(model.lines, start=1):
        if any(_is_value(match["value"]) for match in _MESSAGE.finditer(line[:_LONGEST_LINE])):
            yield found(Code.QUOTED_VALUE, row=row)


def _is_value(quoted: str) -> bool:
    if _PATH.fullmatch(quoted):
        return False
    return any(letter.isdigit() for letter in quoted) or bool(_NAMES.search(quoted))

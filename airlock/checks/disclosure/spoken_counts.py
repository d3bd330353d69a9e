"""Finds small numbers of persons, and single ones, in running text."""

import re
from collections.abc import Iterator

from ..findings import Code, Finding, Severity, found
from ..subject import Prose, Subject

_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NUMBERS = {word: value for value, word in enumerate(_WORDS, start=1)}
_PERSONS = (
    r"(?:patients?|persons?|people|participants?|subjects?|individuals?|carriers?|women|woman|men|man|children|child"
    r"|boys?|girls?|deaths?|died|cases?|Patient(?:en|innen)|Personen|Fälle|Todesfälle)"
)
_SPOKEN = re.compile(
    rf"(?<![\w.,:/-])(?P<many>\d{{1,3}}|{'|'.join(_WORDS)})(?: [a-z-]{{1,20}}){{0,2}} {_PERSONS}(?![\w-])",
    re.IGNORECASE,
)
_WRITTEN = re.compile(
    r"(?<![\w-])(?:n|cases|controls|patients|subjects|participants|events|deaths)\s?[=:]\s?(?P<many>\d{1,3})(?![\w.,%])",
    re.IGNORECASE,
)
_ONE_CASE = re.compile(
    r"\b(?:an?|the|this|one)(?: [a-z]{2,12})? \d{1,3}[- ]years?[- ]old (?:[a-z]{2,12} )?"
    r"(?:wom[ae]n|m[ae]n|girl|boy|male|female|patient|child|infant)\b",
    re.IGNORECASE,
)
_LONGEST_LINE = 20_000


def check(subject: Subject) -> Iterator[Finding]:
    """Warn of each line: only a person can tell whose number it is."""
    model = subject.model
    if not isinstance(model, Prose):
        return
    for row, line in enumerate(model.lines, start=1):
        plain = line[:_LONGEST_LINE]
        matches = (match for pattern in (_SPOKEN, _WRITTEN) for match in pattern.finditer(plain))
        if any(0 < _value(match["many"]) < subject.policy.min_count for match in matches):
            yield found(Code.SMALL_COUNT, Severity.WARN, row=row)
        if _ONE_CASE.search(plain):
            yield found(Code.IDENTIFIER, Severity.WARN, row=row)


def _value(text: str) -> int:
    return int(text) if text.isdecimal() else NUMBERS[text.lower()]

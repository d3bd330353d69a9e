"""Reads a value as Python writes it, and nothing else of Python: no text from an engine meets a real parser."""

import re
from typing import Any

DEEPEST = 20
# Possessive: no text makes this look at a letter twice (T30).
_TOKEN = re.compile(
    r"""\s*+(?:(?P<text>'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+")"""
    r"""|(?P<number>-?[0-9]++(?:\.[0-9]++)?(?:e[+-]?[0-9]++)?)|(?P<word>[A-Za-z]++)|(?P<sign>[\[\](){}:,]))"""
)
_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)")
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
_WORDS = {"True": True, "False": False, "None": None}
_CLOSING = {"[": "]", "(": ")", "{": "}"}


class NotLiteral(Exception):
    """The text is not a plain value."""


def read_literal(text: str) -> Any:
    """Return the value in `text`: lists, tuples, dicts, texts, numbers, booleans and None; raise `NotLiteral`."""
    reader = _Reader(text)
    value = reader.value(0)
    if text[reader.place :].strip():
        raise NotLiteral("more than one value")
    return value


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.place = text, 0

    def value(self, depth: int) -> Any:
        if depth > DEEPEST:
            raise NotLiteral("too deep")
        kind, written = self._next()
        match kind:
            case "text":
                return _ESCAPE.sub(_unescaped, written[1:-1])
            case "number":
                return float(written) if set(written) & set(".e") else _integer(written)
            case "word" if written in _WORDS:
                return _WORDS[written]
            case "sign" if written == "{":
                return self._pairs(depth)
            case "sign" if written in _CLOSING:
                return self._items(_CLOSING[written], depth)
            case _:
                raise NotLiteral("neither a value nor a list of values")

    def _items(self, closing: str, depth: int) -> Any:
        items: list[Any] = []
        comma = True
        while not self._is(closing):
            if not comma:
                raise NotLiteral("two values without a comma")
            items.append(self.value(depth + 1))
            comma = self._is(",")
        if closing == "]":
            return items
        if len(items) == 1 and not comma:
            raise NotLiteral("a value in brackets")  # to Python, (x) is x
        return tuple(items)

    def _pairs(self, depth: int) -> dict[Any, Any]:
        pairs: dict[Any, Any] = {}
        comma = True
        while not self._is("}"):
            if not comma:
                raise NotLiteral("two values without a comma")
            key = self.value(depth + 1)
            if not isinstance(key, str | int | float | bool) or key in pairs:
                raise NotLiteral("a key is a plain value, and is there once")
            self._must(":")
            pairs[key] = self.value(depth + 1)
            comma = self._is(",")
        return pairs

    def _next(self) -> tuple[str, str]:
        found = _TOKEN.match(self.text, self.place)
        if found is None or found.lastgroup is None:
            raise NotLiteral("not a word of a value")
        self.place = found.end()
        return found.lastgroup, found[found.lastgroup]

    def _is(self, sign: str) -> bool:
        """Take the sign if it comes next."""
        found = _TOKEN.match(self.text, self.place)
        if found is None or found["sign"] != sign:
            return False
        self.place = found.end()
        return True

    def _must(self, sign: str) -> None:
        if not self._is(sign):
            raise NotLiteral("a list that does not end")


def _unescaped(found: "re.Match[str]") -> str:
    word = found[1]
    if len(word) > 1:
        number = int(word[1:], 16)
        if number > 0x10FFFF:
            raise NotLiteral("no letter")
        return chr(number)
    if word not in _PLAIN:
        raise NotLiteral("no escape that Python writes")
    return _PLAIN[word]


def _integer(written: str) -> int:
    if len(written) > 30:
        raise NotLiteral("a number too long")
    return int(written)

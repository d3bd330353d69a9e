"""Decides whether a name matches a pattern of the shell (IEEE Std 1003.1-2017, 2.13), never in exponential time."""

import re
from collections.abc import Callable

_Test = Callable[[str], bool]
_WILDCARDS = re.compile(r"[*?]|\[[^/]+\]")
_BRACKET = re.compile(r"\[(!?)(\]?(?:\[:[a-z]+:\]|\[\.[^/]\.\]|\[=[^/]=\]|[^\]])*)\]")
_PIECE = re.compile(r"\[:([a-z]+):\]|(?:\[[.=]([^/])[.=]\]|([^/]))(?:-(?:\[[.=]([^/])[.=]\]|([^/])))?")
_CLASSES: dict[str, _Test] = {
    "alnum": lambda c: c.isascii() and c.isalnum(),
    "alpha": lambda c: c.isascii() and c.isalpha(),
    "blank": lambda c: c in " \t",
    "cntrl": lambda c: c < " " or c == "\x7f",
    "digit": lambda c: "0" <= c <= "9",
    "graph": lambda c: "!" <= c <= "~",
    "lower": lambda c: "a" <= c <= "z",
    "print": lambda c: " " <= c <= "~",
    "punct": lambda c: "!" <= c <= "~" and not c.isalnum(),
    "space": lambda c: c in " \t\n\r\f\v",
    "upper": lambda c: "A" <= c <= "Z",
    "xdigit": lambda c: c in "0123456789abcdefABCDEF",
}


def has_wildcards(path: str) -> bool:
    """Say whether a path, or one part of it, stands for several names."""
    return _WILDCARDS.search(path) is not None


def matches(name: str, pattern: str) -> bool:
    """Say whether one file name matches one part of a path; a leading dot must be written."""
    if name.startswith(".") and not pattern.startswith("."):
        return False
    tests = _parsed(pattern)
    here, there = 0, 0
    star, resumed = -1, 0  # the last `*` passed, and how far it reaches: only that one is ever tried again
    while there < len(name):
        test = tests[here] if here < len(tests) else _nothing
        if test is None:
            star, resumed = here, there
            here += 1
        elif test(name[there]):
            here, there = here + 1, there + 1
        elif star >= 0:
            resumed += 1
            here, there = star + 1, resumed
        else:
            return False
    return all(test is None for test in tests[here:])


def _nothing(_: str) -> bool:
    return False


def _parsed(pattern: str) -> list[_Test | None]:
    tests: list[_Test | None] = []
    at = 0
    while at < len(pattern):
        found = _BRACKET.match(pattern, at)
        match pattern[at]:
            case "*":
                tests.append(None)
            case "?":
                tests.append(lambda _: True)
            case "[" if found is not None:
                tests.append(_bracket(found[2], inverted=bool(found[1])))
                at = found.end() - 1
            case letter:  # a `[` that nothing closes is a letter too
                tests.append(letter.__eq__)
        at += 1
    return tests


def _bracket(content: str, *, inverted: bool) -> _Test:
    tests: list[_Test] = []
    for found in _PIECE.finditer(content):
        named, first, last = found[1], found[2] or found[3], found[4] or found[5]
        if named:
            tests.append(_CLASSES.get(named, _nothing))
        else:
            tests.append(lambda c, first=first, last=last or first: first <= c <= last)  # type: ignore[misc]
    return lambda c: any(test(c) for test in tests) != inverted

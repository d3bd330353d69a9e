"""Matches cells against a small pattern language that is linear in time (threats.md T30)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from math import log2

MAX_PATTERN = 120
_MAX_REPEAT = 40
_ATOM = re.compile(
    r"(?:\[(?P<set>(?:[A-Za-z0-9_.,:;+<>=()%/ -]|\\[\]\[\\-])+)\]|(?P<esc>\\[d.+\\()\[\]|-])"
    r"|(?P<lit>[A-Za-z0-9_.,:;<>=%/ -]))(?:\{(?P<low>\d{1,2})(?:,(?P<high>\d{1,2}))?\}|(?P<opt>\?))?"
)
_DIGITS = frozenset("0123456789")


class PatternRefused(Exception):
    """The pattern uses something outside the small language."""


@dataclass(frozen=True, slots=True)
class _Atom:
    letters: frozenset[str]
    low: int
    high: int


def bits(pattern: str) -> float:
    """Return an upper bound of what one cell of this pattern can carry, in bits (T13: contracts cap entropy)."""
    total = 0.0
    for sequence in _parse(pattern):
        words = 1.0
        for atom in sequence:
            words *= sum(float(len(atom.letters)) ** times for times in range(atom.low, atom.high + 1))
        total += words
    return log2(total)


def matches(pattern: str, text: str) -> bool:
    """Return whether all of `text` is a word of `pattern`."""
    return any(_fits(sequence, text) for sequence in _parse(pattern))


@lru_cache(maxsize=512)
def _parse(pattern: str) -> tuple[tuple[_Atom, ...], ...]:
    if not 0 < len(pattern) <= MAX_PATTERN:
        raise PatternRefused("A pattern has 1 to 120 characters.")
    return tuple(_parse_sequence(part) for part in re.split(r"(?<!\\)\|", pattern))


def _parse_sequence(part: str) -> tuple[_Atom, ...]:
    atoms = []
    at = 0
    while at < len(part):
        match = _ATOM.match(part, at)
        if match is None:
            raise PatternRefused("A pattern is made of letters, [sets], \\d, {n}, {n,m}, ? and | for alternatives.")
        low = int(match["low"]) if match["low"] else (0 if match["opt"] else 1)
        high = int(match["high"]) if match["high"] else (low if match["low"] else 1)
        if not low <= high <= _MAX_REPEAT:
            raise PatternRefused("A repeat runs from the smaller to the larger number, 40 at most.")
        atoms.append(_Atom(_letters(match), low, high))
        at = match.end()
    if not atoms:
        raise PatternRefused("A pattern has no empty alternative.")
    return tuple(atoms)


def _letters(match: re.Match[str]) -> frozenset[str]:
    if match["lit"]:
        return frozenset(match["lit"])
    if match["esc"]:
        return _DIGITS if match["esc"] == r"\d" else frozenset(match["esc"][1])
    source = re.findall(r"\\?.", match["set"])
    letters: set[str] = set()
    at = 0
    while at < len(source):
        first = source[at][-1]
        if at + 2 < len(source) and source[at + 1] == "-":
            last = source[at + 2][-1]
            if last < first:
                raise PatternRefused("A range in a set runs upwards.")
            letters.update(chr(code) for code in range(ord(first), ord(last) + 1))
            at += 3
        else:
            letters.add(first)
            at += 1
    return frozenset(letters)


def _fits(sequence: tuple[_Atom, ...], text: str) -> bool:
    """Walk all positions at once, so that no pattern can make the walk long."""
    positions = {0}
    for atom in sequence:
        reached = set(positions) if atom.low == 0 else set()
        walking = positions
        for times in range(1, atom.high + 1):
            walking = {at + 1 for at in walking if at < len(text) and text[at] in atom.letters}
            if times >= atom.low:
                reached |= walking
            if not walking:
                break
        positions = reached
    return len(text) in positions

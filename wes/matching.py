"""Decides whether a text is an instance of a template, in a bounded number of steps whatever the text is (T30)."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from wes.commands import Hole, Kind, Part, Scalar

BUDGET = 2_000_000
LONGEST_NAME, LONGEST_NUMBER = 200, 30
LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+=,-/")
DIGITS = frozenset("0123456789")
NUMERALS = DIGITS | frozenset("+-.eE")


_PLACE = re.compile(r"-?[0-9]{1,6}")


class TooIntricate(Exception):
    """The text asks for more steps than an honest one needs."""


@dataclass(frozen=True)
class Known:
    """What a job's holes may hold: its own files, as its engine writes them, and the run's checked parameters."""

    inputs: frozenset[str]
    outputs: frozenset[str]
    config: Mapping[str, Any]

    def paths(self, kind: Kind) -> frozenset[str]:
        """Return the paths that a hole of this kind may hold."""
        match kind:
            case Kind.INPUT:
                return self.inputs
            case Kind.OUTPUT:
                return self.outputs
            case _:
                return self.inputs | self.outputs

    def value(self, path: str) -> Any:
        """Return a value of the parameters by its dotted path, places in lists too; None if there is none."""
        above, _, name = path.rpartition(".")
        found: Any = self.value(above) if above else self.config
        if isinstance(found, list):
            return found[int(name)] if _is_place(name, found) else None
        return found.get(name) if isinstance(found, Mapping) else None

    def has(self, path: str) -> bool:
        """Return whether the parameters have a value at a dotted path, null too."""
        above, _, name = path.rpartition(".")
        found: Any = self.value(above) if above else self.config
        return _is_place(name, found) if isinstance(found, list) else isinstance(found, Mapping) and name in found


def _is_place(name: str, items: list[Any]) -> bool:
    return _PLACE.fullmatch(name) is not None and -len(items) <= int(name) < len(items)


def is_instance(parts: Sequence[Part], text: str, known: Known) -> bool:
    """Return whether the template can give exactly this text.

    All places that the text can have reached are followed together, so nothing is ever tried twice.
    """
    return _Matching(text, known).whole(parts)


def stands_in(text: str, literals: Sequence[str]) -> bool:
    """Return whether a text is these literals with anything between two of them, in linear time (T30)."""
    first, *between = literals
    if not between:
        return text == first
    *between, last = between
    end = len(text) - len(last)
    if not text.startswith(first) or not text.endswith(last):
        return False
    place = len(first)
    for literal in between:
        found = text.find(literal, place, end)
        if found < 0:
            return False
        place = found + len(literal)
    return place <= end


class _Matching:
    def __init__(self, text: str, known: Known) -> None:
        self.text, self.known, self.steps = text, known, 0
        self.lengths: dict[Kind, list[int]] = {}

    def whole(self, parts: Sequence[Part]) -> bool:
        places = {0}
        for part in parts:
            places = set(self._after(part, places))
            if not places:
                return False
        return len(self.text) in places

    def _after(self, part: Part, places: Iterable[int]) -> Iterator[int]:
        for place in places:
            if isinstance(part, str):
                self._count(1 + len(part) // 64)
                if self.text.startswith(part, place):
                    yield place + len(part)
            else:
                yield from self._filled(part, place)

    def _filled(self, hole: Hole, place: int) -> Iterator[int]:
        match hole.kind:
            case Kind.INPUT | Kind.OUTPUT | Kind.PATH:
                yield from self._paths(hole.kind, place)
            case Kind.NAME:
                yield from self._letters(place, LETTERS, LONGEST_NAME)
            case Kind.INTEGER:
                yield from self._letters(place, DIGITS, LONGEST_NUMBER)
            case Kind.NUMBER:
                yield from self._letters(place, NUMERALS, LONGEST_NUMBER)
            case Kind.CONFIG:
                value = self.known.value(hole.config)
                # Python writes null as None; what the run does not have at all is no text.
                if isinstance(value, str | int | float | bool) or (value is None and self.known.has(hole.config)):
                    yield from self._exactly((value,), place, quoted=hole.quoted)
            case Kind.ENUM:
                yield from self._exactly(hole.values, place, quoted=hole.quoted)
            case _:
                assert_never(hole.kind)

    def _exactly(self, values: Iterable[Scalar], place: int, *, quoted: bool) -> Iterator[int]:
        for value in values:
            self._count(1)
            text = shlex.quote(str(value)) if quoted and str(value) else str(value)
            if self.text.startswith(text, place):
                yield place + len(text)

    def _letters(self, place: int, letters: frozenset[str], longest: int) -> Iterator[int]:
        """Yield each end of a value of these letters; never an option, never a way up."""
        if self.text.startswith("-", place) and letters is LETTERS:
            return
        for end in range(place, min(place + longest, len(self.text))):
            self._count(1)
            if self.text[end] not in letters or self.text.startswith("..", end):
                return
            yield end + 1

    def _paths(self, kind: Kind, place: int) -> Iterator[int]:
        """Yield each end of a list of the job's own files, one space between two; an empty list too."""
        paths = self.known.paths(kind)
        if kind not in self.lengths:
            self.lengths[kind] = sorted({len(path) for path in paths})
        waiting, seen = [place], {place}
        ends = {place}
        while waiting:
            start = waiting.pop()
            for length in self.lengths[kind]:
                self._count(1)
                end = start + length
                if self.text[start:end] in paths:
                    ends.add(end)
                    if self.text.startswith(" ", end) and end + 1 not in seen:
                        seen.add(end + 1)
                        waiting.append(end + 1)
        yield from ends

    def _count(self, steps: int) -> None:
        self.steps += steps
        if self.steps > BUDGET:
            raise TooIntricate

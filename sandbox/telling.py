"""Reads the few lines of an output that a task may tell in clear, if they are as the spec says (threat T17)."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sandbox.fields import Fields, SpecError

LONGEST, MOST = 100, 10_000


@dataclass(frozen=True)
class Telling:
    """What an output may tell: at most `most` lines of at most `longest` of these letters each."""

    characters: frozenset[str]
    longest: int
    most: int


def parse_telling(given: Fields) -> Telling:
    """Return what a spec lets an output tell."""
    characters = given.text("characters")
    longest, most = given.integer("longest", low=1, high=LONGEST), given.integer("most", low=1, high=MOST)
    if not characters.isascii() or not characters.isprintable():
        raise SpecError("outputs: characters that are told are printable ASCII.")
    given.end()
    return Telling(frozenset(characters), longest, most)


@dataclass(frozen=True)
class Told:
    """An output that may tell, and how to read it."""

    path: str
    telling: Telling
    open: Callable[[], io.FileIO]


def told(outputs: Iterable[Told]) -> dict[str, list[str] | None]:
    """Return the lines of each output by path, None for one that is anything but such lines."""
    return {one.path: _lines(one) for one in outputs}


def _lines(one: Told) -> list[str] | None:
    most = one.telling.most * (one.telling.longest + 1)
    with one.open() as file:
        raw = bytearray()
        while len(raw) <= most and (piece := file.read(most + 1 - len(raw))):
            raw += piece
    return lines_of(raw, one.telling)


def lines_of(raw: bytes | bytearray, telling: Telling) -> list[str] | None:
    """Return the lines in `raw` if all of it is such lines, else None."""
    # Whole lines of ASCII, each ended: nothing hides in what is not a line, and every letter is looked at once.
    if len(raw) > telling.most * (telling.longest + 1) or not raw.isascii() or (raw and not raw.endswith(b"\n")):
        return None
    lines = raw.decode("ascii").split("\n")[:-1]
    good = len(lines) <= telling.most and all(
        0 < len(line) <= telling.longest and telling.characters.issuperset(line) for line in lines
    )
    return lines if good else None

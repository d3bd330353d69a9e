"""Holds words against patterns of plain letters, in time linear in the word, so that none reaches a shell as code."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

MOST_CHARACTERS = 400
_ATOM = re.compile(r"(?:\[(?P<set>[A-Za-z0-9._-]+)\]|(?P<letter>[A-Za-z0-9_-]))(?:\{(\d{1,6})(?:,(\d{1,6}))?\})?")
_OF_A_SET = re.compile(r"([a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9])|[A-Za-z0-9._]|^-|-$")


@dataclass(frozen=True)
class _Atom:
    letters: frozenset[str]
    least: int
    most: int

    def takes(self, word: str, at: int) -> bool:
        return word[at] in self.letters and (at > 0 or word[at] != "-" or len(self.letters) == 1)


@dataclass(frozen=True)
class PlainPattern:
    """`^…$` of letters, digits, `_` and `-`, and of sets of these and `.`, like `[a-z0-9.]{1,9}` (T18, T30).

    A range stays within small letters, capitals or digits: any other has letters between its ends that mean
    something to a shell. A word begins with a hyphen only where the pattern itself says so: else it were an option.
    """

    text: str
    _atoms: tuple[_Atom, ...]

    def fits(self, word: str) -> bool:
        """Say whether all of `word` is a word of this pattern."""
        reached: Sequence[bool] = [True, *(False for _ in word)]
        for atom in self._atoms:
            reached = _after(atom, reached, word)
        return reached[-1]


@lru_cache(maxsize=1024)
def plain_pattern(text: str) -> PlainPattern | None:
    """Return the pattern that `text` writes, or None: of other letters, too long, or not between `^` and `$`."""
    if not (text.startswith("^") and text.endswith("$") and 2 < len(text) <= MOST_CHARACTERS):
        return None
    atoms, at = [], 1
    while at < len(text) - 1:
        match = _ATOM.match(text, at, len(text) - 1)
        letters = _letters(match) if match is not None else frozenset[str]()
        if match is None or not letters:
            return None
        least = int(match[3] or 1)
        atoms.append(_Atom(letters, least, int(match[4] or least)))
        at = match.end()
    return PlainPattern(text, tuple(atoms)) if all(one.least <= one.most for one in atoms) else None


def _letters(match: re.Match[str]) -> frozenset[str]:
    """Return the letters of an atom; none where a range leaves its alphabet or a hyphen could mean one."""
    if match["letter"]:
        return frozenset(match["letter"])
    found: set[str] = set()
    at, source = 0, match["set"]
    while at < len(source):
        part = _OF_A_SET.match(source, at)
        if part is None or (part[1] and part[1][0] > part[1][2]):
            return frozenset()
        found |= {chr(code) for code in range(ord(part[0][0]), ord(part[0][-1]) + 1)}
        at = part.end()
    return frozenset(found)


def _after(atom: _Atom, reached: Sequence[bool], word: str) -> Sequence[bool]:
    """Return where in `word` one can be after `atom`, from where one was before it."""
    ahead = 0  # how many letters from here on the atom takes
    ends = [0] * (len(word) + 2)  # where the stretches begin that can be reached, and where they are over
    for at in range(len(word), -1, -1):
        ahead = ahead + 1 if at < len(word) and atom.takes(word, at) else 0
        if reached[at] and atom.least <= ahead:
            ends[at + atom.least] += 1
            ends[at + min(atom.most, ahead) + 1] -= 1
    return [open_ > 0 for open_ in accumulate(ends[:-1])]

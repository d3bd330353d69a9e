"""Reads a choice of a script's code by Groovy's text of it, which has no quotes: what each of its arms can be."""

import re
from collections.abc import Collection
from enum import Enum

from wes.nextflow_commands import fits_hole, hole_name

MOST_TEXT = 300  # where the outline cuts Groovy's text
_CHOICE = re.compile(r"\(.*\) \? .* : .*", re.DOTALL)
_MARKS = re.compile(r" ([?:])(?= )")
_HOLE = re.compile(r"\$\{([A-Za-z_]\w*(?:\[\d+\])?(?:\.\w+)*)\}|\$([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
_LITERAL = re.compile(r"[^()\[\]{}$\\@\n]*")
_INSIDE = re.compile(r"\([^()\[\]{}]*\)|\[[^()\[\]{}]*\]|\{[^()\[\]{}]*\}")
_NO_CODE = re.compile(r"[\s$'\"<>|;&*~#]|[^\x00-\x7f]")  # without brackets round it no code has these
_CODE_BEGINS = re.compile(r"[A-Za-z0-9_!$]")


class Word(Enum):
    """An arm that is no text of its own."""

    PLAIN = 1  # one word, or what code makes: a hole takes it
    UNCLEAR = 2


def arms(text: str) -> list[str] | None:
    """Return the values that a text of Groovy's chooses between, itself if it is no choice; None if unclear."""
    if len(text) >= MOST_TEXT and text.startswith("("):
        return None
    if not _CHOICE.fullmatch(text) or _closed(text) == len(text):
        return [text]
    # Each mark is followed by a space, which is the next piece's first.
    pieces = _MARKS.split(f"{text} ")
    values = [one.removeprefix(" ") for one in pieces[::2]]
    values[-1] = values[-1].removesuffix(" ")
    found: list[str] = []
    opened = 0  # choices whose second arm is still to come
    for value, mark in zip(values, [*pieces[1::2], ""], strict=True):
        if mark == "?":
            if _closed(value) != len(value):
                return None
            opened += 1
        else:
            found.append(value)
            opened -= mark == ":"
        if opened < 0:
            return None
    return found if opened == 0 else None


def _closed(text: str) -> int:
    """Return where the bracket closes that a text begins with; 0 if none does."""
    depth = 0
    for n, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth <= 0:
            return n + 1 if n else 0
    return 0


def form(arm: str, names: Collection[str], *, is_choice: bool) -> str | Word:
    """Return an arm as a template, if it is a text that no hole takes; `names` are what its holes can stand on.

    A text by itself is unclear then: more may be added to it.
    """
    if arm == "" or len(arm) >= MOST_TEXT:
        return Word.PLAIN if arm else "" if is_choice else Word.UNCLEAR
    known = {*names, "params"}

    def template(found: re.Match[str]) -> str:
        path = found[1] or found[2]
        if re.split(r"[.\[]", path)[0] not in known:
            return "$"  # a dollar that was escaped, and no hole
        name = hole_name(path.split(".")[-1])
        return f"@{{{name}}}" if "[" in path else f"@{{{name}*}}"

    literals = _HOLE.sub("", arm)
    if _LITERAL.fullmatch(literals):
        if fits_hole(_HOLE.sub("x", arm)):
            return Word.PLAIN
        text = _HOLE.sub(template, arm)
        if not _CODE_BEGINS.match(arm) or _NO_CODE.search(literals):
            return text if is_choice and "$" not in text else Word.UNCLEAR
    if not is_choice:
        return Word.PLAIN
    while arm != (outside := _INSIDE.sub("", arm)):
        arm = outside
    return Word.UNCLEAR if _NO_CODE.search(arm) or arm.startswith("-") else Word.PLAIN

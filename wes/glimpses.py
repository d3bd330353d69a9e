"""Decides what of data an engine may see by a manifest's grant: names, lines of lists, clear files (T4, T17)."""

import math
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from strongroom.errors import BadRequest

LONGEST, MOST, MOST_BITS = 100, 10_000, 1_000_000
MOST_CLEAR, MOST_CLEAR_BYTES, LONGEST_LINE = 8, 256 << 10, 1000
_CLASS = re.compile(r"(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9._+=,/-]){1,100}")
_CLEAR_CLASS = re.compile(r"(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9._+=,/\t -]){1,100}")  # a table has tabs
_SLOT = re.compile(r"[a-z][a-z0-9_]{0,39}")
_RULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_PATH = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._+=,-]*/){0,8}[A-Za-z0-9_][A-Za-z0-9._+=,-]*")


@dataclass(frozen=True)
class Words:
    """At most `most` words of at most `longest` of these characters: checked letter by letter, in linear time."""

    rule: str
    characters: frozenset[str]
    longest: int
    most: int

    @property
    def bits(self) -> int:
        """Return the most that such words can tell of data: the logarithm of how many choices there are."""
        one = sum(len(self.characters) ** length for length in range(self.longest + 1))
        return math.ceil(self.most * math.log2(one))

    def tells(self) -> dict[str, Any]:
        """Return what the walls of a task check before they let lines of its output out."""
        return {"characters": "".join(sorted(self.characters)), "longest": self.longest, "most": self.most}

    def fit(self, words: Iterable[str]) -> bool:
        """Say whether these words stay within the grant."""
        told = list(words)
        return len(told) <= self.most and all(
            0 < len(word) <= self.longest and self.characters.issuperset(word) for word in told
        )


@dataclass(frozen=True)
class Clear:
    """A file of an input slot that an engine may read, if the dataset's owner marked it so and it is such lines."""

    slot: str
    file: str
    characters: frozenset[str]
    longest: int
    most: int
    folder: str | None = None  # of its slot; None: inputs/SLOT

    @property
    def path(self) -> str:
        """Where it lies in the work folder."""
        return posixpath.join(f"inputs/{self.slot}" if self.folder is None else self.folder, self.file)

    def facts(self) -> dict[str, Any]:
        """Return what vetters sign of it, for the broker to hold an owner's mark against."""
        said = {"input": self.slot, "file": self.file, "characters": "".join(sorted(self.characters))}
        return said | {"longest": self.longest, "most": self.most}


@dataclass(frozen=True)
class Glimpses:
    """What an engine may see: names below a rule's directories, lines of a rule's file, files that owners marked."""

    names: Mapping[str, Words]  # by rule
    lists: Mapping[str, Words]  # by path
    clear: tuple[Clear, ...] = ()

    def placed(self, folders: Mapping[str, str]) -> "Glimpses":
        """Return the same with each clear file where its slot's files lie."""
        return replace(self, clear=tuple(replace(one, folder=folders[one.slot]) for one in self.clear))

    def sentences(self) -> list[str]:
        """Return what vetters are told of it."""
        names = [f"The engine sees names that rule {one.rule} gives: {_most(one)}." for one in self.names.values()]
        return [
            *names,
            *(f"The engine reads {path} of rule {one.rule}: {_most(one)}." for path, one in self.lists.items()),
            *(
                f"The engine reads {one.file} of input {one.slot}, where its owner marked it as clear: "
                f"at most {one.most} lines of {one.longest} letters."
                for one in self.clear
            ),
        ]


def _most(words: Words) -> str:
    return f"at most {words.most} of {words.longest} letters, {words.bits} bits of data"


NONE = Glimpses({}, {})


def parse_glimpses(raw: Mapping[str, Any]) -> Glimpses:
    """Return the grants in a manifest's `names` and `lists`; raise `BadRequest` with the field named."""
    names = [_words(one, "names", frozenset()) for one in _entries(raw, "names")]
    lists = {str(one.get("file")): _words(one, "lists", frozenset({"file"})) for one in _entries(raw, "lists")}
    for path in lists:
        if not _PATH.fullmatch(path) or path.startswith("inputs/"):
            raise BadRequest("manifest.yaml: lists: file is one path that a rule writes.")
    if len({one.rule for one in names}) != len(names):
        raise BadRequest("manifest.yaml: names: one entry a rule.")
    clear = tuple(_clear(one) for one in _entries(raw, "clear"))
    if len({one.path for one in clear}) != len(clear) or len(clear) > MOST_CLEAR:
        raise BadRequest(f"manifest.yaml: clear: one entry a file, and {MOST_CLEAR} at most.")
    return Glimpses({one.rule: one for one in names}, lists, clear)


def _entries(raw: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    given = raw.get(field, [])
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise BadRequest(f"manifest.yaml: {field} is a list of objects.")
    return given


def _clear(raw: dict[str, Any]) -> Clear:
    if set(raw) != {"input", "file", "characters", "longest", "most"}:
        raise BadRequest("manifest.yaml: clear: each has exactly characters, file, input, longest, most.")
    slot, file = str(raw["input"]), str(raw["file"])
    if not _SLOT.fullmatch(slot) or not _PATH.fullmatch(file):
        raise BadRequest("manifest.yaml: clear: input is a slot's name, file the name of one file in a dataset.")
    characters, longest, most = _grammar(raw, "clear", letters=_CLEAR_CLASS, longest_line=LONGEST_LINE)
    if most * (longest + 1) > MOST_CLEAR_BYTES:
        raise BadRequest(f"manifest.yaml: clear: {MOST_CLEAR_BYTES >> 10} KiB are no sample sheet; grant less.")
    return Clear(slot, file, characters, longest, most)


def _grammar(
    raw: dict[str, Any], field: str, *, letters: re.Pattern[str], longest_line: int = LONGEST
) -> tuple[frozenset[str], int, int]:
    characters = str(raw["characters"])
    if not letters.fullmatch(characters):
        raise BadRequest(f"manifest.yaml: {field}: characters such as A-Za-z0-9_.")
    longest, most = raw["longest"], raw["most"]
    if type(longest) is not int or type(most) is not int or not 0 < longest <= longest_line or not 0 < most <= MOST:
        raise BadRequest(f"manifest.yaml: {field}: longest is 1 to {longest_line}, most is 1 to {MOST}.")
    return frozenset(_expanded(characters)), longest, most


def _words(raw: dict[str, Any], field: str, more: frozenset[str]) -> Words:
    if set(raw) != {"rule", "characters", "longest", "most"} | more:
        wanted = ", ".join(sorted({"rule", "characters", "longest", "most"} | more))
        raise BadRequest(f"manifest.yaml: {field}: each has exactly {wanted}.")
    if not _RULE.fullmatch(str(raw["rule"])):
        raise BadRequest(f"manifest.yaml: {field}: rule is a rule's name.")
    characters, longest, most = _grammar(raw, field, letters=_CLASS)
    words = Words(str(raw["rule"]), characters, longest, most)
    if words.bits > MOST_BITS:
        raise BadRequest(f"manifest.yaml: {field}: {words.bits} bits are no list but a copy; grant less.")
    return words


def _expanded(characters: str) -> Iterable[str]:
    for part in re.findall(r"[A-Za-z0-9]-[A-Za-z0-9]|.", characters):
        if len(part) == 3:
            if part[0] > part[2]:
                raise BadRequest(f"manifest.yaml: characters: {part} runs backwards.")
            yield from map(chr, range(ord(part[0]), ord(part[2]) + 1))
        else:
            yield part


@dataclass(frozen=True)
class Left:
    """One output of a job as its engine would see it; `told` is what the task's walls let out of its lines."""

    path: str
    directory: str | None = None
    told: tuple[str, ...] | None = None


def within(glimpses: Glimpses, rule: str, left: Iterable[Left]) -> bool | None:
    """Say whether what a job leaves tells its engine no more than was granted; None if it tells nothing of data."""
    outputs, answers = list(left), list[bool]()
    if (names := glimpses.names.get(rule)) is not None:
        for directory in sorted({one.directory for one in outputs if one.directory is not None}):
            answers.append(
                names.fit(one.path.removeprefix(directory + "/") for one in outputs if one.directory == directory)
            )
    for one in outputs:
        if (lines := glimpses.lists.get(one.path)) is not None:
            answers.append(lines.rule == rule and one.told is not None and lines.fit(one.told))
    return all(answers) if answers else None


def text_of(glimpses: Glimpses, one: Left) -> bytes | None:
    """Return what the engine reads in a file whose lines are granted, once they were found within the grant."""
    if one.path not in glimpses.lists or one.told is None:
        return None
    return "".join(line + "\n" for line in one.told).encode()

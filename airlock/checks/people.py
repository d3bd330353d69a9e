"""Recognises the labels of a dataset's own persons by keyed hashes, without knowing one of them (D5)."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DIGEST = 6  # bytes: a false match among four million words of a file is one in a thousand files
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{2,99}")
_HEX = re.compile(r"(?:[0-9a-f]{12}){0,60000}")


class PeopleRefused(Exception):
    """The list is not of the shape that `as_json` writes."""


@dataclass(frozen=True, slots=True)
class People:
    """Hashes of labels under a key that is made for one question and forgotten."""

    key: bytes
    digests: frozenset[bytes]

    def as_json(self) -> dict[str, str]:
        """Return plain facts for request.json."""
        return {"key": self.key.hex(), "digests": b"".join(sorted(self.digests)).hex()}

    def listed(self, labels: Iterable[str]) -> bytes | None:
        """Return who is in a list as bits, in the order of the hashes; None if it names anybody else."""
        places = {one: at for at, one in enumerate(sorted(self.digests))}
        bits = bytearray((len(places) + 7) // 8)
        for label in labels:
            at = places.get(_digest(label, self.key))
            if at is None:
                return None
            bits[at // 8] |= 1 << at % 8
        return bytes(bits)

    def holds_one(self, text: str) -> bool:
        """Return whether a word of the text, whole or up to a separator, is the label of a person."""
        return bool(self.digests) and any(_digest(word, self.key) in self.digests for word in _words(text))


NOBODY = People(b"", frozenset())


def parse_people(raw: Mapping[str, Any] | None) -> People:
    """Return the list that `as_json` wrote; raises `PeopleRefused` for anything else."""
    if raw is None:
        return NOBODY
    try:
        key, digests = raw["key"], raw["digests"]
        if set(raw) != {"key", "digests"} or not _HEX.fullmatch(digests):
            raise PeopleRefused
        plain = bytes.fromhex(digests)
        return People(bytes.fromhex(key), frozenset(plain[at : at + DIGEST] for at in range(0, len(plain), DIGEST)))
    except (KeyError, TypeError, ValueError) as broken:
        raise PeopleRefused from broken


def _digest(word: str, key: bytes) -> bytes:
    return hashlib.blake2b(word.encode(), key=key, digest_size=DIGEST).digest()


def _words(text: str) -> Iterator[str]:
    """Yield words, then the beginnings that end at a separator: a label is followed by _1 or .bam."""
    for match in _WORD.finditer(text.lower()):
        word = match.group().rstrip(".:-_")
        yield word
        for at, letter in enumerate(word):
            if letter in "_.:-":
                yield word[:at]
        yield from (part for part in re.split(r"[_.:-]", word) if part != word)

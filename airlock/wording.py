"""Decides whether free text may stand where people outside read it (pure): no identifiers, nothing encoded (T14)."""

import re

from airlock.checks.disclosure.identifiers import holds_one
from strongroom.errors import BadRequest

MOST_TEXT = 500
_WORD = re.compile(r"[A-Za-z]{1,24}|[A-Za-z0-9]{1,12}")
_LETTERS = re.compile(r"[^\s,.;:!?()\[\]'\"/_+%&-]+")
_BASES = re.compile(r"[ACGTN]{8,}", re.IGNORECASE)
_DIGITS = re.compile(r"\d[\d .,-]{4,}\d")
_MOST_ODD = 6  # letters outside ASCII that are no letters of a language, such as symbols


def check_wording(text: str, *, field: str = "text") -> None:
    """Raise `BadRequest` for text that names persons, or could carry more than it says."""
    if not text.strip() or len(text) > MOST_TEXT:
        raise BadRequest(f"{field}: one to {MOST_TEXT} characters.")
    if not all(letter.isprintable() or letter == "\n" for letter in text) or _odd(text) > _MOST_ODD:
        raise BadRequest(f"{field}: plain text without control characters and symbols.")
    if holds_one(text):
        raise BadRequest(f"{field}: it looks as if it names a person, or holds a number of one; leave that out.")
    if _DIGITS.search(text) or _BASES.search(text):
        raise BadRequest(f"{field}: no long numbers and no sequences; name the file and the row instead.")
    if any(not _WORD.fullmatch(word) and word.isascii() for word in _LETTERS.findall(text)):
        raise BadRequest(f"{field}: write words; a long run of letters and digits is not let through.")
    if any(len(word) > 32 for word in text.split()):
        raise BadRequest(f"{field}: write shorter words.")


def _odd(text: str) -> int:
    return sum(not letter.isascii() and not letter.isalpha() for letter in text)

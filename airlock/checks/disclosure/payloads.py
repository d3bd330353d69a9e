"""Finds runs of encoded data in text: base64, base32, hex, dumps, long digits; and text that is no clean UTF-8."""

import re
from collections.abc import Iterable, Iterator

from ..findings import Code, Finding, Severity, found
from ..subject import Prose, Sites, Subject, Table

_RUN = re.compile(r"[A-Za-z0-9+/=_-]{40,}")
_DUMP = re.compile(r"\s*(?:[0-9a-fA-F]{4,8}[: ] ?)?(?:(?:[0-9a-fA-F]{2}[ :]){8}|(?:[0-9a-fA-F]{4}[ :]){6})")
_BASE32 = re.compile(r"[A-Z2-7=]{40,}")
_DIGITS = re.compile(r"\d{60,}")
_UUENCODE = re.compile(r"begin [0-7]{3} |<~|-----BEGIN ")
_ADDRESS = re.compile(r"https?://[^\s?#]{1,200}[?#][^\s]{30,}")
_LONG_NUMBER = re.compile(r"\d{14,}")
_LONG_FRACTION = re.compile(r"-?\d{0,18}\.0{0,30}[1-9]\d{20,}")  # no float has so many digits
_LONG_NUMBERS = 10
_PIECES = re.compile(r"(?:[0-9a-f]{6,32}|[0-9A-F]{6,32}|[01]{8}|[0-3][0-7]{2})")
_MANY_PIECES = 60
_FOREIGN = re.compile(r"[^\x00-\u024f\s]{200,}")
_LINE = 60
# One SHA-256 in hex has 64 digits, one SHA-512 has 128: a single line of those is a checksum, many are a file.
_CHECKSUM = 128
_FEW_LINES = 3
_MUCH = 200


def check(subject: Subject) -> Iterator[Finding]:
    """Add up what looks encoded; one long run, or several lines of it, is a payload."""
    model = subject.model
    lines: Iterable[tuple[int, tuple[str, ...]]]
    if isinstance(model, Prose):
        if model.encoding != "utf-8":
            yield found(Code.ENCODING, Severity.WARN)
        lines = enumerate(((line,) for line in model.lines), start=1)
    elif isinstance(model, Table):
        lines = enumerate((model.header, *model.rows))
    elif isinstance(model, Sites):
        lines = enumerate(((line,) for line in model.meta), start=1)
    else:
        return
    if isinstance(model, Table):
        yield from _digits(model)
        if len(model.header) == 1 and _is_in_pieces((model.header[0], *model.column(0))):
            yield found(Code.ENCODED_PAYLOAD)
    if isinstance(model, Prose) and _is_in_pieces(model.lines):
        yield found(Code.ENCODED_PAYLOAD, row=1)
    first = total = run = 0
    for row, cells in lines:
        if any(_ADDRESS.search(cell) for cell in cells):
            yield found(Code.ENCODED_PAYLOAD, Severity.WARN, row=row)
        size = sum(map(encoded, cells))
        if size == 0:
            run = 0
            continue
        first = first or row
        run, total = run + 1, total + size
        if size > _MUCH or (run >= _FEW_LINES and total > _MUCH):
            yield found(Code.ENCODED_PAYLOAD, row=first)
            return


def _digits(table: Table) -> Iterator[Finding]:
    """Judge columns of long whole numbers that hardly repeat: nothing that is counted is so large."""
    for column in range(len(table.header)):
        cells = table.column(column)
        if sum(1 for cell in cells if _LONG_FRACTION.fullmatch(cell.strip())) >= _LONG_NUMBERS:
            yield found(Code.ENCODED_PAYLOAD, column=column + 1)
        long = {cell for cell in cells if _LONG_NUMBER.fullmatch(cell.strip())}
        if len(long) >= _LONG_NUMBERS and len(long) > 0.8 * len(cells):
            yield found(Code.ENCODED_PAYLOAD, Severity.WARN, column=column + 1)


def _is_in_pieces(lines: tuple[str, ...]) -> bool:
    """Return whether a text is hardly more than bytes, apart by spaces or lines, or one word of a far script."""
    pieces = [word for line in lines[:2000] for word in line[:20_000].split()]
    if any(_FOREIGN.search(line[:20_000]) for line in lines[:2000]):
        return True
    fit = [word for word in pieces if _PIECES.fullmatch(word)]
    return len(fit) >= _MANY_PIECES and len(fit) > 0.9 * len(pieces) and len(set(fit)) > _MANY_PIECES // 2


def encoded(line: str) -> int:
    """Return how many characters of the line look encoded."""
    if _UUENCODE.match(line) is not None:
        return _MUCH + 1
    if len(line) < 20:
        return 0
    dump = _DUMP.match(line)
    if dump is not None and any(letter in "abcdefABCDEF" for letter in dump.group()):
        return max(len(line), 70)
    longest = max((len(word) for word in line.split() if len(word) > _MUCH and _is_dense(word)), default=0)
    for match in _RUN.finditer(line):
        word = match.group()
        if _is_hex(word):
            size = len(word) if len(word) > _CHECKSUM or len(word) * 2 > len(line.strip()) else 0
        elif _DIGITS.fullmatch(word) or (_BASE32.fullmatch(word) and len(set(word)) > 12):
            size = len(word)
        else:
            size = len(word) if _is_mixed(word) else 0
        longest = max(longest, size)
    return longest


def _is_dense(word: str) -> bool:
    """Return whether a long word uses nearly all of printable ASCII, as base85 does."""
    return len(set(word)) > 60 and sum(1 for letter in word if letter.isalnum()) < 0.9 * len(word)


def _is_hex(word: str) -> bool:
    return all(letter in "0123456789abcdefABCDEF" for letter in word)


def _is_mixed(word: str) -> bool:
    """Return whether capitals, small letters and digits are mixed as chance mixes them, not as words do."""
    upper = sum(1 for letter in word if "A" <= letter <= "Z")
    digits = sum(1 for letter in word if "0" <= letter <= "9")
    lower = sum(1 for letter in word if "a" <= letter <= "z")
    marks = len(word) - upper - lower - digits
    return min(upper, lower) * 6 > len(word) and digits * 25 > len(word) and marks * 8 < len(word)

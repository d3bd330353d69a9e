"""Finds personal identifiers in any text: numbers with check digits, contacts, barcodes."""

import re
from collections.abc import Iterable, Iterator

from ..findings import Code, Finding, Severity, found
from ..promise import Kind
from ..subject import Prose, Sites, Subject, Table

_NHS = re.compile(r"(?<![\d.,])\d{3}[ -]?\d{3}[ -]?\d{4}(?![\d.,]*\d)")
_PERSONNUMMER = re.compile(r"(?<!\d)(?:19|20)?\d{6}[-+]\d{4}(?!\d)")
_KVNR = re.compile(r"(?<![A-Za-z0-9])[A-Z]\d{9}(?!\d)")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_PLAIN = (
    re.compile(r"(?<![\w.])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,32}){0,4}\.[A-Za-z]{2,12}(?!\w)"),
    re.compile(r"(?<![A-Za-z0-9])(?:HG|NA)\d{5}(?!\d)"),
    re.compile(r"(?<![A-Za-z0-9])TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}"),
    re.compile(r"(?<![A-Za-z0-9])[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}(?![A-Za-z0-9])"),
    re.compile(r"(?<![\w.])\+\d{1,3}[ (]\d[\d ()/-]{6,16}\d(?!\d)"),
)
_LONGEST_LINE = 20_000


def check(subject: Subject) -> Iterator[Finding]:
    """Search text line by line; the place is the first cell that holds one."""
    model = subject.model
    rows: Iterable[tuple[int, tuple[str, ...]]]
    if isinstance(model, Prose):
        rows = ((row, (line,)) for row, line in enumerate(model.lines, start=1))
    elif isinstance(model, Sites):
        rows = ((row, (line,)) for row, line in enumerate(model.meta, start=1))
    elif isinstance(model, Table):
        rows = enumerate((model.header, *model.rows))
    else:
        return
    numeric = _numeric_columns(subject)
    for row, cells in rows:
        for column, cell in enumerate(cells, start=1):
            if holds_one(cell):
                # One in eleven whole numbers of ten digits has the check digit of an NHS number.
                mild = Severity.WARN if column in numeric and row > 0 else None
                yield found(Code.IDENTIFIER, mild, row=row, column=column)


def _numeric_columns(subject: Subject) -> frozenset[int]:
    """Return the columns that a contract promises as numbers, so that stewards look and the file may go on."""
    if subject.promise is None or not isinstance(subject.model, Table):
        return frozenset()
    kinds = {column.name: column.kind for column in subject.promise.columns}
    header = enumerate(subject.model.header, start=1)
    return frozenset(at for at, name in header if kinds.get(name) in (Kind.COUNT, Kind.INTEGER, Kind.NUMBER))


def holds_one(text: str) -> bool:
    """Return whether the text holds something that identifies a person."""
    if len(text) < 5:
        return False
    line = text[:_LONGEST_LINE]
    return (
        any(_nhs(match.group()) for match in _NHS.finditer(line))
        or any(_luhn(match.group()) for match in _PERSONNUMMER.finditer(line))
        or any(_kvnr(match.group()) for match in _KVNR.finditer(line))
        or any(_iban(match.group()) for match in _IBAN.finditer(line))
        or any(pattern.search(line) for pattern in _PLAIN)
    )


def _digits(text: str) -> list[int]:
    return [int(letter) for letter in text if letter.isdigit()]


def _nhs(text: str) -> bool:
    """NHS number: weights 10 to 2, modulus 11."""
    digits = _digits(text)
    rest = 11 - sum(weight * digit for weight, digit in zip(range(10, 1, -1), digits, strict=False)) % 11
    return len(set(digits)) > 1 and digits[9] == (0 if rest == 11 else rest)


def _luhn_sum(digits: list[int], *, first: int) -> int:
    total = 0
    for at, digit in enumerate(digits):
        doubled = digit * (2 if (at + first) % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total


def _luhn(text: str) -> bool:
    """Swedish personnummer: a date, then the Luhn sum of the last ten digits."""
    digits = _digits(text)[-10:]
    month, day = digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]
    return 1 <= month <= 12 and 1 <= day % 60 <= 31 and _luhn_sum(digits, first=1) % 10 == 0


def _kvnr(text: str) -> bool:
    """German health insurance number: letter as two digits, alternating weights 1 and 2, sums of digits."""
    letter = ord(text[0]) - 64
    digits = [letter // 10, letter % 10, *_digits(text)[:8]]
    return _luhn_sum(digits, first=0) % 10 == int(text[-1])


def _iban(text: str) -> bool:
    """IBAN: ISO 7064 modulus 97."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1

"""Finds lines of text that are each about one case: by their days, numbers after `patient`, or sparse values."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ..findings import Code, Finding, found
from ..subject import Prose, Subject, Table
from .column_names import is_person_fact, words
from .keyless import are_unordered
from .series import are_things

_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?![\d-])")
_REVERSED = re.compile(r"(?<!\d)(0?[1-9]|[12]\d|3[01])[./](0?[1-9]|1[0-2])[./]((?:19|20)\d\d)(?!\d)")
_GLUED = re.compile(r"((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_PERSON = re.compile(
    r"\b(?:patient|subject|participant|proband|donor|person|individual|member)s?"
    r"[ _]?(?:id|no\.?|nr\.?)?[ _:#=]{0,3}(\d{1,9})\b",
    re.IGNORECASE,
)
_SPARSE = re.compile(r"\S{1,12}(?: \d{1,5}:-?\d[\d.eE+-]{0,20}){2,500}\s*")
_QUOTES_A_PAGE = re.compile(r"https?://|doi|urldate|accessed|retrieved", re.IGNORECASE)
_AGED = re.compile(r"\b\d{1,3}[ -]?(?:years?[ -]old|y/?o\b|jährige)", re.IGNORECASE)
_PADDED = re.compile(r"(?<![A-Za-z0-9])([A-Z]{1,5}[-_]?)(0\d{2,6})(?![A-Za-z0-9:])")
_PROSE, _TEN = 3, 10
_ROW_END = re.compile(r"Name: \S{1,60}, dtype: object")
_MANY, _FEW, _FACTS = 20, 5, 2
_LONGEST_LINE = 20_000


def check(subject: Subject) -> Iterator[Finding]:
    """Judge all lines together: one alone says nothing."""
    model = subject.model
    if isinstance(model, Prose):
        lines = [line[:_LONGEST_LINE] for line in model.lines]
    elif isinstance(model, Table) and subject.promise is None:
        lines = [cell for row in (model.header, *model.rows) for cell in row if " " in cell or len(row) == 1]
        if any(cell.count(" ") > _PROSE for cell in model.header):  # text, whose commas look like columns
            lines = [" ".join(row) for row in (model.header, *model.rows)]
    else:
        return
    numbers = {match[1] for line in lines for match in _PERSON.finditer(line)}
    aged = {line for line in lines if _AGED.search(line)}
    if (
        len(aged) >= _FEW
        or _lists_keys(lines)
        or _is_one_row(lines)
        or len(numbers) >= _FEW
        or _sparse(lines)
        or are_unordered(_days(lines))
        or _is_packed(lines)
    ):
        yield found(Code.ROW_LEVEL)


def _lists_keys(lines: Sequence[str]) -> bool:
    """Return whether many words are one word with numbers with leading zeros, and that word speaks of no thing."""
    keys = {match.groups() for line in lines for match in _PADDED.finditer(line)}
    shapes = Counter(shape for shape, _ in keys)
    return any(many >= _TEN and not are_things(words(shape.lower())) for shape, many in shapes.items())


def _is_one_row(lines: Sequence[str]) -> bool:
    """Return whether one row of a data frame is printed, a fact a line, as pandas shows it."""
    ends = [at for at, line in enumerate(lines) if _ROW_END.fullmatch(line.strip())]
    return any(
        sum(1 for line in lines[max(0, end - _MANY) : end] if line.split() and is_person_fact(line.split()[0]))
        >= _FACTS
        for end in ends
    )


def _sparse(lines: Sequence[str]) -> bool:
    """Return whether lines are an outcome with numbered values each, as libsvm reads them."""
    written = [line for line in lines if line.strip()]
    return len(written) >= _MANY and all(map(_SPARSE.fullmatch, written))


def _days(lines: Sequence[str]) -> list[str]:
    """Return the first day that each line names; lines that quote a page say when it was read."""
    days = []
    for line in lines:
        if (match := _DAY.search(line)) is not None and not _QUOTES_A_PAGE.search(line):
            days.append("-".join(match.groups()))
        elif (match := _REVERSED.search(line)) is not None and not _QUOTES_A_PAGE.search(line):
            days.append(f"{match[3]}-{int(match[2]):02d}-{int(match[1]):02d}")
    return days


def _is_packed(lines: Sequence[str]) -> bool:
    """Return whether lines of one length hold a day at one place each, as files of fixed width do."""
    written = [line.rstrip() for line in lines if line.strip()]
    if len(written) < _MANY or len({len(line) for line in written}) > 2:
        return False
    places = [at for at in range(len(written[0])) if all(_GLUED.match(line, at) for line in written)]
    return any(are_unordered([line[at : at + 8] for line in written]) for at in places)

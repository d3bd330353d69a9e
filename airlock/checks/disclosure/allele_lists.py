"""Finds low allele counts that stand several in one cell: Hail's arrays, sites of many alleles, vcftools' pairs."""

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from ..findings import Code, Finding, found
from ..formats.table import number
from ..subject import Prose, Subject, Table
from .column_names import is_allele_count, words
from .shares import numbers
from .variant_tables import FREQUENCY, is_of_variants, of_alleles

_LIST = re.compile(r"\[?\s*[\d.eE+-]{1,24}(?:\s*[,;/]\s*[\d.eE+-]{1,24}){0,20}\s*\]?")
_SEVERAL = re.compile(r"\[[^,]*\]|.*[,;/].*")
_ALLELES = re.compile(r"[\[(\"']{0,2}[ACGTN*<][^\t]*[,;/][^\t]*")  # of their list in the same row
# CHROM POS N_ALLELES N_CHR {ALLELE:COUNT} or {ALLELE:FREQ}
_VCFTOOLS = re.compile(r"\S{1,30}\s\d{1,10}\s\d{1,3}\s(\d{1,12})((?:\s[ACGTN*<>\w]{1,400}:[\d.eE+-]{1,24}){1,20})\s*")
_HALF = Decimal("0.5")


def check(subject: Subject) -> Iterator[Finding]:
    """Judge lists in columns of allele counts and frequencies, then vcftools' lines."""
    model, least = subject.model, max(subject.policy.min_count, subject.policy.min_allele_count)
    if isinstance(model, Prose):
        yield from _lines(enumerate(model.lines, start=1), least)
    elif isinstance(model, Table):
        if "{ALLELE" in "".join(model.header[-1:]):
            yield from _lines(enumerate(map("\t".join, model.rows), start=1), least)
        if is_of_variants(model):
            yield from _columns(model, least)


def _columns(table: Table, least: int) -> Iterator[Finding]:
    totals = [numbers(table, at) for at, name in enumerate(table.header) if of_alleles(name)]
    for at, name in enumerate(table.header):
        counted, shared = is_allele_count(name), bool(words(name) & FREQUENCY)
        if not counted and not shared:
            continue
        for row, cell in enumerate(table.column(at), start=1):
            beside = [total for one in totals if (total := one[row - 1]) is not None]
            parts = _parts(cell, table.rows[row - 1])
            if any(0 < part < least if counted else _is_low(part, beside, least) for part in parts):
                yield found(Code.LOW_ALLELE_COUNT, row=row, column=at + 1)


def _parts(cell: str, row: Sequence[str]) -> list[Decimal]:
    """Return the numbers of a list; `2,400` is one only where its row lists alleles too."""
    plain = cell.strip()
    if not _SEVERAL.fullmatch(plain) or not _LIST.fullmatch(plain):
        return []
    if number(plain) is not None and not any(_ALLELES.fullmatch(other.strip()) for other in row):
        return []
    written = (number(part) for part in re.split(r"[,;/]", plain.strip("[] ")))
    return [part for part in written if part is not None]


def _is_low(share: Decimal, totals: Sequence[Decimal], least: int) -> bool:
    """Return whether a share of one of the totals is of few alleles, or lacked by few."""
    minor = min(share, 1 - share)
    return 0 <= share <= 1 and any(_HALF <= minor * total < least - _HALF for total in totals)


def _lines(lines: Iterable[tuple[int, str]], least: int) -> Iterator[Finding]:
    for row, line in lines:
        if (match := _VCFTOOLS.fullmatch(line)) is None:
            continue
        total = [Decimal(match[1])]
        written = [number(part.rpartition(":")[2]) for part in match[2].split()]
        said = [part for part in written if part is not None]
        are_shares = max(said, default=0) <= 1
        if any(_is_low(part, total, least) if are_shares else 0 < part < least for part in said):
            yield found(Code.LOW_ALLELE_COUNT, row=row)

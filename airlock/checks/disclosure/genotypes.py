"""Finds sample columns, and INFO fields that can name who carries a variant."""

import re
from collections.abc import Iterator, Sequence

from ..findings import Code, Finding, Severity, found
from ..formats.vcf import COLUMNS
from ..subject import Prose, Sites, Subject, Table
from .row_level import is_coded

_NUMBERS = re.compile(r"-?[\d.,eE+-]{1,80}")
_PERSON_KEYS = frozenset({"SAMPLES", "SAMPLE", "HETS", "HOMS", "HOMALTS", "CARRIERS", "IDS", "INDIVIDUALS"})


_CALLS = re.compile(r"(?:[\w.-]{1,60}=)?[0-9.][/|][0-9.](?::\S*)?")
_VARIANT = re.compile(r"rs\d{1,12}(?:_[ACGT]+)?|(?:chr)?(?:\d{1,2}|[XYM]|MT)[:_]\d{1,9}(?:[:_][ACGT]+){0,2}")
_DOSAGE = re.compile(r"[012](?:\.\d{1,6})?|NA|-9|\.|")
_PAIR = re.compile(r"[ACGT]{2}|--|DD|DI|ID|II")
_HLA = re.compile(r"(?:HLA-)?[A-Z]{1,4}\d?\*\d{2,3}(?::\d{2,3}){0,3}[A-Z]?")
_BOTH = 2  # one column of HLA alleles is a list of them; two are what somebody has
_CALL_WORDS = frozenset(
    {"0", "1", "2", "-9", "NA", ".", "0|0", "0|1", "1|0", "1|1", "0/0", "0/1", "1/1", "./.", *"ACGT"}
)
_FEW = 5
_WIDE = 20
_LONGEST = 20_000


def check(subject: Subject) -> Iterator[Finding]:
    """Judge the column line first, then each INFO field that is not AC, AN or AF."""
    model = subject.model
    if isinstance(model, Table):
        yield from _columns(model)
        return
    if isinstance(model, Prose):
        yield from _lines(model.lines)
    if not isinstance(model, Sites):
        return
    if len(model.columns) > len(COLUMNS) or any(line.startswith("##FORMAT") for line in model.meta):
        yield found(Code.GENOTYPES, column=len(COLUMNS) + 1)
    for row, column in model.odd:
        yield found(Code.UNMODELLED_RECORD, row=row, column=column)
    for row, site in enumerate(model.sites, start=1):
        if any(is_coded(name) for name in site.rsid.split(";")):
            # A warning, as catalogues of variants have such keys too.
            yield found(Code.SAMPLE_IDS, Severity.WARN, row=row, column=3)
        for key, value in site.rest:
            if key in _PERSON_KEYS or (value and not _NUMBERS.fullmatch(value)):
                yield found(Code.SAMPLE_IDS, row=row, column=8)
            elif value:
                yield found(Code.SAMPLE_IDS, Severity.WARN, row=row, column=8)


def _columns(table: Table) -> Iterator[Finding]:
    """Judge tables: columns of calls, and columns of variants with a dosage a row."""
    if len(table.rows) < _FEW:
        return
    dosed = typed = 0
    for index, name in enumerate(table.header):
        cells = [cell.strip() for cell in table.column(index)]
        calls = sum(1 for cell in cells if _CALLS.fullmatch(cell))
        dosages = sum(1 for cell in cells if _DOSAGE.fullmatch(cell))
        doses = dosages == len(cells) and _reaches_two(cells)
        if calls > 0.8 * len(cells) or (_VARIANT.fullmatch(name) and doses) or _is_of_pairs(cells):
            yield found(Code.GENOTYPES, column=index + 1)
            return
        typed += sum(1 for cell in cells if _HLA.fullmatch(cell)) > 0.8 * len(cells)
        dosed += doses and any(cells)
    if dosed >= _WIDE or typed >= _BOTH:
        yield found(Code.GENOTYPES)


def _reaches_two(cells: Sequence[str]) -> bool:
    """Return whether fractions go beyond one, as dosages do and correlations never, or there are none."""
    return not any("." in cell for cell in cells) or any(
        cell.startswith(("1.", "2")) and cell != "1.0" for cell in cells
    )


def _is_of_pairs(cells: Sequence[str]) -> bool:
    """Return whether cells are the two letters of one person at many places, as companies send them."""
    pairs = sum(1 for cell in cells if _PAIR.fullmatch(cell))
    return len(cells) >= _WIDE and pairs > 0.8 * len(cells) > len(set(cells))


def _lines(lines: Sequence[str]) -> Iterator[Finding]:
    """Judge lines of calls without any header, as phased haplotypes are written."""
    wide = 0
    for row, line in enumerate(lines, start=1):
        tokens = line[:_LONGEST].split()
        calls = sum(1 for token in tokens if token in _CALL_WORDS)
        wide = wide + 1 if len(tokens) >= _WIDE and calls >= 0.7 * len(tokens) else 0
        if wide == _FEW:
            yield found(Code.GENOTYPES, row=row)
            return

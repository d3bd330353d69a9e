"""Finds sample columns, and INFO fields that can name who carries a variant."""

import re
from collections.abc import Iterator

from ..findings import Code, Finding, Severity, found
from ..formats.vcf import COLUMNS
from ..subject import Sites, Subject, Table

_NUMBERS = re.compile(r"-?[\d.,eE+-]{1,80}")
_PERSON_KEYS = frozenset({"SAMPLES", "SAMPLE", "HETS", "HOMS", "HOMALTS", "CARRIERS", "IDS", "INDIVIDUALS"})


_CALLS = re.compile(r"[0-9.][/|][0-9.](?::\S*)?")
_VARIANT = re.compile(r"rs\d{1,12}(?:_[ACGT]+)?|(?:chr)?(?:\d{1,2}|[XYM]|MT)[:_]\d{1,9}(?:[:_][ACGT]+){0,2}")
_DOSAGE = re.compile(r"[012](?:\.\d{1,6})?|NA|-9|\.|")
_FEW = 5


def check(subject: Subject) -> Iterator[Finding]:
    """Judge the column line first, then each INFO field that is not AC, AN or AF."""
    model = subject.model
    if isinstance(model, Table):
        yield from _columns(model)
        return
    if not isinstance(model, Sites):
        return
    if len(model.columns) > len(COLUMNS) or any(line.startswith("##FORMAT") for line in model.meta):
        yield found(Code.GENOTYPES, column=len(COLUMNS) + 1)
    for row, site in enumerate(model.sites, start=1):
        for key, value in site.rest:
            if key in _PERSON_KEYS or (value and not _NUMBERS.fullmatch(value)):
                yield found(Code.SAMPLE_IDS, row=row, column=8)
            elif value:
                yield found(Code.SAMPLE_IDS, Severity.WARN, row=row, column=8)


def _columns(table: Table) -> Iterator[Finding]:
    """Judge tables: columns of calls, and columns of variants with a dosage a row."""
    if len(table.rows) < _FEW:
        return
    for index, name in enumerate(table.header):
        cells = [cell.strip() for cell in table.column(index)]
        calls = sum(1 for cell in cells if _CALLS.fullmatch(cell))
        dosages = sum(1 for cell in cells if _DOSAGE.fullmatch(cell))
        if calls > 0.8 * len(cells) or (_VARIANT.fullmatch(name) and dosages == len(cells)):
            yield found(Code.GENOTYPES, column=index + 1)

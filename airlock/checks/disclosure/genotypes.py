"""Finds sample columns, and INFO fields that can name who carries a variant."""

import re
from collections.abc import Iterator

from ..findings import Code, Finding, Severity, found
from ..formats.vcf import COLUMNS
from ..subject import Sites, Subject

_NUMBERS = re.compile(r"-?[\d.,eE+-]{1,80}")
_PERSON_KEYS = frozenset({"SAMPLES", "SAMPLE", "HETS", "HOMS", "HOMALTS", "CARRIERS", "IDS", "INDIVIDUALS"})


def check(subject: Subject) -> Iterator[Finding]:
    """Judge the column line first, then each INFO field that is not AC, AN or AF."""
    model = subject.model
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

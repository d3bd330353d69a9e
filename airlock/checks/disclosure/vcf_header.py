"""Finds free text and names of samples in a VCF's header."""

import re
from collections.abc import Iterator

from ..findings import Code, Finding, Severity, found
from ..subject import Sites, Subject

_PLAIN = re.compile(
    r"##(?:fileformat=VCFv4\.\d|contig=<ID=[A-Za-z0-9._]{1,40}(?:,length=\d{1,12})?>"
    r"|FILTER=<ID=(?:PASS|FAIL),.{0,80}>|INFO=<ID=[A-Za-z0-9_.]{1,40},Number=[AGR.\d]{1,4},Type=[A-Za-z]+,.{0,400}>"
    r"|ALT=<ID=[A-Z:]{1,20},.{0,80}>|FORMAT=<.{0,500}>)"
)
_PERSONS = re.compile(r"##(?:SAMPLES?|PEDIGREE|META|pedigreeDB|INDIVIDUALS?|CARRIERS|GVCFBlock)\b", re.IGNORECASE)


def check(subject: Subject) -> Iterator[Finding]:
    """Judge each meta line: known shapes pass, lines about persons block, other words warn."""
    model = subject.model
    if not isinstance(model, Sites):
        return
    for row, line in enumerate(model.meta, start=1):
        if _PERSONS.match(line):
            yield found(Code.HEADER_TEXT, Severity.BLOCK, row=row)
        elif not _PLAIN.fullmatch(line):
            yield found(Code.HEADER_TEXT, row=row)

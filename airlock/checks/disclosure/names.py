"""Finds names of files that could carry data or that disagree with the content."""

import re
from collections.abc import Iterator

from ..findings import Code, Finding, found
from ..subject import Format, Subject
from . import identifiers

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_PAYLOAD = re.compile(r"[0-9a-f]{20,}|[A-Z2-7]{24,}|(?=[^_.-]*\d)(?=[^_.-]*[A-Z])[A-Za-z0-9]{24,}|\d{9,}")
_SUFFIXES = {
    "csv": frozenset({Format.TABLE}),
    "tsv": frozenset({Format.TABLE}),
    "tab": frozenset({Format.TABLE}),
    "txt": frozenset({Format.TABLE, Format.TEXT}),
    "vcf": frozenset({Format.VCF}),
    "png": frozenset({Format.PNG}),
}
_DISGUISED = frozenset(
    {Format.VCF, Format.PNG, Format.GENOTYPES, Format.READS, Format.CIPHERTEXT, Format.SERIALISED, Format.OTHER}
)


def check(subject: Subject) -> Iterator[Finding]:
    """Judge each part of the name and its suffix."""
    for part in subject.name.split("/"):
        if not _PLAIN.fullmatch(part) or _PAYLOAD.search(part) or identifiers.holds_one(part):
            yield found(Code.FILENAME_CHANNEL)
    suffix = subject.name.removesuffix(".gz").rpartition(".")[2].lower()
    allowed = _SUFFIXES.get(suffix)
    if allowed is not None and subject.format in _DISGUISED - allowed:
        yield found(Code.TYPE_MISMATCH)

"""Blocks content that no check can read, each kind under its own code."""

from collections.abc import Iterator

from ..findings import Code, Finding, found
from ..subject import Format, Subject

_CODES: dict[Format, Code | None] = {
    Format.TABLE: None,
    Format.VCF: None,
    Format.PNG: None,
    Format.EMPTY: Code.EMPTY,
    Format.TEXT: Code.UNREVIEWABLE_TYPE,
    Format.OTHER: Code.UNREVIEWABLE_TYPE,
    Format.READS: Code.READS,
    Format.GENOTYPES: Code.GENOTYPES,
    Format.PERSON_LINES: Code.ROW_LEVEL,
    Format.CIPHERTEXT: Code.CIPHERTEXT,
    Format.SERIALISED: Code.UNSAFE_SERIALISATION,
}


def check(subject: Subject) -> Iterator[Finding]:
    """Judge the format alone."""
    code = _CODES[subject.format]
    if code is not None:
        yield found(code)

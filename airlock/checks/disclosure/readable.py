"""Blocks content that no check can read, each kind under its own code."""

from collections.abc import Iterator

from ..findings import Code, Finding, found
from ..subject import Bundle, Format, Prose, Subject

_CODES: dict[Format, Code] = {
    Format.EMPTY: Code.EMPTY,
    Format.OTHER: Code.UNREVIEWABLE_TYPE,
    Format.READS: Code.READS,
    Format.GENOTYPES: Code.GENOTYPES,
    Format.PERSON_LINES: Code.ROW_LEVEL,
    Format.SCAN: Code.ROW_LEVEL,
    Format.CIPHERTEXT: Code.CIPHERTEXT,
    Format.SERIALISED: Code.UNSAFE_SERIALISATION,
}


def check(subject: Subject) -> Iterator[Finding]:
    """Judge the format alone; what has a model was read, what has none and no code of its own is blocked."""
    if subject.model is None:
        yield found(_CODES.get(subject.format, Code.UNREVIEWABLE_TYPE))
    elif isinstance(subject.model, Bundle):
        yield from subject.model.seen
    elif isinstance(subject.model, Prose) and not any(line.strip() for line in subject.model.lines):
        yield found(Code.EMPTY)

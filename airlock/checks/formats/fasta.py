"""Reads reference sequences in FASTA: header lines, and letters of bases or amino acids, nothing else."""

import re

from ..findings import Code, refuse
from ..subject import Prose

_START = re.compile(rb"[>;][^\n]*\n")
_SEQUENCE = re.compile(rb"[A-Za-z*-]*")
_LONGEST_HEADER = 1000
_SHORT, _MANY = 1000, 100


def looks_like(plain: bytes) -> bool:
    """Return whether the content begins as FASTA does."""
    return _START.match(plain) is not None


def read(plain: bytes) -> Prose:
    """Return the header lines; refuses any line that is neither a header of plain text nor letters."""
    headers = []
    for number, line in enumerate(plain.splitlines(), start=1):
        if line[:1] in (b">", b";"):
            if len(line) > _LONGEST_HEADER or not line.decode("ascii", "replace").isprintable():
                raise refuse(Code.HIDDEN_CHARACTERS, row=number)
            headers.append(line.decode("ascii", "replace"))
        elif not _SEQUENCE.fullmatch(line):
            raise refuse(Code.POLYGLOT, row=number)
    return Prose(tuple(headers))


def like_reads(plain: bytes) -> bool:
    """Return whether there are many records and all are short, as sequencers write them and no reference is."""
    records = re.split(rb"(?m)^>[^\n]*\n?", plain)[1:]
    return len(records) >= _MANY and max(map(len, records)) < _SHORT

"""Chooses the writer of a clean copy by what the contract promises."""

from typing import assert_never

from ..findings import Code, refuse
from ..promise import Promise, Promised
from ..subject import Picture, Sites, Subject, Table
from ..thresholds import Policy
from . import envelope, png, table, vcf


def clean_copy(subject: Subject, promise: Promise, *, policy: Policy) -> bytes:
    """Return our own bytes for the subject, block-gzipped where its name says so; raises `Refused`."""
    match promise.format:
        case Promised.TSV | Promised.CSV:
            if not isinstance(subject.model, Table):
                raise refuse(Code.CONTRACT_FORMAT)
            content = table.write(subject.model, promise, policy=policy)
        case Promised.VCF:
            if not isinstance(subject.model, Sites):
                raise refuse(Code.CONTRACT_FORMAT)
            content = vcf.write(subject.model, promise, policy=policy)
        case Promised.PNG:
            if not isinstance(subject.model, Picture):
                raise refuse(Code.CONTRACT_FORMAT)
            content = png.write(subject.model, policy=policy)
        case _:
            assert_never(promise.format)
    return envelope.pack(content) if subject.name.endswith(".gz") else content

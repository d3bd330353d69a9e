"""Chooses the writer of a clean copy by what the contract promises."""

from typing import assert_never

from ..findings import Code, refuse
from ..promise import Promise, Promised
from ..subject import Bundle, Format, Picture, Prose, Sites, Subject, Table
from ..thresholds import Policy
from . import envelope, json_leaves, png, table, text, vcf


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
            if not isinstance(subject.model, Picture) or subject.format is not Format.PNG:
                raise refuse(Code.CONTRACT_FORMAT)
            content = png.write(subject.model, policy=policy)
        case Promised.JSON:
            if subject.format is not Format.JSON or not isinstance(subject.model, Bundle):
                raise refuse(Code.CONTRACT_FORMAT)
            content = json_leaves.write(subject.model.source, promise, policy=policy)
        case Promised.LOG:
            if not isinstance(subject.model, Prose):
                raise refuse(Code.CONTRACT_FORMAT)
            content = text.write(subject.model, promise)
        case _:
            assert_never(promise.format)
    return envelope.pack(content) if subject.name.endswith(".gz") else content

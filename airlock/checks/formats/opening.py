"""Opens one untrusted path: takes its wrapping off, tells its format, reads it into a model."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..findings import Code, Finding, Refused, refuse
from ..promise import Promise, Promised
from ..subject import Format, Model, Prose, Subject
from ..thresholds import Policy
from . import envelope, magic, png, table, vcf

_DELIMITER = {Promised.TSV: "\t", Promised.CSV: ","}


def load(path: Path, *, policy: Policy) -> bytes:
    """Return the file's bytes; refuses links, special files, several names of one file, and too many bytes."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        raise refuse(Code.SPECIAL_FILE) from None
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
        os.close(handle)
        raise refuse(Code.SPECIAL_FILE)
    with os.fdopen(handle, "rb") as stream:
        content = stream.read(policy.max_bytes + 1)
    if len(content) > policy.max_bytes:
        raise refuse(Code.TOO_LARGE)
    return content


@dataclass(frozen=True, slots=True)
class Opened:
    """A subject, its bytes as stored, and the finding with which its reader gave up, if it did."""

    subject: Subject
    stored: bytes
    given_up: tuple[Finding, ...]


def open_subject(
    path: Path,
    name: str,
    *,
    policy: Policy,
    promise: Promise | None = None,
    supporting: Mapping[str, Path] | None = None,
) -> Opened:
    """Return what the file is; raises `Refused` only where its bytes cannot even be had."""
    stored = load(path, policy=policy)
    plain = stored
    if envelope.is_gzip(stored):
        plain = envelope.unpack(stored, limit=policy.max_unpacked_bytes)
    kind = magic.detect(plain)
    given_up: tuple[Finding, ...] = ()
    model: Model = None
    try:
        kind, model = _read(plain, kind, policy=policy, promised=promise.format if promise else None)
    except Refused as refused:
        given_up = (refused.finding,)
    return Opened(Subject(name, kind, model, policy, promise, supporting or {}), stored, given_up)


def _read(content: bytes, kind: Format, *, policy: Policy, promised: Promised | None) -> tuple[Format, Model]:
    """Return format and model of plain bytes; the model is None where no reader exists."""
    match kind:
        case Format.VCF:
            return kind, vcf.read(content, policy=policy)
        case Format.PNG:
            return kind, png.read(content, policy=policy)
        case Format.TEXT:
            text, encoding = table.decode(content)
            delimiter = _DELIMITER.get(promised) if promised else table.sniff(text)
            if delimiter is None:
                return kind, Prose(tuple(text.splitlines()))
            return Format.TABLE, table.read(text, delimiter=delimiter, encoding=encoding, policy=policy)
        case _:
            return kind, None

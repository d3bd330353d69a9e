"""Finds names of files that could carry data or that disagree with the content."""

import re
from collections.abc import Iterator

from ..findings import Code, Finding, found
from ..subject import Format, Subject
from . import identifiers
from .person_keys import is_key

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_PAYLOAD = re.compile(r"[0-9a-f]{20,}|[A-Z2-7]{24,}|(?=[^_.-]*\d)(?=[^_.-]*[A-Z])[A-Za-z0-9]{24,}|\d{9,}")
_BETWEEN = re.compile(r"[._-]")
_BORN = re.compile(r"(?<!\d)19\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])(?!\d)")
_TABLES = frozenset({Format.TABLE})
_SUFFIXES = {
    "csv": _TABLES,
    "tsv": _TABLES,
    "tab": _TABLES,
    "txt": frozenset({Format.TABLE, Format.TEXT}),
    "vcf": frozenset({Format.VCF}),
    "png": frozenset({Format.PNG}),
    "jpg": frozenset({Format.JPEG}),
    "jpeg": frozenset({Format.JPEG}),
    "gif": frozenset({Format.GIF}),
    "svg": frozenset({Format.SVG}),
    "pdf": frozenset({Format.PDF}),
    "json": frozenset({Format.JSON}),
    "html": frozenset({Format.HTML}),
    "htm": frozenset({Format.HTML}),
    "xlsx": frozenset({Format.SHEETS}),
    "ods": frozenset({Format.SHEETS}),
    "docx": frozenset({Format.DOCUMENT}),
    "zip": frozenset({Format.ARCHIVE, Format.SHEETS, Format.DOCUMENT}),
    "log": frozenset({Format.TABLE, Format.TEXT}),
}
# What opens these does more than show text, and finds more in a text than we looked for.
_NO_TEXT = frozenset({"vcf", "png", "jpg", "jpeg", "gif", "svg", "pdf", "html", "htm", "xlsx", "ods", "docx", "zip"})
_TEXTS = frozenset({Format.TABLE, Format.TEXT, Format.JSON, Format.PERSON_LINES})
# Text under a wrong text suffix is still shown as text; everything else opens in another program.
_DISGUISED = frozenset(Format) - {Format.TABLE, Format.TEXT, Format.EMPTY, Format.JSON, Format.PERSON_LINES}


def check(subject: Subject) -> Iterator[Finding]:
    """Judge each part of the name and its suffix."""
    for part in subject.name.split("/"):
        if (
            not _PLAIN.fullmatch(part)
            or _PAYLOAD.search(part)
            or identifiers.holds_one(part)
            or _BORN.search(part)
            or any(is_key(word) for word in _BETWEEN.split(part))
            or subject.people.holds_one(part)
        ):
            yield found(Code.FILENAME_CHANNEL)
    suffix = subject.name.removesuffix(".gz").rpartition(".")[2].lower()
    allowed = _SUFFIXES.get(suffix)
    prose_as_table = subject.format is Format.TEXT and allowed == _TABLES
    text_as_other = suffix in _NO_TEXT and subject.format in _TEXTS
    if allowed is not None and (subject.format in _DISGUISED - allowed or prose_as_table or text_as_other):
        yield found(Code.TYPE_MISMATCH)

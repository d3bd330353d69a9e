"""Judges a file that is to come in: is it what it is said to be, and may tasks see it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from .answer import Answer, failed
from .disclosure import (
    genotypes,
    hidden_content,
    identifiers,
    names,
    payloads,
    person_keys,
    readable,
    reads,
    row_level,
)
from .findings import Code, Finding, Refused, Severity, found
from .formats import fasta, opening, table
from .inspection import facts, judge
from .people import NOBODY, People
from .subject import Bundle, Format, Prose, Sites, Subject, Table
from .thresholds import Policy

MOST_LINES, LONGEST_LINE = 2000, 400  # of a script: what a steward cannot see whole is not let in
MOST_SHOWN = 150_000  # letters and brackets of one view


class BroughtRefused(Exception):
    """The request does not say what the file is to be."""


class Declared(Enum):
    """What a file may be said to be; nothing else comes in by this way."""

    TABLE = "table"
    TEXT = "text"
    FASTA = "fasta"
    VCF = "vcf"
    JSON = "json"
    PARQUET = "parquet"
    ARCHIVE = "archive"
    SCRIPT = "script"


_FORMATS: dict[Declared, frozenset[Format]] = {
    Declared.TABLE: frozenset({Format.TABLE}),
    Declared.TEXT: frozenset({Format.TEXT, Format.TABLE}),
    Declared.FASTA: frozenset({Format.READS}),
    Declared.VCF: frozenset({Format.VCF}),
    Declared.JSON: frozenset({Format.JSON}),
    Declared.PARQUET: frozenset({Format.COLUMNS}),
    Declared.ARCHIVE: frozenset({Format.ARCHIVE}),
    Declared.SCRIPT: frozenset({Format.TEXT, Format.TABLE}),
}
# What a reader of the file must know; what tells of persons only once it is published does not matter on the way in.
_COUNTS = frozenset(
    {
        *(Code.CONTROL_CHARACTERS, Code.HIDDEN_CHARACTERS, Code.ENCODING, Code.ENCODED_PAYLOAD, Code.CREDENTIAL),
        *(Code.IDENTIFIER, Code.READS, Code.ROW_LEVEL, Code.GENOTYPES, Code.FILENAME_CHANNEL, Code.TYPE_MISMATCH),
    }
)
# Reference data is full of what looks like these; people look.
_MILD = frozenset({Code.IDENTIFIER, Code.READS, Code.ENCODING})
_CHECKS = (
    *(names.check, hidden_content.check, identifiers.check, payloads.check, person_keys.check, reads.check),
    *(row_level.check, genotypes.check),
)
_EXECUTABLE = (
    *(b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\0asm", b"dex\n", b"!<arch>\n"),
    *(b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"),
)
_COMPILED = re.compile(rb"[\x00-\xff]{2}\r\n[\x00-\x03]\0\0\0")  # Python's byte code
_SCRIPT_NAMES = frozenset(
    {"py", "pyw", "r", "rmd", "sh", "bash", "zsh", "pl", "pm", "js", "mjs", "rb", "jl", "lua", "nf", "smk"}
    | {"groovy", "awk", "ps1", "bat", "cmd", "php"}
)
_FIRST_LINE = re.compile(rb"#!\s*/")
_SCRIPT_LINE = re.compile(
    r"[ \t]*(?:from\s+[\w.]+\s+import\s|import\s+[\w.]+\s*(?:as\s+\w+\s*)?$|def\s+\w+\s*\(|class\s+\w+[^:]*:\s*$"
    r"|library\s*\(|require\s*\(|source\s*\(|use\s+strict|function\s+\w+\s*\(|\w+\s*<-\s*function\s*\("
    r"|set\s+-[euo]|export\s+\w+=|eval\s|exec\s|<\?php)"
)
_FEW_LINES = 2
_ZIP_END = b"PK\x05\x06"
_TAIL = (1 << 16) + 22


@dataclass(frozen=True, slots=True)
class _Brought:
    """A subject with its bytes, as stored and unwrapped."""

    subject: Subject
    stored: bytes
    plain: bytes
    given_up: tuple[Finding, ...]


def parse_brought(raw: Mapping[str, Any]) -> Declared:
    """Return what a file is said to be; raises `BroughtRefused` for anything unknown."""
    try:
        if set(raw) != {"brought"}:
            raise BroughtRefused
        return Declared(raw["brought"])
    except ValueError as broken:
        raise BroughtRefused from broken


def inspect(path: Path, name: str, declared: Declared, policy: Policy, *, people: People = NOBODY) -> Answer:
    """Judge one file, and each member of an archive as a file that came alone."""
    try:
        opened = _open(path, name, declared, policy=policy)
    except Refused as refused:
        return failed("check", policy, refused.finding)
    findings: list[Finding] = []
    subject = replace(opened.subject, people=people)
    finished = judge(subject, findings, member=None, checks=(readable.check, _known, _code, _usual))
    code = any(one.code is Code.SCRIPT and one.place.member is None for one in findings)
    code = code or _FIRST_LINE.match(opened.plain) is not None
    findings += _whole_file(opened, declared, is_code=code)
    return Answer(
        "check",
        policy.version,
        opened.subject.format.value,
        tuple(findings),
        complete=finished,
        facts=facts(opened.subject.model, opened.stored),
    )


def shown(path: Path, name: str, declared: Declared, policy: Policy) -> tuple[Subject, Answer | None]:
    """Return the subject to draw for stewards: a script whole, of sequences the lines as they stand."""
    opened = _open(path, name, declared, policy=policy)
    if opened.given_up:
        return opened.subject, failed("view", policy, opened.given_up[0])
    if declared in (Declared.SCRIPT, Declared.TEXT, Declared.FASTA):
        lines = opened.plain.decode("utf-8", "replace").splitlines()
        return replace(opened.subject, model=Prose(tuple(lines))), None
    return opened.subject, None


def _open(path: Path, name: str, declared: Declared, *, policy: Policy) -> _Brought:
    opened = opening.open_subject(path, name, policy=policy)
    subject, given_up = opened.subject, opened.given_up
    if declared is Declared.FASTA and subject.format is Format.READS and fasta.looks_like(opened.plain):
        try:
            subject = replace(subject, model=fasta.read(opened.plain))
        except Refused as refused:
            given_up = (refused.finding,)
            subject = replace(subject, model=Bundle((), given_up, finished=False))
    if declared is Declared.TABLE and subject.format is Format.TEXT:
        subject = _below_comments(subject, opened.plain)
    return _Brought(subject, opened.stored, opened.plain, given_up)


def _below_comments(subject: Subject, plain: bytes) -> Subject:
    """Read a table under its comment lines, as annotations have them; anything else stays the text that it is."""
    text, encoding = table.decode(plain)
    rows = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    delimiter = table.sniff(rows)
    if delimiter is None:
        return subject
    try:
        model = table.read(rows, delimiter=delimiter, encoding=encoding, policy=subject.policy)
    except Refused as refused:
        return replace(subject, model=Bundle((), (refused.finding,), finished=False))
    comments = tuple((line,) for line in text.splitlines() if line.startswith("#"))
    # What the comments say is searched as the rest is.
    return replace(subject, format=Format.TABLE, model=replace(model, rows=(*model.rows, *comments)))


def _whole_file(opened: _Brought, declared: Declared, *, is_code: bool) -> Iterator[Finding]:
    """Hold the content against what was declared, and look for a second file in it."""
    plain, kind = opened.plain, opened.subject.format
    if declared is Declared.SCRIPT:
        if not is_code:
            yield found(Code.SCRIPT)
        yield from _too_long(plain.splitlines())
    if kind not in _FORMATS[declared] or (is_code and declared is not Declared.SCRIPT):
        yield found(Code.NOT_AS_DECLARED)
    if opened.subject.model is None and (plain.startswith(_EXECUTABLE) or _COMPILED.match(plain)):
        yield found(Code.EXECUTABLE)
    if kind is not Format.ARCHIVE and _ZIP_END in opened.stored[-_TAIL:]:
        yield found(Code.POLYGLOT)
    if declared is Declared.FASTA and fasta.like_reads(plain):
        yield found(Code.READS, Severity.WARN)


def _too_long(lines: list[bytes]) -> Iterator[Finding]:
    size = sum(len(line) + 4 for line in lines)
    if len(lines) > MOST_LINES or size > MOST_SHOWN or any(len(line) > LONGEST_LINE for line in lines):
        yield found(Code.TOO_MANY_ROWS, Severity.BLOCK)


def _code(subject: Subject) -> Iterator[Finding]:
    """Find code by its name or by its lines."""
    named = subject.name.rpartition(".")[2].lower() in _SCRIPT_NAMES
    prose = subject.model.lines if isinstance(subject.model, Prose) and subject.format is Format.TEXT else ()
    if named or sum(1 for line in prose if _SCRIPT_LINE.match(line[:LONGEST_LINE])) >= _FEW_LINES:
        yield found(Code.SCRIPT)


def _known(subject: Subject) -> Iterator[Finding]:
    """Find persons of the project's own data: a list of them is a question about them that no ledger counts (T6)."""
    for row, cells in _words(subject):
        for column, cell in enumerate(cells, start=1):
            if subject.people.holds_one(cell):
                yield found(Code.KNOWN_PERSON, row=row, column=column)
                return
    if any(subject.people.holds_one(part) for part in subject.name.split("/")):
        yield found(Code.KNOWN_PERSON)


def _words(subject: Subject) -> Iterator[tuple[int, tuple[str, ...]]]:
    model = subject.model
    if isinstance(model, Prose):
        yield from enumerate(((line,) for line in model.lines), start=1)
    elif isinstance(model, Table):
        yield from enumerate((model.header, *model.rows))
    elif isinstance(model, Sites):
        yield from enumerate(((line,) for line in (*model.meta, "\t".join(model.columns))), start=1)
    elif isinstance(model, Bundle) and model.source:
        yield from enumerate(((line,) for line in model.source.decode("utf-8", "replace").splitlines()), start=1)


def _usual(subject: Subject) -> Iterator[Finding]:
    """Run the checks of what leaves, as far as they matter on the way in."""
    alone = replace(subject, people=NOBODY)
    for check in _CHECKS:
        for finding in check(alone):
            if finding.code in _COUNTS:
                mild = finding.code in _MILD and finding.severity is Severity.BLOCK
                yield replace(finding, severity=Severity.WARN) if mild else finding

"""Opens one untrusted path: takes its wrapping off, tells its format, reads it into a model."""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..findings import Code, Finding, Refused, refuse
from ..people import NOBODY, People
from ..promise import Promise, Promised
from ..subject import Bundle, Format, Model, Nest, Prose, Subject
from ..thresholds import Policy
from . import (
    archive,
    camera,
    database,
    envelope,
    json_file,
    magic,
    markup,
    notebook,
    office,
    png,
    prose,
    svg,
    table,
    tar,
    vcf,
    weights,
)
from .budget import Budget

_MAX_LAYERS = 3
_LIST = 1
_GAP = re.compile(r"(?:\r?\n[ \t,;]*){2,}")
_MOST_BLOCKS = 50
_WORD = re.compile(r"[^\s,;|]{1,60}")
_PICTURES = {Format.PNG: png.read, Format.JPEG: camera.read_jpeg, Format.GIF: camera.read_gif}
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
    """A subject, its bytes as stored and unwrapped, and the finding with which its reader gave up, if it did."""

    subject: Subject
    stored: bytes
    plain: bytes
    given_up: tuple[Finding, ...]


def open_subject(
    path: Path,
    name: str,
    *,
    policy: Policy,
    promise: Promise | None = None,
    supporting: Mapping[str, Path] | None = None,
    people: People = NOBODY,
) -> Opened:
    """Return what the file is; raises `Refused` only where its bytes cannot even be had."""
    stored = load(path, policy=policy)
    frame = _Frame(policy, promise, supporting or {}, Budget(policy))
    opened = _open(stored, name, frame, depth=0)
    return replace(opened, subject=replace(opened.subject, people=people))


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stays the same for all that is nested in one file."""

    policy: Policy
    promise: Promise | None
    supporting: Mapping[str, Path]
    budget: Budget


def _open(stored: bytes, name: str, frame: _Frame, *, depth: int) -> Opened:
    plain = stored
    # Two layers at most: a packed archive of packed files is two, and nobody packs by hand more often.
    for _ in range(_MAX_LAYERS):
        inner = envelope.unwrap(plain, limit=frame.budget.left)
        if inner is None:
            break
        frame.budget.spend(len(inner))
        plain = inner
    kind = magic.detect(plain)
    given_up: tuple[Finding, ...] = ()
    model: Model = None
    try:
        kind, model = _read(plain, kind, frame, depth=depth)
    except Refused as refused:
        given_up = (refused.finding,)
        model = Bundle((), given_up, finished=False)
    outer = depth == 0
    subject = Subject(
        name, kind, model, frame.policy, frame.promise if outer else None, frame.supporting if outer else {}
    )
    return Opened(subject, stored, plain, given_up)


def _nest(frame: _Frame, *, depth: int) -> Nest:
    def nest(name: str, content: bytes) -> Subject:
        try:
            frame.budget.enter(depth + 1)
            opened = _open(content, name, frame, depth=depth + 1)
        except Refused as refused:
            return Subject(name, Format.OTHER, Bundle((), (refused.finding,), finished=False), frame.policy)
        return opened.subject

    return nest


def _read(content: bytes, kind: Format, frame: _Frame, *, depth: int) -> tuple[Format, Model]:
    """Return format and model of plain bytes; the model is None where no reader exists."""
    policy, budget = frame.policy, frame.budget
    match kind:
        case Format.VCF:
            return kind, vcf.read(content, policy=policy)
        case Format.PNG | Format.JPEG | Format.GIF:
            return kind, _PICTURES[kind](content, policy=policy)
        case Format.TEXT:
            return _read_text(content, frame, depth=depth)
        case Format.JSON:
            return _read_json(table.decode(content)[0], frame, depth=depth)
        case Format.HTML:
            return kind, markup.read(table.decode(content)[0], policy=policy, nest=_nest(frame, depth=depth))
        case Format.SVG:
            return kind, svg.read(content, policy=policy, nest=_nest(frame, depth=depth))
        case Format.PDF:
            from . import pdf

            return kind, pdf.read(content, policy=policy, budget=budget, nest=_nest(frame, depth=depth))
        case Format.ARCHIVE:
            return _read_archive(content, frame, depth=depth)
        case Format.COLUMNS:
            from . import arrow

            read = arrow.read_parquet if content.startswith(b"PAR1") else arrow.read_ipc
            return kind, read(content, policy=policy, budget=budget)
        case Format.DATABASE:
            return kind, database.read(content, policy=policy, nest=_nest(frame, depth=depth))
        case _:
            return kind, weights.read(content, policy=policy) if kind is Format.WEIGHTS else None


def _read_text(content: bytes, frame: _Frame, *, depth: int) -> tuple[Format, Model]:
    text, encoding = table.decode(content)
    if frame.promise is None and (blocks := _blocks(text)):
        tables = (table.read(one, delimiter=mark, encoding=encoding, policy=frame.policy) for _, one, mark in blocks)
        members = [Subject("table", Format.TABLE, one, frame.policy) for one in tables]
        if said := tuple(line for lines, _, _ in blocks for line in lines):
            members.append(Subject("comments", Format.TEXT, Prose(said, encoding), frame.policy))
        return Format.TABLE, Bundle(tuple(members))
    if frame.promise is None and text.startswith("#"):
        above, below = table.comments(text)
        delimiter = table.sniff(below) if above else None
        if delimiter is not None:  # judged apart: neither hides in the other
            read = table.read(below, delimiter=delimiter, encoding=encoding, policy=frame.policy)
            words = Subject("comments", Format.TEXT, Prose(above, encoding), frame.policy)
            return Format.TABLE, Bundle((words, Subject("table", Format.TABLE, read, frame.policy)))
    promised = frame.promise.format if frame.promise is not None and depth == 0 else None
    delimiter = _DELIMITER.get(promised) if promised else table.sniff(text)
    if delimiter == "|" and promised is None and prose.is_piped(text):
        return Format.TEXT, Prose(tuple(text.splitlines()), encoding)
    if delimiter is None:
        lines = [line for line in text.splitlines() if line.strip()]
        # One word a line is a table of one column, such as a list of genes, or of persons.
        if promised is None and len(lines) > _LIST and all(_WORD.fullmatch(line.strip()) for line in lines):
            rare = table.sniff(text, table.RARE_DELIMITERS) or "\t"
            return Format.TABLE, table.read(text, delimiter=rare, encoding=encoding, policy=frame.policy)
        spaced = table.read_spaced(text, encoding=encoding, policy=frame.policy) if promised is None else None
        if spaced is not None:
            return Format.TABLE, spaced
        return Format.TEXT, Prose(tuple(text.splitlines()), encoding)
    return Format.TABLE, table.read(text, delimiter=delimiter, encoding=encoding, policy=frame.policy)


def _blocks(text: str) -> list[tuple[tuple[str, ...], str, str]]:
    """Return tables below each other, each with its comments and delimiter, if a text is nothing but such."""
    parts = [part for part in _GAP.split(text) if part.strip()]
    if not 1 < len(parts) <= _MOST_BLOCKS:
        return []
    blocks = []
    for part in parts:
        above, below = table.comments(part) if part.startswith("#") else ((), part)
        mark = table.sniff(below)
        if mark is None:
            return []
        blocks.append((above, below, mark))
    return blocks


def _read_json(text: str, frame: _Frame, *, depth: int) -> tuple[Format, Model]:
    text = text.removeprefix("\ufeff")
    lines = json_file.parse_lines(text) if "\n" in text.strip() else None
    if lines is None:
        value = json_file.parse(text)
    else:
        value = lines
    if notebook.is_notebook(value):
        nest = _nest(frame, depth=depth)
        return Format.NOTEBOOK, notebook.read(value, policy=frame.policy, nest=nest)
    bundle = json_file.read(value, policy=frame.policy)
    odd = json_file.spacing(text)
    seen = bundle.seen if odd is None else (*bundle.seen, odd)
    return Format.JSON, replace(bundle, seen=seen, source=text.encode("utf-8", "replace"))


def _read_archive(content: bytes, frame: _Frame, *, depth: int) -> tuple[Format, Model]:
    nest = _nest(frame, depth=depth)
    if not content.startswith(b"PK"):
        return Format.ARCHIVE, tar.read(content, policy=frame.policy, budget=frame.budget, nest=nest)
    names = frozenset(archive.directory(content).namelist())
    if any(name.rpartition("/")[2].endswith(".pkl") for name in names):
        return Format.SERIALISED, None
    kind = office.kind_of(names, content[:200])
    if kind is not None:
        return kind, office.read(content, policy=frame.policy, budget=frame.budget, nest=nest)
    return Format.ARCHIVE, archive.read_zip(content, policy=frame.policy, budget=frame.budget, nest=nest)

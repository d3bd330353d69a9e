"""Opens zip and tar member by member, within budgets; nothing is ever written to a disk."""

import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

from ..findings import Code, Finding, Refused, found, refuse
from ..subject import Bundle, Format, Nest, Prose, Subject
from ..thresholds import Policy
from .budget import MAX_MEMBERS, Budget

_END = b"PK\x05\x06"
_MAX_DIRECTORY = 4 << 20
# Times, owners, 64-bit sizes and padding; any other extra field is room for data.
_PLAIN_EXTRAS = frozenset({0x0001, 0x000A, 0x5455, 0x5855, 0x7855, 0x7875, 0xD935})
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def directory(content: bytes) -> zipfile.ZipFile:
    """Return the opened zip; refuses too many members, a prefix, or anything behind its end."""
    at = content.rfind(_END)
    if at < 0 or at + 22 > len(content):
        raise refuse(Code.BROKEN_FILE)
    disk, _, here, count, size, start, comment = struct.unpack("<4H2LH", content[at + 4 : at + 22])
    if max(count, here) > MAX_MEMBERS or size > _MAX_DIRECTORY:
        raise refuse(Code.TOO_MANY_MEMBERS)
    if disk or at + 22 + comment != len(content):
        raise refuse(Code.TRAILING_BYTES, offset=at + 22)
    if start + size != at and start != 0xFFFFFFFF:
        raise refuse(Code.POLYGLOT)  # something stands before the archive or between its parts
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError, EOFError):
        raise refuse(Code.BROKEN_FILE) from None
    if len(archive.infolist()) > MAX_MEMBERS:
        raise refuse(Code.TOO_MANY_MEMBERS)
    return archive


def member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, budget: Budget) -> bytes:
    """Return the bytes of one member."""
    if info.flag_bits & 0x41:
        raise refuse(Code.ENCRYPTED)
    if info.compress_type not in _METHODS:
        raise refuse(Code.BROKEN_FILE)
    budget.check_ratio(info.compress_size, info.file_size)
    try:
        with archive.open(info) as stream:
            content = stream.read(info.file_size + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, NotImplementedError):
        raise refuse(Code.BROKEN_FILE) from None
    except Exception:  # lzma and struct have errors of their own; none may leave this wall
        raise refuse(Code.BROKEN_FILE) from None
    if len(content) != info.file_size:
        raise refuse(Code.BROKEN_FILE)
    budget.spend(len(content))
    return content


def zip_outline(archive: zipfile.ZipFile, content: bytes) -> Iterator[Finding]:
    """Judge what the index says: names, links, comments, extra fields, and bytes that no member owns."""
    names: set[str] = set()
    for row, info in enumerate(archive.infolist(), start=1):
        mode = info.external_attr >> 16
        odd_kind = mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR)
        if leads_out(info.orig_filename) or odd_kind or info.filename in names:
            yield found(Code.ARCHIVE_PATH, member=row)
        names.add(info.filename)
        if info.comment or set(_extras(info.extra)) - _PLAIN_EXTRAS:
            yield found(Code.HIDDEN_METADATA, member=row)
    if archive.comment:
        yield found(Code.HIDDEN_METADATA)
    yield from _gaps(archive, content)


def _gaps(archive: zipfile.ZipFile, content: bytes) -> Iterator[Finding]:
    at = 0
    for info in sorted(archive.infolist(), key=lambda one: one.header_offset):
        start = info.header_offset
        head = content[start : start + 30]
        if start < at:
            yield found(Code.ARCHIVE_BOMB, offset=start)  # members that share bytes
            return
        if len(head) < 30 or head[:4] != b"PK\x03\x04":
            yield found(Code.BROKEN_FILE, offset=start)
            return
        if start > at:
            yield found(Code.TRAILING_BYTES, offset=at)
        name, extra = struct.unpack("<2H", head[26:30])
        at = start + 30 + name + extra + info.compress_size
        if info.flag_bits & 8:  # a descriptor of 12 to 24 bytes follows
            mark = content[at : at + 4] == b"PK\x07\x08"
            at += (16 if mark else 12) + (8 if info.file_size > 0xFFFFFFFF else 0)
    if at < archive.start_dir:
        yield found(Code.TRAILING_BYTES, offset=at)


def _extras(extra: bytes) -> Iterator[int]:
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack("<2H", extra[at : at + 4])
        yield kind
        at += 4 + size


def leads_out(name: str) -> bool:
    """Return whether unpacking this name could write outside the folder, or nowhere."""
    parts = name.split("/")
    return not name or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0] or "\0" in name


def read_zip(content: bytes, *, policy: Policy, budget: Budget, nest: Nest) -> Bundle:
    """Return all members as if each came alone."""
    archive = directory(content)
    seen = list(zip_outline(archive, content))
    members: list[Subject] = []
    finished = True
    for row, info in enumerate(archive.infolist(), start=1):
        if info.filename.endswith("/"):  # a name may be empty
            continue
        try:
            members.append(nest(info.filename, member(archive, info, budget=budget)))
        except Refused as refused:
            seen.append(found(refused.finding.code, refused.finding.severity, member=row))
            finished = False
    if archive.comment:
        members.append(_words("comment", archive.comment, policy=policy))
    return Bundle(tuple(members), tuple(seen), finished)


def read_tar(content: bytes, *, budget: Budget, nest: Nest) -> Bundle:
    """Return all regular members; links, devices and odd paths are findings."""
    seen: list[Finding] = []
    members: list[Subject] = []
    names: set[str] = set()
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for row, info in enumerate(archive, start=1):
                if row > MAX_MEMBERS:
                    raise refuse(Code.TOO_MANY_MEMBERS)
                if leads_out(info.name) or info.name in names or not (info.isreg() or info.isdir()) or info.sparse:
                    seen.append(found(Code.ARCHIVE_PATH, member=row))
                    continue
                names.add(info.name)
                if set(info.pax_headers) - {"mtime", "atime", "ctime", "path", "size", "uid", "gid"}:
                    seen.append(found(Code.HIDDEN_METADATA, member=row))
                if info.isreg():
                    stream = archive.extractfile(info)
                    body = stream.read() if stream is not None else b""
                    budget.spend(len(body))
                    members.append(nest(info.name, body))
            end = archive.offset
    except (tarfile.TarError, OSError, ValueError, EOFError):
        raise refuse(Code.BROKEN_FILE) from None
    if any(content[end:]):
        seen.append(found(Code.TRAILING_BYTES, offset=end))
    return Bundle(tuple(members), tuple(seen))


def _words(name: str, content: bytes, *, policy: Policy) -> Subject:
    return Subject(name, Format.TEXT, Prose(tuple(content.decode("utf-8", "replace").splitlines())), policy)

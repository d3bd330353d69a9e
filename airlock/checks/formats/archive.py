"""Opens zip member by member, within budgets; nothing is ever written to a disk."""

import bz2
import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator

from ..findings import Code, Finding, Refused, found, refuse
from ..subject import Bundle, Format, Nest, Prose, Subject
from ..thresholds import Policy
from .budget import MAX_MEMBERS, Budget

_END = b"PK\x05\x06"
_MAX_DIRECTORY = 4 << 20
_END_64 = b"PK\x06\x07"
# 64-bit sizes, times and owners, and how long they are at most; any other extra field is room for data.
_PLAIN_EXTRAS = {0x0001: 28, 0x000A: 32, 0x5455: 13, 0x5855: 12, 0x7855: 4, 0x7875: 15}
_PADDING = frozenset({0xA220, 0xD935})  # Office and Android leave room, filled with zeros after two or four bytes
_DESCRIBED_LATER, _LATER_MARK = 8, b"PK\x07\x08"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_IN_64 = 0xFFFFFFFF
_NOTHING = 2  # bytes that nothing is packed into


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
    if start + size != at or content[at - 20 : at - 16] == _END_64:
        # Something stands before the archive or between its parts, or a second directory, which some programs read.
        raise refuse(Code.POLYGLOT)
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
    if not _is_all(archive, info):
        raise refuse(Code.TRAILING_BYTES)
    return content


def _is_all(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    """Return whether the packed bytes end where the member does: whoever unpacks stops there, without a word."""
    if info.compress_type == zipfile.ZIP_STORED:
        return info.compress_size == info.file_size
    whole = archive.fp
    if not isinstance(whole, io.BytesIO):
        return False
    with whole.getbuffer() as view:
        name, extra = struct.unpack("<2H", view[info.header_offset + 26 : info.header_offset + 30])
        at = info.header_offset + 30 + name + extra
        packed = bytes(view[at : at + info.compress_size])
    machine = zlib.decompressobj(-15) if info.compress_type == zipfile.ZIP_DEFLATED else bz2.BZ2Decompressor()
    try:
        machine.decompress(packed, info.file_size + 1)
        if not machine.eof and info.compress_type == zipfile.ZIP_DEFLATED:  # the end needs no room, but another look
            machine.decompress(machine.unconsumed_tail, 1)  # type: ignore[union-attr]
    except (zlib.error, OSError):
        return False
    return machine.eof and not machine.unused_data


def zip_outline(archive: zipfile.ZipFile, content: bytes) -> Iterator[Finding]:
    """Judge what the index says: names, links, comments, extra fields, and bytes that no member owns."""
    names: set[str] = set()
    for row, info in enumerate(archive.infolist(), start=1):
        mode = info.external_attr >> 16
        odd_kind = mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR)
        if leads_out(info.orig_filename) or odd_kind or info.filename in names:
            yield found(Code.ARCHIVE_PATH, member=row)
        names.add(info.filename)
        if info.comment or not _is_plain(info.extra):
            yield found(Code.HIDDEN_METADATA, member=row)
        if info.filename.endswith("/") and (info.file_size or info.compress_size > _NOTHING):
            yield found(Code.TRAILING_BYTES, member=row)  # nobody unpacks what a folder holds
    if archive.comment:
        yield found(Code.HIDDEN_METADATA)
    yield from _gaps(archive, content)


def _gaps(archive: zipfile.ZipFile, content: bytes) -> Iterator[Finding]:
    at = 0
    for row, info in enumerate(sorted(archive.infolist(), key=lambda one: one.header_offset), start=1):
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
        body = start + 30 + name + extra
        if not _is_plain(content[body - extra : body]):
            yield found(Code.HIDDEN_METADATA, member=row)
        if not _agrees(head, info):
            yield found(Code.POLYGLOT, member=row)  # who reads from the front sees another member
        at = body + info.compress_size
        if info.flag_bits & _DESCRIBED_LATER:
            later = next((one for one in _descriptors(info) if content.startswith(one, at)), b"")
            if not later:
                yield found(Code.BROKEN_FILE, offset=at)
            at += len(later)
    if at < archive.start_dir:
        yield found(Code.TRAILING_BYTES, offset=at)


def _agrees(head: bytes, info: zipfile.ZipInfo) -> bool:
    """Return whether a member's own header says what the directory says of it (APPNOTE 4.3.7)."""
    flags, method, *_times, crc, packed, size = struct.unpack("<4H3L", head[6:26])
    if (flags, method) != (info.flag_bits, info.compress_type):
        return False
    told = ((crc, info.CRC), (packed, info.compress_size), (size, info.file_size))
    later = bool(flags & _DESCRIBED_LATER)
    return all(one in (other, _IN_64) or (later and not one) for one, other in told)


def _descriptors(info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the four ways to write what follows a member that was described later, the longest first."""
    for form in ("<LQQ", "<LLL"):
        said = struct.pack(form, info.CRC, info.compress_size, info.file_size)
        yield from (_LATER_MARK + said, said)


def _is_plain(extra: bytes) -> bool:
    """Return whether extra fields hold no more than tools write."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack("<2H", extra[at : at + 4])
        body = extra[at + 4 : at + 4 + size]
        at += 4 + size
        if len(body) < size or (kind not in _PADDING and size > _PLAIN_EXTRAS.get(kind, -1)):
            return False
        if kind in _PADDING and any(body[4:]):
            return False
    return not any(extra[at:])


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
            members.append(folder(info.filename, policy=policy))
            continue
        try:
            members.append(nest(info.filename, member(archive, info, budget=budget)))
        except Refused as refused:
            seen.append(found(refused.finding.code, refused.finding.severity, member=row))
            finished = False
    if archive.comment:
        members.append(_words("comment", archive.comment, policy=policy))
    if not members and finished:
        seen.append(found(Code.EMPTY))
    return Bundle(tuple(members), tuple(seen), finished)


def folder(name: str, *, policy: Policy) -> Subject:
    """Return a folder of an archive, of which there is only a name to judge."""
    return Subject(name.rstrip("/"), Format.EMPTY, Bundle(()), policy)


def _words(name: str, content: bytes, *, policy: Policy) -> Subject:
    return Subject(name, Format.TEXT, Prose(tuple(content.decode("utf-8", "replace").splitlines())), policy)

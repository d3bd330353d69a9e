"""Takes one layer of compression off within a limit, puts block gzip on, always the same way."""

import bz2
import lzma
import re
import struct
import zlib
from collections.abc import Callable
from typing import Protocol

from ..findings import Code, refuse

_SHORTEST_HEADER = 10
_HEAD = 256  # longer than any header that is allowed
_GZIP = b"\x1f\x8b"
_EXTRA, _NAME, _COMMENT = 4, 8, 16
_BLOCK_FIELD = b"BC\x02\0"
_LONGEST_NAME = 100
_PLAIN_NAME = re.compile(rb"(?!.*\d{5})[A-Za-z][A-Za-z0-9._-]{0,40}")
_ZSTD = b"\x28\xb5\x2f\xfd"
_REPEATED = 1  # the kind of a block that is one byte, many times
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_XZ_MEMORY = 128 << 20
_PIECE = 1 << 16  # fed at once, as what stands behind a member is copied each time
_MOST_STREAMS = 1000
# The first 16 bytes of a block of block gzip hold nothing of their own, not even a time.
_PLAIN_BLOCK = bytes.fromhex("1f8b08040000000000ff060042430200")
_MOST_TIMED = 100  # other members: each has room for a time
_BLOCK = 0xFF00
_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def is_gzip(content: bytes) -> bool:
    """Return whether the content starts a gzip member."""
    return content[:2] == _GZIP


def unpack(content: bytes, *, limit: int) -> bytes:
    """Return the plain bytes of all gzip members; refuses more than `limit` bytes or anything behind them."""
    parts: list[bytes] = []
    total = at = timed = 0
    while at < len(content):
        head = content[at : at + _HEAD]
        if not is_gzip(head):
            raise refuse(Code.TRAILING_BYTES, offset=at)
        _check_header(head)
        machine = zlib.decompressobj(31)
        part, stop = _fed(machine, content, at, most=limit - total)
        total += len(part)
        if total > limit:
            raise refuse(Code.TOO_LARGE)
        if not machine.eof:
            raise refuse(Code.INSPECTION_FAILED)
        timed += not head.startswith(_PLAIN_BLOCK)
        # An empty member is the one that ends block gzip, or else has only its header to say something.
        alone = at == 0 and stop == len(content)
        if timed > _MOST_TIMED or not (part or alone or content[at:stop] == _END):
            raise refuse(Code.HIDDEN_METADATA, offset=at)
        if part:
            parts.append(part)
        at = stop
    return b"".join(parts)


def _fed(machine: "zlib._Decompress", content: bytes, at: int, *, most: int) -> tuple[bytes, int]:
    """Return what one member unpacks to, a byte beyond `most` at most, and where it stops."""
    parts: list[bytes] = []
    left = most + 1
    while at < len(content) and left > 0 and not machine.eof:
        piece = machine.unconsumed_tail + content[at : at + _PIECE - len(machine.unconsumed_tail)]
        at += len(piece) - len(machine.unconsumed_tail)
        try:
            part = machine.decompress(piece, left)
        except zlib.error:
            raise refuse(Code.INSPECTION_FAILED) from None
        parts.append(part)
        left -= len(part)
    return b"".join(parts), at - len(machine.unused_data)


def _check_header(member: bytes) -> None:
    """Refuse what the header of a gzip member may carry beside block gzip's own field and a plain name (RFC 1952)."""
    if len(member) < _SHORTEST_HEADER:
        raise refuse(Code.INSPECTION_FAILED)
    flags, at = member[3], _SHORTEST_HEADER
    if flags & _EXTRA:
        length = int.from_bytes(member[10:12], "little")
        if length != len(_BLOCK_FIELD) + 2 or member[12:16] != _BLOCK_FIELD:
            raise refuse(Code.HIDDEN_METADATA)
        at = 12 + length
    if flags & _NAME:
        end = member.find(b"\0", at, at + _LONGEST_NAME)
        if end < 0 or not _PLAIN_NAME.fullmatch(member[at:end]):
            raise refuse(Code.FILENAME_CHANNEL)
    if flags & _COMMENT:
        raise refuse(Code.HIDDEN_METADATA)


class _Machine(Protocol):
    """What bz2 and lzma share."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def unwrap(content: bytes, *, limit: int) -> bytes | None:
    """Return the bytes inside one layer of gzip, bzip2, xz, zstd or zlib; None where there is no such layer."""
    if is_gzip(content):
        return unpack(content, limit=limit)
    if content.startswith(b"BZh"):
        return _streams(content, bz2.BZ2Decompressor, magic=b"BZh", limit=limit)
    if content.startswith(b"\xfd7zXZ\0"):
        return _streams(content, _xz, magic=b"\xfd7zXZ\0", limit=limit)
    if content.startswith(_ZSTD):
        from . import arrow

        _check_frames(content)
        return arrow.zstd(content, limit=limit)
    if content[:2] in _ZLIB:
        return _zlib(content, limit=limit)
    return None


def _xz() -> _Machine:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


def _streams(content: bytes, machine_of: Callable[[], _Machine], *, magic: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    left = limit
    rest = content
    for _ in range(_MOST_STREAMS):
        if not rest:
            return b"".join(parts)
        if not rest.startswith(magic):
            raise refuse(Code.TRAILING_BYTES, offset=len(content) - len(rest))
        machine = machine_of()
        try:
            part = machine.decompress(rest, left + 1)
        except (OSError, EOFError, ValueError, lzma.LZMAError):
            raise refuse(Code.BROKEN_FILE) from None
        left -= len(part)
        if left < 0:
            raise refuse(Code.ARCHIVE_BOMB)
        if not machine.eof:
            raise refuse(Code.BROKEN_FILE)
        if not part and (rest is not content or machine.unused_data):
            raise refuse(Code.HIDDEN_METADATA)  # an empty stream among others says nothing but that it is there
        parts.append(part)
        rest = machine.unused_data
    raise refuse(Code.TOO_MANY_MEMBERS)


def _check_frames(content: bytes) -> None:
    """Refuse whatever stands between, behind or instead of frames of data, which unpacking skips (RFC 8878)."""
    at = 0
    for _ in range(_MOST_STREAMS):
        if at == len(content):
            return
        if not content.startswith(_ZSTD, at):
            raise refuse(Code.TRAILING_BYTES, offset=at)
        about = content[at + 4 : at + 5] or b"\0"
        single, summed, dictionary = about[0] >> 5 & 1, about[0] >> 2 & 1, about[0] & 3
        size = (single, 2, 4, 8)[about[0] >> 6]
        at += 5 + (1 - single) + (0, 1, 2, 4)[dictionary] + size
        last = False
        while not last and at + 3 <= len(content):
            block = int.from_bytes(content[at : at + 3], "little")
            last = bool(block & 1)
            at += 3 + (1 if block >> 1 & 3 == _REPEATED else block >> 3)
        at += 4 * summed
        if not last or at > len(content):
            raise refuse(Code.BROKEN_FILE)
    raise refuse(Code.TOO_MANY_MEMBERS)


def _zlib(content: bytes, *, limit: int) -> bytes | None:
    """Two bytes are a weak signature: only what inflates whole counts as zlib."""
    machine = zlib.decompressobj()
    try:
        part = machine.decompress(content, limit + 1)
    except zlib.error:
        return None
    if len(part) > limit:
        raise refuse(Code.ARCHIVE_BOMB)
    if not machine.eof:
        return None
    if machine.unused_data:
        raise refuse(Code.TRAILING_BYTES, offset=len(content) - len(machine.unused_data))
    return part


def pack(content: bytes) -> bytes:
    """Return block gzip (SAMv1 specification, section 4.1) of fixed blocks, without time or name."""
    blocks = []
    for at in range(0, len(content), _BLOCK):
        piece = content[at : at + _BLOCK]
        machine = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = machine.compress(piece) + machine.flush()
        head = struct.pack("<4BI2BH2BHH", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(body) + 25)
        blocks.append(head + body + struct.pack("<II", zlib.crc32(piece), len(piece)))
    return b"".join([*blocks, _END])

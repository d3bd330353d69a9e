"""Takes gzip off within a budget and puts block gzip on, always the same way."""

import struct
import zlib

from ..findings import Code, refuse

_GZIP = b"\x1f\x8b"
_BLOCK = 0xFF00
_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def is_gzip(content: bytes) -> bool:
    """Return whether the content starts a gzip member."""
    return content[:2] == _GZIP


def unpack(content: bytes, *, limit: int) -> bytes:
    """Return the plain bytes of all gzip members; refuses more than `limit` bytes or anything behind them."""
    parts: list[bytes] = []
    total = 0
    rest = content
    while rest:
        if not is_gzip(rest):
            raise refuse(Code.TRAILING_BYTES, offset=len(content) - len(rest))
        machine = zlib.decompressobj(31)
        try:
            part = machine.decompress(rest, limit - total + 1)
        except zlib.error:
            raise refuse(Code.INSPECTION_FAILED) from None
        total += len(part)
        if total > limit:
            raise refuse(Code.TOO_LARGE)
        if not machine.eof:
            raise refuse(Code.INSPECTION_FAILED)
        if part:
            parts.append(part)
        rest = machine.unused_data
    return b"".join(parts)


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

"""Walks the blocks of an Arrow file, which must lie side by side and hold nothing but buffers."""

import struct
from collections.abc import Iterator

from ..findings import Code, Finding, found, refuse

_START, _END = 8, 10  # `ARROW1\0\0`; the length of the footer and `ARROW1`
_MARKED = b"\xff\xff\xff\xff"
_SLACK = 64  # buffers and blocks are padded to this many bytes
_BLOCK, _BUFFER = struct.Struct("<qi4xq"), struct.Struct("<qq")
_MOST = 100_000
_ROOM, _ROOM_EACH = 1024, 64  # what the head of a batch takes, and each of its buffers
_DICTIONARY, _BATCH = 2, 3  # kinds of messages (Message.fbs)


def beside(content: bytes, schema: int) -> Iterator[Finding]:
    """Name gaps and words beside the buffers; `schema` is how many bytes ours would be."""
    try:
        yield from _walk(content, 2 * schema + _ROOM)
    except (struct.error, IndexError, ValueError):
        raise refuse(Code.BROKEN_FILE) from None


def schema_ends(content: bytes) -> int:
    """Return how far the schema may reach at the start of a file whose blocks were walked."""
    size = struct.unpack_from("<i", content, len(content) - _END)[0]
    footer = _Record(content[len(content) - _END - size : len(content) - _END])
    blocks = [*footer.structs(2, _BLOCK), *footer.structs(3, _BLOCK)]
    return min((offset for offset, _, _ in blocks), default=0)


def _walk(content: bytes, schema: int) -> Iterator[Finding]:
    size = struct.unpack_from("<i", content, len(content) - _END)[0]
    stop = len(content) - _END - size
    footer = _Record(content[stop : len(content) - _END])
    blocks = [*footer.structs(2, _BLOCK), *footer.structs(3, _BLOCK)]
    if footer.has(4):
        yield found(Code.HIDDEN_METADATA)
    if size > schema + len(blocks) * _BLOCK.size:
        yield found(Code.TRAILING_BYTES, offset=stop)
    # The schema comes first; it is read from the footer, and polars writes it without its length here.
    at = min((offset for offset, _, _ in blocks), default=stop)
    if not _START <= at <= _START + schema:
        yield found(Code.TRAILING_BYTES, offset=_START)
        return
    for offset, length, body in sorted(blocks):
        if offset < at or length < 8 or body < 0 or offset - at >= _SLACK or any(content[at:offset]):
            yield found(Code.TRAILING_BYTES, offset=at)
            return
        at = offset + length + body
        yield from _batch(content, offset, length, body)
    if content[at:stop].strip(b"\0") not in (b"", _MARKED) or stop - at >= _SLACK:
        yield found(Code.TRAILING_BYTES, offset=at)


def _batch(content: bytes, offset: int, length: int, body: int) -> Iterator[Finding]:
    message = _Record(content[offset + 8 : offset + length])
    batch = message.record(2)
    if message.byte(1) == _DICTIONARY:
        batch = batch.record(1)
    elif message.byte(1) != _BATCH:
        yield found(Code.TRAILING_BYTES, offset=offset)
        return
    if message.has(4):
        yield found(Code.HIDDEN_METADATA, offset=offset)
    buffers = list(batch.structs(2, _BUFFER))
    if length > _ROOM + _ROOM_EACH * len(buffers):
        yield found(Code.TRAILING_BYTES, offset=offset)
    at, start = 0, offset + length
    for place, size in [*sorted(one for one in buffers if one[1]), (body, 0)]:
        # What is between two buffers fills up to the next multiple.
        if place < at or place - at >= _SLACK or any(content[start + at : start + place]):
            yield found(Code.TRAILING_BYTES, offset=start + at)
            return
        at = place + size


class _Record:
    """A table of FlatBuffers, read by the numbers of its fields."""

    def __init__(self, content: bytes, at: int | None = None) -> None:
        self.content = content
        self.at = struct.unpack_from("<I", content)[0] if at is None else at
        self.names = self.at - struct.unpack_from("<i", content, self.at)[0]

    def _place(self, field: int) -> int:
        """Return where a field stands, or 0."""
        size = struct.unpack_from("<H", self.content, self.names)[0]
        if 4 + 2 * field >= size:
            return 0
        offset: int = struct.unpack_from("<H", self.content, self.names + 4 + 2 * field)[0]
        return self.at + offset if offset else 0

    def has(self, field: int) -> bool:
        """Return whether a vector is there and holds something."""
        place = self._place(field)
        return bool(place) and bool(self._length(place))

    def byte(self, field: int) -> int:
        """Return a field of one byte, 0 if it is left out."""
        place = self._place(field)
        return self.content[place] if place else 0

    def record(self, field: int) -> "_Record":
        """Return the table that a field points to."""
        place = self._place(field)
        if not place:
            raise ValueError
        return _Record(self.content, place + struct.unpack_from("<I", self.content, place)[0])

    def structs(self, field: int, form: struct.Struct) -> Iterator[tuple[int, ...]]:
        """Yield what a vector of structs holds."""
        place = self._place(field)
        if place:
            start = place + struct.unpack_from("<I", self.content, place)[0] + 4
            for number in range(self._length(place)):
                yield form.unpack_from(self.content, start + number * form.size)

    def _length(self, place: int) -> int:
        start = place + struct.unpack_from("<I", self.content, place)[0]
        length: int = struct.unpack_from("<I", self.content, start)[0]
        if length > _MOST:
            raise ValueError
        return length

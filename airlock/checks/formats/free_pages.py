"""Finds words of deleted rows in the free room of an SQLite file's pages."""

import re
from collections.abc import Iterator

# Kinds of B-tree pages, and how long their heads are (SQLite's file format, section 1.6).
_HEADS = {0x02: 12, 0x05: 12, 0x0A: 8, 0x0D: 8}
_FIRST_PAGE = 100  # bytes of the file's own head
_WORDS = re.compile(rb"[ -~\x80-\xff]{8,}")
_PIECE = 12
_MOST_PIECES = 400
_ODD = 0.2  # of the pieces of copies: there the bytes beside the words are other ones


def deleted(content: bytes, size: int) -> bool:
    """Return whether free room holds words that stand nowhere else: rows move, and leave copies, which do."""
    live = bytearray(content)
    moved: list[bytes] = []
    freed: list[bytes] = []
    for start, stop, is_freed in _free(content, size):
        live[start:stop] = bytes(stop - start)
        for run in _WORDS.findall(content[start:stop]):
            kept = freed if is_freed else moved
            kept += [run[at : at + _PIECE] for at in range(0, max(len(run) - _PIECE, 0) + 1, _PIECE)]
    return _are_gone(moved, live) or _are_gone(freed, live)


def _are_gone(pieces: list[bytes], live: bytearray) -> bool:
    searched = pieces[:: len(pieces) // _MOST_PIECES + 1]
    return sum(1 for piece in searched if piece not in live) > _ODD * len(searched)


def _free(content: bytes, size: int) -> Iterator[tuple[int, int, bool]]:
    """Yield the room that was never used or holds what was moved, then what was given back, of each page."""
    for start in range(0, len(content) - size + 1, size):
        head = start + (_FIRST_PAGE if start == 0 else 0)
        length = _HEADS.get(content[head])
        if length is None:
            continue
        first, cells, body = (int.from_bytes(content[head + at : head + at + 2], "big") for at in (1, 3, 5))
        yield head + length + 2 * cells, max(start + (body or 1 << 16), head + length + 2 * cells), False
        block = 0
        while block < first <= size - 4:  # each lies behind the one before
            block = first
            first = int.from_bytes(content[start + block : start + block + 2], "big")
            room = int.from_bytes(content[start + block + 2 : start + block + 4], "big")
            yield start + block + 4, start + min(block + room, size), True

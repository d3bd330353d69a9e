"""Opens Crypt4GH headers that may carry an edit list: for runs by hand alone, as an edit list hides nothing (T25)."""

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from sandbox.crypt4gh import Crypt4GHError, data_key_of, header_packets, is_edit_list, open_packet

MOST_PACKETS = 256
_LENGTH = 8


@dataclass(frozen=True)
class Shown:
    """Which stretches of the plaintext are shown, one after another; `starts` are their places in what is shown."""

    stretches: tuple[tuple[int, int], ...]  # begin and end in the plaintext; none is empty
    starts: tuple[int, ...]
    size: int

    def locate(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield where in the plaintext the bytes [begin, end) of what is shown are."""
        number = max(0, bisect_right(self.starts, begin) - 1)
        while begin < end and number < len(self.stretches):
            first, last = self.stretches[number]
            place = first + begin - self.starts[number]
            stop = min(last, place + end - begin)
            yield place, stop
            begin += stop - place
            number += 1


def open_edited_header(header: bytes, private_key: bytes) -> tuple[bytes, tuple[int, ...] | None]:
    """Return the data key and the edit list of a header; packets for other readers are passed over.

    Refused: two data keys, two edit lists (GA4GH Crypt4GH 1.0: there must be only one), unknown packets.
    """
    keys, lists = [], []
    for packet in header_packets(header, most=MOST_PACKETS):
        plain = open_packet(packet, private_key)
        if plain is not None:
            if is_edit_list(plain):
                lists.append(_lengths(plain))
            else:
                keys.append(data_key_of(plain))
    if not keys:
        raise Crypt4GHError("The Crypt4GH header is not for this key.")
    if len(set(keys)) > 1 or len(lists) > 1:
        raise Crypt4GHError("The Crypt4GH header holds more than one data key or edit list for this key.")
    return keys[0], lists[0] if lists else None


def shown(edits: Sequence[int], size: int) -> Shown:
    """Return what an edit list shows of a plaintext of `size` bytes: skip, keep, skip, keep, …

    A list that ends after a skip keeps the rest (GA4GH Crypt4GH 1.0, edit lists).
    """
    stretches, place = [], 0
    for number, length in enumerate(edits):
        end = min(size, place + length)
        if number % 2 and end > place:
            stretches.append((place, end))
        place = end
    if len(edits) % 2 and place < size:
        stretches.append((place, size))
    ends = list(accumulate(end - begin for begin, end in stretches))
    return Shown(tuple(stretches), tuple([0, *ends][: len(stretches)]), ends[-1] if ends else 0)


def _lengths(plain: bytes) -> tuple[int, ...]:
    if len(plain) < _LENGTH:
        raise Crypt4GHError("The Crypt4GH edit list is cut off.")
    (count,) = struct.unpack_from("<I", plain, 4)
    if count == 0:
        raise Crypt4GHError("The Crypt4GH edit list is empty.")  # the reference implementation cannot read it either
    if len(plain) != _LENGTH * (1 + count):
        raise Crypt4GHError("The Crypt4GH edit list is cut off.")
    return struct.unpack_from(f"<{count}Q", plain, _LENGTH)

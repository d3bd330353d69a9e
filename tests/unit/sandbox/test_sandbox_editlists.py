"""What an edit list shows, by hand, is what the GA4GH reference library shows."""

import os
import struct

import pytest
from editing import cut, decrypted, edited
from hypothesis import given
from hypothesis import strategies as st

from sandbox.crypt4gh import SEGMENT, Crypt4GHError, header_length, new_private_key
from sandbox.editlists import MOST_PACKETS, Shown, open_edited_header, shown

PRIVATE = new_private_key()
CONTENT = os.urandom(3 * SEGMENT + 1000)
LISTS = [
    (0, 10),
    (10,),
    (SEGMENT - 5, 10),
    (0, SEGMENT, 5, SEGMENT, 1, 1),
    (100, 3, 200, 90_000, 7),
    (0, 10 * SEGMENT),
    (3 * SEGMENT, 1000),
]


def see(content: bytes, what: Shown, begin: int, end: int) -> bytes:
    return b"".join(content[first:last] for first, last in what.locate(begin, end))


@pytest.mark.parametrize("edits", LISTS)
def test_it_shows_what_the_reference_library_shows(edits: tuple[int, ...]) -> None:
    raw = edited(CONTENT, PRIVATE, edits)
    _, found = open_edited_header(raw[: header_length(raw, most=MOST_PACKETS)], PRIVATE)
    assert found == edits
    what = shown(edits, len(CONTENT))
    assert see(CONTENT, what, 0, what.size) == decrypted(raw, PRIVATE)


def test_a_range_that_the_reference_library_cut_is_understood() -> None:
    raw = cut(CONTENT, PRIVATE, offset=SEGMENT + 77, span=SEGMENT)
    _, found = open_edited_header(raw[: header_length(raw, most=MOST_PACKETS)], PRIVATE)
    assert found is not None
    assert see(CONTENT[SEGMENT:], shown(found, len(CONTENT) - SEGMENT), 0, SEGMENT) == decrypted(raw, PRIVATE)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=12), st.integers(0, 1000), st.data())
def test_any_part_of_it_is_found(edits: list[int], size: int, data: st.DataObject) -> None:
    content, place, kept = bytes(n % 251 for n in range(size)), 0, b""
    for number, length in enumerate(edits):
        kept += content[place : place + length] if number % 2 else b""
        place += length
    kept += content[place:] if len(edits) % 2 else b""
    what = shown(edits, size)
    assert what.size == len(kept)
    begin = data.draw(st.integers(0, len(kept)))
    end = data.draw(st.integers(begin, len(kept)))
    assert see(content, what, begin, end) == kept[begin:end]


def test_packets_for_others_are_passed_over() -> None:
    raw, other = edited(CONTENT[:10], PRIVATE, (1, 2)), edited(b"x", new_private_key(), (1, 2))
    length, foreign = (header_length(one, most=MOST_PACKETS) for one in (raw, other))
    both = raw[:12] + struct.pack("<I", 4) + other[16:foreign] + raw[16:length]
    assert open_edited_header(both, PRIVATE) == open_edited_header(raw[:length], PRIVATE)
    with pytest.raises(Crypt4GHError, match="not for this key"):
        open_edited_header(other[:foreign], PRIVATE)


def test_two_lists_and_an_empty_one_are_refused() -> None:
    raw = edited(CONTENT[:10], PRIVATE, (1, 2))
    header = raw[: header_length(raw, most=MOST_PACKETS)]
    twice = header[:12] + struct.pack("<I", 3) + header[16:] + header[124:]
    with pytest.raises(Crypt4GHError, match="more than one"):
        open_edited_header(twice, PRIVATE)
    empty = edited(CONTENT[:10], PRIVATE, ())
    with pytest.raises(Crypt4GHError, match="empty"):
        open_edited_header(empty[: header_length(empty, most=MOST_PACKETS)], PRIVATE)

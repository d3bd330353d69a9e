"""Writes Crypt4GH files with edit lists, with the GA4GH reference library."""

import io
from collections.abc import Sequence

import crypt4gh.header
import crypt4gh.lib

from sandbox.crypt4gh import header_length, public_key_of


def edited(content: bytes, private_key: bytes, edits: Sequence[int]) -> bytes:
    """Return a complete file for this key's owner, whose header says what to skip and what to keep."""
    file, public_key = io.BytesIO(), public_key_of(private_key)
    crypt4gh.lib.encrypt([(0, private_key, public_key)], io.BytesIO(content), file)
    raw = file.getvalue()
    length = header_length(raw)
    packet = crypt4gh.header.make_packet_data_edit_list(edits)
    packets = [raw[20:length], *crypt4gh.header.encrypt(packet, [(0, private_key, public_key)])]
    return bytes(crypt4gh.header.serialize(packets)) + raw[length:]


def decrypted(file: bytes, private_key: bytes) -> bytes:
    """Return what the reference library shows of a file."""
    out = io.BytesIO()
    crypt4gh.lib.decrypt([(0, private_key, None)], io.BytesIO(file), out)
    return out.getvalue()


def cut(content: bytes, private_key: bytes, *, offset: int, span: int) -> bytes:
    """Return the file that the reference library makes of a range of `content`."""
    file, part = io.BytesIO(), io.BytesIO()
    keys = [(0, private_key, public_key_of(private_key))]
    crypt4gh.lib.encrypt(keys, io.BytesIO(content), file)
    file.seek(0)
    crypt4gh.lib.rearrange(keys, file, part, offset=offset, span=span)
    return part.getvalue()

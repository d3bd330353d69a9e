"""Our Crypt4GH and the GA4GH reference library read each other's files."""

import io
import os
import struct

import crypt4gh.lib
import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import crypt4gh as ours
from sandbox.crypt4gh import CIPHER_SEGMENT, SEGMENT, Crypt4GHError

SIZES = [0, 1, 65535, 65536, 65537, 3 * 65536, 40 * 65536 + 7]
PRIVATE = ours.new_private_key()
PUBLIC = ours.public_key_of(PRIVATE)


def seal(content: bytes, recipient: bytes = PUBLIC) -> tuple[ours.Sealed, bytes]:
    body = io.BytesIO()
    return ours.seal_stream(io.BytesIO(content).readinto, body.write, recipient), body.getvalue()


def unseal(body: bytes, data_key: bytes, size: int, *, batch: int = 3) -> bytes:
    reader = ours.Reader(data_key, size)
    scratch, target = memoryview(bytearray(batch * CIPHER_SEGMENT)), memoryview(bytearray(batch * SEGMENT))
    plain, fd = b"", os.memfd_create("body")
    try:
        os.write(fd, body)
        for first in range(0, reader.segments, batch):
            count = min(batch, reader.segments - first)
            plain += bytes(target[: reader.read_into(fd, first, count=count, scratch=scratch, target=target)])
    finally:
        os.close(fd)
    return plain


@pytest.mark.parametrize("size", SIZES)
def test_the_reference_library_reads_ours(size: int) -> None:
    content = os.urandom(size)
    sealed, body = seal(content)
    out = io.BytesIO()
    crypt4gh.lib.decrypt([(0, PRIVATE, None)], io.BytesIO(sealed.header + body), out)
    assert out.getvalue() == content
    assert (sealed.size, sealed.body_length, sealed.segments) == (size, len(body), -(-size // SEGMENT))
    assert len(sealed.header) == ours.HEADER_LENGTH


@pytest.mark.parametrize("size", [size for size in SIZES if size])
def test_we_read_the_reference_library(size: int) -> None:
    content, file = os.urandom(size), io.BytesIO()
    crypt4gh.lib.encrypt([(0, PRIVATE, PUBLIC)], io.BytesIO(content), file)
    raw = file.getvalue()
    length = ours.header_length(raw)
    data_key = ours.open_header(raw[:length], PRIVATE)
    assert ours.size_of(len(raw) - length) == size
    assert unseal(raw[length:], data_key, size) == content


def test_a_rewrapped_header_opens_for_the_new_key_alone() -> None:
    sealed, body = seal(b"genotype")
    other = ours.new_private_key()
    header = ours.rewrap_header(sealed.header, PRIVATE, ours.public_key_of(other))
    assert unseal(body, ours.open_header(header, other), 8) == b"genotype"
    with pytest.raises(Crypt4GHError, match="not for this key"):
        ours.open_header(header, PRIVATE)


def test_each_body_has_a_data_key_of_its_own() -> None:
    keys = {ours.open_header(seal(b"same")[0].header, PRIVATE) for _ in range(20)}
    assert len(keys) == 20


KEY_PACKET = struct.pack("<II", 0, 0) + bytes(32)
EDIT_LIST = struct.pack("<II", 1, 2) + struct.pack("<QQ", 0, 10)


def header_of(plain: bytes) -> bytes:
    one_time = ours.new_private_key()
    writer = ours.public_key_of(one_time)
    shared = ours._shared_key(one_time, PUBLIC, reader=PUBLIC, writer=writer)
    nonce = os.urandom(12)
    packet = struct.pack("<I", 0) + writer + nonce + ChaCha20Poly1305(shared).encrypt(nonce, plain, None)
    return b"crypt4gh" + struct.pack("<III", 1, 1, len(packet) + 4) + packet


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"", "not a Crypt4GH"),
        (b"crypt4gh", "not a Crypt4GH"),
        (b"crypt4gh" + struct.pack("<II", 2, 1) + bytes(108), "version 1"),
        (b"crypt4gh" + struct.pack("<II", 1, 0), "exactly one packet"),
        (b"crypt4gh" + struct.pack("<II", 1, 2) + bytes(216), "exactly one packet"),
        (b"crypt4gh" + struct.pack("<III", 1, 1, 1 << 30), "too long"),
        (b"crypt4gh" + struct.pack("<III", 1, 1, 4), "cut off"),
        (header_of(KEY_PACKET) + b"x", "follow"),
        (header_of(KEY_PACKET)[:-1], "cut off"),
        (header_of(EDIT_LIST), "edit lists"),
        (header_of(KEY_PACKET + b"x"), "other than one data key"),
        (header_of(struct.pack("<II", 0, 1) + bytes(32)), "other than one data key"),
    ],
)
def test_t25_other_headers_are_refused(header: bytes, why: str) -> None:
    with pytest.raises(Crypt4GHError, match=why):
        ours.open_header(header, PRIVATE)


def test_a_key_of_small_order_is_refused() -> None:
    with pytest.raises(Crypt4GHError, match="usable"):
        ours.seal_header(bytes(32), bytes(32))


@pytest.mark.parametrize("length", [1, 28, CIPHER_SEGMENT + 1, CIPHER_SEGMENT + 28])
def test_no_body_has_such_a_length(length: int) -> None:
    with pytest.raises(Crypt4GHError, match="cut off"):
        ours.size_of(length)


@given(st.integers(0, 2**50))
def test_size_and_length_belong_together(size: int) -> None:
    assert ours.size_of(ours.body_length_of(size)) == size


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3 * CIPHER_SEGMENT - 60), st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(position: int, bit: int) -> None:
    sealed, body = seal(bytes(3 * SEGMENT - 60 - 3 * 28))
    changed = bytearray(body)
    changed[position % len(changed)] ^= 1 << bit
    with pytest.raises(Crypt4GHError, match="changed"):
        unseal(bytes(changed), ours.open_header(sealed.header, PRIVATE), sealed.size)


def test_a_stream_that_comes_in_drops_is_sealed_whole() -> None:
    class Drops(io.RawIOBase):
        left = 200_000

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            got = min(len(buffer), 999, self.left)
            buffer[:got] = b"x" * got
            self.left -= got
            return got

    out = io.BytesIO()
    sealed = ours.seal_stream(Drops().readinto, out.write, PUBLIC)
    assert sealed.size == 200_000
    assert unseal(out.getvalue(), ours.open_header(sealed.header, PRIVATE), sealed.size) == b"x" * 200_000

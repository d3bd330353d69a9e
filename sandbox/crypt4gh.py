"""Reads and writes Crypt4GH (GA4GH v1): headers of exactly one packet, apart from their bodies."""

import hashlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

SEGMENT = 65536
OVERHEAD = 28  # nonce of 12 bytes, tag of 16
CIPHER_SEGMENT = SEGMENT + OVERHEAD
MAGIC = b"crypt4gh"
VERSION = 1
LARGEST_HEADER = 1 << 16
BATCH = 16
SMALLEST_CLASS = 4096
_ENCRYPTION_METHOD = 0  # X25519 and ChaCha20-Poly1305
_DATA_KEY = struct.pack("<II", 0, 0)  # packet type data_encryption_parameters, method ChaCha20-Poly1305
_EDIT_LIST = 1
_PACKET = 4 + 4 + 32 + 12 + 8 + 32 + 16  # the one packet that we accept: one data key, and nothing else
HEADER_LENGTH = 16 + _PACKET  # of the headers that we write


class Crypt4GHError(ValueError):
    """These bytes are no Crypt4GH that we accept."""


class ReadsInto(Protocol):
    """A raw stream: fills a buffer and returns how many bytes it wrote, 0 at the end."""

    def __call__(self, buffer: memoryview, /) -> int | None: ...


@dataclass(frozen=True)
class Sealed:
    """What is known of a body that was just sealed; `header` opens it for the recipient alone."""

    header: bytes
    size: int
    sha256: str
    body_length: int
    body_sha256: str
    segments: int


def new_private_key() -> bytes:
    """Return a fresh X25519 private key, 32 bytes."""
    return X25519PrivateKey.generate().private_bytes_raw()


def public_key_of(private_key: bytes) -> bytes:
    """Return the 32 bytes of the public key."""
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def segments_of(size: int) -> int:
    """Return the number of segments of a plaintext of `size` bytes."""
    return -(-size // SEGMENT)


def body_length_of(size: int) -> int:
    """Return the length of the body of a plaintext of `size` bytes."""
    return size + OVERHEAD * segments_of(size)


def padded_length_of(body_length: int) -> int:
    """Return how long a stored body is with its padding (T32): rounded up to 4 KiB and an eighth of an octave.

    The classes are those of the stub that the engine sees (T4), so that a stored body tells no more than that.
    """
    unit = max(SMALLEST_CLASS, 1 << max(0, (max(body_length, 1) - 1).bit_length() - 4))
    return max(1, -(-body_length // unit)) * unit


def pad(write: Callable[[memoryview], object], length: int) -> None:
    """Lengthen a body by segments under a key that nobody keeps: nothing tells them from those before."""
    key = ChaCha20Poly1305(os.urandom(32))
    while length > 0:
        nonce = os.urandom(12)
        piece = memoryview(nonce + key.encrypt(nonce, bytes(min(SEGMENT, length)), None))[:length]
        write(piece)
        length -= len(piece)


def size_of(body_length: int) -> int:
    """Return the plaintext size of a body, or raise when no body has this length."""
    full, rest = divmod(body_length, CIPHER_SEGMENT)
    if 0 < rest <= OVERHEAD:
        raise Crypt4GHError("The body is cut off.")
    return full * SEGMENT + max(0, rest - OVERHEAD)


def header_packets(start: bytes, *, most: int) -> list[bytes]:
    """Return the packets of the header at the beginning of a file; `start` may run on into the body."""
    if len(start) < 16 or start[:8] != MAGIC:
        raise Crypt4GHError("This is not a Crypt4GH file.")
    version, count = struct.unpack_from("<II", start, 8)
    if version != VERSION:
        raise Crypt4GHError("Only version 1 of Crypt4GH is supported.")
    if not 1 <= count <= most:
        wanted = "exactly one packet, for one recipient" if most == 1 else f"one to {most} packets"
        raise Crypt4GHError(f"The Crypt4GH header must hold {wanted}.")
    packets, place = [], 16
    for _ in range(count):
        if len(start) < place + 4:
            raise Crypt4GHError("The Crypt4GH header is cut off.")
        (length,) = struct.unpack_from("<I", start, place)
        if not 8 <= length <= LARGEST_HEADER or len(start) < place + length:
            raise Crypt4GHError("The Crypt4GH header is cut off or too long.")
        packets.append(start[place : place + length])
        place += length
    return packets


def header_length(start: bytes, *, most: int = 1) -> int:
    """Return how long the header at the beginning of a file is, of at most so many packets."""
    return 16 + sum(map(len, header_packets(start, most=most)))


def open_header(header: bytes, private_key: bytes) -> bytes:
    """Return the data key (32 bytes) of a header whose one packet is for this key.

    Refused: several packets (T12: one key a body), edit lists (T25), trailing bytes.
    """
    if header_length(header) != len(header):
        raise Crypt4GHError("Bytes follow the Crypt4GH header.")
    plain = open_packet(header[16:], private_key)
    if plain is None:
        raise Crypt4GHError("The Crypt4GH header is not for this key.")
    if is_edit_list(plain):
        raise Crypt4GHError("Crypt4GH edit lists are not accepted.")
    return data_key_of(plain)


def open_packet(packet: bytes, private_key: bytes) -> bytes | None:
    """Return what a packet holds, or None when it is for somebody else."""
    if len(packet) < 64 or struct.unpack_from("<I", packet, 4)[0] != _ENCRYPTION_METHOD:
        raise Crypt4GHError("The Crypt4GH header uses an unknown method.")
    writer = packet[8:40]
    try:
        key = _shared_key(private_key, writer, reader=public_key_of(private_key), writer=writer)
        return ChaCha20Poly1305(key).decrypt(packet[40:52], packet[52:], None)
    except (InvalidTag, ValueError):
        return None


def is_edit_list(plain: bytes) -> bool:
    """Say whether an opened packet is an edit list."""
    return plain[:4] == struct.pack("<I", _EDIT_LIST)


def data_key_of(plain: bytes) -> bytes:
    """Return the data key that an opened packet holds, or raise when it holds anything else."""
    if len(plain) != len(_DATA_KEY) + 32 or plain[:8] != _DATA_KEY:
        raise Crypt4GHError("The Crypt4GH header holds something other than one data key.")
    return plain[8:]


def seal_header(data_key: bytes, recipient: bytes) -> bytes:
    """Return a header of one packet that gives `data_key` to the public key `recipient`."""
    one_time = new_private_key()
    writer = public_key_of(one_time)
    try:
        key = _shared_key(one_time, recipient, reader=recipient, writer=writer)
    except ValueError as error:
        raise Crypt4GHError("The recipient's public key is not a usable X25519 key.") from error
    nonce = os.urandom(12)
    sealed = ChaCha20Poly1305(key).encrypt(nonce, _DATA_KEY + data_key, None)
    return MAGIC + struct.pack("<IIII", VERSION, 1, _PACKET, _ENCRYPTION_METHOD) + writer + nonce + sealed


def rewrap_header(header: bytes, private_key: bytes, recipient: bytes) -> bytes:
    """Return a new header of one packet for `recipient`; the body stays as it is."""
    return seal_header(open_header(header, private_key), recipient)


def _shared_key(private_key: bytes, peer: bytes, *, reader: bytes, writer: bytes) -> bytes:
    secret = X25519PrivateKey.from_private_bytes(private_key).exchange(X25519PublicKey.from_public_bytes(peer))
    return hashlib.blake2b(secret + reader + writer, digest_size=64).digest()[:32]


class Reader:
    """Decrypts segments of one body, by position; holds its data key and no file."""

    def __init__(self, data_key: bytes, size: int, *, offset: int = 0) -> None:
        self.size = size
        self.segments = segments_of(size)
        self._offset = offset
        self._cipher = ChaCha20Poly1305(data_key)

    def read_into(self, fd: int, first: int, *, count: int, scratch: memoryview, target: memoryview) -> int:
        """Decrypt segments [first, first + count) of the body in `fd` into `target`; return the bytes written.

        `scratch` holds count * CIPHER_SEGMENT bytes, `target` count * SEGMENT.
        """
        end = min(self.size, (first + count) * SEGMENT)
        wanted = body_length_of(end - first * SEGMENT)
        if os.preadv(fd, [scratch[:wanted]], self._offset + first * CIPHER_SEGMENT) != wanted:
            raise Crypt4GHError("The body is cut off.")
        return self.decrypt(scratch[:wanted], target)

    def decrypt(self, segments: memoryview, target: memoryview) -> int:
        """Decrypt whole segments, the last of a body perhaps shorter, into `target`; return the bytes written."""
        done = position = 0
        while position < len(segments):
            length = min(CIPHER_SEGMENT, len(segments) - position)
            nonce = segments[position : position + 12]
            try:
                plain = target[done : done + length - OVERHEAD]
                self._cipher.decrypt_into(nonce, segments[position + 12 : position + length], None, plain)
            except InvalidTag as error:
                raise Crypt4GHError("A segment of the body was changed.") from error
            done += length - OVERHEAD
            position += length
        return done


def seal_stream(source: ReadsInto, write: Callable[[memoryview], object], recipient: bytes) -> Sealed:
    """Encrypt `source` to its end under a fresh data key; `write` takes each piece of the body whole (T12)."""
    data_key = os.urandom(32)
    header = seal_header(data_key, recipient)
    encrypt = ChaCha20Poly1305(data_key).encrypt_into
    body, plain = buffers(1)  # most outputs are small, and a task's process pays for every fresh page
    seen_plain, seen_body = hashlib.sha256(), hashlib.sha256()
    size = length = 0
    while got := _fill(source, plain):
        nonces = os.urandom(12 * BATCH)
        filled = 0
        for number, start in enumerate(range(0, got, SEGMENT)):
            piece = plain[start : min(start + SEGMENT, got)]
            nonce = nonces[12 * number : 12 * number + 12]
            body[filled : filled + 12] = nonce
            encrypt(nonce, piece, None, body[filled + 12 : filled + OVERHEAD + len(piece)])
            filled += OVERHEAD + len(piece)
        seen_plain.update(plain[:got])
        seen_body.update(body[:filled])
        write(body[:filled])
        size += got
        length += filled
        if got == SEGMENT == len(plain):
            body, plain = buffers(BATCH)
    return Sealed(header, size, seen_plain.hexdigest(), length, seen_body.hexdigest(), segments_of(size))


def buffers(segments: int) -> tuple[memoryview, memoryview]:
    """Return room for so many segments, one at least and a batch at most: of a body, and of what is in it."""
    segments = min(BATCH, max(1, segments))
    return memoryview(bytearray(segments * CIPHER_SEGMENT)), memoryview(bytearray(segments * SEGMENT))


def _fill(source: ReadsInto, buffer: memoryview) -> int:
    filled = 0
    while filled < len(buffer) and (got := source(buffer[filled:])):
        filled += got
    return filled

"""Seals a few bytes to a public key as one small Crypt4GH message: a digest crosses the server unread (T8)."""

import io

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from sandbox.crypt4gh import SEGMENT, Crypt4GHError, header_length, open_header, seal_stream
from strongroom.errors import BadRequest


def seal_note(note: bytes, recipient: bytes) -> bytes:
    """Return `note` (at most one segment) sealed to an X25519 public key."""
    if len(note) > SEGMENT:
        raise ValueError("a note is short")
    body = io.BytesIO()
    sealed = seal_stream(io.BytesIO(note).readinto, body.write, recipient)
    return sealed.header + body.getvalue()


def open_note(sealed: bytes, secret: bytes) -> bytes:
    """Return what `seal_note` sealed to the public half of `secret`."""
    try:
        length = header_length(sealed)
        data_key = open_header(sealed[:length], secret)
        body = sealed[length:]
        return ChaCha20Poly1305(data_key).decrypt(body[:12], body[12:], None)
    except (Crypt4GHError, InvalidTag, ValueError) as error:
        raise BadRequest("digest: not a note sealed to this dataset's key.") from error

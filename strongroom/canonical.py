"""Turns facts into the one sequence of bytes that is signed and hashed (RFC 8785)."""

import hashlib
from typing import Any

import rfc8785


def canonical(facts: Any) -> bytes:
    """Return the RFC 8785 bytes of JSON-like `facts`; raises `rfc8785.CanonicalizationError` for anything else."""
    return rfc8785.dumps(facts)


def digest(facts: Any) -> str:
    """Return the SHA-256 (hex) of the canonical bytes of `facts`."""
    return hashlib.sha256(canonical(facts)).hexdigest()

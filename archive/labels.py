"""Hashes the labels of persons under a key of one question, as the airlock's checks compare them (D5)."""

import hashlib
from collections.abc import Iterable

MOST = 60_000
_DIGEST = 6  # bytes, as airlock/checks/people.py reads them
_SHORTEST, _SHORTEST_NUMBER = 4, 6  # shorter ones cannot be told from words and counts


def hashed(labels: Iterable[str], key: bytes) -> dict[str, str]:
    """Return key and hashes in hexadecimal digits; labels that are too short or too many are left out."""
    told = sorted({label.lower() for label in labels if _is_told(label)})[:MOST]
    return {"key": key.hex(), "digests": b"".join(sorted(digest(label, key) for label in told)).hex()}


def digest(label: str, key: bytes) -> bytes:
    """Return the hash of one label."""
    return hashlib.blake2b(label.encode(), key=key, digest_size=_DIGEST).digest()


def _is_told(label: str) -> bool:
    return len(label) >= (_SHORTEST_NUMBER if label.isdigit() else _SHORTEST)

"""Reads the list of a cohort's members that a workflow wrote: one person a line (T7)."""

from pathlib import Path

from .answer import Answer, failed
from .findings import Code, found
from .people import People
from .thresholds import Policy

_MOST_BYTES = 8 * 2**20


def read_members(path: Path, policy: Policy, people: People) -> Answer:
    """Return who of these people is in the list, as bits; a list that is empty or names others has no bits."""
    with path.open("rb") as stream:
        raw = stream.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        return failed("members", policy, found(Code.TOO_LARGE))
    lines = [line.strip() for line in raw.decode("ascii", "replace").splitlines()]
    labels = {line for line in lines if line}
    return Answer("members", policy.version, "text", (), members=people.listed(labels) if labels else None)

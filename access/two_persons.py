"""Puts thresholds in force by two persons: one proposes a version, another one signs its digest (J6)."""

from collections.abc import Collection, Mapping
from typing import Any

from strongroom.canonical import digest
from strongroom.database import now
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.persons import Joined
from strongroom.signed import SignedThresholds


def proposed(
    actor: str, limits: Mapping[str, int], earlier: Collection[SignedThresholds], *, least: int
) -> dict[str, Any]:
    """Return the columns of the next version after `earlier` and `least`; it waits for a second person."""
    return {
        "version": 1 + max([least, *(one.version for one in earlier)]),
        "thresholds": dict(limits),
        "sha256": digest(dict(limits)),
        "proposed_by": actor,
        "proposed": now(),
        "signed_by": None,
        "signed": None,
    }


def facts_of(made: SignedThresholds) -> dict[str, Any]:
    """Return what the log holds of a proposal."""
    return {"version": made.version, "thresholds": made.thresholds, "sha256": made.sha256}


def countersign(
    newest: SignedThresholds | None, actor: str, version: int, *, sha256: str, joined: Joined
) -> dict[str, Any]:
    """Sign the newest version as another person than who proposed it; return what the log holds of it."""
    if newest is None or newest.version < version:
        raise NotFound("There is no such version.")
    if newest.version != version or newest.signed_by is not None:
        raise Conflict("This version is in force already, or a newer one was proposed; read the newest.")
    if joined.are_same(newest.proposed_by, actor):
        raise Conflict("Who proposed a version does not sign it too; another person must.")
    if newest.sha256 != sha256:
        raise BadRequest("sha256: this version holds other thresholds; read it again.")
    newest.signed_by, newest.signed = actor, now()
    return {"version": version, "sha256": sha256}

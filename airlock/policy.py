"""Says which thresholds a project's outputs are held to: the platform's floor, made stricter or left alone."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from airlock.checks.thresholds import Policy, PolicyRefused, parse_policy
from strongroom import thresholds
from strongroom.errors import BadRequest
from strongroom.thresholds import PolicyLaxer

__all__ = [
    "FLOOR",
    "Policy",
    "PolicyLaxer",
    "above",
    "check_no_laxer",
    "parse_policy",
    "project_policy",
    "signed_policy",
    "stricter_policy",
]

FLOOR = Policy(version=thresholds.UNSIGNED)


def project_policy(*, version: int, min_count: int, floor: Policy = FLOOR) -> Policy:
    """Return what counts for a project that signed no policy; raise `PolicyLaxer` for a too small count."""
    policy = replace(floor, version=version, min_count=min_count, **thresholds.UNLESS_SIGNED)
    check_no_laxer(policy, floor)
    return policy


def signed_policy(signed: Mapping[str, int], *, version: int, min_count: int) -> Policy:
    """Return what two persons signed for a project, or the floor as it is now where that is stricter."""
    return Policy(version=version, **thresholds.strictest(thresholds.in_full(signed), thresholds.floor_of(min_count)))


def above(policy: Policy, floors: Sequence[Mapping[str, int]]) -> Policy:
    """Return the policy with the strictest of it and of all these floors of datasets for each threshold (T7)."""
    return replace(policy, **thresholds.strictest(_limits(policy), *floors))


def stricter_policy(limits: Mapping[str, Any], floor: Policy = FLOOR) -> Policy:
    """Return the floor with these thresholds in place of its own; raise for an unknown or a laxer one."""
    try:
        policy = parse_policy({**floor.as_json(), **limits})
    except PolicyRefused as refused:
        raise BadRequest(f"policy: {refused}") from refused
    check_no_laxer(policy, floor)
    return policy


def check_no_laxer(policy: Policy, floor: Policy = FLOOR) -> None:
    """Raise unless each threshold of `policy` is at least as strict as the floor's."""
    thresholds.check_no_laxer(asdict(policy), _limits(floor))


def _limits(policy: Policy) -> dict[str, int]:
    return {name: value for name, value in asdict(policy).items() if name != "version"}

"""Says which thresholds a project's outputs are held to: the platform's floor, made stricter or left alone."""

from dataclasses import asdict, replace

from airlock.checks.thresholds import MORE_IS_STRICTER, Policy, parse_policy
from strongroom.errors import BadRequest

__all__ = ["FLOOR", "Policy", "PolicyLaxer", "check_no_laxer", "parse_policy", "project_policy"]

FLOOR = Policy(version=1)


class PolicyLaxer(BadRequest):
    """A policy that would let out more than its floor does."""


def project_policy(*, version: int, min_count: int, floor: Policy = FLOOR) -> Policy:
    """Return the project's policy: the floor with a higher smallest count; raise `PolicyLaxer` for a lower one."""
    policy = replace(floor, version=version, min_count=min_count)
    check_no_laxer(policy, floor)
    return policy


def check_no_laxer(policy: Policy, floor: Policy = FLOOR) -> None:
    """Raise unless each threshold of `policy` is at least as strict as the floor's."""
    asked, least = asdict(policy), asdict(floor)
    for name, limit in least.items():
        if name == "version":
            continue
        laxer = asked[name] < limit if name in MORE_IS_STRICTER else asked[name] > limit
        if laxer:
            way = "raise" if name in MORE_IS_STRICTER else "lower"
            raise PolicyLaxer(f"A project may only {way} {name}; the platform's own is {limit}.")

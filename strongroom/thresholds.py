"""Says what no project's policy may be laxer than: the platform's floor, and which way each threshold is stricter."""

from collections.abc import Collection, Mapping
from typing import Any

from strongroom.errors import BadRequest

# What `airlock.checks.thresholds.Policy` defaults to; the jail imports nothing of the floor, so a test compares them.
FLOOR: Mapping[str, int] = {
    "min_count": 5,
    "max_bytes": 16 * 2**20,
    "max_unpacked_bytes": 256 * 2**20,
    "max_rows": 5000,
    "max_columns": 200,
    "max_cell_length": 256,
    "max_decimals": 6,
    "max_magnitude": 10**12,
    "max_sites": 1_000_000,
    "max_allele_length": 49,
    "max_pixels": 8_000_000,
    "max_colours": 64,
    "dominance_percent": 90,
    "dominance_rest_percent": 10,
    "min_dof": 10,
    "min_allele_count": 5,
    "rounded_cells": 4,
    "block_class_disclosure": 0,
    "block_endpoints": 0,
    "block_unknown_members": 0,
    "max_cohorts": 200,
}
# More of these is stricter; less of every other number is.
MORE_IS_STRICTER = frozenset(
    {
        "min_count",
        "dominance_rest_percent",
        "min_dof",
        "min_allele_count",
        "rounded_cells",
        "block_class_disclosure",
        "block_endpoints",
        "block_unknown_members",
    }
)
# Thresholds that came after the first policies were signed: where one is missing, the platform's own counts.
LATER = frozenset({"block_unknown_members", "max_cohorts"})
# What counts where two persons signed nothing else: whose members nobody knows is refused beside other releases (T7).
UNLESS_SIGNED: Mapping[str, int] = {"block_unknown_members": 1}
LARGEST = 2**40
UNSIGNED = 1  # the version of a project whose policy nobody signed


class PolicyLaxer(BadRequest):
    """A policy that would let out more than its floor does."""


def laxer(asked: Mapping[str, int], least: Mapping[str, int]) -> list[str]:
    """Return the thresholds of `least` that `asked` is laxer in; a missing one is."""
    return [
        name
        for name, limit in least.items()
        if name not in asked or (asked[name] < limit if name in MORE_IS_STRICTER else asked[name] > limit)
    ]


def is_complete(signed: Collection[str]) -> bool:
    """Say whether a policy names each threshold that there was when it can have been signed, and no other."""
    return set(FLOOR) - LATER <= set(signed) <= set(FLOOR)


def is_floors(signed: Collection[str]) -> bool:
    """Say whether a dataset's floors name thresholds, at least one, and nothing else."""
    return bool(signed) and set(signed) <= set(FLOOR)


def strictest(*many: Mapping[str, int]) -> dict[str, int]:
    """Return the strictest of all for each threshold that any of them names."""
    pick = {name: max if name in MORE_IS_STRICTER else min for one in many for name in one}
    return {name: most(one[name] for one in many if name in one) for name, most in pick.items()}


def floor_of(*counts: int) -> dict[str, int]:
    """Return the platform's floor with the largest of these smallest counts."""
    return {**FLOOR, "min_count": max(FLOOR["min_count"], *counts)}


def unsigned(floor: Mapping[str, int]) -> dict[str, int]:
    """Return the policy that counts where nobody signed one."""
    return {**floor, **UNLESS_SIGNED}


def in_full(signed: Mapping[str, int]) -> dict[str, int]:
    """Return a signed policy with the thresholds that there were not when it was signed, where no floor has them."""
    return {**UNLESS_SIGNED, **signed}


def completed(raw: Mapping[str, Any], floor: Mapping[str, int]) -> dict[str, int]:
    """Return all thresholds, an unsigned policy's where `raw` names none; raise for an unknown or a laxer one."""
    check_known(raw)
    asked = {**unsigned(floor), **raw}
    check_no_laxer(asked, floor)
    return asked


def check_known(raw: Mapping[str, Any]) -> None:
    """Raise unless each name is a threshold's and each value a whole number in range."""
    unknown = sorted(str(name)[:40] for name in set(raw) - set(FLOOR))
    if unknown:
        raise BadRequest(f"thresholds: there is no threshold {unknown[0]}; known are {', '.join(sorted(FLOOR))}.")
    for name, value in raw.items():
        if type(value) is not int or not 0 <= value <= LARGEST:
            raise BadRequest(f"thresholds.{name}: a whole number from 0 to {LARGEST}.")


def some_floors(raw: Mapping[str, Any], floor: Mapping[str, int]) -> dict[str, int]:
    """Return the floors of a dataset, none laxer than the platform's; raise for none, an unknown or a laxer one."""
    check_known(raw)
    if not raw:
        raise BadRequest("thresholds: name at least one; with the platform's own number it adds nothing.")
    check_no_laxer({**floor, **raw}, floor, who="A dataset's floors")
    return dict(raw)


def check_no_laxer(asked: Mapping[str, int], least: Mapping[str, int], *, who: str = "A project") -> None:
    """Raise unless each threshold is at least as strict as the floor's."""
    for name in laxer(asked, least):
        way = "raise" if name in MORE_IS_STRICTER else "lower"
        raise PolicyLaxer(f"{who} may only {way} {name}; the platform's own is {least[name]}.")

"""Holds the numbers that decide, as one frozen policy with a version."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


class PolicyRefused(Exception):
    """A policy names something unknown or holds something other than a whole number in range."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The risk appetite of a project; each number may only be made stricter than the default's."""

    version: int
    min_count: int = 5
    max_bytes: int = 16 * 2**20
    max_unpacked_bytes: int = 256 * 2**20
    max_rows: int = 5000
    max_columns: int = 200
    max_cell_length: int = 256
    max_decimals: int = 6
    max_magnitude: int = 10**12
    max_sites: int = 1_000_000
    max_allele_length: int = 49
    max_pixels: int = 8_000_000
    max_colours: int = 64
    dominance_percent: int = 90  # (n,k): the largest two may not hold more of a sum
    dominance_rest_percent: int = 10  # p%: what is left beside the largest two, of the largest
    min_dof: int = 10
    min_allele_count: int = 5
    rounded_cells: int = 4  # as many counts agree before a table is taken as rounded
    block_class_disclosure: int = 0
    block_endpoints: int = 0
    block_unknown_members: int = 0
    max_cohorts: int = 200  # of a dataset, none of which the others make up

    def as_json(self) -> dict[str, Any]:
        """Return plain facts for request.json and records."""
        return asdict(self)


def parse_policy(raw: Mapping[str, Any]) -> Policy:
    """Return the policy in `raw`; refuses unknown names, so that a misspelt threshold never falls back."""
    known = {field.name for field in fields(Policy)}
    if set(raw) - known or "version" not in raw:
        raise PolicyRefused("The policy needs a version and may hold known thresholds only.")
    if any(type(value) is not int or not 0 <= value <= 2**40 for value in raw.values()):
        raise PolicyRefused("Each threshold of a policy is a whole number.")
    return Policy(**raw)

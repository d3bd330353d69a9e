"""Tells a block that stewards saw from one that came since, by code, place and what it conflicts with (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airlock.checks.codes import Code
from airlock.intake_files import Verdict
from strongroom.canonical import digest

_AGAINST = "against"  # in a stored finding alone: no answer has it
_LETTERS = 32


def finding(code: Code, severity: Verdict, against: Iterable[Sequence[str | int]], **place: int) -> dict[str, Any]:
    """Return a finding as it is kept; `against` are the facts that it conflicts with, kept as one digest (T5)."""
    where = {name: number for name, number in place.items() if number}
    marked = digest(sorted([str(one) for one in fact] for fact in against))[:_LETTERS]
    return {"code": code.value, "severity": severity.value, "place": where, _AGAINST: marked}


def new_ones(told: Iterable[Mapping[str, Any]], seen: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the blocks that are not among those seen: a warning that stewards saw is no block that they saw.

    What was kept before there were digests says nothing of its conflicts, and is none of these blocks.
    """
    known = [_identity(one) for one in seen if _blocks(one)]
    return [one for one in told if _blocks(one) and _identity(one) not in known]


def _blocks(one: Mapping[str, Any]) -> bool:
    return bool(one["severity"] == Verdict.BLOCK.value)


def _identity(one: Mapping[str, Any]) -> tuple[Any, ...]:
    return one["code"], one["place"], one.get(_AGAINST)

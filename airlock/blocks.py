"""Tells a block that stewards saw from one that came since, by code, place and what it conflicts with (pure)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airlock.checks.codes import Code
from airlock.intake_files import Verdict
from strongroom.canonical import digest

_AGAINST = "against"  # in a stored finding alone: no answer has it
_LETTERS = 32
_MOST_PLACES = 40  # no more than a person reads


@dataclass(frozen=True)
class Conflicting:
    """One count and what it conflicts with; `mild` where one of the two was rounded, so that it only warns."""

    row: int
    column: int
    mild: bool
    against: tuple[str | int, ...]


def by_place(code: Code, conflicts: Iterable[Conflicting]) -> list[dict[str, Any]]:
    """Return one finding a place, in the order of the conflicts: the worst come first.

    Beyond as many places as a person reads, one finding without a place stands for the rest.
    """
    places: defaultdict[tuple[int, int], list[Conflicting]] = defaultdict(list)
    for one in conflicts:
        places[one.row, one.column].append(one)
    groups = list(places.values())
    told = [_together(code, group, row=group[0].row, column=group[0].column) for group in groups[:_MOST_PLACES]]
    rest = [one for group in groups[_MOST_PLACES:] for one in group]
    return [*told, _together(code, rest)] if rest else told


def _together(code: Code, conflicts: Sequence[Conflicting], **place: int) -> dict[str, Any]:
    blocking = [one for one in conflicts if not one.mild]
    against = [(one.row, one.column, *one.against) for one in blocking or conflicts]
    return finding(code, Verdict.BLOCK if blocking else Verdict.WARN, against, **place)


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


def is_marked(one: Mapping[str, Any]) -> bool:
    """Say whether a stored finding tells what it conflicts with; those of a file's own check do not."""
    return _AGAINST in one


def _blocks(one: Mapping[str, Any]) -> bool:
    return bool(one["severity"] == Verdict.BLOCK.value)


def _identity(one: Mapping[str, Any]) -> tuple[Any, ...]:
    return one["code"], one["place"], one.get(_AGAINST)

"""Decides whether a request was judged under the policy that two persons signed for its project (pure; J6, T11)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from archive.keys.ballots import ExportRefused, Line, Submitted
from strongroom.canonical import digest
from strongroom.thresholds import UNSIGNED, floor_of, is_complete, laxer, strictest

PROPOSED, SIGNED, CREATED = "policy.proposed", "policy.signed", "project.created"
TELLING = frozenset({PROPOSED, SIGNED, CREATED})


@dataclass(frozen=True)
class Signed:
    """A version that two entitled persons put in force."""

    version: int
    thresholds: Mapping[str, int]


def in_force(lines: Sequence[Line], project: str, *, may_sign: Callable[[str], bool]) -> Signed | None:
    """Return what the log says was in force at its end; None if nobody signed a policy of this project."""
    proposed: dict[int, Line] = {}
    found: Signed | None = None
    for line in lines:
        if line.subject != project or line.event not in (PROPOSED, SIGNED):
            continue
        version = line.facts.get("version")
        if type(version) is not int or version <= (found.version if found else UNSIGNED):
            raise ExportRefused("The log tells of a version of the project's policy that cannot be.")
        if line.event == PROPOSED:
            if version in proposed:
                raise ExportRefused("The log tells of two policies of one version.")
            proposed[version] = line
            continue
        found = _signed(proposed.get(version), line, version, may_sign=may_sign)
    return found


def check_judged_under(
    submitted: Submitted, lines: Sequence[Line], *, least_count: int, may_sign: Callable[[str], bool]
) -> None:
    """Raise unless what was frozen at submit is the version in force then, and nowhere laxer than it or the floor.

    `lines` are all entries before the submission that tell of policies or of projects.
    """
    counts = [
        line.facts["min_count"]
        for line in lines
        if line.event == CREATED and line.subject == submitted.project and type(line.facts.get("min_count")) is int
    ]
    least = floor_of(least_count, *counts)
    signed = in_force(lines, submitted.project, may_sign=may_sign)
    if signed is not None:
        least = strictest(least, signed.thresholds)
    version = signed.version if signed is not None else UNSIGNED
    if submitted.policy.get("version") != version:
        raise ExportRefused("The request was judged under another policy than the one that was in force.")
    if laxer(submitted.policy, least):
        raise ExportRefused("The request was judged under a laxer policy than the one that was in force.")


def _signed(proposal: Line | None, line: Line, version: int, *, may_sign: Callable[[str], bool]) -> Signed:
    if proposal is None:
        raise ExportRefused("A policy was signed that nobody proposed.")
    thresholds = proposal.facts.get("thresholds")
    if not isinstance(thresholds, dict) or not is_complete(thresholds) or not _are_numbers(thresholds):
        raise ExportRefused("A policy in the log cannot be read.")
    if {proposal.facts.get("sha256"), line.facts.get("sha256")} != {digest(thresholds)}:
        raise ExportRefused("A policy was signed that holds other thresholds than were proposed.")
    if proposal.actor == line.actor or not (may_sign(proposal.actor) and may_sign(line.actor)):
        raise ExportRefused("A policy needs the signatures of two different entitled persons.")
    return Signed(version, thresholds)


def _are_numbers(thresholds: Mapping[str, object]) -> bool:
    return all(type(value) is int for value in thresholds.values())

"""Decides whether a request was judged under the policies that two persons signed for it (pure; J6, T7, T11)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from archive.keys.ballots import ExportRefused, Line, Submitted
from strongroom.canonical import digest
from strongroom.persons import Joined
from strongroom.thresholds import UNSIGNED, floor_of, in_full, is_complete, is_floors, laxer, strictest, unsigned

PROPOSED, SIGNED, CREATED = "policy.proposed", "policy.signed", "project.created"
FLOORS_PROPOSED, FLOORS_SIGNED = "floors.proposed", "floors.signed"
TELLING = frozenset({PROPOSED, SIGNED, CREATED, FLOORS_PROPOSED, FLOORS_SIGNED})
MaySign = Callable[[str], bool]


@dataclass(frozen=True)
class Sort:
    """A sort of thresholds that two persons sign: its entries in the log, and what its versions may hold."""

    proposed: str
    signed: str
    before_first: int
    is_whole: Callable[[Collection[str]], bool]


POLICY = Sort(PROPOSED, SIGNED, UNSIGNED, is_complete)
FLOORS = Sort(FLOORS_PROPOSED, FLOORS_SIGNED, 0, is_floors)


@dataclass(frozen=True)
class Signed:
    """A version that two entitled persons put in force."""

    version: int
    thresholds: Mapping[str, int]


def in_force(
    lines: Sequence[Line], subject: str, *, sort: Sort = POLICY, may_sign: MaySign, joined: Joined
) -> Signed | None:
    """Return what the log says was in force at its end; None if nobody signed this sort for project or dataset."""
    proposed: dict[int, Line] = {}
    found: Signed | None = None
    for line in lines:
        if line.subject != subject or line.event not in (sort.proposed, sort.signed):
            continue
        version = line.facts.get("version")
        if type(version) is not int or version <= (found.version if found else sort.before_first):
            raise ExportRefused("The log tells of a version of a policy that cannot be.")
        if line.event == sort.proposed:
            if version in proposed:
                raise ExportRefused("The log tells of two policies of one version.")
            proposed[version] = line
            continue
        found = _signed(proposed.get(version), line, version, sort=sort, may_sign=may_sign, joined=joined)
    return found


def check_judged_under(
    submitted: Submitted,
    lines: Sequence[Line],
    *,
    least_count: int,
    may_sign: MaySign,
    datasets: Collection[str],
    may_set_floors: MaySign,
    joined: Joined,
) -> None:
    """Raise unless what was frozen at submit is the version in force then, and nowhere laxer than it or the floors.

    `lines` are all entries before the submission that tell of policies, floors or projects; `datasets` are those that
    the files come from, with all ancestors (T7).
    """
    counts = [
        line.facts["min_count"]
        for line in lines
        if line.event == CREATED and line.subject == submitted.project and type(line.facts.get("min_count")) is int
    ]
    least = floor_of(least_count, *counts)
    signed = in_force(lines, submitted.project, may_sign=may_sign, joined=joined)
    least = unsigned(least) if signed is None else strictest(least, in_full(signed.thresholds))
    version = signed.version if signed is not None else UNSIGNED
    if submitted.policy.get("version") != version:
        raise ExportRefused("The request was judged under another policy than the one that was in force.")
    if laxer(submitted.policy, least):
        raise ExportRefused("The request was judged under a laxer policy than the one that was in force.")
    for dataset in sorted(datasets):
        floors = in_force(lines, dataset, sort=FLOORS, may_sign=may_set_floors, joined=joined)
        if floors is not None and laxer(submitted.policy, floors.thresholds):
            raise ExportRefused("The request was judged under a laxer policy than the floors of its data.")


def _signed(
    proposal: Line | None, line: Line, version: int, *, sort: Sort, may_sign: MaySign, joined: Joined
) -> Signed:
    if proposal is None:
        raise ExportRefused("A policy was signed that nobody proposed.")
    thresholds = proposal.facts.get("thresholds")
    if not isinstance(thresholds, dict) or not sort.is_whole(thresholds) or not _are_numbers(thresholds):
        raise ExportRefused("A policy in the log cannot be read.")
    if {proposal.facts.get("sha256"), line.facts.get("sha256")} != {digest(thresholds)}:
        raise ExportRefused("A policy was signed that holds other thresholds than were proposed.")
    same = joined.are_same(proposal.actor, line.actor)
    if same or not (may_sign(proposal.actor) and may_sign(line.actor)):
        raise ExportRefused("A policy needs the signatures of two different entitled persons.")
    return Signed(version, thresholds)


def _are_numbers(thresholds: Mapping[str, object]) -> bool:
    return all(type(value) is int for value in thresholds.values())

"""Decides whether what the log says is enough to release files (pure): a frozen recipient and two votes each."""

import base64
import itertools
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from archive.facts import ObjectFacts
from archive.keys.purposes import UPLOAD, Kind, Purpose, Role
from strongroom.canonical import canonical
from strongroom.errors import NotAllowed
from strongroom.merkle import leaf_hash
from strongroom.persons import Joined

VOTES = 2
STATE, VOTE = "request.state", "vote.cast"
DRAWN, INTEREST = "steward.drawn", "interest.declared"
STOPPED, STOP_LIFTED = "releases.stopped", "stop.lifted"
SUBMITTED = "SUBMITTED"
# What a request may have become since it was submitted, if its files are to leave now; anything else stops it.
ON_THE_WAY = frozenset({"FIRST_REVIEW", "CONSOLIDATING", "APPROVED", "RELEASING"})


class ExportRefused(NotAllowed):
    """The log does not say that these files may leave."""


LINE_FIELDS = ("seq", "event", "actor", "subject", "project", "facts", "prev")


@dataclass(frozen=True)
class Line:
    """One entry of the log, as it was read back from its own bytes."""

    seq: int
    event: str
    actor: str
    subject: str
    project: str | None
    facts: Mapping[str, Any]
    leaf: str
    prev: str
    time: datetime | None = None  # None: not known, and so never soon enough or late enough


@dataclass(frozen=True)
class Submitted:
    """What was frozen when a request was submitted."""

    request: str
    requester: str
    project: str
    turn: int
    recipient: bytes
    files: Mapping[str, str]  # object -> SHA-256 of its body
    # Votes of earlier turns on the same bytes that go on counting: object -> numbers in the log; none before `since`.
    kept: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    since: int | None = None
    policy: Mapping[str, int] = field(default_factory=dict)  # the thresholds that its files were judged under
    seq: int = -1


@dataclass(frozen=True)
class Voter:
    """What the tables say of who voted."""

    steward: bool
    ever_researcher: bool
    trained: bool


def read_line(seq: int, body: bytes, *, salt: bytes, leaf: str) -> Line:
    """Return an entry whose leaf covers exactly these bytes; raise `ExportRefused` for a changed one."""
    if len(salt) != 16 or leaf_hash(salt + body) != leaf:
        raise ExportRefused("An entry of the log was changed; nothing leaves until the log is whole.")
    try:
        said = json.loads(body)
        if canonical(said) != body or said["seq"] != seq:
            raise ExportRefused("An entry of the log was moved; nothing leaves until the log is whole.")
        time = datetime.fromisoformat(said["time"])
        return Line(leaf=leaf, time=time, **{name: said[name] for name in LINE_FIELDS})
    except (ValueError, KeyError, TypeError) as error:
        raise ExportRefused("An entry of the log cannot be read.") from error


def check_chain(lines: Sequence[Line], *, size: int, last: str) -> None:
    """Raise unless `lines` follow each other without a gap up to the log's head: no entry was left out."""
    for before, line in itertools.pairwise(lines):
        check_next(line, seq=before.seq + 1, prev=before.leaf)
    if not lines or lines[-1].seq != size - 1 or lines[-1].leaf != last:
        raise ExportRefused("The log does not end where its head says; nothing leaves until the log is whole.")


def check_next(line: Line, *, seq: int, prev: str) -> None:
    """Raise unless this is the entry that follows the one whose leaf is `prev`."""
    if line.seq != seq or line.prev != prev:
        raise ExportRefused("An entry of the log was removed or moved; nothing leaves until the log is whole.")


def read_submitted(line: Line, request: str) -> Submitted:
    """Return what was frozen by the entry that submitted `request`."""
    facts = line.facts
    if line.event != STATE or line.subject != request or facts.get("state") != SUBMITTED or line.project is None:
        raise ExportRefused("This entry of the log does not submit this request.")
    try:
        files = {str(one["object"]): str(one["body_sha256"]) for one in facts["files"]}
        recipient = base64.b64decode(facts["recipient"], validate=True)
        turn = int(facts["turn"])
        said = facts.get("kept") or {}
        kept = {str(name): tuple(int(seq) for seq in seqs) for name, seqs in said.get("votes", {}).items()}
        since = int(said["since"]) if said else None
        policy = {str(name): int(value) for name, value in facts["policy"].items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ExportRefused("The request was submitted without files, a policy or a recipient.") from error
    if len(recipient) != 32 or not files:
        raise ExportRefused("The request was submitted without files or without a recipient.")
    if since is not None and not 0 <= since < line.seq:
        raise ExportRefused("The votes that were kept are not of before the submission.")
    return Submitted(request, line.actor, line.project, turn, recipient, files, kept, since, policy, line.seq)


def check_still_on(submitted: Submitted, later: Sequence[Line]) -> None:
    """Raise if the request was returned, rejected, withdrawn or submitted again since; `later` are its entries."""
    for line in later:
        if line.event == STATE and line.facts.get("state") not in ON_THE_WAY:
            raise ExportRefused("The request is not on its way out any more.")
        if line.event == VOTE and line.facts.get("turn") != submitted.turn:
            raise ExportRefused("The request has moved on to another turn.")


def check_voted(
    submitted: Submitted,
    name: str,
    *,
    named: Sequence[Line],
    later: Sequence[Line],
    voters: Mapping[str, Voter],
    joined: Joined,
    earlier: Sequence[Line] = (),
) -> None:
    """Raise unless two persons as stewards, neither the requester nor ever a researcher, said yes to these bytes.

    `named` are the votes that the airlock relies on; `later` all entries of the request since it was submitted, so
    that a no which was left out is found; `earlier` those before, as far back as the votes that were kept.
    """
    wanted = {"object": name, "body_sha256": submitted.files.get(name), "vote": "yes"}
    known = {line.seq for line in later}
    for line in named:
        said = {key: line.facts.get(key) for key in wanted}
        if line.event != VOTE or line.subject != submitted.request or said != wanted:
            raise ExportRefused("A vote is not for this file of this request.")
        kept = line.seq in submitted.kept.get(name, ())
        if kept:
            check_kept(submitted, line, earlier)
        elif line.seq not in known or line.facts.get("turn") != submitted.turn:
            raise ExportRefused("A vote is not for this file of this request.")
        _check_voter(line, submitted, voters, joined)
        _check_drawn(line, [*earlier, *later], joined)
    if len(named) != VOTES or len(joined.persons(line.actor for line in named)) != VOTES:
        raise ExportRefused("Each file needs the votes of two different data stewards.")
    if any(
        line.event == VOTE and line.facts.get("object") == name and line.facts.get("vote") != "yes" for line in later
    ):
        raise ExportRefused("A data steward voted against this file.")


def check_kept(submitted: Submitted, vote: Line, earlier: Sequence[Line]) -> None:
    """Raise unless a vote of an earlier turn was for these bytes and this recipient, and nobody said no since."""
    name = str(vote.facts.get("object"))
    under = [line for line in earlier if line.seq < vote.seq and _submits(line)]
    if not under:
        raise ExportRefused("A vote that was kept is not for a submission of this request.")
    before = read_submitted(under[-1], submitted.request)
    same = [_terms(one, name) for one in (before, submitted)]
    if same[0] != same[1] or before.turn != vote.facts.get("turn") or before.turn >= submitted.turn:
        raise ExportRefused("A vote that was kept was for other bytes, another policy or for another recipient.")
    after = [line for line in earlier if line.seq > under[-1].seq]
    if any(
        line.event == VOTE and line.facts.get("object") == name and line.facts.get("vote") != "yes" for line in after
    ):
        raise ExportRefused("A data steward voted against this file.")
    if any(line.event == STATE and line.facts.get("state") in {"REJECTED", "WITHDRAWN"} for line in after):
        raise ExportRefused("A vote that was kept is of a decision that went against the request.")


def _terms(one: Submitted, name: str) -> tuple[object, ...]:
    return one.recipient, one.requester, one.files.get(name), dict(one.policy)


def _submits(line: Line) -> bool:
    return line.event == STATE and line.facts.get("state") == SUBMITTED


def _check_drawn(vote: Line, lines: Sequence[Line], joined: Joined) -> None:
    if any(line.event == INTEREST and joined.are_same(line.actor, vote.actor) for line in lines):
        raise ExportRefused("A vote is of a data steward who declared an interest in this request.")
    turn = vote.facts.get("turn")
    drawn = {line.facts.get("steward") for line in lines if line.event == DRAWN and line.facts.get("turn") == turn}
    if drawn and vote.actor not in drawn:
        raise ExportRefused("A vote is of a data steward who was not drawn for this request.")


def check_running(lines: Sequence[Line], joined: Joined) -> None:
    """Raise while an emergency stop, of which `lines` tell, is in force; two different persons lift one."""
    for line in lines:
        if line.event == STOPPED:
            lifted = joined.persons(
                one.actor for one in lines if one.event == STOP_LIFTED and one.subject == line.subject
            )
            if len(lifted) < VOTES:
                raise ExportRefused("All releases are stopped; two stewards lift the stop.")


def _check_voter(line: Line, submitted: Submitted, voters: Mapping[str, Voter], joined: Joined) -> None:
    voter = voters.get(line.actor)
    if joined.are_same(line.actor, submitted.requester):
        raise ExportRefused("Nobody decides on a request of their own.")
    if voter is None or not voter.steward or voter.ever_researcher:
        raise ExportRefused("A vote is not of a data steward who is outside the project.")
    if not voter.trained:
        raise ExportRefused("A vote is of a data steward whose training has expired.")


def check_releasable(submitted: Submitted, wanted: Collection[str], objects: Collection[ObjectFacts]) -> None:
    """Raise unless each object is a clean copy of this project with the very bytes that were reviewed (O6)."""
    found = {one.object: one for one in objects}
    if not wanted or set(found) != set(wanted) or not set(wanted) <= set(submitted.files):
        raise ExportRefused("A file is not part of what was submitted.")
    for one in found.values():
        clean = one.purpose == Purpose.AIRLOCK and one.kind == Kind.REPACK and one.role == Role.OUTPUT
        if not clean or one.owner != submitted.project or one.project != submitted.project:
            raise ExportRefused("Only clean copies in the airlock of this project can leave.")
        if one.body_sha256 != submitted.files[one.object]:
            raise ExportRefused("A file is not the one that was reviewed.")


def check_admissible(submitted: Submitted, wanted: Collection[str], objects: Collection[ObjectFacts]) -> None:
    """Raise unless each object was brought into this project's quarantine, with the very bytes that were reviewed."""
    found = {one.object: one for one in objects}
    if not wanted or set(found) != set(wanted) or not set(wanted) <= set(submitted.files):
        raise ExportRefused("A file is not part of what was submitted.")
    if len({one.run for one in found.values()}) != 1:
        raise ExportRefused("A request brings in the files of one ingress.")
    for one in found.values():
        waits = one.purpose == Purpose.QUARANTINE and one.owner == one.run
        if one.kind != UPLOAD or one.role != Role.OUTPUT or one.run is None or one.project != submitted.project:
            raise ExportRefused("Only what was brought into the quarantine of this project is let in.")
        # An answer that was lost is asked for again: what was let in by it stands in its dataset.
        if not waits and one.purpose != Purpose.STORE:
            raise ExportRefused("Only what was brought into the quarantine of this project is let in.")
        if one.body_sha256 != submitted.files[one.object]:
            raise ExportRefused("A file is not the one that was reviewed.")

"""Decides whether what the log says is enough to release files (pure): a frozen recipient and two votes each."""

import base64
import itertools
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archive.facts import ObjectFacts
from archive.keys.purposes import Kind, Purpose, Role
from strongroom.canonical import canonical
from strongroom.errors import NotAllowed
from strongroom.merkle import leaf_hash

VOTES = 2
STATE, VOTE = "request.state", "vote.cast"
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


@dataclass(frozen=True)
class Submitted:
    """What was frozen when a request was submitted."""

    request: str
    requester: str
    project: str
    turn: int
    recipient: bytes
    files: Mapping[str, str]  # object -> SHA-256 of its body


@dataclass(frozen=True)
class Voter:
    """What the tables say of who voted."""

    steward: bool
    ever_researcher: bool


def read_line(seq: int, body: bytes, *, salt: bytes, leaf: str) -> Line:
    """Return an entry whose leaf covers exactly these bytes; raise `ExportRefused` for a changed one."""
    if len(salt) != 16 or leaf_hash(salt + body) != leaf:
        raise ExportRefused("An entry of the log was changed; nothing leaves until the log is whole.")
    try:
        said = json.loads(body)
        if canonical(said) != body or said["seq"] != seq:
            raise ExportRefused("An entry of the log was moved; nothing leaves until the log is whole.")
        return Line(leaf=leaf, **{name: said[name] for name in LINE_FIELDS})
    except (ValueError, KeyError, TypeError) as error:
        raise ExportRefused("An entry of the log cannot be read.") from error


def check_chain(lines: Sequence[Line], *, size: int, last: str) -> None:
    """Raise unless `lines` follow each other without a gap up to the log's head: no entry was left out."""
    for before, line in itertools.pairwise(lines):
        if line.seq != before.seq + 1 or line.prev != before.leaf:
            raise ExportRefused("An entry of the log was removed or moved; nothing leaves until the log is whole.")
    if not lines or lines[-1].seq != size - 1 or lines[-1].leaf != last:
        raise ExportRefused("The log does not end where its head says; nothing leaves until the log is whole.")


def read_submitted(line: Line, request: str) -> Submitted:
    """Return what was frozen by the entry that submitted `request`."""
    facts = line.facts
    if line.event != STATE or line.subject != request or facts.get("state") != SUBMITTED or line.project is None:
        raise ExportRefused("This entry of the log does not submit this request.")
    try:
        files = {str(one["object"]): str(one["body_sha256"]) for one in facts["files"]}
        recipient = base64.b64decode(facts["recipient"], validate=True)
        turn = int(facts["turn"])
    except (KeyError, TypeError, ValueError) as error:
        raise ExportRefused("The request was submitted without files or without a recipient.") from error
    if len(recipient) != 32 or not files:
        raise ExportRefused("The request was submitted without files or without a recipient.")
    return Submitted(request, line.actor, line.project, turn, recipient, files)


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
) -> None:
    """Raise unless two distinct stewards, neither the requester nor ever a researcher, said yes to these bytes.

    `named` are the votes that the airlock relies on; `later` all entries of the request since it was submitted, so
    that a no which was left out is found.
    """
    wanted = {"turn": submitted.turn, "object": name, "body_sha256": submitted.files.get(name), "vote": "yes"}
    known = {line.seq for line in later}
    for line in named:
        said = {key: line.facts.get(key) for key in wanted}
        if line.event != VOTE or line.subject != submitted.request or said != wanted or line.seq not in known:
            raise ExportRefused("A vote is not for this file of this request.")
        _check_voter(line, submitted, voters)
    if len(named) != VOTES or len({line.actor for line in named}) != VOTES:
        raise ExportRefused("Each file needs the votes of two different data stewards.")
    if any(
        line.event == VOTE and line.facts.get("object") == name and line.facts.get("vote") != "yes" for line in later
    ):
        raise ExportRefused("A data steward voted against this file.")


def _check_voter(line: Line, submitted: Submitted, voters: Mapping[str, Voter]) -> None:
    voter = voters.get(line.actor)
    if line.actor == submitted.requester:
        raise ExportRefused("Nobody decides on a request of their own.")
    if voter is None or not voter.steward or voter.ever_researcher:
        raise ExportRefused("A vote is not of a data steward who is outside the project.")


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

"""Gathers what the airlock's pages show beyond its API: whose turn, the worst finding, the place in the queue."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import comments, outward, rules, schemas
from airlock.checks.formats.table import MISSING
from airlock.intake_files import Verdict
from airlock.moves import asked, asker, cast, find, reviewed, votes_that_count
from airlock.output_schemas import Output
from airlock.release_requests import IN_REVIEW, OPEN_TO_VOTES, REASONS, Outcome, Reason, RequestState, Vote
from airlock.store import FileVote, IntakeFile, IntakeRun, ReleaseRequest, files_of, votes_of
from strongroom.database import now
from strongroom.projects import Role, projects_of

BINS_WIDE, BINS_HIGH = 600, 150
_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{0,30})?(?:[eE][+-]?\d{1,4})?")
_ORDER = {"pass": 0, "waiting": 1, "warn": 2, "needs_a_steward": 2, "block": 3}


class Turn(StrEnum):
    """Whose turn it is with a request in review."""

    YOURS = "yours"
    OTHERS = "others"


@dataclass(frozen=True)
class Waiting:
    """One request in a steward's queue."""

    line: schemas.RequestLine
    size: int
    worst: str
    turn: Turn
    task: str


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram, in the drawing's own units."""

    x: float
    y: float
    width: float
    height: float
    count: int
    share: str


@dataclass(frozen=True)
class Past:
    """How a file was voted on in a turn that is over."""

    turn: int
    path: str
    steward: str
    vote: str
    sentence: str


@dataclass(frozen=True)
class Standing:
    """What one person may do on a request's desk; the rules decide again when they do it."""

    may_look: bool  # at the files themselves: a steward who reviews this turn
    may_vote: bool
    may_comment: bool
    may_step_off: bool  # with an interest of their own
    may_lift: frozenset[str]  # files whose block this senior may lift
    told: bool  # the requester will read a comment of this turn
    asks_in_vain: bool  # all said yes and nothing is told, so changes cannot be asked for yet


@dataclass(frozen=True)
class Blocked:
    """A request with files whose block a senior may lift."""

    request: str
    project: str
    state: str
    files: list[str]
    changed: datetime


def leaving(files: Sequence[schemas.ShownFile]) -> list[schemas.ShownFile]:
    """Return the files that are voted on: none that went on by itself or that only helps to read the others."""
    return [file for file in files if not file.split_off and not file.supporting]


def queue(session: orm.Session, person: str) -> list[Waiting]:
    """Return what is in review in all projects of a steward; what waits for this steward first, then the oldest."""
    found = []
    for line in outward.queue_of(session, person).requests:
        row = find(session, line.id)
        shown = outward.request(session, row, person, secret=None)
        files = leaving(shown.files)
        excluded = person in asked(session, row).earlier_reviewers
        turn, task = whose_turn(RequestState(line.state), files, excluded=excluded)
        size = sum(file.size or 0 for file in files)
        found.append(Waiting(line, size, worst(files), turn, task))
    return sorted(found, key=lambda one: (one.turn is not Turn.YOURS, one.line.changed))


def blocked(session: orm.Session, person: str) -> list[Blocked]:
    """Return the requests with files whose block this person may lift as a senior, the oldest first."""
    states = [RequestState.BLOCKED.value, *(state.value for state in OPEN_TO_VOTES)]
    projects = projects_of(session, person, Role.SENIOR_STEWARD)
    rows = session.scalars(
        sa.select(ReleaseRequest)
        .where(ReleaseRequest.project.in_(projects), ReleaseRequest.state.in_(states))
        .order_by(ReleaseRequest.changed)
    )
    found = [(row, sorted(standing(session, row, person).may_lift)) for row in rows]
    return [Blocked(row.id, row.project, row.state, files, row.changed) for row, files in found if files]


def whose_turn(state: RequestState, files: Sequence[schemas.ShownFile], *, excluded: bool) -> tuple[Turn, str]:
    """Return whose turn it is, and with what; nothing of another steward's vote shows in it."""
    voted = bool(files) and all(file.my_vote is not None for file in files)
    if state in OPEN_TO_VOTES and not voted and not excluded:
        left = sum(file.my_vote is None for file in files)
        return Turn.YOURS, f"{left} of {len(files)} to vote on"
    if state is RequestState.CONSOLIDATING and voted:
        return Turn.YOURS, "a decision is due"
    if state is RequestState.CONSOLIDATING:
        return Turn.OTHERS, "its two stewards decide"
    return Turn.OTHERS, "two other stewards" if excluded else "the other steward"


def worst(files: Collection[schemas.ShownFile]) -> str:
    """Return the worst verdict of some files."""
    return max((file.verdict for file in files), key=lambda word: _ORDER.get(word, 3), default="pass")


def kept(files: Collection[schemas.ShownFile] | Collection[Output]) -> tuple[int, int]:
    """Return how many files kept the contract's promise as far as the findings shown tell, and of how many."""
    good = sum(not any(_breaks(finding) for finding in file.findings) for file in files)
    return good, len(files)


def ticked(files: Collection[Output]) -> set[str]:
    """Return the paths that a new request asks for at first: nothing blocked, and of a table its newest copy."""
    chosen: dict[str, str] = {}
    for file in sorted(files, key=lambda one: (one.fixed_from is not None, len(one.path), one.path)):
        if file.verdict != "block":
            chosen[file.fixed_from or file.path] = file.path
    return set(chosen.values())


def _breaks(finding: schemas.Finding) -> bool:
    return finding.about == "contract" or finding.code.startswith("contract-")


def outcomes(session: orm.Session, row: ReleaseRequest, person: str) -> list[Outcome]:
    """Return the decisions that the votes carry and that this steward may speak."""
    files = [reviewed(file) for file in files_of(session, row.id)]
    votes = cast(session, votes_that_count(session, row))
    who, what, told = (
        asker(session, person, row.project),
        asked(session, row),
        comments.tells_the_requester(session, row),
    )
    return [one for one in Outcome if rules.may_consolidate(who, what, one, files=files, cast=votes, told=told)]


def standing(session: orm.Session, row: ReleaseRequest, person: str) -> Standing:
    """Return what a steward or senior may do on this request's desk."""
    who, what = asker(session, person, row.project), asked(session, row)
    files = [reviewed(file) for file in files_of(session, row.id)]
    votes = cast(session, votes_that_count(session, row))
    looks = rules.may_review(who, what)
    told = comments.tells_the_requester(session, row)
    decides = RequestState(row.state) is RequestState.CONSOLIDATING
    return Standing(
        may_look=looks,
        may_vote=looks and what.state in OPEN_TO_VOTES and not who.is_one_of(*what.earlier_reviewers),
        may_comment=looks,
        may_step_off=who.steward and what.state in IN_REVIEW,
        may_lift=frozenset(file.file for file in files if rules.may_lift(who, what, file, votes)),
        told=told,
        asks_in_vain=looks and decides and not told and all(one.vote is Vote.YES for one in votes),
    )


def appeal_until(row: ReleaseRequest, *, days: int) -> datetime | None:
    """Return until when a rejection can be appealed; None where it cannot be, or not any more."""
    if row.state != RequestState.REJECTED.value or row.appealed_turn is not None:
        return None
    until = row.changed + timedelta(days=days)
    return until if now() <= until else None


def past_turns(session: orm.Session, row: ReleaseRequest) -> list[Past]:
    """Return the votes of turns that are over, newest turn first; for stewards."""
    paths = {file.file: file.path for file in files_of(session, row.id, with_split_off=True)}
    votes: list[FileVote] = [vote for turn in range(row.turn - 1, 0, -1) for vote in votes_of(session, row.id, turn)]
    return [
        Past(
            vote.turn,
            paths.get(vote.file, "a file that was left out since"),
            vote.steward,
            Vote(vote.vote).value,
            REASONS[Reason(vote.reason)] if vote.reason else "",
        )
        for vote in votes
    ]


def origins(session: orm.Session, row: ReleaseRequest) -> tuple[dict[str, str], list[str]]:
    """Return the workflow's rule that wrote each file, and the datasets that its run read; for stewards."""
    written = {
        file.file: session.get_one(IntakeFile, file.file).rule
        for file in files_of(session, row.id, with_split_off=True, with_supporting=True)
    }
    return written, list(session.get_one(IntakeRun, row.run).datasets)


def place_in_queue(session: orm.Session, row: ReleaseRequest) -> tuple[int, int] | None:
    """Return a request's place among those of its project that are in review, by when they were submitted."""
    if RequestState(row.state) not in IN_REVIEW or row.submitted_seq is None:
        return None
    waiting = sa.select(sa.func.count()).where(
        ReleaseRequest.project == row.project, ReleaseRequest.state.in_([state.value for state in IN_REVIEW])
    )
    before = session.scalar(waiting.where(ReleaseRequest.submitted_seq < row.submitted_seq)) or 0
    return before + 1, session.scalar(waiting) or 0


def marks(findings: Collection[schemas.Finding], member: int | None = None) -> dict[str, Mapping[object, str]]:
    """Return the severity of each cell, row and column of one part that a finding names; row 0 is the header."""
    cells: dict[object, str] = {}
    rows: dict[object, str] = {}
    columns: dict[object, str] = {}
    for finding in sorted(findings, key=lambda one: _ORDER.get(one.severity, 3)):
        if finding.place.get("member") != member:
            continue
        row, column = finding.place.get("row"), finding.place.get("column")
        if row is not None and column is not None:
            cells[f"{row}.{column}"] = finding.severity
        elif row is not None:
            rows[row] = finding.severity
        elif column is not None:
            columns[column] = finding.severity
    return {"cells": cells, "rows": rows, "columns": columns}


def bars(counts: Sequence[int]) -> list[Bar]:
    """Return a histogram as bars; what is there at all is at least a line high."""
    most, width = max(counts, default=0) or 1, BINS_WIDE / max(len(counts), 1)
    drawn = []
    for place, count in enumerate(counts):
        height = max(BINS_HIGH * count / most, 1.5) if count else 0.0
        share = f"{place / len(counts):.2f} to {(place + 1) / len(counts):.2f}"
        drawn.append(
            Bar(round(place * width + 1, 1), round(BINS_HIGH - height, 1), round(width - 2, 1), height, count, share)
        )
    return drawn


def numbers(rows: Iterable[Sequence[str]]) -> set[int]:
    """Return the columns, from 0, whose cells are all numbers, beside empty and missing ones."""
    cells = [set(column) - {"", MISSING} for column in zip(*rows, strict=False)]
    return {at for at, told in enumerate(cells) if told and all(map(_NUMBER.fullmatch, told))}


def likely_reason(findings: Collection[schemas.Finding]) -> Reason:
    """Return the reason that a steward most likely means, by what the checks found."""
    codes = {finding.code for finding in findings}
    if any(finding.severity == Verdict.BLOCK.value for finding in findings):
        return Reason.BLOCKED_BY_CHECKS
    if codes & {"small-count", "low-allele-count", "dominance"}:
        return Reason.SMALL_COUNTS
    if codes & {"row-level", "identifier", "genotypes", "sample-ids"}:
        return Reason.PERSON_LEVEL
    if codes & {"too-many-rows", "too-many-sites", "too-large"}:
        return Reason.TOO_MUCH
    return Reason.UNCLEAR


def share(part: float, most: float) -> float:
    """Return how long a bar is, in hundredths of the longest; what is there at all can be seen."""
    return round(max(100 * part / most, 1.0), 1) if part and most else 0.0

"""Computes the airlock's figures from its own record: flow, time, agreement, mistakes."""

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from airlock.release_requests import IN_REVIEW, RequestState
from airlock.store import Release, ReleasedFile, ReleaseRequest, RequestFile
from strongroom.audit import AuditEvent, Event
from strongroom.projects import PLATFORM, Role, projects_of, roles_of

S = RequestState
MOST_WEEKS = 26
_KINDS = (Event.REQUEST_STATE, Event.VOTE_CAST, Event.BLOCK_LIFTED)
ALL_PROJECTS = frozenset({Role.OPERATOR, Role.AUDITOR})
_ENDS = frozenset({S.RETURNED, S.REJECTED, S.APPROVED})


@dataclass(frozen=True)
class Moved:
    """One request's entry into a state."""

    request: str
    state: S
    turn: int
    time: datetime


@dataclass(frozen=True)
class Voted:
    """One vote on one file."""

    request: str
    turn: int
    file: str
    steward: str
    yes: bool


@dataclass(frozen=True)
class Checked:
    """One file of one request, with what the checks said."""

    request: str
    file: str
    verdict: str
    codes: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class Week:
    """What happened in one week, which begins on the Monday that is named."""

    week: str
    requests: int
    files: int
    bytes: int
    released: int


@dataclass(frozen=True)
class Spent:
    """Hours that requests spent."""

    times: int
    median_hours: float
    p90_hours: float


@dataclass(frozen=True)
class Figures:
    """How the airlock does."""

    weeks: tuple[Week, ...]
    states: Mapping[str, Spent]
    turnaround: Spent
    waiting: int
    decided: int
    first_pass_rate: float | None
    findings: Mapping[str, int]
    passed_and_refused: int
    lifted: int
    disagreement_rate: float | None
    revoked: int
    returned: int
    rejected: int
    withdrawn: int


def spent(hours: Sequence[float]) -> Spent:
    """Return how often, the median, and the 90th percentile (nearest rank)."""
    ordered = sorted(hours)
    if not ordered:
        return Spent(0, 0.0, 0.0)

    def rank(share: float) -> float:
        return round(ordered[max(0, ceil(share * len(ordered)) - 1)], 2)

    return Spent(len(ordered), rank(0.5), rank(0.9))


def time_in_states(moves: Iterable[Moved]) -> dict[S, list[float]]:
    """Return the hours that requests spent in each state that they have left."""
    found: dict[S, list[float]] = defaultdict(list)
    for steps in _by_request(moves).values():
        for before, after in itertools.pairwise(steps):
            found[before.state].append(_hours(after.time - before.time))
    return dict(found)


def turnarounds(moves: Iterable[Moved]) -> list[float]:
    """Return the hours from each submission to its decision: the stewards' time, none of the requester's."""
    found = []
    for steps in _by_request(moves).values():
        since: datetime | None = None
        for one in steps:
            if one.state is S.SUBMITTED:
                since = one.time
            elif one.state in _ENDS and since is not None:
                found.append(_hours(one.time - since))
                since = None
    return found


def first_pass_rate(moves: Iterable[Moved]) -> float | None:
    """Return which share of the requests that were decided was approved in its first turn."""
    first = {}
    for request, steps in _by_request(moves).items():
        ends = [one for one in steps if one.state in _ENDS]
        if ends:
            first[request] = ends[0].state is S.APPROVED and ends[0].turn == 1
    return _rate(sum(first.values()), len(first))


def disagreement_rate(votes: Iterable[Voted]) -> float | None:
    """Return on which share of the files that two or more stewards voted on they did not agree."""
    said: dict[tuple[str, int, str], dict[str, bool]] = defaultdict(dict)
    for one in votes:
        said[one.request, one.turn, one.file][one.steward] = one.yes
    both = [set(by.values()) for by in said.values() if len(by) >= 2]
    return _rate(sum(len(one) > 1 for one in both), len(both))


def compute(
    moves: Sequence[Moved],
    votes: Sequence[Voted],
    files: Sequence[Checked],
    *,
    lifted: int,
    released: Mapping[str, int],
) -> Figures:
    """Return all figures; `released` are the bytes that left by a request."""
    last = {request: steps[-1].state for request, steps in _by_request(moves).items()}
    entered = Counter(one.state for one in moves)
    refused = {(one.request, one.file) for one in votes if not one.yes}
    return Figures(
        weeks=_weeks(moves, files, released),
        states={state.value: spent(hours) for state, hours in sorted(time_in_states(moves).items())},
        turnaround=spent(turnarounds(moves)),
        waiting=sum(state in IN_REVIEW for state in last.values()),
        decided=sum(entered[state] for state in _ENDS),
        first_pass_rate=first_pass_rate(moves),
        findings=dict(sorted(Counter(code for one in files for code in set(one.codes)).items())),
        passed_and_refused=sum(one.verdict == "pass" and (one.request, one.file) in refused for one in files),
        lifted=lifted,
        disagreement_rate=disagreement_rate(votes),
        revoked=entered[S.REVOKED],
        returned=entered[S.RETURNED],
        rejected=entered[S.REJECTED],
        withdrawn=entered[S.WITHDRAWN],
    )


def figures_for(session: orm.Session, person: str) -> Figures:
    """Return the figures of a person's own projects; operators and auditors get those of all (T24).

    Who is a researcher of a project learns nothing of what checks find in it (T5).
    """
    if roles_of(session, person, PLATFORM) & ALL_PROJECTS:
        return read(session, None)
    own = {p for role in Role for p in projects_of(session, person, role)}
    told = own - set(projects_of(session, person, Role.RESEARCHER))
    found = read(session, own)
    if told == own:
        return found
    of_told = read(session, told)
    return replace(
        found, findings=of_told.findings, passed_and_refused=of_told.passed_and_refused, lifted=of_told.lifted
    )


def turnaround_in(session: orm.Session, project: str) -> Spent:
    """Return how long the stewards of a project take to decide."""
    events = sa.select(AuditEvent).where(AuditEvent.event == Event.REQUEST_STATE.value, AuditEvent.project == project)
    return spent(turnarounds(_moved(row) for row in session.scalars(events.order_by(AuditEvent.seq))))


def read(session: orm.Session, projects: Collection[str] | None) -> Figures:
    """Return the figures of these projects, or of all where None, from the log and the tables."""
    events = sa.select(AuditEvent).where(AuditEvent.event.in_([kind.value for kind in _KINDS]))
    files = sa.select(RequestFile).join(ReleaseRequest, ReleaseRequest.id == RequestFile.request)
    bytes_ = sa.select(Release.request, sa.func.sum(ReleasedFile.size)).join(
        ReleasedFile, ReleasedFile.request == Release.request
    )
    if projects is not None:
        wanted = sorted(projects)
        events = events.where(AuditEvent.project.in_(wanted))
        files = files.where(ReleaseRequest.project.in_(wanted))
        bytes_ = bytes_.where(Release.project.in_(wanted))
    moves, votes, lifted = [], [], 0
    for row in session.scalars(events.order_by(AuditEvent.seq)):
        facts: dict[str, Any] = json.loads(bytes(row.body))["facts"]
        match row.event:
            case Event.REQUEST_STATE.value:
                moves.append(_moved(row))
            case Event.VOTE_CAST.value:
                yes = facts["vote"] == "yes"
                votes.append(Voted(row.subject, int(facts["turn"]), str(facts["file"]), row.actor, yes))
            case _:
                lifted += 1
    checked = [
        Checked(f.request, f.file, f.verdict or "", tuple(str(one["code"]) for one in f.findings), f.size or 0)
        for f in session.scalars(files.where(RequestFile.supporting.is_(False)))
    ]
    left = {request: int(total or 0) for request, total in session.execute(bytes_.group_by(Release.request))}
    return compute(moves, votes, checked, lifted=lifted, released=left)


def place_of(session: orm.Session, row: ReleaseRequest) -> int | None:
    """Return a request's place among those of its project that wait for stewards, 1 is next; None if it waits not."""
    if RequestState(row.state) not in IN_REVIEW or row.submitted_seq is None:
        return None
    ahead = sa.select(sa.func.count()).where(
        ReleaseRequest.project == row.project,
        ReleaseRequest.state.in_([state.value for state in IN_REVIEW]),
        ReleaseRequest.submitted_seq < row.submitted_seq,
    )
    return 1 + int(session.scalar(ahead) or 0)


def _moved(row: AuditEvent) -> Moved:
    facts: dict[str, Any] = json.loads(bytes(row.body))["facts"]
    return Moved(row.subject, S(facts["state"]), int(facts["turn"]), row.time)


def _weeks(moves: Sequence[Moved], files: Sequence[Checked], released: Mapping[str, int]) -> tuple[Week, ...]:
    asked: dict[str, set[str]] = defaultdict(set)
    out: dict[str, set[str]] = defaultdict(set)
    for one in moves:
        if one.state is S.SUBMITTED:
            asked[_monday(one.time)].add(one.request)
        elif one.state is S.RELEASED:
            out[_monday(one.time)].add(one.request)
    count = Counter(one.request for one in files)
    weeks = sorted(set(asked) | set(out))[-MOST_WEEKS:]
    return tuple(
        Week(
            week,
            requests=len(asked[week]),
            files=sum(count[request] for request in asked[week]),
            bytes=sum(released.get(request, 0) for request in out[week]),
            released=len(out[week]),
        )
        for week in weeks
    )


def _by_request(moves: Iterable[Moved]) -> dict[str, list[Moved]]:
    found: dict[str, list[Moved]] = defaultdict(list)
    for one in moves:
        found[one.request].append(one)
    return found


def _monday(time: datetime) -> str:
    return (time - timedelta(days=time.weekday())).date().isoformat()


def _hours(span: timedelta) -> float:
    return span.total_seconds() / 3600


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None

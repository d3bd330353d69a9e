"""Draws two stewards for each turn of a request, and others for those who decline, sit idle or have an interest."""

import secrets
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import rules
from airlock.moves import SYSTEM, append, asked, asker, cast, move, reviewed, votes_that_count
from airlock.release_requests import IN_REVIEW, OPEN_TO_VOTES, OffReason, RequestState
from airlock.review_store import Draw, Interest, draws_of, interested
from airlock.store import ReleaseRequest, files_of
from strongroom import queue
from strongroom.audit import Entry, Event
from strongroom.database import joined_in, now, reading, transaction
from strongroom.errors import Conflict, NotAllowed, NotFound
from strongroom.persons import NOBODY, Joined
from strongroom.projects import Role, holders_of
from strongroom.queue import Context

REDRAW = "airlock.redraw"
S = RequestState


def choose(
    entitled: Collection[str], *, keep: Collection[str], wanted: int = rules.REVIEWERS, joined: Joined = NOBODY
) -> list[str]:
    """Return who is drawn beside those who stay: any person of the entitled, each as likely as the next (T28).

    Who is entitled under two identities is one person, drawn under one of them, and never beside themselves.
    """
    others = sorted({joined.person_of(name): name for name in sorted(_others(entitled, keep, joined))}.values())
    return secrets.SystemRandom().sample(others, min(len(others), max(0, wanted - len(keep))))


def draw(session: orm.Session, row: ReleaseRequest, *, keep: Sequence[str] = ()) -> list[Entry]:
    """Draw as many stewards as this turn lacks; return the audit entries. `keep` reviewed the turn before."""
    before = draws_of(session, row.id, row.turn)
    joined = joined_in(session)
    active = [one.steward for one in before if one.ended is None]
    entitled = _others(_entitled(session, row), [one.steward for one in before], joined)
    again = {joined.person_of(name): name for name in reversed(keep) if name in entitled}
    first = [name for name in keep if name in again.values()][: rules.REVIEWERS - len(active)]
    fresh = [*first, *choose(entitled, keep=[*active, *first], joined=joined)]
    session.add_all(
        Draw(id=uuid.uuid4().hex, request=row.id, turn=row.turn, steward=name, drawn=now()) for name in fresh
    )
    session.flush()
    return [_entry(row, name) for name in fresh]


def decline(session: orm.Session, row: ReleaseRequest, steward: str) -> None:
    """Take a steward off a request that they cannot review now; somebody else is drawn."""
    who, what = asker(session, steward, row.project), asked(session, row)
    rules.check_may_view(who, what)
    if what.state not in OPEN_TO_VOTES:
        raise Conflict("Both reviews are in: decide together, or declare an interest.")
    mine = _active(session, row, steward)
    drawn = [one.steward for one in draws_of(session, row.id, row.turn)]
    if mine is None or not _others(_entitled(session, row), drawn, joined_in(session)):
        raise Conflict("There is no other steward who could be drawn; ask for one to be named.")
    append(session, _end(row, mine, OffReason.DECLINED), *draw(session, row))


def declare_interest(session: orm.Session, row: ReleaseRequest, steward: str) -> None:
    """Take a steward with an interest off a request for good: their votes are void, somebody else is drawn (P8)."""
    who, what = asker(session, steward, row.project), asked(session, row)
    rules.check_steward(who, what)
    if what.state not in IN_REVIEW:
        raise Conflict("This request is not in review; revoke it if it must not leave.")
    session.add(Interest(request=row.id, steward=steward, time=now()))
    session.flush()
    entries = [Entry(Event.INTEREST_DECLARED, steward, row.id, row.project, {"turn": row.turn})]
    mine = _active(session, row, steward)
    if mine is not None:
        entries += [_end(row, mine, OffReason.CONFLICT), *draw(session, row)]
    votes = cast(session, votes_that_count(session, row))
    if row.state == S.CONSOLIDATING.value and not rules.is_reviewed(
        [reviewed(f) for f in files_of(session, row.id)], votes
    ):
        entries.append(move(row, S.FIRST_REVIEW, actor=steward))
    append(session, *entries)


@queue.sweep
def lacking(context: Context) -> Iterator[tuple[str, str]]:
    """Find requests in review that lack a steward, or one of whose stewards does nothing."""
    with reading(context.engine) as session:
        rows = session.scalars(
            sa.select(ReleaseRequest).where(ReleaseRequest.state.in_([s.value for s in IN_REVIEW]))
        ).all()
        found = [row.id for row in rows if _redrawable(session, row, days=context.settings.airlock.idle_days)]
    yield from ((REDRAW, identifier) for identifier in found)


@queue.job(REDRAW)
def redraw(context: Context, request: str) -> None:
    """Draw others for stewards who sat idle or are entitled no more."""
    with transaction(context.engine) as session:
        row = session.get(ReleaseRequest, request)
        if row is None or RequestState(row.state) not in IN_REVIEW:
            return
        ends = [
            _end(row, one, why) for one, why in _redrawable(session, row, days=context.settings.airlock.idle_days)
        ]
        entries = [*ends, *draw(session, row)]
        if entries:
            append(session, *entries)


def _redrawable(session: orm.Session, row: ReleaseRequest, *, days: int) -> list[tuple[Draw, OffReason]]:
    draws = draws_of(session, row.id, row.turn)
    if not draws:
        return []
    entitled = set(_entitled(session, row))
    joined = joined_in(session)
    spare = joined.persons(_others(entitled, [one.steward for one in draws], joined))
    done = rules.complete_reviewers(
        [reviewed(f) for f in files_of(session, row.id)], cast(session, votes_that_count(session, row))
    )
    active = [one for one in draws if one.ended is None]
    # Joined since: of two identities of one person the first that was drawn stays.
    first = {joined.person_of(one.steward): one.id for one in reversed(active)}.values()
    off = [(one, OffReason.NO_LONGER) for one in active if one.steward not in entitled or one.id not in first]
    late = now() - timedelta(days=days)
    waits = RequestState(row.state) in OPEN_TO_VOTES
    idle = [
        (one, OffReason.IDLE)
        for one in active
        if waits and one.id in first and one.steward in entitled - done and one.drawn <= late
    ]
    # Nobody is taken off for idleness unless somebody else can take over.
    return off + idle[: len(spare)]


def _others(names: Iterable[str], than: Iterable[str], joined: Joined) -> list[str]:
    """Return those of `names` who are no identity of a person of `than`."""
    taken = joined.persons(than)
    return [name for name in names if joined.person_of(name) not in taken]


def _entitled(session: orm.Session, row: ReleaseRequest) -> list[str]:
    what = asked(session, row)
    out = joined_in(session).spread(interested(session, row.id) | what.earlier_reviewers)
    return [
        name
        for name in holders_of(session, row.project, Role.STEWARD)
        if name not in out and _may(session, row, name)
    ]


def _may(session: orm.Session, row: ReleaseRequest, name: str) -> bool:
    try:
        who = asker(session, name, row.project)
        rules.check_steward(who, asked(session, row))
        rules.check_trained(who)
    except (NotAllowed, NotFound):
        return False
    return True


def _active(session: orm.Session, row: ReleaseRequest, steward: str) -> Draw | None:
    draws, joined = draws_of(session, row.id, row.turn), joined_in(session)
    return next((one for one in draws if joined.are_same(one.steward, steward) and one.ended is None), None)


def _end(row: ReleaseRequest, one: Draw, why: OffReason) -> Entry:
    one.ended, one.why = now(), why.value
    facts = {"turn": row.turn, "steward": one.steward, "why": why.value}
    return Entry(Event.STEWARD_OFF, SYSTEM, row.id, row.project, facts)


def _entry(row: ReleaseRequest, steward: str) -> Entry:
    return Entry(Event.STEWARD_DRAWN, SYSTEM, row.id, row.project, {"turn": row.turn, "steward": steward})

"""Empties the quarantine of what was brought in, some days after the last request for it has ended."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy import orm

from airlock import intake
from airlock.moves import SYSTEM, append
from airlock.release_requests import ENDED, RequestState
from airlock.store import IntakeFile, IntakeRun, ReleaseRequest, RequestFile
from archive import quarantine
from strongroom import queue
from strongroom.audit import Entry, Event
from strongroom.database import now, reading, transaction
from strongroom.errors import StrongroomError
from strongroom.queue import Context
from strongroom.settings import Settings

EMPTY = "airlock.empty"
S = RequestState
log = structlog.get_logger()

_ASKED = (
    sa.select(RequestFile.file)
    .join(ReleaseRequest, ReleaseRequest.id == RequestFile.request)
    .where(RequestFile.file == IntakeFile.id)
)
_LET_IN = _ASKED.where(
    ReleaseRequest.state == S.RELEASED.value, RequestFile.split_off.is_(False), RequestFile.supporting.is_(False)
).exists()
_OWN = IntakeFile.run == IntakeRun.run
# One whose files all came in goes on taking others for the same dataset: nothing of it waits.
_HOLDS = sa.or_(sa.exists().where(_OWN, ~_LET_IN), ~sa.exists().where(_OWN))


@queue.sweep
def over(context: Context) -> Iterator[tuple[str, str]]:
    """Find quarantines whose time is up, and those that were not emptied to the end."""
    late = now() - timedelta(days=context.settings.airlock.quarantine_days)
    asked_for = intake.is_asked_for(IntakeRun.run, since=late)
    with reading(context.engine) as session:
        rows = session.scalars(
            sa.select(IntakeRun)
            .where(IntakeRun.brought_into.is_not(None), IntakeRun.emptied.is_(None))
            .where(sa.or_(IntakeRun.closed.is_not(None), sa.and_(~asked_for, _HOLDS)))
        ).all()
        found = [row.run for row in rows if row.closed is not None or _is_over(session, row, context.settings)]
    yield from ((EMPTY, identifier) for identifier in found)


@queue.job(EMPTY)
def empty(context: Context, ingress: str) -> None:
    """Close a quarantine for good, destroy its key, remove its bodies; each part is safe to repeat.

    What two stewards let in is sealed to its dataset by now, and is not touched.
    """
    with transaction(context.engine) as session:
        # Nobody asks for its files between the decision and its commit: a draft takes the same lock.
        row = session.get(IntakeRun, ingress, with_for_update={"key_share": True})
        if row is None or row.brought_into is None or row.emptied is not None:
            return
        if row.closed is None:
            if not _is_over(session, row, context.settings):
                return
            row.closed = now()
            told = {"dataset": row.brought_into}
            closed = Entry(Event.INGRESS_CLOSED, SYSTEM, ingress, row.project, told)
            append(session, closed, *quarantine.forgo(session, row.brought_into, actor=SYSTEM))
    try:
        removed = quarantine.destroy(context.engine, context.settings, ingress)
    except StrongroomError as error:  # the next sweep goes on where this one stopped
        log.warning("ingress.not_emptied", ingress=ingress, detail=error.detail)
        return
    with transaction(context.engine) as session:
        row = session.get_one(IntakeRun, ingress, with_for_update={"key_share": True})
        if row.emptied is None:
            row.emptied = now()
            facts = {"dataset": row.brought_into, "objects": removed}
            append(session, Entry(Event.INGRESS_EMPTIED, SYSTEM, ingress, row.project, facts))
    log.info("ingress.emptied", ingress=ingress, objects=len(removed))


def _is_over(session: orm.Session, row: IntakeRun, settings: Settings) -> bool:
    """Say whether nothing of a quarantine waits for anybody, and has not for as many days as are set."""
    requests = session.scalars(sa.select(ReleaseRequest).where(ReleaseRequest.run == row.run)).all()
    if any(S(one.state) not in ENDED for one in requests):
        return False
    if session.scalar(sa.select(_HOLDS).where(IntakeRun.run == row.run)) is not True:
        return False
    end = max([row.created, *(_end(one, settings) for one in requests), *_never_asked(session, row, settings)])
    return end + timedelta(days=settings.airlock.quarantine_days) <= now()


def _end(row: ReleaseRequest, settings: Settings) -> datetime:
    """Return when a request ended: a rejected one once its requester cannot appeal any more (O10)."""
    appealable = row.state == S.REJECTED.value and row.appealed_turn is None
    return row.changed + timedelta(days=settings.airlock.appeal_days if appealable else 0)


def _never_asked(session: orm.Session, row: IntakeRun, settings: Settings) -> Sequence[datetime]:
    """Return when files that nobody asks for count as left lying, as an idle request would; as does an empty one."""
    files = session.scalars(sa.select(IntakeFile.created).where(IntakeFile.run == row.run, ~_ASKED.exists())).all()
    unused = session.scalar(sa.select(sa.exists().where(IntakeFile.run == row.run))) is not True
    patience = timedelta(days=settings.airlock.request_days)
    return [moment + patience for moment in (*files, *([row.created] if unused else ()))]

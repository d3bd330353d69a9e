"""Ends runs for good, some days after their end: their keys are destroyed and what they made is removed (T12)."""

from collections.abc import Iterator
from datetime import timedelta

import sqlalchemy as sa
import structlog

from airlock import intake
from archive import destruction
from strongroom import audit, queue
from strongroom.audit import Entry, Event
from strongroom.database import now, reading, transaction
from strongroom.errors import Conflict, StrongroomError
from strongroom.queue import Context
from strongroom.settings import Settings
from wes.store import Run, find

EMPTY = "wes.empty"
ACTOR = "wes.retention"
MOST_AT_ONCE = 16
log = structlog.get_logger()


def check_kept(run: Run) -> None:
    """Raise `Conflict` for a run whose files are gone, or go just now."""
    if run.closed is not None:
        raise Conflict("What this run made was removed when its time was up; submit it again to have it made anew.")


@queue.sweep
def over(context: Context) -> Iterator[tuple[str, str]]:
    """Find runs whose time is up and that nobody asks anything of, and those that were not emptied to the end."""
    with reading(context.engine) as session:
        rows = session.scalars(_due(context.settings).with_only_columns(Run.id).limit(MOST_AT_ONCE)).all()
    yield from ((EMPTY, run) for run in rows)


@queue.job(EMPTY)
def empty(context: Context, run_id: str) -> None:
    """Close a run for good, destroy its key, remove its bodies; each part is safe to repeat.

    What stewards took in or let out, and what became a dataset's, is sealed to other keys and stays.
    """
    with transaction(context.engine) as session:
        row = session.scalar(_due(context.settings).where(Run.id == run_id).with_for_update())
        if row is None:
            return
        row.closed = row.closed or now()  # from this commit on it is not resumed, and becomes no dataset
    try:
        removed = destruction.destroy_run(context.engine, context.settings, run_id)
    except StrongroomError as error:  # the next sweep goes on where this one stopped
        log.warning("run.not_emptied", run=run_id, detail=error.detail)
        return
    with transaction(context.engine) as session:
        row = find(session, run_id)
        if row is not None and row.emptied is None:
            row.emptied = now()
            audit.append(session, Entry(Event.RUN_EMPTIED, ACTOR, run_id, row.project, {"objects": len(removed)}))
    log.info("run.emptied", run=run_id, objects=len(removed))


def _due(settings: Settings) -> sa.Select[Run]:
    late = now() - timedelta(days=settings.wes.run_days)
    return (
        sa.select(Run)
        .where(Run.emptied.is_(None), Run.ended < late)
        .where(sa.or_(Run.closed.is_not(None), ~intake.is_asked_for(Run.id, since=late)))
        .order_by(Run.ended)
    )

"""Leads jobs that run at another site: created once there, and over when what was released there came home."""

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import orm

from archive import inbox
from strongroom import audit, identity, outside, queue
from strongroom.audit import Entry, Event
from strongroom.database import now, reading, transaction
from strongroom.errors import Conflict, NotAllowed, StrongroomError, Unavailable
from strongroom.networks import FederatedSite
from strongroom.queue import Context
from strongroom.settings import Settings
from strongroom.states import step
from wes.remote import ENDED, STEPS, RemoteRule, request_of
from wes.remote import RemoteState as S
from wes.store import RemoteJob, Run

ADVANCE = "wes.advance_remote"
MOST_AT_ONCE = 64
LONGEST_PAUSE = timedelta(minutes=5)
LEASE = timedelta(seconds=2 * outside.SITE_SECONDS)  # of one try, which asks once
ACTOR = "wes.remote"
OVER = [state.value for state in ENDED]
# The site's word on the left; its COMPLETE is not ours, for stewards there decide after it.
GONE = {
    "EXECUTOR_ERROR": S.EXECUTOR_ERROR,
    "SYSTEM_ERROR": S.SYSTEM_ERROR,
    "PREEMPTED": S.SYSTEM_ERROR,
    "CANCELED": S.CANCELED,
}
log = structlog.get_logger()


def site_of(settings: Settings, name: str) -> FederatedSite:
    """Return a site that is configured now."""
    found = next((one for one in settings.federation.sites if one.name == name), None)
    if found is None:
        raise NotAllowed("This workflow sends tasks to a site that is not configured here; ask the operator.")
    return found


def create(
    session: orm.Session, run: str, rule: str, remote: RemoteRule, *, key: str, name: str, settings: Settings
) -> str:
    """Record a job for another site with a ticket for each of its outputs; the same key is the same job."""
    known = session.scalar(sa.select(RemoteJob).where(RemoteJob.run == run, RemoteJob.key == key))
    if known is not None:
        return known.task
    site, task, moment = site_of(settings, remote.site), uuid.uuid4().hex, now()
    tickets = {
        path: inbox.open_ticket(
            session, dataset=site.inbox, name=f"{task}/{path}", site=site.name, seconds=settings.wes.run_seconds
        )
        for path in sorted(remote.outputs)
    }
    urls = {path: f"{settings.federation_url}{inbox.PATH}?ticket={word}" for path, word in tickets.items()}
    session.add(
        RemoteJob(
            task=task,
            run=run,
            key=key,
            rule=rule,
            site=site.name,
            request=request_of(remote, urls, name=name),
            tickets=tickets,
            theirs=None,
            state=S.QUEUED.value,
            canceled=False,
            outputs=[],
            trouble=None,
            next_try=moment,
            created=moment,
            ended=None,
        )
    )
    return task


def changes(session: orm.Session, run: str) -> list[dict[str, Any]]:
    """Return the jobs of a run at other sites as TES tells of its own tasks."""
    rows = session.scalars(sa.select(RemoteJob).where(RemoteJob.run == run).order_by(RemoteJob.created))
    return [
        {
            "id": row.task,
            "state": row.state,
            "exit_code": {"COMPLETE": 0, "EXECUTOR_ERROR": 1}.get(row.state),
            "outputs": row.outputs,
            "started": _seconds(row.created),
            "ended": _seconds(row.ended),
        }
        for row in rows
    ]


def cancel(session: orm.Session, *, run: str, task: str | None = None) -> int:
    """Have the jobs of a run (or one of them) canceled; return how many have not ended."""
    wanted = sa.select(RemoteJob).where(RemoteJob.run == run, RemoteJob.state.not_in(OVER))
    rows = session.scalars(wanted if task is None else wanted.where(RemoteJob.task == task)).all()
    for row in rows:
        if not row.canceled:
            row.canceled, row.next_try = True, now()
    return len(rows)


@queue.sweep
def due(context: Context) -> Iterator[tuple[str, str]]:
    """Find jobs at other sites that are to be asked after."""
    with reading(context.engine) as session:
        query = sa.select(RemoteJob.task).where(RemoteJob.state.not_in(OVER), RemoteJob.next_try <= now())
        waiting = session.scalars(query.limit(MOST_AT_ONCE)).all()
    yield from ((ADVANCE, task) for task in waiting)


@queue.job(ADVANCE)
def advance(context: Context, task: str) -> None:
    """Bring one job as far as it goes now; safe to repeat, for the site knows our key."""
    with transaction(context.engine) as session:
        row = session.get(RemoteJob, task)
        if row is None or row.state in OVER or row.next_try > now():
            return
        row.next_try = now() + LEASE
        if S(row.state) is S.QUEUED and not row.canceled:
            _moved(session, row, S.INITIALIZING)  # before the site is asked: its answer may be lost
        person = session.scalars(sa.select(Run.person).where(Run.id == row.run)).one()
    try:
        _step(context, row, person)
    except StrongroomError as error:
        log.warning("remote.failed", task=task, reason=error.sentence, detail=error.detail)
        _note(context, task, error)


def _step(context: Context, row: RemoteJob, person: str) -> None:
    settings = context.settings
    site = site_of(settings, row.site)
    token = identity.token_for_site(settings, person, site.audience)
    if row.canceled and S(row.state) is S.QUEUED:
        _move(context, row.task, S.CANCELED)
    elif row.theirs is None:
        # Also of what is canceled: the site may have heard us, and our key is all that we know it by.
        made = _ask(settings, site, "POST", "/tasks", token, row.request, {"Idempotency-Key": row.task})
        _move(context, row.task, S.INITIALIZING, theirs=str(made["id"])[:200])
    elif row.canceled:
        _ask(settings, site, "POST", f"/tasks/{row.theirs}:cancel", token)
        _move(context, row.task, S.CANCELED)
    else:
        told = str(_ask(settings, site, "GET", f"/tasks/{row.theirs}?view=MINIMAL", token).get("state"))
        _told(context, row, told)


def _told(context: Context, row: RemoteJob, told: str) -> None:
    if told in GONE:
        _move(context, row.task, GONE[told])
    elif told == "RUNNING":
        _move(context, row.task, S.RUNNING)
    elif told == "COMPLETE":
        with reading(context.engine) as session:
            came = {path: inbox.received(session, word) for path, word in row.tickets.items()}
        outputs = [
            {"path": f"/run/work/{path}", "object": one.object, "size": one.size}
            for path, one in came.items()
            if one is not None
        ]
        whole = len(outputs) == len(row.tickets)
        _move(context, row.task, S.COMPLETE if whole else S.RUNNING, outputs=outputs if whole else [])
    else:
        _move(context, row.task, S(row.state))


def _ask(
    settings: Settings,
    site: FederatedSite,
    method: str,
    path: str,
    token: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    place = outside.parse_place(f"{site.url}{path}", "federation.sites.url")
    address = outside.resolved(place, unsafe=settings.federation.unsafe_hosts)
    status, said = outside.ask_json(method, place, address, token=token, body=body, headers=headers)
    if status >= 500 or status in (401, 429):
        raise Unavailable("The other site does not take this now.", detail=f"{status}")
    if status >= 400:
        sentence = said.get("msg") if isinstance(said, dict) else None
        raise Conflict("The other site refused the task.", detail=f"{status}: {str(sentence)[:200]}")
    if not isinstance(said, dict):
        raise Unavailable("The other site's answer cannot be read.")
    return said


def _move(
    context: Context, task: str, to: S, *, theirs: str | None = None, outputs: list[dict[str, Any]] | None = None
) -> None:
    with transaction(context.engine) as session:
        row = session.get_one(RemoteJob, task)
        if row.state in OVER:
            return
        row.trouble, row.theirs, row.outputs = None, theirs or row.theirs, outputs or row.outputs
        pause = 0 if row.canceled else context.settings.federation.site_seconds
        row.next_try = now() + timedelta(seconds=pause)
        _moved(session, row, to)


def _moved(session: orm.Session, row: RemoteJob, to: S) -> None:
    before = S(row.state)
    if to is before:
        return
    row.state = step(STEPS, before, to).value
    if to in ENDED:
        row.ended = now()
        for word in row.tickets.values():
            inbox.close_ticket(session, word)
    project = session.scalars(sa.select(Run.project).where(Run.id == row.run)).one()
    facts = {"run": row.run, "site": row.site, "from": before.value, "to": to.value, "theirs": row.theirs}
    audit.append(session, Entry(Event.RUN_REMOTE, ACTOR, row.task, project, facts))


def _note(context: Context, task: str, error: StrongroomError) -> None:
    with transaction(context.engine) as session:
        row = session.get_one(RemoteJob, task)
        if row.state in OVER:
            return
        row.trouble = error.sentence[:300]
        row.next_try = now() + min(max((now() - row.created) / 10, timedelta(seconds=1)), LONGEST_PAUSE)
        # What is refused is refused for good, unless it only has to be taken back.
        if not isinstance(error, Unavailable):
            _moved(session, row, S.CANCELED if row.canceled else S.SYSTEM_ERROR)


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None

"""Tells people that something waits for them: kept with the change that they tell of, sent after it, retried."""

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy import orm

from strongroom import mailing, queue
from strongroom.contacts import address_of
from strongroom.database import Base, UtcTime, now, reading, transaction
from strongroom.queue import Context
from strongroom.settings import Settings

SEND = "strongroom.notice"
LEASE = timedelta(minutes=2)
LONGEST_PAUSE = timedelta(hours=1)
OLDEST = timedelta(days=7)
MOST_AT_ONCE = 32
log = structlog.get_logger()


class Kind(StrEnum):
    """What a notice is about."""

    REVIEW_WAITS = "review-waits"
    DECISION_WAITS = "decision-waits"
    REQUEST_READY = "request-ready"
    REQUEST_BLOCKED = "request-blocked"
    REQUEST_RETURNED = "request-returned"
    REQUEST_REJECTED = "request-rejected"
    REQUEST_RELEASED = "request-released"
    REQUEST_LET_IN = "request-let-in"
    REQUEST_ENDED = "request-ended"
    KEY_REGISTERED = "key-registered"
    CONTACT_CHANGED = "contact-changed"


SENTENCES: Final[dict[Kind, str]] = {
    Kind.REVIEW_WAITS: "A release request waits for your review.",
    Kind.DECISION_WAITS: "Both reviews of a release request are in; decide together.",
    Kind.REQUEST_READY: "Your release request came through its scan; submit it when you are ready.",
    Kind.REQUEST_BLOCKED: "Your release request did not come through its scan; see why, and what helps.",
    Kind.REQUEST_RETURNED: "The stewards ask for changes to your release request.",
    Kind.REQUEST_REJECTED: "Your release request was rejected; you may appeal once.",
    Kind.REQUEST_RELEASED: "Your files were released; the links end some day, so fetch them soon.",
    Kind.REQUEST_LET_IN: "What you brought in was let in; runs of its project may use it.",
    Kind.REQUEST_ENDED: "A release of yours has expired or was called back.",
    Kind.KEY_REGISTERED: "A new key was registered in your name; if it was not you, tell an operator at once.",
    Kind.CONTACT_CHANGED: "Your notices go to another address now; if it was not you, tell an operator at once.",
}
# T20: these go to every address of the last days, so that who changes it does not hide what comes next.
TO_ALL_ADDRESSES: Final = frozenset({Kind.KEY_REGISTERED, Kind.CONTACT_CHANGED})


class Way(StrEnum):
    """How a notice goes out."""

    MAIL = "mail"
    WEBHOOK = "webhook"


class Notice(Base):
    """One notice on its way: an id, a kind and whom it is for; never a name of a file, project or data set."""

    __tablename__ = "notices"
    __table_args__ = (
        sa.Index("ix_notices_sent_next", "sent", "next_try"),
        sa.Index("ix_notices_person_kind", "person", "kind"),
    )

    id: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    kind: orm.Mapped[str] = orm.mapped_column(sa.String(40))
    person: orm.Mapped[str | None] = orm.mapped_column(sa.String(200))
    # Where it goes, as of the change that it tells of: no later one takes it away (T20). Once it was sent, only an
    # address that was left is kept.
    address: orm.Mapped[str | None] = orm.mapped_column(sa.String(254))
    way: orm.Mapped[str] = orm.mapped_column(sa.String(40))
    request: orm.Mapped[str] = orm.mapped_column(sa.String(200))  # or the fingerprint of a key
    attempts: orm.Mapped[int]
    next_try: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    lease: orm.Mapped[str | None] = orm.mapped_column(sa.String(32))
    sent: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    given_up: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)


@dataclass(frozen=True)
class Told:
    """One leased notice: what is sent, and where."""

    id: str
    lease: str
    way: Way
    kind: Kind
    subject: str
    address: str


def note(session: orm.Session, kind: Kind, *, about: str, people: Iterator[str] | list[str] | set[str]) -> None:
    """Keep notices in the caller's transaction: one mail a person and address, and one call of the webhook."""
    moment = now()
    ways: list[tuple[Way, str | None, str | None]] = [
        (Way.MAIL, name, address)
        for name in sorted(set(people))
        for address in _addresses(session, name, everywhere=kind in TO_ALL_ADDRESSES)
    ]
    session.add_all(
        Notice(
            id=uuid.uuid4().hex,
            kind=kind.value,
            person=person,
            address=address,
            way=way.value,
            request=about,
            attempts=0,
            next_try=moment,
            created=moment,
        )
        for way, person, address in [*ways, (Way.WEBHOOK, None, None)]
    )


def changes_of_address(session: orm.Session, person: str, *, since: datetime) -> int:
    """Return how often a person's address was changed since then."""
    query = sa.select(sa.func.count(Notice.created.distinct())).where(*_told_of_change(person, since=since))
    return int(session.scalar(query) or 0)


def _addresses(session: orm.Session, person: str, *, everywhere: bool) -> list[str]:
    found = {address_of(session, person)}
    if everywhere:
        left = sa.select(Notice.address).where(*_told_of_change(person, since=now() - OLDEST))
        found.update(address or "" for address in session.scalars(left))
    return sorted(found - {""}) or [""]


def _told_of_change(person: str, *, since: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return Notice.person == person, Notice.kind == Kind.CONTACT_CHANGED.value, Notice.created > since


@queue.sweep
def waiting(context: Context) -> Iterator[tuple[str, str]]:
    """Find notices that were not sent; where nothing is configured, none is looked for."""
    ways = _ways(context.settings)
    if not ways:
        return
    with reading(context.engine) as session:
        found = session.scalars(
            sa.select(Notice.id)
            .where(
                Notice.sent.is_(None),
                Notice.given_up.is_(None),
                Notice.next_try <= now(),
                Notice.way.in_([way.value for way in ways]),
            )
            .order_by(Notice.next_try)
            .limit(MOST_AT_ONCE)
        ).all()
    yield from ((SEND, identifier) for identifier in found)


@queue.job(SEND)
def send(context: Context, notice: str) -> None:
    """Send one notice: at least once, with its own id, by which whoever gets it twice knows it."""
    told = _lease(context, notice)
    if told is None:
        return
    try:
        _send(context.settings, told)
    except (OSError, ValueError, mailing.NotSent) as error:
        log.warning("notice.failed", notice=notice, way=told.way.value, detail=type(error).__name__)
        _put_back(context, told)
        return
    with transaction(context.engine) as session:
        row = session.get_one(Notice, notice)
        if row.lease == told.lease:
            row.sent, row.lease = now(), None
            if Kind(row.kind) is not Kind.CONTACT_CHANGED:
                row.address = None


def message_of(settings: Settings, kind: Kind, subject: str) -> str:
    """Return what a notice says: one sentence, and a link to where more can be read after signing in."""
    base = settings.notices.site_url.rstrip("/") or settings.base_url
    place = "" if kind in TO_ALL_ADDRESSES else f"requests/{subject}"
    return f"{SENTENCES[kind]}\n\n{base}/{place}\n"


def _lease(context: Context, notice: str) -> Told | None:
    with transaction(context.engine) as session:
        row = session.get(Notice, notice)
        if row is None or row.sent is not None or row.given_up is not None or row.next_try > now():
            return None
        address = row.address or ""
        way = Way(row.way)
        if row.created <= now() - OLDEST or (way is Way.MAIL and not address):
            row.given_up = now()
            return None
        row.lease, row.next_try = uuid.uuid4().hex, now() + LEASE
        return Told(row.id, row.lease, way, Kind(row.kind), row.request, address)


def _put_back(context: Context, told: Told) -> None:
    with transaction(context.engine) as session:
        row = session.get_one(Notice, told.id)
        if row.lease == told.lease:
            row.lease, row.attempts = None, row.attempts + 1
            row.next_try = now() + min(timedelta(seconds=2 ** min(row.attempts, 12)), LONGEST_PAUSE)


def _send(settings: Settings, told: Told) -> None:
    if told.way is Way.MAIL:
        subject = f"Strongroom: {told.kind.value.replace('-', ' ')}"
        text = message_of(settings, told.kind, told.subject)
        mailing.send_mail(settings.notices, notice=told.id, to=told.address, subject=subject, body=text)
        return
    said = {"notice": told.id, "kind": told.kind.value, "about": told.subject}
    body = json.dumps(said | {"text": message_of(settings, told.kind, told.subject)}).encode()
    mailing.call_webhook(settings.notices, body=body, signature=_signature(settings, body))


def _signature(settings: Settings, body: bytes) -> str:
    file = settings.notices.webhook_secret_file
    if file is None:
        return ""
    return hmac.new(file.read_bytes().strip(), body, hashlib.sha256).hexdigest()


def _ways(settings: Settings) -> list[Way]:
    mail = [Way.MAIL] if settings.notices.smtp_host else []
    return [*mail, *([Way.WEBHOOK] if settings.notices.webhook_url else [])]

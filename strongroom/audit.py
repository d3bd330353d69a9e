"""What happened: an append-only, salted Merkle log (RFC 9162), written in the caller's transaction."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.canonical import canonical
from strongroom.database import Base, Json, UtcTime, now
from strongroom.merkle import EMPTY_ROOT, Peaks, append_leaf, leaf_hash, root_of

NOTHING_BEFORE = "0" * 64


class Event(StrEnum):
    """Every kind of event that the log may hold; docs/audit.md says what each means."""

    PROJECT_CREATED = "project.created"
    POLICY_PROPOSED = "policy.proposed"
    POLICY_SIGNED = "policy.signed"
    FLOORS_PROPOSED = "floors.proposed"
    FLOORS_SIGNED = "floors.signed"
    MEMBERSHIP_PROPOSED = "membership.proposed"
    MEMBERSHIP_GRANTED = "membership.granted"
    MEMBERSHIP_ENDED = "membership.ended"
    TOKEN_MINTED = "token.minted"  # noqa: S105
    SESSION_BEGUN = "session.begun"
    SESSION_ENDED = "session.ended"
    CONTACT_CHANGED = "contact.changed"
    KEY_REGISTERED = "key.registered"
    VETTER_TRUSTED = "vetter.trusted"
    DATASET_CREATED = "dataset.created"
    DATASET_DERIVED = "dataset.derived"
    DATASET_DELETED = "dataset.deleted"
    DATASET_SHARED = "dataset.shared"
    QUERIES_ALLOWED = "queries.allowed"
    OBJECT_REGISTERED = "object.registered"
    NODE_ADMITTED = "node.admitted"
    NODE_DISMISSED = "node.dismissed"
    IMAGE_IMPORTED = "image.imported"
    WORKFLOW_VETTED = "workflow.vetted"
    WORKFLOW_SIGNED = "workflow.signed"
    WORKFLOW_REVOKED = "workflow.revoked"
    RUN_SUBMITTED = "run.submitted"
    RUN_REFUSED = "run.refused"
    RUN_RESUMED = "run.resumed"
    RUN_CANCEL_ASKED = "run.cancel_asked"
    RUN_STATE = "run.state"
    RUN_REMOTE = "run.remote"
    RUN_TASK_REFUSED = "run.task_refused"
    RUN_ENGINE_RELAUNCHED = "run.engine_relaunched"
    RUN_FREE_COMMAND = "run.free_command"
    RUN_GLIMPSE_REFUSED = "run.glimpse_refused"
    RUN_DATA_DEPENDENT = "run.data_dependent"
    RUN_CLEAR_READ = "run.clear_read"
    RUN_FILES_REMOVED = "run.files_removed"
    RUN_EMPTIED = "run.emptied"
    DECISION_RECORDED = "decision.recorded"
    DECISION_CLOSED = "decision.closed"
    TASK_CREATED = "task.created"
    TASK_STATE = "task.state"
    ATTEMPT_STARTED = "attempt.started"
    ATTEMPT_ENDED = "attempt.ended"
    CLAIM_REFUSED = "claim.refused"
    ORDER_ISSUED = "order.issued"
    KEYS_GRANTED = "keys.granted"
    KEYS_CLEARED = "keys.cleared"
    KEYS_REFUSED = "keys.refused"
    KEYS_EXPORTED = "keys.exported"
    KEY_DESTROYED = "key.destroyed"
    INGRESS_OPENED = "ingress.opened"
    INGRESS_BROUGHT = "ingress.brought"
    INGRESS_ADMITTED = "ingress.admitted"
    INGRESS_CLOSED = "ingress.closed"
    INGRESS_EMPTIED = "ingress.emptied"
    INTAKE_TAKEN = "intake.taken"
    INTAKE_LEFT = "intake.left_inside"
    COPY_FIXED = "copy.fixed"
    FILE_CHECKED = "file.checked"
    FILE_VIEWED = "file.viewed"
    REQUEST_STATE = "request.state"
    REQUEST_REFUSED = "request.refused"
    VOTE_CAST = "vote.cast"
    STEWARD_DRAWN = "steward.drawn"
    STEWARD_OFF = "steward.off"
    INTEREST_DECLARED = "interest.declared"
    COMMENT_MADE = "comment.made"
    COMMENT_CONFIRMED = "comment.confirmed"
    BLOCK_LIFTED = "block.lifted"
    RELEASES_STOPPED = "releases.stopped"
    STOP_LIFTED = "stop.lifted"
    CERTIFICATE_RECORDED = "certificate.recorded"
    RELEASE_MADE = "release.made"
    RELEASE_DOWNLOADED = "release.downloaded"
    RELEASE_DELIVERED = "release.delivered"
    DELIVERY_REFUSED = "delivery.refused"
    CRATE_EXPORTED = "crate.exported"
    TASK_FEDERATED = "task.federated"
    TASK_REFUSED = "task.refused"
    LOG_HEAD_SIGNED = "log.head_signed"


class AuditEvent(Base):
    """One line that cannot be taken back; `body` holds the exact bytes that the leaf covers."""

    __tablename__ = "audit_events"
    __table_args__ = (sa.Index("ix_audit_events_project_event", "project", "event"),)

    seq: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    time: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    event: orm.Mapped[str] = orm.mapped_column(sa.String(64), index=True)
    actor: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    project: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))
    subject: orm.Mapped[str] = orm.mapped_column(sa.String(200), index=True)
    body: orm.Mapped[bytes]
    salt: orm.Mapped[bytes]
    leaf: orm.Mapped[str] = orm.mapped_column(sa.String(64))


class AuditHead(Base):
    """The log's one head: how many leaves, the peaks that the next leaf needs, and the root."""

    __tablename__ = "audit_head"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    size: orm.Mapped[int]
    peaks: orm.Mapped[Peaks] = orm.mapped_column(Json)
    root: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    last: orm.Mapped[str] = orm.mapped_column(sa.String(64))


class SignedHead(Base):
    """A head that the signer put its name to."""

    __tablename__ = "audit_signed_heads"

    size: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    envelope: orm.Mapped[dict[str, Any]] = orm.mapped_column(Json)


@dataclass(frozen=True)
class Entry:
    """What a caller says happened; `facts` hold ids, digests and states, never data values or secrets."""

    event: Event
    actor: str
    subject: str
    project: str | None = None
    facts: dict[str, Any] | None = None


_HEAD_ROW, _EVENT_ROWS = (Base.metadata.tables[name] for name in ("audit_head", "audit_events"))
# Plain statements, made once: every hop of every task comes by here, and the ORM would cost it twice as much.
_READ_HEAD = sa.select(_HEAD_ROW.c.size, _HEAD_ROW.c.peaks, _HEAD_ROW.c.last).where(_HEAD_ROW.c.id == 1)
_FIRST_HEAD = sa.insert(_HEAD_ROW).values(id=1)
_MOVE_HEAD = sa.update(_HEAD_ROW).where(_HEAD_ROW.c.id == 1)
_ADD_EVENTS = sa.insert(_EVENT_ROWS)


def append(session: orm.Session, *entries: Entry) -> None:
    """Add `entries` to the log in the caller's transaction; call it last, just before the commit."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.text("SELECT pg_advisory_xact_lock(742160001)"))
    session.flush()
    connection = session.connection()
    before = connection.execute(_READ_HEAD).one_or_none()
    seq, peaks, last = (before.size, before.peaks, before.last) if before else (0, [], NOTHING_BEFORE)
    rows = []
    for entry in entries:
        time, salt = now(), secrets.token_bytes(16)
        body = canonical(_facts(entry, seq=seq, time=time, prev=last))
        leaf = leaf_hash(salt + body)
        peaks = append_leaf(peaks, leaf)
        row = {"event": entry.event.value, "actor": entry.actor, "project": entry.project, "subject": entry.subject}
        rows.append({**row, "seq": seq, "time": time, "body": body, "salt": salt, "leaf": leaf})
        last, seq = leaf, seq + 1
    if rows:
        connection.execute(_ADD_EVENTS, rows)
        moved = {"size": seq, "peaks": peaks, "last": last, "root": root_of(peaks)}
        connection.execute(_MOVE_HEAD if before else _FIRST_HEAD, moved)


def _facts(entry: Entry, *, seq: int, time: datetime, prev: str) -> dict[str, Any]:
    return {
        "seq": seq,
        "time": time.isoformat(),
        "event": entry.event.value,
        "actor": entry.actor,
        "project": entry.project,
        "subject": entry.subject,
        "facts": entry.facts or {},
        "prev": prev,
    }


def head(session: orm.Session) -> tuple[int, str]:
    """Return the log's size and root (hex)."""
    row = session.execute(sa.select(AuditHead.size, AuditHead.root).where(AuditHead.id == 1)).one_or_none()
    return (row.size, row.root) if row else (0, EMPTY_ROOT)


def events(session: orm.Session, *, start: int = 0) -> Iterator[AuditEvent]:
    """Yield the events from `start` on, in order."""
    yield from session.scalars(
        sa.select(AuditEvent).where(AuditEvent.seq >= start).order_by(AuditEvent.seq).execution_options(yield_per=500)
    )

"""Remembers datasets, sealed objects, keys, decisions and what was spent."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from archive.facts import GrantFacts, ObjectFacts
from strongroom.database import Base, Json, UtcTime


class Dataset(Base):
    """Encrypted files that projects may use; a derived one has a home project and ancestors (T21)."""

    __tablename__ = "datasets"

    id: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    title: orm.Mapped[str] = orm.mapped_column(sa.String(300))
    observability: orm.Mapped[str] = orm.mapped_column(sa.String(10))
    sensitivity: orm.Mapped[str] = orm.mapped_column(sa.String(10))
    min_population: orm.Mapped[int | None]  # fewest persons that what leaves is about; None: the platform's k
    project: orm.Mapped[str | None] = orm.mapped_column(sa.String(64), index=True)
    ancestors: orm.Mapped[list[str]] = orm.mapped_column(Json)
    derived_from_run: orm.Mapped[str | None] = orm.mapped_column(sa.String(32))
    ingress: orm.Mapped[str | None] = orm.mapped_column(sa.String(32), unique=True)  # that brings its files in
    created_by: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    deleted_at: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    policy_version: orm.Mapped[int]


class DatasetProject(Base):
    """That a project may use a dataset, from the day it was shared on: ended, never deleted."""

    __tablename__ = "dataset_projects"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    dataset: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("datasets.id"), index=True)
    project: orm.Mapped[str] = orm.mapped_column(sa.String(64), index=True)
    shared_by: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    since: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    until: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    policy_version: orm.Mapped[int]


class DatasetFile(Base):
    """The name of a file in a dataset."""

    __tablename__ = "dataset_files"

    dataset: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("datasets.id"), primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(300), primary_key=True)
    object: orm.Mapped[str] = orm.mapped_column(sa.String(32), unique=True)


class Query(Base):
    """One run that asked about persons of a dataset (T6); never changed but for its outcome, never deleted."""

    __tablename__ = "dataset_queries"
    __table_args__ = (
        sa.UniqueConstraint("run", "dataset"),
        sa.Index("ix_dataset_queries_dataset_population", "dataset", "population"),
        sa.Index("ix_dataset_queries_dataset_size", "dataset", "size"),
        sa.Index("ix_dataset_queries_dataset_project_asked", "dataset", "project", "asked"),
    )

    number: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    run: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    dataset: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("datasets.id"))
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    project: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    workflow: orm.Mapped[str] = orm.mapped_column(sa.String(150))
    parameters: orm.Mapped[dict[str, Any]] = orm.mapped_column(Json)
    population: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    size: orm.Mapped[int]
    members: orm.Mapped[list[str]] = orm.mapped_column(Json)
    near: orm.Mapped[bool]
    leaves: orm.Mapped[bool]
    outcome: orm.Mapped[str | None] = orm.mapped_column(sa.String(20))
    asked: orm.Mapped[datetime] = orm.mapped_column(UtcTime)


class QueryAllowance(Base):
    """That a member of the DAC let a project ask more of a dataset, for a day."""

    __tablename__ = "query_allowances"
    __table_args__ = (sa.Index("ix_query_allowances_dataset_project_since", "dataset", "project", "since"),)

    number: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    dataset: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("datasets.id"))
    project: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    queries: orm.Mapped[int]
    allowed_by: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    since: orm.Mapped[datetime] = orm.mapped_column(UtcTime)


class Upload(Base):
    """A sealed body that came in and waits for its header; forgotten after a day."""

    __tablename__ = "uploads"

    object: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    dataset: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("datasets.id"))
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    body_length: orm.Mapped[int] = orm.mapped_column(sa.BigInteger)
    body_sha256: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime, index=True)


class InboxTicket(Base):
    """A right to put one file into a dataset, for another site; spent when `object` stands."""

    __tablename__ = "inbox_tickets"

    ticket_sha256: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    dataset: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("datasets.id"))
    name: orm.Mapped[str] = orm.mapped_column(sa.String(300))
    site: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    expires: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    object: orm.Mapped[str | None] = orm.mapped_column(sa.String(32))


class StoredObject(Base):
    """One sealed object; the row is a hint, the broker's signature over its facts decides (T11)."""

    __tablename__ = "stored_objects"

    id: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    purpose: orm.Mapped[str] = orm.mapped_column(sa.String(16))
    owner: orm.Mapped[str] = orm.mapped_column(sa.String(64), index=True)
    project: orm.Mapped[str | None] = orm.mapped_column(sa.String(64), index=True)
    run: orm.Mapped[str | None] = orm.mapped_column(sa.String(32), index=True)  # also its decision
    attempt: orm.Mapped[str | None] = orm.mapped_column(sa.String(32), index=True)
    kind: orm.Mapped[str] = orm.mapped_column(sa.String(10))
    role: orm.Mapped[str] = orm.mapped_column(sa.String(10))
    persons: orm.Mapped[list[str]] = orm.mapped_column(Json)
    ancestors: orm.Mapped[list[str]] = orm.mapped_column(Json)
    version: orm.Mapped[int]
    size: orm.Mapped[int] = orm.mapped_column(sa.BigInteger)
    plaintext_hmac: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    sealed_sha256: orm.Mapped[bytes | None]
    body_length: orm.Mapped[int] = orm.mapped_column(sa.BigInteger)
    body_sha256: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    segments: orm.Mapped[int]
    key_version: orm.Mapped[int]
    header: orm.Mapped[bytes | None]
    header_sha256: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    policy_version: orm.Mapped[int]
    clear: orm.Mapped[str] = orm.mapped_column(sa.String(300), default="")  # see ObjectFacts
    signature: orm.Mapped[bytes]
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)

    def facts(self) -> ObjectFacts:
        """Return what the signature must cover."""
        return ObjectFacts(
            object=self.id,
            purpose=self.purpose,
            owner=self.owner,
            project=self.project,
            run=self.run,
            attempt=self.attempt,
            kind=self.kind,
            role=self.role,
            persons=tuple(self.persons),
            ancestors=tuple(self.ancestors),
            version=self.version,
            size=self.size,
            plaintext_hmac=self.plaintext_hmac,
            body_length=self.body_length,
            body_sha256=self.body_sha256,
            segments=self.segments,
            key_version=self.key_version,
            header_sha256=self.header_sha256,
            policy_version=self.policy_version,
            clear=self.clear or "",
        )


class UsedDataKey(Base):
    """The keyed mark of a data key that was seen: none ever covers two objects (T12)."""

    __tablename__ = "used_data_keys"

    mark: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    object: orm.Mapped[str] = orm.mapped_column(sa.String(32))


class Key(Base):
    """One version of a key, sealed by the KEK; a destroyed key keeps its row and loses its secret."""

    __tablename__ = "keys"
    __table_args__ = (sa.UniqueConstraint("purpose", "owner", "version"),)

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    purpose: orm.Mapped[str] = orm.mapped_column(sa.String(16))
    owner: orm.Mapped[str] = orm.mapped_column(sa.String(80))
    version: orm.Mapped[int]
    public: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))  # for people; the broker derives its own
    sealed: orm.Mapped[bytes | None]
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    destroyed_at: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)


class DecisionRecord(Base):
    """What wes decided for a run (decision 12); closed at its end, at a cancel and at a revocation."""

    __tablename__ = "decisions"

    run: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    project: orm.Mapped[str] = orm.mapped_column(sa.String(64), index=True)
    workflow: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    version: orm.Mapped[str] = orm.mapped_column(sa.String(40))
    workflow_digest: orm.Mapped[str] = orm.mapped_column(sa.String(80))
    envelope: orm.Mapped[dict[str, Any]] = orm.mapped_column(Json)
    images: orm.Mapped[dict[str, str]] = orm.mapped_column(Json)
    datasets: orm.Mapped[list[str]] = orm.mapped_column(Json)
    policy_version: orm.Mapped[int]
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    expires: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    closed_at: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    closed_as: orm.Mapped[str | None] = orm.mapped_column(sa.String(20))
    follows_data: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)  # since when its run's plan follows data
    quiet: orm.Mapped[bool] = orm.mapped_column(default=False)  # about few persons: no task of it is shown (T6)


class Claim(Base):
    """That an attempt was claimed; the primary key is what makes a second claim impossible (T1)."""

    __tablename__ = "claims"

    attempt: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    kind: orm.Mapped[str] = orm.mapped_column(sa.String(10))
    decision: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    project: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    spec_sha256: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    public_key: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    jti: orm.Mapped[str] = orm.mapped_column(sa.String(32), unique=True)
    claimed: orm.Mapped[datetime] = orm.mapped_column(UtcTime)


class SpentOrder(Base):
    """A work order that was redeemed."""

    __tablename__ = "spent_orders"

    jti: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    attempt: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    spent: orm.Mapped[datetime] = orm.mapped_column(UtcTime)


class Grant(Base):
    """That keys were given to an attempt, and what it may register; signed by the broker as objects are."""

    __tablename__ = "grants"

    attempt: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    kind: orm.Mapped[str] = orm.mapped_column(sa.String(10))
    decision: orm.Mapped[str] = orm.mapped_column(sa.String(32), index=True)
    project: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    persons: orm.Mapped[list[str]] = orm.mapped_column(Json)
    ancestors: orm.Mapped[list[str]] = orm.mapped_column(Json)
    recipient_purpose: orm.Mapped[str] = orm.mapped_column(sa.String(16))
    recipient_owner: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    key_version: orm.Mapped[int]
    signing_key: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    policy_version: orm.Mapped[int]
    expires: orm.Mapped[int] = orm.mapped_column(sa.BigInteger)
    signature: orm.Mapped[bytes]
    granted: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    registered_digest: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))

    def facts(self) -> GrantFacts:
        """Return what the signature must cover."""
        return GrantFacts(
            attempt=self.attempt,
            kind=self.kind,
            decision=self.decision,
            project=self.project,
            person=self.person,
            persons=tuple(self.persons),
            ancestors=tuple(self.ancestors),
            recipient_purpose=self.recipient_purpose,
            recipient_owner=self.recipient_owner,
            key_version=self.key_version,
            signing_key=self.signing_key,
            policy_version=self.policy_version,
            expires=self.expires,
        )

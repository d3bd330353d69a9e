"""Remembers what intake took, who asks for it, how stewards voted and what left."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.database import Base, Json, UtcTime, index_where

Id = sa.String(32)
Digest = sa.String(64)
Name = sa.String(64)
PersonId = sa.String(200)
RunPath = sa.String(500)  # relative to /run/work


class IntakeRun(Base):
    """One COMPLETE run that was offered; what its contract does not release is a number here and nothing more."""

    __tablename__ = "airlock_runs"
    __table_args__ = (index_where("brought_into IS NOT NULL AND emptied IS NULL", "ix_airlock_runs_to_empty", "run"),)

    run: orm.Mapped[str] = orm.mapped_column(Id, primary_key=True)  # also its decision
    project: orm.Mapped[str] = orm.mapped_column(Name, index=True)
    person: orm.Mapped[str] = orm.mapped_column(PersonId)
    workflow: orm.Mapped[str] = orm.mapped_column(
        sa.String(100), default=""
    )  # name without version; of old runs none
    coarse: orm.Mapped[bool]
    datasets: orm.Mapped[list[str]] = orm.mapped_column(Json)
    lineage: orm.Mapped[list[str]] = orm.mapped_column(Json)  # with all that they come from, without nobody's data
    contract_version: orm.Mapped[int]
    policy_version: orm.Mapped[int]
    left_inside: orm.Mapped[int]
    # An ingress is kept as a run is: the dataset that its files come into, once they are approved.
    brought_into: orm.Mapped[str | None] = orm.mapped_column(Name)
    closed: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)  # an ingress: nothing of it may be asked for
    emptied: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)  # and its key and bodies are gone
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)


class IntakeFile(Base):
    """One output that the contract releases, on its way to a clean copy and a verdict."""

    __tablename__ = "airlock_files"
    __table_args__ = (
        sa.UniqueConstraint("run", "path"),
        sa.Index("ix_airlock_files_state_next", "state", "next_try"),
    )

    id: orm.Mapped[str] = orm.mapped_column(Id, primary_key=True)
    run: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("airlock_runs.run"))
    project: orm.Mapped[str] = orm.mapped_column(Name)
    person: orm.Mapped[str] = orm.mapped_column(PersonId)
    path: orm.Mapped[str] = orm.mapped_column(RunPath)
    rule: orm.Mapped[str] = orm.mapped_column(sa.String(100))  # the engine's rule that wrote it last (T16)
    task: orm.Mapped[str] = orm.mapped_column(Id)
    source: orm.Mapped[str] = orm.mapped_column(Id)  # sealed to the run's key
    # A fixed copy names the output that it is made of, and what is done to it; its promise is that of the copy.
    fixed_from: orm.Mapped[str | None] = orm.mapped_column(Id)
    fixes: orm.Mapped[list[dict[str, Any]]] = orm.mapped_column(Json, default=list)
    promise: orm.Mapped[dict[str, Any]] = orm.mapped_column(Json)
    contract_version: orm.Mapped[int]
    policy: orm.Mapped[dict[str, Any]] = orm.mapped_column(Json)
    policy_version: orm.Mapped[int]
    state: orm.Mapped[str] = orm.mapped_column(sa.String(20))
    clean: orm.Mapped[str | None] = orm.mapped_column(Id)  # our own copy, sealed to the airlock's key
    body_sha256: orm.Mapped[str | None] = orm.mapped_column(Digest)
    size: orm.Mapped[int | None] = orm.mapped_column(sa.BigInteger)
    verdict: orm.Mapped[str | None] = orm.mapped_column(sa.String(8))
    findings: orm.Mapped[list[dict[str, Any]]] = orm.mapped_column(Json)
    attempts: orm.Mapped[int]
    next_try: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    lease: orm.Mapped[str | None] = orm.mapped_column(Id)
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    settled: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)

    @property
    def is_about_persons(self) -> bool:
        """Whether a rule's task wrote it: what an engine printed leaves only if it saw nothing of data (ADR 0053)."""
        return bool(self.rule)


class ReleaseRequest(Base):
    """A researcher's wish to take clean copies of one run away."""

    __tablename__ = "release_requests"
    __table_args__ = (sa.Index("ix_release_requests_run_state", "run", "state"),)

    id: orm.Mapped[str] = orm.mapped_column(Id, primary_key=True)
    parent: orm.Mapped[str | None] = orm.mapped_column(Id)  # the request that these files were split off from
    run: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("airlock_runs.run"))  # also its decision
    project: orm.Mapped[str] = orm.mapped_column(Name, index=True)
    requester: orm.Mapped[str] = orm.mapped_column(PersonId, index=True)
    purpose: orm.Mapped[str] = orm.mapped_column(sa.Text)
    state: orm.Mapped[str] = orm.mapped_column(sa.String(20), index=True)
    turn: orm.Mapped[int]
    appealed_turn: orm.Mapped[int | None]
    coarse: orm.Mapped[bool]
    contract_version: orm.Mapped[int]
    policy_version: orm.Mapped[int]
    recipient: orm.Mapped[str | None] = orm.mapped_column(sa.String(64))  # X25519, base64; frozen at SUBMITTED (T20)
    recipient_fingerprint: orm.Mapped[str | None] = orm.mapped_column(Digest)
    submitted_seq: orm.Mapped[int | None]  # of the audit event that froze files and recipient
    attempts: orm.Mapped[int]
    next_try: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    trouble: orm.Mapped[str | None] = orm.mapped_column(sa.String(300))
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    changed: orm.Mapped[datetime] = orm.mapped_column(UtcTime)


class RequestFile(Base):
    """One file of a request, with digest, verdict and findings as they were when it was scanned (O4)."""

    __tablename__ = "release_request_files"

    request: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("release_requests.id"), primary_key=True)
    file: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("airlock_files.id"), primary_key=True, index=True)
    path: orm.Mapped[str] = orm.mapped_column(RunPath)
    object: orm.Mapped[str | None] = orm.mapped_column(Id)
    body_sha256: orm.Mapped[str | None] = orm.mapped_column(Digest)
    size: orm.Mapped[int | None] = orm.mapped_column(sa.BigInteger)
    verdict: orm.Mapped[str | None] = orm.mapped_column(sa.String(8))
    findings: orm.Mapped[list[dict[str, Any]]] = orm.mapped_column(Json)
    policy_version: orm.Mapped[int]
    # True when the refused file went on in a request of its own: it is no part of what this one releases.
    split_off: orm.Mapped[bool]
    # True when it is shown to stewards only, so that they understand the others: it never leaves.
    supporting: orm.Mapped[bool] = orm.mapped_column(default=False)
    group: orm.Mapped[str | None] = orm.mapped_column(Name)
    lifted_by: orm.Mapped[str | None] = orm.mapped_column(PersonId)


class FileVote(Base):
    """One steward's word on one file in one turn; never changed, never deleted."""

    __tablename__ = "release_votes"

    request: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("release_requests.id"), primary_key=True)
    turn: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    file: orm.Mapped[str] = orm.mapped_column(Id, primary_key=True)
    steward: orm.Mapped[str] = orm.mapped_column(PersonId, primary_key=True)
    vote: orm.Mapped[str] = orm.mapped_column(sa.String(3))
    reason: orm.Mapped[str | None] = orm.mapped_column(sa.String(40))
    body_sha256: orm.Mapped[str | None] = orm.mapped_column(Digest)
    audit_seq: orm.Mapped[int]
    time: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    under: orm.Mapped[int | None]  # the submission (its number in the log) that this vote was first given on
    kept_from: orm.Mapped[int | None]  # the earlier turn whose vote on the same bytes goes on counting


class Release(Base):
    """What left by one request: to whom, until when, and whether it was called back."""

    __tablename__ = "releases"

    request: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("release_requests.id"), primary_key=True)
    project: orm.Mapped[str] = orm.mapped_column(Name, index=True)
    requester: orm.Mapped[str] = orm.mapped_column(PersonId)
    recipient_fingerprint: orm.Mapped[str] = orm.mapped_column(Digest)
    policy_version: orm.Mapped[int]
    released: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    expires: orm.Mapped[datetime] = orm.mapped_column(UtcTime, index=True)
    revoked: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    revoked_by: orm.Mapped[str | None] = orm.mapped_column(PersonId)
    record: orm.Mapped[dict[str, Any] | None] = orm.mapped_column(Json)  # A9; its digest stands in the log


class ReleasedFile(Base):
    """One released file: its header for the requester's key, the one record of a plain digest (T8), its downloads."""

    __tablename__ = "released_files"

    request: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("releases.request"), primary_key=True)
    file: orm.Mapped[str] = orm.mapped_column(Id, primary_key=True, index=True)
    path: orm.Mapped[str] = orm.mapped_column(RunPath)
    object: orm.Mapped[str] = orm.mapped_column(Id)
    header: orm.Mapped[bytes]
    sha256: orm.Mapped[str] = orm.mapped_column(Digest)
    body_sha256: orm.Mapped[str] = orm.mapped_column(Digest)
    body_length: orm.Mapped[int] = orm.mapped_column(sa.BigInteger)
    size: orm.Mapped[int] = orm.mapped_column(sa.BigInteger)
    downloads: orm.Mapped[int]
    last_download: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)


class Delivery(Base):
    """Where one file of a request goes once it is released; fixed from the create of its task on (T29)."""

    __tablename__ = "deliveries"
    __table_args__ = (
        sa.UniqueConstraint("request", "file"),
        sa.Index("ix_deliveries_state_next", "state", "next_try"),
        sa.Index("ix_deliveries_request_state", "request", "state"),
    )

    id: orm.Mapped[str] = orm.mapped_column(Id, primary_key=True)
    request: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("release_requests.id"))
    file: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("airlock_files.id"))
    client: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    url: orm.Mapped[str] = orm.mapped_column(sa.Text)
    url_sha256: orm.Mapped[str] = orm.mapped_column(Digest)
    state: orm.Mapped[str] = orm.mapped_column(sa.String(20))
    attempts: orm.Mapped[int]
    next_try: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    lease: orm.Mapped[str | None] = orm.mapped_column(Id)
    trouble: orm.Mapped[str | None] = orm.mapped_column(sa.String(300))
    delivered: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)


def files_of_run(session: orm.Session, run: str) -> list[IntakeFile]:
    """Return what intake took of a run, by path."""
    return list(session.scalars(sa.select(IntakeFile).where(IntakeFile.run == run).order_by(IntakeFile.path)))


def files_of(
    session: orm.Session, request: str, *, with_split_off: bool = False, with_supporting: bool = False
) -> list[RequestFile]:
    """Return the files of a request that may leave, by path; split-off and supporting ones only when asked."""
    query = sa.select(RequestFile).where(RequestFile.request == request).order_by(RequestFile.path)
    if not with_split_off:
        query = query.where(RequestFile.split_off.is_(False))
    if not with_supporting:
        query = query.where(RequestFile.supporting.is_(False))
    return list(session.scalars(query))


def votes_of(session: orm.Session, request: str, turn: int) -> list[FileVote]:
    """Return the votes of one turn, oldest first."""
    return list(
        session.scalars(
            sa.select(FileVote).where(FileVote.request == request, FileVote.turn == turn).order_by(FileVote.audit_seq)
        )
    )


def released_files(session: orm.Session, request: str) -> list[ReleasedFile]:
    """Return what a release holds, by path."""
    return list(
        session.scalars(sa.select(ReleasedFile).where(ReleasedFile.request == request).order_by(ReleasedFile.path))
    )


def deliveries_of(session: orm.Session, request: str) -> dict[str, Delivery]:
    """Return where the files of a request go, by file."""
    return {row.file: row for row in session.scalars(sa.select(Delivery).where(Delivery.request == request))}

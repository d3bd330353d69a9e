"""Remembers what belongs to a review beside the votes: draws, conflicts, words, groups, lifts, stops."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm

from airlock.store import Digest, Id, Name, PersonId
from strongroom.database import Base, UtcTime

Code = sa.String(40)
_REQUEST = "release_requests.id"


class Draw(Base):
    """One steward who was drawn to review one turn of a request (T28)."""

    __tablename__ = "review_draws"

    id: orm.Mapped[str] = orm.mapped_column(Id, primary_key=True)
    request: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey(_REQUEST), index=True)
    turn: orm.Mapped[int]
    steward: orm.Mapped[str] = orm.mapped_column(PersonId)
    drawn: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    ended: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    why: orm.Mapped[str | None] = orm.mapped_column(Code)


class Interest(Base):
    """A steward's word that they have an interest of their own in a request; it is never taken back (P8)."""

    __tablename__ = "review_interests"

    request: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey(_REQUEST), primary_key=True)
    steward: orm.Mapped[str] = orm.mapped_column(PersonId, primary_key=True)
    time: orm.Mapped[datetime] = orm.mapped_column(UtcTime)


class Comment(Base):
    """Words about a request: for stewards alone, or for its requester."""

    __tablename__ = "review_comments"

    id: orm.Mapped[str] = orm.mapped_column(Id, primary_key=True)
    request: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey(_REQUEST), index=True)
    turn: orm.Mapped[int]
    file: orm.Mapped[str | None] = orm.mapped_column(Id)
    author: orm.Mapped[str] = orm.mapped_column(PersonId)
    audience: orm.Mapped[str] = orm.mapped_column(Code)
    remark: orm.Mapped[str | None] = orm.mapped_column(Code)
    text: orm.Mapped[str | None] = orm.mapped_column(sa.Text)
    confirmed_by: orm.Mapped[str | None] = orm.mapped_column(PersonId)
    time: orm.Mapped[datetime] = orm.mapped_column(UtcTime)


class FileGroup(Base):
    """Files of a request that are read together: what they are, and what was done so that they tell of nobody."""

    __tablename__ = "request_groups"

    request: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey(_REQUEST), primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(Name, primary_key=True)
    context: orm.Mapped[str] = orm.mapped_column(sa.Text)
    controls: orm.Mapped[str] = orm.mapped_column(sa.Text)


class Lift(Base):
    """A block that a senior lifted: one line of the register (O5)."""

    __tablename__ = "block_lifts"

    id: orm.Mapped[str] = orm.mapped_column(Id, primary_key=True)
    request: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey(_REQUEST), index=True)
    project: orm.Mapped[str] = orm.mapped_column(Name, index=True)
    turn: orm.Mapped[int]
    file: orm.Mapped[str] = orm.mapped_column(Id)
    body_sha256: orm.Mapped[str] = orm.mapped_column(Digest)
    codes: orm.Mapped[str] = orm.mapped_column(sa.Text)  # of the findings that blocked, with spaces between
    senior: orm.Mapped[str] = orm.mapped_column(PersonId)
    reason: orm.Mapped[str] = orm.mapped_column(Code)
    note: orm.Mapped[str] = orm.mapped_column(sa.Text)
    time: orm.Mapped[datetime] = orm.mapped_column(UtcTime)


class Stop(Base):
    """An emergency stop: while one is in force nothing leaves; two persons lift it together."""

    __tablename__ = "release_stops"

    id: orm.Mapped[str] = orm.mapped_column(Id, primary_key=True)
    reason: orm.Mapped[str] = orm.mapped_column(Code)
    stopped_by: orm.Mapped[str] = orm.mapped_column(PersonId)
    stopped: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    first_lift_by: orm.Mapped[str | None] = orm.mapped_column(PersonId)
    lifted_by: orm.Mapped[str | None] = orm.mapped_column(PersonId)
    lifted: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)


def draws_of(session: orm.Session, request: str, turn: int) -> list[Draw]:
    """Return who was drawn in a turn, those who are off again too, oldest first."""
    return list(
        session.scalars(sa.select(Draw).where(Draw.request == request, Draw.turn == turn).order_by(Draw.drawn))
    )


def interested(session: orm.Session, request: str) -> frozenset[str]:
    """Return the stewards who declared an interest in a request."""
    return frozenset(session.scalars(sa.select(Interest.steward).where(Interest.request == request)))


def comments_of(session: orm.Session, request: str) -> list[Comment]:
    """Return the comments on a request, oldest first."""
    return list(session.scalars(sa.select(Comment).where(Comment.request == request).order_by(Comment.time)))


def groups_of(session: orm.Session, request: str) -> list[FileGroup]:
    """Return the file groups of a request, by name."""
    return list(session.scalars(sa.select(FileGroup).where(FileGroup.request == request).order_by(FileGroup.name)))


def stops_in_force(session: orm.Session) -> list[Stop]:
    """Return the emergency stops that hold now."""
    return list(session.scalars(sa.select(Stop).where(Stop.lifted.is_(None)).order_by(Stop.stopped)))

"""Projects and memberships: what the rules of every room ask; only `access` writes them (decision 7)."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.database import Base, UtcTime, now
from strongroom.errors import NotAllowed, NotFound


class Role(StrEnum):
    """What a person is in a project; steward and member of one project exclude each other (P4)."""

    RESEARCHER = "researcher"
    STEWARD = "steward"
    VETTER = "vetter"
    DAC_MEMBER = "dac_member"
    OPERATOR = "operator"
    AUDITOR = "auditor"


PLATFORM = "*"  # the project of roles that are not held in one project: vetters, operators, auditors
PLATFORM_ROLES = frozenset({Role.VETTER, Role.OPERATOR, Role.AUDITOR, Role.DAC_MEMBER})


class Project(Base):
    """An approved purpose with people, datasets and an end."""

    __tablename__ = "projects"

    id: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    title: orm.Mapped[str] = orm.mapped_column(sa.String(300))
    min_count: orm.Mapped[int]
    policy_version: orm.Mapped[int]
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    ends: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)


class Membership(Base):
    """One person's role in one project, from the day it was granted on: it is never deleted, only ended."""

    __tablename__ = "memberships"
    __table_args__ = (sa.UniqueConstraint("project", "person", "role"),)

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    project: orm.Mapped[str] = orm.mapped_column(sa.String(64), index=True)
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200), index=True)
    role: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    since: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    until: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)


def open_project(session: orm.Session, project: str) -> Project:
    """Return a project that is in force; unknown and ended ones are refused alike."""
    row = session.get(Project, project)
    if row is None or (row.ends is not None and row.ends <= now()):
        raise NotFound("There is no open project of this name.")
    return row


def roles_of(session: orm.Session, person: str, project: str) -> frozenset[Role]:
    """Return the roles that a person holds now in a project, or on the platform."""
    rows = session.scalars(
        sa.select(Membership).where(
            Membership.person == person,
            Membership.project.in_([project, PLATFORM]),
            sa.or_(Membership.until.is_(None), Membership.until > now()),
        )
    )
    return frozenset(Role(row.role) for row in rows)


def projects_of(session: orm.Session, person: str, role: Role) -> list[str]:
    """Return the ids of the projects in which a person holds `role` now."""
    return list(
        session.scalars(
            sa.select(Membership.project).where(
                Membership.person == person,
                Membership.role == role.value,
                sa.or_(Membership.until.is_(None), Membership.until > now()),
            )
        )
    )


def was_ever_researcher(session: orm.Session, person: str, project: str) -> bool:
    """Say whether a person has been a researcher of a project at any time: such a one is no steward of it (T28)."""
    return (
        session.scalar(
            sa.select(Membership.id).where(
                Membership.person == person,
                Membership.project == project,
                Membership.role == Role.RESEARCHER.value,
            )
        )
        is not None
    )


def check_role(session: orm.Session, person: str, *, project: str, role: Role) -> None:
    """Raise `NotAllowed` unless the person holds `role` in `project` now."""
    if role not in roles_of(session, person, project):
        raise NotAllowed(f"You need to be a {role.value.replace('_', ' ')} of this project.")

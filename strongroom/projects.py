"""Projects and memberships: what the rules of every room ask; only `access` writes them (decision 7)."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.database import Base, UtcTime, joined_in, now, plainly
from strongroom.errors import NotAllowed, NotFound
from strongroom.signed import SignedThresholds, newest_signed


class Role(StrEnum):
    """What a person is in a project; steward and member of one project exclude each other (P4)."""

    RESEARCHER = "researcher"
    STEWARD = "steward"
    VETTER = "vetter"
    DAC_MEMBER = "dac_member"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    SENIOR_STEWARD = "senior_steward"


PLATFORM = "*"  # the project of roles that are not held in one project: vetters, operators, auditors
PLATFORM_ROLES = frozenset({Role.VETTER, Role.OPERATOR, Role.AUDITOR, Role.DAC_MEMBER, Role.SENIOR_STEWARD})

POLICY_ROLES = frozenset({Role.DAC_MEMBER, Role.SENIOR_STEWARD})  # who proposes and signs a project's policy
FLOOR_ROLES = frozenset({Role.DAC_MEMBER})  # who proposes and signs the floors of a dataset


class Project(Base):
    """An approved purpose with people, datasets and an end."""

    __tablename__ = "projects"

    id: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    title: orm.Mapped[str] = orm.mapped_column(sa.String(300))
    min_count: orm.Mapped[int]
    policy_version: orm.Mapped[int]
    created: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    ends: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)
    # True: who has no certificate is refused; else only one that was recorded and has run out refuses.
    needs_training: orm.Mapped[bool] = orm.mapped_column(default=False)


class ProjectPolicy(SignedThresholds, Base):
    """One version of all thresholds of a project."""

    __tablename__ = "project_policies"

    project: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("projects.id"), primary_key=True)


class Training(StrEnum):
    """What a certificate says that a person has learned; stewards need one of their own (P2)."""

    RESEARCHER = "researcher"
    STEWARD = "steward"


class Certificate(Base):
    """A person's training, from when to when, by whom, and the digest of the paper (P9)."""

    __tablename__ = "certificates"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200), index=True)
    training: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    issuer: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    sha256: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    since: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    until: orm.Mapped[datetime] = orm.mapped_column(UtcTime)


class Membership(Base):
    """One person's role in one project, from the moment it counts: it is never deleted, only ended.

    One that was ended before it counted ends before it begins: it gave no right, and excludes as any other.
    """

    __tablename__ = "memberships"
    __table_args__ = (sa.UniqueConstraint("project", "person", "role"),)

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    project: orm.Mapped[str] = orm.mapped_column(sa.String(64), index=True)
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200), index=True)
    role: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    since: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    until: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)


class RoleProposal(Base):
    """A role that one operator would grant: it is granted once a second one says the same (T28)."""

    __tablename__ = "role_proposals"

    project: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200), primary_key=True)
    role: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    proposed_by: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    proposed: orm.Mapped[datetime] = orm.mapped_column(UtcTime)


def counting_at(moment: sa.ColumnElement[datetime] | datetime) -> sa.ColumnElement[bool]:
    """Return the condition on memberships that count at `moment`: begun, and not ended."""
    ends = sa.or_(Membership.until.is_(None), Membership.until > moment)
    return sa.and_(Membership.since <= moment, ends)


# Of statements that are made once: who asks, for which project, and when.
_PROJECT_ASKED: sa.BindParameter[str] = sa.bindparam("project")
_MOMENT: sa.BindParameter[datetime] = sa.bindparam("moment", type_=UtcTime)
IN_FORCE = sa.and_(Project.id == _PROJECT_ASKED, sa.or_(Project.ends.is_(None), Project.ends > _MOMENT))
HELD = sa.and_(
    Membership.person == sa.bindparam("person"),
    sa.or_(Membership.project == _PROJECT_ASKED, Membership.project == PLATFORM),
    counting_at(_MOMENT),
)
_PROJECT = sa.select(Project).where(IN_FORCE)
_ROLES = sa.select(Membership.role).where(HELD)
_POLICIES = (
    sa.select(ProjectPolicy)
    .where(ProjectPolicy.project == sa.bindparam("project"))
    .order_by(ProjectPolicy.version.desc())
)


def open_project(session: orm.Session, project: str) -> Project:
    """Return a project that is in force; unknown and ended ones are refused alike."""
    row = session.scalar(_PROJECT, {"project": project, "moment": now()})
    if row is None:
        raise NotFound("There is no open project of this name.")
    return row


def policies_of(session: orm.Session, project: str) -> list[ProjectPolicy]:
    """Return all versions of a project's policy, the newest first."""
    return list(session.scalars(_POLICIES, {"project": project}))


def policy_in_force(session: orm.Session, project: str) -> ProjectPolicy | None:
    """Return the newest version that two persons signed; None where nobody signed one."""
    return newest_signed(policies_of(session, project))


def roles_of(session: orm.Session, person: str, project: str) -> frozenset[Role]:
    """Return the roles that a person holds now in a project, or on the platform."""
    asked = {"person": person, "project": project, "moment": now()}
    return frozenset(Role(role) for role in plainly(session, _ROLES, asked).scalars())


def projects_of(session: orm.Session, person: str, role: Role) -> list[str]:
    """Return the ids of the projects in which a person holds `role` now."""
    return list(
        session.scalars(
            sa.select(Membership.project).where(
                Membership.person == person,
                Membership.role == role.value,
                counting_at(now()),
            )
        )
    )


def holders_of(session: orm.Session, project: str, role: Role) -> list[str]:
    """Return who holds `role` in a project itself now, in a stable order."""
    return list(
        session.scalars(
            sa.select(Membership.person)
            .where(
                Membership.project == project,
                Membership.role == role.value,
                counting_at(now()),
            )
            .order_by(Membership.person)
        )
    )


def was_ever_researcher(session: orm.Session, person: str, project: str) -> bool:
    """Say whether a person was ever granted to be a researcher of a project, under any of their identities (T28)."""
    found = sa.select(Membership.id).where(
        Membership.person.in_(joined_in(session).identities_of(person)),
        Membership.project == project,
        Membership.role == Role.RESEARCHER.value,
    )
    return session.scalar(found.limit(1)) is not None


def was_ever(session: orm.Session, person: str, project: str, roles: Collection[Role]) -> bool:
    """Say whether a person has held one of these roles, in a project or on the platform, at any time."""
    found = sa.select(Membership.id).where(
        Membership.person == person,
        Membership.project.in_([project, PLATFORM]),
        Membership.role.in_([role.value for role in roles]),
        Membership.since <= now(),
        sa.or_(Membership.until.is_(None), Membership.until >= Membership.since),
    )
    return session.scalar(found.limit(1)) is not None


def is_trained(session: orm.Session, person: str, project: str, training: Training) -> bool:
    """Say whether a person's training is in force; where there is no paper, the project says if one is needed."""
    papers = session.scalars(
        sa.select(Certificate).where(Certificate.person == person, Certificate.training == training.value)
    ).all()
    if not papers:
        row = session.get(Project, project)
        return row is not None and not row.needs_training
    moment = now()
    return any(paper.since <= moment < paper.until for paper in papers)


def check_role(session: orm.Session, person: str, *, project: str, role: Role) -> None:
    """Raise `NotAllowed` unless the person holds `role` in `project` now."""
    if role not in roles_of(session, person, project):
        raise NotAllowed(f"You need to be a {role.value.replace('_', ' ')} of this project.")


def held_roles(session: orm.Session, person: str) -> frozenset[Role]:
    """Return the roles that a person holds now in any project."""
    query = sa.select(Membership.role).where(Membership.person == person, counting_at(now()))
    return frozenset(Role(role) for role in session.scalars(query))

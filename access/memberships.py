"""Creates projects and grants roles, each with its audit event, in the caller's transaction."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm

from access.rules import check_excludes, check_min_count, check_person_id, check_place, check_project_id
from access.schemas import NewCertificate
from strongroom.audit import Entry, Event, append
from strongroom.database import joined_in, now
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.projects import PLATFORM, Certificate, Membership, Project, Role, counting_at

POLICY_VERSION = 1


def create_project(
    session: orm.Session,
    actor: str,
    *,
    project: str,
    title: str,
    floor: int,
    min_count: int | None = None,
    needs_training: bool = False,
) -> Project:
    """Create an open project whose smallest count is `min_count`, or `floor` if it does not raise it."""
    check_project_id(project)
    count = floor if min_count is None else min_count
    check_min_count(count, floor)
    if not 0 < len(title.strip()) <= 300:
        raise BadRequest("A project has a title of at most 300 characters.")
    if session.get(Project, project) is not None:
        raise Conflict("There is a project of this name already; choose another one.")
    row = Project(
        id=project,
        title=title.strip(),
        min_count=count,
        policy_version=POLICY_VERSION,
        created=now(),
        ends=None,
        needs_training=needs_training,
    )
    session.add(row)
    facts = {"min_count": count, "policy_version": POLICY_VERSION}
    append(session, Entry(Event.PROJECT_CREATED, actor, project, project, facts))
    return row


def grant(
    session: orm.Session,
    actor: str,
    *,
    project: str,
    person: str,
    role: Role,
    since: datetime | None = None,
    proposed_by: str | None = None,
) -> bool:
    """Give `person` a role in `project` (or on the `PLATFORM`) from `since` on; say whether that changed anything."""
    row = check_grantable(session, project=project, person=person, role=role)
    if row is not None and not is_over(row):
        return False
    begins = since or now()
    if row is None:
        session.add(Membership(project=project, person=person, role=role.value, since=begins, until=None))
    else:
        row.since, row.until = begins, None
    by_two = {} if proposed_by is None else {"proposed_by": proposed_by, "since": begins.isoformat()}
    append(session, Entry(Event.MEMBERSHIP_GRANTED, actor, person, project, {"role": role.value, **by_two}))
    return True


def is_over(row: Membership) -> bool:
    """Say whether a membership has ended."""
    return row.until is not None and row.until <= now()


def check_grantable(session: orm.Session, *, project: str, person: str, role: Role) -> Membership | None:
    """Raise unless this person can hold this role here; return the membership that there is or was."""
    check_person_id(person)
    check_place(role, project)
    # Locked, so that of two grants that exclude each other the second one sees the first.
    if project != PLATFORM and _locked(session, project) is None:
        raise NotFound("There is no open project of this name.")
    held = _held(session, project, persons=joined_in(session).identities_of(person))
    check_excludes(role, frozenset(Role(row.role) for row in held))
    return next((row for row in held if row.person == person and row.role == role.value), None)


def certify(session: orm.Session, actor: str, new: NewCertificate) -> Certificate:
    """Record a person's training (P9)."""
    check_person_id(new.person)
    if new.until <= new.since:
        raise BadRequest("until: a certificate ends after it began.")
    row = Certificate(
        person=new.person,
        training=new.training.value,
        issuer=new.issuer,
        sha256=new.sha256,
        since=new.since,
        until=new.until,
    )
    session.add(row)
    session.flush()
    facts = {
        "training": new.training.value,
        "sha256": new.sha256,
        "since": new.since.isoformat(),
        "until": new.until.isoformat(),
    }
    append(session, Entry(Event.CERTIFICATE_RECORDED, actor, new.person, None, facts))
    return row


def certificates_of(session: orm.Session, person: str) -> list[Certificate]:
    """Return a person's certificates, those that end last first."""
    query = sa.select(Certificate).where(Certificate.person == person).order_by(Certificate.until.desc())
    return list(session.scalars(query))


def members(session: orm.Session, project: str) -> list[Membership]:
    """Return everyone who holds a role in `project`, now or from some day on, in a stable order."""
    return list(
        session.scalars(
            sa.select(Membership)
            .where(Membership.project == project, sa.or_(Membership.until.is_(None), Membership.until > now()))
            .order_by(Membership.person, Membership.role)
        )
    )


def roles_by_project(session: orm.Session, person: str) -> dict[str, list[Role]]:
    """Return the roles that a person holds now, by project; `PLATFORM` stands for the platform."""
    rows = session.execute(
        sa.select(Membership.project, Membership.role)
        .where(Membership.person == person, counting_at(now()))
        .order_by(Membership.project, Membership.role)
    )
    found: dict[str, list[Role]] = {}
    for project, role in rows:
        found.setdefault(project, []).append(Role(role))
    return found


def _locked(session: orm.Session, project: str) -> Project | None:
    return session.scalar(
        sa.select(Project)
        .where(Project.id == project, sa.or_(Project.ends.is_(None), Project.ends > now()))
        .with_for_update()
    )


def _held(session: orm.Session, project: str, *, persons: Collection[str]) -> list[Membership]:
    query = sa.select(Membership).where(Membership.project == project, Membership.person.in_(persons))
    return list(session.scalars(query))

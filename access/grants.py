"""Grants a role once two operators have said the same, and takes it at the word of one (T28, P7)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import orm

from access.memberships import check_grantable, grant, is_over, members
from access.rules import Standing, check_first_operators
from strongroom.audit import Entry, Event, append
from strongroom.database import joined_in, now
from strongroom.errors import NotFound
from strongroom.identity import DEVELOPMENT
from strongroom.projects import PLATFORM, Membership, Role, RoleProposal, holders_of, roles_of
from strongroom.settings import Settings

ON_THE_HOST = "strongroom-operators"  # who acts in the log when the first operators are named


@dataclass(frozen=True)
class Said:
    """What became of an operator's word; `since` is from when on the role counts."""

    standing: Standing
    changed: bool
    since: datetime | None = None
    proposed_by: str | None = None


@dataclass(frozen=True)
class Terms:
    """How roles are granted here: by one person alone or by two, and how long a role waits."""

    alone: bool
    wait: timedelta


def terms_for(settings: Settings, actor: str) -> Terms:
    """Return the terms on which this operator grants roles: alone for the development issuer's, where it is on."""
    development = settings.identity.development_issuer and actor.endswith(f"@{DEVELOPMENT}")
    return Terms(development and not settings.access.two_operators_of_development, settings.grant_wait)


def say(session: orm.Session, actor: str, *, project: str, person: str, role: Role, terms: Terms) -> Said:
    """Note that an operator would grant a role; grant it if another operator, another person, said so before."""
    row = check_grantable(session, project=project, person=person, role=role)
    if row is not None and not is_over(row):
        return Said(standing_of(row), changed=False, since=row.since)
    found = session.get(RoleProposal, (project, person, role.value), with_for_update=True)
    if not terms.alone and (found is None or not _counts(session, found)):
        return _propose(session, actor, found, project=project, person=person, role=role)
    if not terms.alone and found is not None and joined_in(session).are_same(found.proposed_by, actor):
        return Said(Standing.WAITS, changed=False, proposed_by=found.proposed_by)
    by = found.proposed_by if found is not None and not terms.alone else None
    if found is not None:
        session.delete(found)
    since = now() + terms.wait
    grant(session, actor, project=project, person=person, role=role, since=since, proposed_by=by)
    return Said(Standing.BEGINS if terms.wait else Standing.HELD, changed=True, since=since, proposed_by=by)


def end(session: orm.Session, actor: str, *, project: str, person: str, role: Role) -> None:
    """Take a role at once, or what was proposed or granted and does not count yet; one operator is enough (P7)."""
    proposal = session.get(RoleProposal, (project, person, role.value), with_for_update=True)
    query = sa.select(Membership).where(
        Membership.project == project, Membership.person == person, Membership.role == role.value
    )
    row = session.scalar(query.with_for_update())
    if proposal is None and (row is None or is_over(row)):
        raise NotFound("This person holds no such role here, and nobody has proposed it.")
    if proposal is not None:
        session.delete(proposal)
    if row is not None and not is_over(row):
        row.until = now()
    append(session, Entry(Event.MEMBERSHIP_ENDED, actor, person, project, {"role": role.value}))


def waiting(session: orm.Session, project: str) -> list[RoleProposal]:
    """Return what waits for a second operator, in a stable order."""
    query = sa.select(RoleProposal).where(RoleProposal.project == project)
    return list(session.scalars(query.order_by(RoleProposal.person, RoleProposal.role)))


def standing_of(row: Membership) -> Standing:
    """Say whether a membership that has not ended counts already."""
    return Standing.BEGINS if row.since > now() else Standing.HELD


def name_first_operators(session: orm.Session, people: list[str]) -> None:
    """Make people operators, at once, while there are not two who could; whoever holds the host may (T28)."""
    check_first_operators(holders_of(session, PLATFORM, Role.OPERATOR), people, joined=joined_in(session))
    rows = [one for one in members(session, PLATFORM) if one.role == Role.OPERATOR.value]
    later = {one.person for one in rows if standing_of(one) is Standing.BEGINS}
    for person in people:
        if person in later:
            end(session, ON_THE_HOST, project=PLATFORM, person=person, role=Role.OPERATOR)
        grant(session, ON_THE_HOST, project=PLATFORM, person=person, role=Role.OPERATOR)


def _counts(session: orm.Session, proposal: RoleProposal) -> bool:
    # Who is no operator any more has no word in it.
    return Role.OPERATOR in roles_of(session, proposal.proposed_by, PLATFORM)


def _propose(
    session: orm.Session, actor: str, found: RoleProposal | None, *, project: str, person: str, role: Role
) -> Said:
    if found is not None:
        session.delete(found)
        session.flush()
    session.add(RoleProposal(project=project, person=person, role=role.value, proposed_by=actor, proposed=now()))
    append(session, Entry(Event.MEMBERSHIP_PROPOSED, actor, person, project, {"role": role.value}))
    return Said(Standing.WAITS, changed=True, proposed_by=actor)

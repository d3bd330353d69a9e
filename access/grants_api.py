"""Speaks HTTP for roles: granted by two operators, taken by one."""

from fastapi import APIRouter, Request

from access import grants, memberships, rules
from access.grants import Said
from access.rules import Standing
from access.schemas import Grant, Granted, MemberSeen
from strongroom.database import joined_in, reading, transaction
from strongroom.http import SignedIn, SteppedUp
from strongroom.projects import PLATFORM, Role, roles_of

router = APIRouter(prefix="/api/access/v1", tags=["access"])


@router.post("/projects/{project}/members", status_code=201)
def grant_role(request: Request, project: str, new: Grant, who: SteppedUp) -> Granted:
    """Grant a role in a project, or with `*` on the platform; two operators say the same, not for themselves."""
    terms = grants.terms_for(request.app.state.settings, who.id)
    with transaction(request.app.state.engine) as session:
        held = roles_of(session, who.id, PLATFORM)
        rules.check_may_grant(held, who.id, person=new.person, joined=joined_in(session))
        said = grants.say(session, who.id, project=project, person=new.person, role=new.role, terms=terms)
        return _granted(project, new, said)


@router.post("/projects/{project}/members:end")
def end_role(request: Request, project: str, new: Grant, who: SteppedUp) -> Grant:
    """Take a role at once, or what does not count yet; one operator is enough (P7)."""
    with transaction(request.app.state.engine) as session:
        rules.check_may_end(roles_of(session, who.id, PLATFORM))
        grants.end(session, who.id, project=project, person=new.person, role=new.role)
    return new


@router.get("/projects/{project}/members")
def list_members(request: Request, project: str, who: SignedIn) -> list[MemberSeen]:
    """List who holds which role, from when on, and what waits for a second operator; operators and auditors."""
    with reading(request.app.state.engine) as session:
        rules.check_may_see_members(roles_of(session, who.id, PLATFORM))
        held = [
            MemberSeen(person=row.person, role=Role(row.role), standing=grants.standing_of(row), since=row.since)
            for row in memberships.members(session, project)
        ]
        waiting = [
            MemberSeen(person=row.person, role=Role(row.role), standing=Standing.WAITS, proposed_by=row.proposed_by)
            for row in grants.waiting(session, project)
        ]
        return [*held, *waiting]


def _granted(project: str, new: Grant, said: Said) -> Granted:
    return Granted(
        project=project,
        person=new.person,
        role=new.role,
        changed=said.changed,
        standing=said.standing,
        since=said.since,
        proposed_by=said.proposed_by,
    )

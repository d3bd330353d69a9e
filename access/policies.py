"""Lets two persons sign the thresholds of a project: one proposes a version, another one puts it in force (J6)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import orm

from access.rules import check_may_sign_policy, may_see_all_projects
from strongroom.audit import Entry, Event, append
from strongroom.canonical import digest
from strongroom.database import now
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.projects import (
    PLATFORM,
    POLICY_ROLES,
    Project,
    ProjectPolicy,
    open_project,
    policies_of,
    roles_of,
    was_ever_researcher,
)
from strongroom.thresholds import UNSIGNED, completed, floor_of


def propose(
    session: orm.Session, actor: str, project: str, thresholds: Mapping[str, Any], *, floor: int
) -> ProjectPolicy:
    """Write down the next version, complete and no laxer than the platform's floor; it waits for a second person."""
    row = _signable(session, actor, project)
    limits = completed(thresholds, floor_of(floor, row.min_count))
    earlier = policies_of(session, project)
    made = ProjectPolicy(
        project=project,
        version=1 + max([UNSIGNED, row.policy_version, *(one.version for one in earlier)]),
        thresholds=limits,
        sha256=digest(limits),
        proposed_by=actor,
        proposed=now(),
        signed_by=None,
        signed=None,
    )
    session.add(made)
    session.flush()
    facts = {"version": made.version, "thresholds": limits, "sha256": made.sha256}
    append(session, Entry(Event.POLICY_PROPOSED, actor, project, project, facts))
    return made


def sign(session: orm.Session, actor: str, project: str, version: int, *, sha256: str) -> ProjectPolicy:
    """Put the newest version in force, as a second person who says by its digest which thresholds they read."""
    row = _signable(session, actor, project)
    newest = next(iter(policies_of(session, project)), None)
    if newest is None or newest.version < version:
        raise NotFound("There is no such version of this project's policy.")
    if newest.version != version or newest.signed_by is not None:
        raise Conflict("This version is in force already, or a newer one was proposed; read the newest.")
    if newest.proposed_by == actor:
        raise Conflict("Who proposed a policy does not sign it too; another person must.")
    if newest.sha256 != sha256:
        raise BadRequest("sha256: this version holds other thresholds; read it again.")
    newest.signed_by, newest.signed = actor, now()
    row.policy_version = version
    append(session, Entry(Event.POLICY_SIGNED, actor, project, project, {"version": version, "sha256": sha256}))
    return newest


def shown(session: orm.Session, actor: str, project: str) -> list[ProjectPolicy]:
    """Return all versions, for the project's own people, who sees every project and who may sign."""
    platform = roles_of(session, actor, PLATFORM)
    member = roles_of(session, actor, project) > platform
    if session.get(Project, project) is None or not (
        member or may_see_all_projects(platform) or not platform.isdisjoint(POLICY_ROLES)
    ):
        raise NotFound("There is no open project of this name.")
    return policies_of(session, project)


def _signable(session: orm.Session, actor: str, project: str) -> Project:
    check_may_sign_policy(
        roles_of(session, actor, project), ever_researcher=was_ever_researcher(session, actor, project)
    )
    open_project(session, project)
    # Locked, so that of two proposals made at once the second one sees the first.
    return session.get_one(Project, project, with_for_update=True)

"""Lets two persons sign the thresholds of a project: one proposes a version, another one puts it in force (J6)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import orm

from access.rules import check_may_sign_policy, may_see_all_projects
from access.two_persons import countersign, facts_of, proposed
from strongroom.audit import Entry, Event, append
from strongroom.database import joined_in
from strongroom.errors import NotFound
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
    least = max(UNSIGNED, row.policy_version)
    made = ProjectPolicy(project=project, **proposed(actor, limits, policies_of(session, project), least=least))
    session.add(made)
    session.flush()
    append(session, Entry(Event.POLICY_PROPOSED, actor, project, project, facts_of(made)))
    return made


def sign(session: orm.Session, actor: str, project: str, version: int, *, sha256: str) -> ProjectPolicy:
    """Put the newest version in force, as a second person who says by its digest which thresholds they read."""
    row = _signable(session, actor, project)
    newest = next(iter(policies_of(session, project)), None)
    facts = countersign(newest, actor, version, sha256=sha256, joined=joined_in(session))
    assert newest is not None
    row.policy_version = version
    append(session, Entry(Event.POLICY_SIGNED, actor, project, project, facts))
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

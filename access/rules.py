"""Who may create projects and grant roles, and which roles exclude each other (pure)."""

import re
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from enum import StrEnum

from strongroom.errors import BadRequest, Conflict, NotAllowed
from strongroom.persons import Joined
from strongroom.projects import FLOOR_ROLES, PLATFORM, PLATFORM_ROLES, POLICY_ROLES, Role

TWO = 2
_PROJECT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PERSON = re.compile(r"[!-?A-~]{1,120}@[a-z0-9][a-z0-9-]{0,62}")
_EXCLUDED = {
    Role.STEWARD: (Role.RESEARCHER,),
    Role.SENIOR_STEWARD: (Role.RESEARCHER,),
    Role.RESEARCHER: (Role.STEWARD, Role.SENIOR_STEWARD),
}


class Standing(StrEnum):
    """How far a grant has come."""

    WAITS = "waits"  # for a second operator
    BEGINS = "begins"  # granted, and counts from a moment on
    HELD = "held"


class RolesExclude(Conflict):
    """Steward and researcher of one project exclude each other, for ever (T28)."""


def check_project_id(project: str) -> None:
    """Raise `BadRequest` unless `project` can name a project."""
    if not _PROJECT.fullmatch(project):
        raise BadRequest("A project's id has 1 to 63 small letters, digits and hyphens, and begins with no hyphen.")


def check_person_id(person: str) -> None:
    """Raise `BadRequest` unless `person` is written SUBJECT@ISSUER."""
    if not _PERSON.fullmatch(person):
        raise BadRequest("A person is written NAME@ISSUER, for example alice@development.")


def check_may_create_project(roles: AbstractSet[Role]) -> None:
    """Raise `NotAllowed` unless one who holds `roles` on the platform may create projects."""
    if Role.OPERATOR not in roles:
        raise NotAllowed("Only an operator creates projects; ask one, naming the project's purpose.")


def may_see_all_projects(roles: AbstractSet[Role]) -> bool:
    """Say whether one who holds `roles` on the platform sees every project, not only their own."""
    return not roles.isdisjoint({Role.OPERATOR, Role.AUDITOR, Role.DAC_MEMBER})


def check_may_grant(roles: AbstractSet[Role], actor: str, *, person: str, joined: Joined) -> None:
    """Raise `NotAllowed` unless `actor`, who holds `roles` on the platform, may grant a role to `person`."""
    if Role.OPERATOR not in roles:
        raise NotAllowed("Only an operator grants roles; ask one.")
    if joined.are_same(actor, person):
        raise NotAllowed("Nobody grants a role to themselves; ask another operator.")


def check_may_end(roles: AbstractSet[Role]) -> None:
    """Raise `NotAllowed` unless one who holds `roles` on the platform may take a role from somebody (P7)."""
    if Role.OPERATOR not in roles:
        raise NotAllowed("Only an operator takes roles away; ask one.")


def check_may_see_members(roles: AbstractSet[Role]) -> None:
    """Raise `NotAllowed` unless one who holds `roles` on the platform may see who holds what, and what waits."""
    if roles.isdisjoint({Role.OPERATOR, Role.AUDITOR}):
        raise NotAllowed("Only operators and auditors see who holds which role.")


def check_first_operators(holding: Collection[str], named: Collection[str], *, joined: Joined) -> None:
    """Raise unless `named` may be made operators from the host: fewer than two persons are, and two will be (T28)."""
    if len(joined.persons(holding)) >= TWO:
        raise NotAllowed("There are two operators already; they grant roles with `strongroom project member`.")
    if len(joined.persons([*holding, *named])) < TWO:
        raise BadRequest("Two operators grant roles together; name two different persons.")


def check_may_sign_policy(roles: AbstractSet[Role], *, ever_researcher: bool) -> None:
    """Raise `NotAllowed` unless one who holds `roles` may propose or sign a project's policy (J6, J8)."""
    if ever_researcher:
        raise NotAllowed("Who is or was a researcher of a project does not decide on its policy; ask its DAC.")
    if roles.isdisjoint(POLICY_ROLES):
        raise NotAllowed("Only DAC members and senior stewards propose and sign policies; ask one.")


def check_may_set_floors(roles: AbstractSet[Role], *, ever_researcher: bool) -> None:
    """Raise `NotAllowed` unless one who holds `roles` on the platform may propose or sign a dataset's floors (J8)."""
    if roles.isdisjoint(FLOOR_ROLES):
        raise NotAllowed("Only DAC members propose and sign the floors of a dataset; ask one.")
    if ever_researcher:
        raise NotAllowed("Who is or was a researcher of a project with this dataset does not decide on its floors.")


def check_place(role: Role, project: str) -> None:
    """Raise `BadRequest` where a role cannot be held: researchers and stewards belong to one project each time."""
    if project == PLATFORM and role not in PLATFORM_ROLES:
        raise BadRequest(f"A {role.value} belongs to a project; name it.")


def check_excludes(role: Role, ever: AbstractSet[Role]) -> None:
    """Raise `RolesExclude` if one who held the roles `ever` in a project can never hold `role` in it (T28)."""
    for other in _EXCLUDED.get(role, ()):
        if other in ever:
            raise RolesExclude(
                f"This person is or was a {other.value} of the project, and so can never be its {role.value}; "
                "grant the role to somebody else."
            )


def check_min_count(min_count: int, floor: int) -> None:
    """Raise `BadRequest` if a project asks for a smaller count than the platform's floor."""
    if not floor <= min_count <= 1_000_000:
        raise BadRequest(f"A project may only raise the smallest count that leaves; here it is {floor} or more.")

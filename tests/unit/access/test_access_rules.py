"""Who may create projects, grant roles and hold which two: truth tables."""

from itertools import product

import pytest

from access.rules import (
    RolesExclude,
    check_excludes,
    check_may_create_project,
    check_may_grant,
    check_min_count,
    check_person_id,
    check_place,
    check_project_id,
    may_see_all_projects,
)
from strongroom.errors import BadRequest, NotAllowed
from strongroom.persons import NOBODY, Joined
from strongroom.projects import PLATFORM, PLATFORM_ROLES, Role


@pytest.mark.parametrize("role", list(Role))
def test_only_an_operator_creates_projects(role: Role) -> None:
    if role is Role.OPERATOR:
        check_may_create_project(frozenset({role}))
    else:
        with pytest.raises(NotAllowed):
            check_may_create_project(frozenset({role}))


def test_who_holds_nothing_may_nothing() -> None:
    with pytest.raises(NotAllowed):
        check_may_create_project(frozenset())
    with pytest.raises(NotAllowed):
        check_may_grant(frozenset(), "a@x", person="b@x", joined=NOBODY)
    assert not may_see_all_projects(frozenset())


@pytest.mark.parametrize(("role", "oneself"), list(product(Role, [True, False])))
def test_only_an_operator_grants_and_never_to_themselves(role: Role, oneself: bool) -> None:
    person = "me@x" if oneself else "you@x"
    if role is Role.OPERATOR and not oneself:
        check_may_grant(frozenset({role}), "me@x", person=person, joined=NOBODY)
    else:
        with pytest.raises(NotAllowed):
            check_may_grant(frozenset({role}), "me@x", person=person, joined=NOBODY)


def test_t28_an_operator_grants_nothing_to_themselves_under_another_name() -> None:
    joined = Joined((("me@x", "me@clinic"),))
    for actor, person in (("me@x", "me@clinic"), ("me@clinic", "me@x")):
        with pytest.raises(NotAllowed, match="themselves"):
            check_may_grant(frozenset({Role.OPERATOR}), actor, person=person, joined=joined)


EXCLUDED = {(Role.STEWARD, Role.RESEARCHER), (Role.RESEARCHER, Role.STEWARD)}
EXCLUDED |= {(Role.SENIOR_STEWARD, Role.RESEARCHER), (Role.RESEARCHER, Role.SENIOR_STEWARD)}


@pytest.mark.parametrize(("role", "ever"), list(product(Role, Role)))
def test_steward_and_researcher_exclude_each_other_and_nothing_else_does(role: Role, ever: Role) -> None:
    if (role, ever) in EXCLUDED:
        with pytest.raises(RolesExclude, match="can never be"):
            check_excludes(role, frozenset({ever}))
    else:
        check_excludes(role, frozenset({ever}))
        check_excludes(role, frozenset())


@pytest.mark.parametrize("role", list(Role))
def test_researchers_and_stewards_are_never_held_on_the_platform(role: Role) -> None:
    check_place(role, "p1")
    if role in PLATFORM_ROLES:
        check_place(role, PLATFORM)
    else:
        with pytest.raises(BadRequest, match="name it"):
            check_place(role, PLATFORM)


@pytest.mark.parametrize("name", ["p", "heart-22", "0", "a" * 63])
def test_a_project_s_id_is_small_and_plain(name: str) -> None:
    check_project_id(name)


@pytest.mark.parametrize("name", ["", PLATFORM, "-p", "P", "p_1", "p/1", "..", "a" * 64, "p\n", "é", "p 1"])
def test_any_other_project_id_is_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        check_project_id(name)


@pytest.mark.parametrize("person", ["alice@development", "A.b-c+d@lsaai", "7@x"])
def test_a_person_is_subject_at_issuer(person: str) -> None:
    check_person_id(person)


@pytest.mark.parametrize(
    "person",
    ["", "alice", "@development", "alice@", "a@b@c", "a b@c", "a\n@c", "a@c\n", "é@c", "a" * 121 + "@c", "a@C"],
)
def test_any_other_person_is_refused(person: str) -> None:
    with pytest.raises(BadRequest, match="NAME@ISSUER"):
        check_person_id(person)


@pytest.mark.parametrize(("count", "allowed"), [(5, True), (6, True), (4, False), (0, False), (-1, False)])
def test_a_project_only_raises_the_smallest_count(count: int, allowed: bool) -> None:
    if allowed:
        check_min_count(count, 5)
    else:
        with pytest.raises(BadRequest, match="5 or more"):
            check_min_count(count, 5)

"""Who may make, fill, share and see datasets, as truth tables."""

import pytest

from archive import rules
from archive.rules import Asked, Asker
from strongroom.errors import BadRequest, NotAllowed, NotFound
from strongroom.projects import Role

NOBODY = frozenset[Role]()
PLAIN, HOMELY, DERIVED = Asked(None, derived=False), Asked("cohort", derived=False), Asked("cohort", derived=True)


def one(role: Role, *, home: bool = False) -> Asker:
    """Return somebody with one role, on the platform or in the home project."""
    return Asker(NOBODY if home else frozenset({role}), frozenset({role}) if home else NOBODY)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("asked", [PLAIN, HOMELY])
def test_custodians_of_the_platform_fill_datasets(role: Role, asked: Asked) -> None:
    assert rules.may_fill(one(role), asked) is (role in {Role.OPERATOR, Role.DAC_MEMBER})


@pytest.mark.parametrize("role", list(Role))
def test_a_projects_operator_fills_its_own_datasets(role: Role) -> None:
    assert rules.may_fill(one(role, home=True), HOMELY) is (role is Role.OPERATOR)
    assert not rules.may_fill(one(role, home=True), PLAIN)


def test_nobody_fills_a_derived_or_a_deleted_dataset() -> None:
    for asker in (one(Role.OPERATOR), one(Role.DAC_MEMBER), one(Role.OPERATOR, home=True)):
        assert not rules.may_fill(asker, DERIVED)
        assert not rules.may_fill(asker, Asked("cohort", derived=False, deleted=True))


@pytest.mark.parametrize(
    ("asker", "asked", "project", "allowed"),
    [
        (one(Role.OPERATOR), PLAIN, "any", True),
        (one(Role.DAC_MEMBER), PLAIN, "any", True),
        (one(Role.RESEARCHER), PLAIN, "any", False),
        (one(Role.STEWARD), HOMELY, "cohort", False),
        (one(Role.OPERATOR, home=True), HOMELY, "cohort", True),
        (one(Role.OPERATOR, home=True), HOMELY, "other", False),
        (one(Role.OPERATOR), DERIVED, "cohort", True),
        (one(Role.OPERATOR), DERIVED, "other", False),
        (one(Role.DAC_MEMBER), DERIVED, "other", False),
    ],
)
def test_who_may_share(asker: Asker, asked: Asked, project: str, allowed: bool) -> None:
    assert rules.may_share(asker, asked, project=project) is allowed


def test_who_may_create() -> None:
    rules.check_may_create(one(Role.OPERATOR), None)
    rules.check_may_create(one(Role.OPERATOR, home=True), "cohort")
    for asker, home in ((one(Role.OPERATOR, home=True), None), (one(Role.RESEARCHER), None)):
        with pytest.raises(NotAllowed):
            rules.check_may_create(asker, home)


def test_a_deleted_dataset_is_as_none() -> None:
    with pytest.raises(NotFound):
        rules.check_custodian(one(Role.OPERATOR), Asked(None, derived=False, deleted=True))


@pytest.mark.parametrize("role", list(Role))
def test_who_sees_all(role: Role) -> None:
    assert rules.may_see_all(one(role)) is (role in {Role.OPERATOR, Role.DAC_MEMBER, Role.AUDITOR})


def test_sizes_are_shown_of_open_data_only() -> None:
    assert [rules.may_see_sizes(o) for o in ("open", "coarse", "", "Open")] == [True, False, False, False]


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a" * 65, "a/b", "*", "a\n"])
def test_a_bad_id_is_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        rules.check_dataset_id(name)


@pytest.mark.parametrize(
    ("title", "seen", "sensitivity"),
    [
        ("x" * 301, "open", "high"),
        ("a\nb", "open", "high"),
        ("a", "closed", "high"),
        ("a", "", "high"),
        ("a", "open", ""),
        ("a", "open", "low"),
    ],
)
def test_a_bad_shape_is_refused(title: str, seen: str, sensitivity: str) -> None:
    with pytest.raises(BadRequest):
        rules.check_shape(title, seen, sensitivity)

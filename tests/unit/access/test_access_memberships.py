"""Projects and roles are written with their audit events, once, and exclusion outlives the roles."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from access.memberships import create_project, grant, members, roles_by_project
from access.rules import RolesExclude
from strongroom.audit import events
from strongroom.database import Base, now, open_database, transaction
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.projects import PLATFORM, Membership, Project, Role, roles_of, was_ever_researcher

ALICE, SAM = "alice@development", "sam@development"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[orm.Session]:
    engine = open_database(f"sqlite:///{tmp_path / 'access.db'}")
    Base.metadata.create_all(engine)
    with transaction(engine) as session:
        create_project(session, "op@x", project="p1", title="Hearts", floor=5)
        yield session
    engine.dispose()


def _told(session: orm.Session) -> list[tuple[str, str, str | None, dict[str, object]]]:
    return [(row.event, row.subject, row.project, json.loads(row.body)["facts"]) for row in events(session, start=1)]


def test_a_project_takes_the_platform_s_floor_or_raises_it(session: orm.Session) -> None:
    assert session.get_one(Project, "p1").min_count == 5
    assert create_project(session, "op@x", project="p2", title=" Lungs ", floor=5, min_count=10).min_count == 10
    assert session.get_one(Project, "p2").title == "Lungs"
    with pytest.raises(BadRequest):
        create_project(session, "op@x", project="p3", title="x", floor=5, min_count=4)
    assert session.get(Project, "p3") is None


def test_a_project_s_name_is_given_once(session: orm.Session) -> None:
    with pytest.raises(Conflict):
        create_project(session, "op@x", project="p1", title="Again", floor=5)


@pytest.mark.parametrize("title", ["", "   ", "x" * 301])
def test_a_project_has_a_title(session: orm.Session, title: str) -> None:
    with pytest.raises(BadRequest):
        create_project(session, "op@x", project="p9", title=title, floor=5)


def test_a_role_is_granted_once_and_told_once(session: orm.Session) -> None:
    assert grant(session, "op@x", project="p1", person=ALICE, role=Role.RESEARCHER)
    assert not grant(session, "op@x", project="p1", person=ALICE, role=Role.RESEARCHER)
    assert roles_of(session, ALICE, "p1") == {Role.RESEARCHER}
    assert _told(session) == [("membership.granted", ALICE, "p1", {"role": "researcher"})]
    assert [(m.person, m.role) for m in members(session, "p1")] == [(ALICE, "researcher")]


@pytest.mark.parametrize(("first", "second"), [(Role.RESEARCHER, Role.STEWARD), (Role.STEWARD, Role.RESEARCHER)])
def test_t28_steward_and_researcher_exclude_each_other_even_after_the_first_ended(
    session: orm.Session, first: Role, second: Role
) -> None:
    grant(session, "op@x", project="p1", person=ALICE, role=first)
    with pytest.raises(RolesExclude):
        grant(session, "op@x", project="p1", person=ALICE, role=second)
    session.execute(sa.update(Membership).values(until=now() - timedelta(days=1)))
    session.expire_all()
    assert roles_of(session, ALICE, "p1") == frozenset()
    with pytest.raises(RolesExclude):
        grant(session, "op@x", project="p1", person=ALICE, role=second)
    assert was_ever_researcher(session, ALICE, "p1") == (first is Role.RESEARCHER)
    create_project(session, "op@x", project="p2", title="Lungs", floor=5)
    assert grant(session, "op@x", project="p2", person=ALICE, role=second), "another project is another matter"


def test_an_ended_role_can_be_granted_again(session: orm.Session) -> None:
    grant(session, "op@x", project="p1", person=SAM, role=Role.STEWARD)
    session.execute(sa.update(Membership).values(until=now() - timedelta(days=1)))
    session.expire_all()
    assert grant(session, "op@x", project="p1", person=SAM, role=Role.STEWARD)
    assert roles_of(session, SAM, "p1") == {Role.STEWARD}
    assert len(_told(session)) == 2


def test_platform_roles_reach_every_project(session: orm.Session) -> None:
    assert grant(session, "op@x", project=PLATFORM, person="vera@x", role=Role.VETTER)
    assert roles_of(session, "vera@x", "p1") == {Role.VETTER}
    assert roles_by_project(session, "vera@x") == {PLATFORM: [Role.VETTER]}
    with pytest.raises(BadRequest):
        grant(session, "op@x", project=PLATFORM, person="vera@x", role=Role.STEWARD)


def test_no_role_in_an_unknown_or_ended_project(session: orm.Session) -> None:
    with pytest.raises(NotFound):
        grant(session, "op@x", project="p7", person=ALICE, role=Role.RESEARCHER)
    session.get_one(Project, "p1").ends = now() - timedelta(seconds=1)
    session.flush()
    with pytest.raises(NotFound):
        grant(session, "op@x", project="p1", person=ALICE, role=Role.RESEARCHER)

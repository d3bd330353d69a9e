"""A role is granted by two operators and counts a day later; one of them takes it at once."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from asking import Asking
from fastapi import FastAPI

from access import api, grants, grants_api
from access.memberships import grant
from access.rules import Standing, check_first_operators
from strongroom.audit import events
from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.errors import BadRequest, NotAllowed
from strongroom.http import new_app
from strongroom.identity import make_development_issuer, mint_token, trusted_issuers
from strongroom.persons import NOBODY, Joined
from strongroom.projects import (
    PLATFORM,
    Membership,
    Role,
    held_roles,
    holders_of,
    projects_of,
    roles_of,
    was_ever,
    was_ever_researcher,
)
from strongroom.settings import Access, Identity, Settings

URL = "/api/access/v1/projects/p1/members"
SAM = {"person": "sam@development", "role": "steward"}
OLA = ("olga@development", "ola@development")
RUTH = ("ruth@development", "rudi@development")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path,
        identity=Identity(development_issuer=True, joined=(OLA, RUTH)),
        access=Access(two_operators_of_development=True, grant_wait_hours=24),
    )


@pytest.fixture
def app(settings: Settings) -> Iterator[FastAPI]:
    make_development_issuer(settings)
    engine = open_database(f"sqlite:///{settings.home / 'access.db'}", joined=settings.joined)
    Base.metadata.create_all(engine)
    with transaction(engine) as session:
        for name in ("olga", "ola", "otto", "ottilie"):
            grant(session, "test", project=PLATFORM, person=f"{name}@development", role=Role.OPERATOR)
        grant(session, "test", project=PLATFORM, person="aud@development", role=Role.AUDITOR)
    app = new_app("test", settings, engine=engine, issuers=trusted_issuers(settings))
    app.include_router(api.router)
    app.include_router(grants_api.router)
    assert ask(app, "olga").post("/api/access/v1/projects", {"id": "p1", "title": "Hearts"}).status_code == 201
    yield app
    engine.dispose()


def ask(app: FastAPI, name: str) -> Asking:
    return Asking(app, mint_token(app.state.settings, name))


def granted(app: FastAPI, said: dict[str, str] = SAM, url: str = URL) -> None:
    for name, standing in (("olga", "waits"), ("otto", "begins")):
        made = ask(app, name).post(url, said)
        assert (made.status_code, made.json()["standing"]) == (201, standing), made.text


def a_day_later(app: FastAPI) -> None:
    with transaction(app.state.engine) as session:
        for row in session.scalars(sa.select(Membership)):
            row.since -= timedelta(hours=24)
            row.until = None if row.until is None else row.until - timedelta(hours=24)


def roles(app: FastAPI, person: str = "sam@development", project: str = "p1") -> set[Role]:
    with reading(app.state.engine) as session:
        found = roles_of(session, person, project)
        # Whoever asks in another way hears the same.
        assert found == held_roles(session, person)
        assert all((project in projects_of(session, person, role)) == (role in found) for role in Role)
        assert all((person in holders_of(session, project, role)) == (role in found) for role in Role)
        return set(found)


def told(app: FastAPI) -> list[tuple[str, str, list[str]]]:
    with reading(app.state.engine) as session:
        rows = [row for row in events(session) if row.event.startswith("membership.") and row.project == "p1"]
        return [(row.event, row.actor, sorted(json.loads(row.body)["facts"])) for row in rows]


def test_two_operators_grant_a_role_and_it_counts_a_day_later(app: FastAPI) -> None:
    made = ask(app, "olga").post(URL, SAM).json()
    assert made == {
        "project": "p1",
        **SAM,
        "changed": True,
        "standing": "waits",
        "since": None,
        "proposed_by": "olga@development",
    }
    assert ask(app, "olga").post(URL, SAM).json() == {**made, "changed": False}
    assert roles(app) == set()
    made = ask(app, "otto").post(URL, SAM).json()
    assert (made["standing"], made["changed"], made["proposed_by"]) == ("begins", True, "olga@development")
    assert roles(app) == set()
    (seen,) = ask(app, "aud").get(URL).json()
    assert (seen["person"], seen["standing"], seen["since"]) == ("sam@development", "begins", made["since"])
    a_day_later(app)
    assert roles(app) == {Role.STEWARD}
    assert ask(app, "olga").post(URL, SAM).json()["standing"] == "held"
    assert told(app) == [
        ("membership.proposed", "olga@development", ["role"]),
        ("membership.granted", "otto@development", ["proposed_by", "role", "since"]),
    ]


def test_t28_nobody_confirms_their_own_grant_under_any_identity(app: FastAPI) -> None:
    for name in ("olga", "olga", "ola"):
        made = ask(app, name).post(URL, SAM)
        assert (made.json()["standing"], made.json()["proposed_by"]) == ("waits", "olga@development")
    # Nor does anybody grant a role to themselves, as the first or as the second.
    own = {"person": "olga@development", "role": "researcher"}
    for name in ("olga", "ola"):
        assert ask(app, name).post(URL, own).status_code == 403
    assert ask(app, "otto").post(URL, own).json()["standing"] == "waits"
    for name in ("olga", "ola"):
        assert ask(app, name).post(URL, own).status_code == 403
    for name in ("sam", "aud", "nobody"):
        assert ask(app, name).post(URL, SAM).status_code == 403
    assert roles(app) == set()
    assert [event for event, *_ in told(app)] == ["membership.proposed"] * 2


def test_t28_a_role_is_not_used_before_its_delay(app: FastAPI) -> None:
    granted(app, {"person": "nina@development", "role": "operator"}, "/api/access/v1/projects/*/members")
    new = {"id": "p2", "title": "Lungs"}
    assert ask(app, "nina").post("/api/access/v1/projects", new).status_code == 403
    assert ask(app, "nina").post(URL, SAM).status_code == 403
    assert ask(app, "nina").get("/api/access/v1/me").json()["roles"] == {}
    with reading(app.state.engine) as session:
        assert not was_ever(session, "nina@development", PLATFORM, [Role.OPERATOR])
    a_day_later(app)
    assert ask(app, "nina").post("/api/access/v1/projects", new).status_code == 201


def test_one_operator_takes_a_role_at_once(app: FastAPI) -> None:
    granted(app)
    a_day_later(app)
    assert roles(app) == {Role.STEWARD}
    for name in ("sam", "aud"):
        assert ask(app, name).post(f"{URL}:end", SAM).status_code == 403
    assert ask(app, "otto").post(f"{URL}:end", SAM).status_code == 200
    assert roles(app) == set()
    assert ask(app, "otto").post(f"{URL}:end", SAM).status_code == 404
    assert ask(app, "aud").get(URL).json() == []
    assert told(app)[-1][:2] == ("membership.ended", "otto@development")
    # It comes back as it came: by two, and a day later.
    granted(app)
    assert roles(app) == set()
    a_day_later(app)
    assert roles(app) == {Role.STEWARD}


def test_what_waits_or_begins_is_taken_back_and_what_was_granted_excludes_for_ever(app: FastAPI) -> None:
    ruth = {"person": "ruth@development", "role": "researcher"}
    ask(app, "olga").post(URL, ruth)
    assert ask(app, "ottilie").post(f"{URL}:end", ruth).status_code == 200
    assert ask(app, "otto").post(URL, ruth).json()["standing"] == "waits"  # the first word is gone
    assert ask(app, "olga").post(URL, ruth).json()["standing"] == "begins"
    with reading(app.state.engine) as session:
        assert was_ever_researcher(session, "rudi@development", "p1")  # it excludes from the grant on
    assert ask(app, "ottilie").post(f"{URL}:end", ruth).status_code == 200
    a_day_later(app)
    assert roles(app, "ruth@development") == set()
    with reading(app.state.engine) as session:
        assert not was_ever(session, "ruth@development", "p1", [Role.RESEARCHER])  # it gave no right
    rudi = {"person": "rudi@development", "role": "steward"}
    assert ask(app, "olga").post(URL, rudi).status_code == 409


def test_t28_what_one_identity_was_excludes_the_other(app: FastAPI) -> None:
    granted(app, {"person": "ruth@development", "role": "researcher"})
    for name in ("ruth", "rudi"):
        refused = ask(app, "olga").post(URL, {"person": f"{name}@development", "role": "steward"})
        assert refused.status_code == 409, name
        assert "researcher" in refused.text
    assert ask(app, "olga").post(URL, {"person": "rudi@development", "role": "researcher"}).status_code == 201


def test_t28_two_that_exclude_each_other_do_not_both_come_to_be(app: FastAPI) -> None:
    both = [{"person": "ruth@development", "role": "researcher"}, {"person": "rudi@development", "role": "steward"}]
    for said in both:
        assert ask(app, "olga").post(URL, said).json()["standing"] == "waits"
    assert ask(app, "otto").post(URL, both[0]).json()["standing"] == "begins"
    assert ask(app, "otto").post(URL, both[1]).status_code == 409


def test_t28_the_word_of_who_is_no_operator_any_more_counts_no_more(app: FastAPI) -> None:
    ask(app, "olga").post(URL, SAM)
    with transaction(app.state.engine) as session:
        gone = sa.update(Membership).where(Membership.person == "olga@development")
        session.execute(gone.values(until=now()))
    made = ask(app, "otto").post(URL, SAM).json()
    assert (made["standing"], made["proposed_by"]) == ("waits", "otto@development")
    assert ask(app, "ottilie").post(URL, SAM).json()["standing"] == "begins"


@pytest.mark.parametrize("name", ["sam", "nobody"])
def test_only_operators_and_auditors_see_who_holds_what(app: FastAPI, name: str) -> None:
    assert ask(app, name).get(URL).status_code == 403
    assert ask(app, "olga").get(URL).json() == []


@pytest.mark.parametrize("actor", ["olga@development", "olga@clinic"])
@pytest.mark.parametrize("both", [True, False])
def test_one_is_enough_for_persons_of_the_development_issuer_alone(actor: str, both: bool) -> None:
    relaxed = Settings(identity=Identity(development_issuer=True), access=Access(two_operators_of_development=both))
    assert grants.terms_for(relaxed, actor).alone == (actor == "olga@development" and not both)
    assert grants.terms_for(relaxed, actor).wait == timedelta(0)
    assert relaxed.roles_are_of_two is both
    strict = Settings()
    assert grants.terms_for(strict, actor) == grants.Terms(alone=False, wait=timedelta(hours=24))
    assert strict.roles_are_of_two


def test_the_first_operators_are_two_persons_and_named_once() -> None:
    joined = Joined((OLA,))
    check_first_operators([], ["olga@x", "otto@x"], joined=NOBODY)
    check_first_operators(["otto@x"], ["olga@x"], joined=NOBODY)
    check_first_operators(OLA, ["otto@x"], joined=joined)
    for holding, named in (([], ["olga@x"]), ([], ["olga@x", "olga@x"]), (["olga@x"], ["olga@x"]), ([], OLA)):
        with pytest.raises(BadRequest, match="two different persons"):
            check_first_operators(holding, named, joined=joined)
    with pytest.raises(NotAllowed, match="two operators already"):
        check_first_operators(["olga@x", "otto@x"], ["eve@x"], joined=NOBODY)


def test_the_first_operators_are_there_at_once(app: FastAPI) -> None:
    engine = app.state.engine
    with transaction(engine) as session, pytest.raises(NotAllowed):
        grants.name_first_operators(session, ["eve@development", "adam@development"])
    with transaction(engine) as session:
        for name in ("ola", "olga", "otto"):
            grants.end(session, "test", project=PLATFORM, person=f"{name}@development", role=Role.OPERATOR)
        terms = grants.Terms(alone=True, wait=timedelta(hours=24))
        nina = {"project": PLATFORM, "person": "nina@development", "role": Role.OPERATOR}
        said = grants.say(session, "test", **nina, terms=terms)  # type: ignore[arg-type]
        assert said.standing is Standing.BEGINS
    with transaction(engine) as session:
        grants.name_first_operators(session, ["ottilie@development", "nina@development"])
        assert holders_of(session, PLATFORM, Role.OPERATOR) == ["nina@development", "ottilie@development"]

"""The routes of policies: proposed by one, signed by another, complete, never laxer; strangers learn nothing."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from asking import Asking
from fastapi import FastAPI

from access import memberships
from access.policy_api import router
from airlock import intake
from airlock.checks.thresholds import Policy
from strongroom.audit import events
from strongroom.database import Base, open_database, transaction
from strongroom.http import new_app
from strongroom.identity import make_development_issuer, mint_token, trusted_issuers
from strongroom.persons import Joined
from strongroom.projects import PLATFORM, Project, Role
from strongroom.settings import Settings
from strongroom.thresholds import FLOOR, MORE_IS_STRICTER, laxer, strictest, unsigned

URL = "/api/access/v1/projects/p1/policies"
PEOPLE = {
    "dan": (PLATFORM, Role.DAC_MEMBER),
    "dora": (PLATFORM, Role.DAC_MEMBER),
    "sen": (PLATFORM, Role.SENIOR_STEWARD),
    "ruth": ("p1", Role.RESEARCHER),
    "sam": ("p1", Role.STEWARD),
    "olga": (PLATFORM, Role.OPERATOR),
    "vera": (PLATFORM, Role.VETTER),
    "daniel": (PLATFORM, Role.DAC_MEMBER),
    "rudi": (PLATFORM, Role.DAC_MEMBER),
}
# daniel is dan, and rudi is ruth, who is a researcher.
JOINED = Joined((("dan@development", "daniel@development"), ("rudi@development", "ruth@development")))


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    settings = Settings(home=tmp_path, identity={"development_issuer": True})
    make_development_issuer(settings)
    engine = open_database(f"sqlite:///{tmp_path / 'access.db'}", joined=JOINED)
    Base.metadata.create_all(engine)
    with transaction(engine) as session:
        memberships.create_project(session, "op@x", project="p1", title="Hearts", floor=5, min_count=6)
        for name, (place, role) in PEOPLE.items():
            memberships.grant(session, "op@x", project=place, person=f"{name}@development", role=role)
        memberships.grant(session, "op@x", project="p1", person="dora@development", role=Role.RESEARCHER)
    made = new_app("test", settings, engine=engine, issuers=trusted_issuers(settings))
    made.include_router(router)
    yield made
    engine.dispose()


def ask(app: FastAPI, name: str) -> Asking:
    return Asking(app, mint_token(app.state.settings, name))


def force(app: FastAPI) -> Policy:
    with transaction(app.state.engine) as session:
        return intake.policy_of(session, session.get_one(Project, "p1"), app.state.settings, datasets=())


def test_the_floor_is_what_the_jail_falls_back_to() -> None:
    assert asdict(Policy(version=1)) == {**FLOOR, "version": 1}
    assert set(FLOOR) >= MORE_IS_STRICTER


def test_the_stricter_of_two_is_laxer_than_neither() -> None:
    one, other = {**FLOOR, "min_count": 9, "max_rows": 10}, {**FLOOR, "min_dof": 30, "max_rows": 20}
    both = strictest(one, other)
    assert not laxer(both, one)
    assert not laxer(both, other)
    assert (both["min_count"], both["min_dof"], both["max_rows"]) == (9, 30, 10)


def test_the_strictest_of_many_takes_each_threshold_from_whom_it_is_strictest_in() -> None:
    assert strictest() == {}
    found = strictest({"min_count": 7, "max_rows": 9}, {"max_rows": 3}, {"min_count": 8, "max_cohorts": 5})
    assert found == {"min_count": 8, "max_rows": 3, "max_cohorts": 5}
    assert strictest({"max_rows": 9}, {}) == {"max_rows": 9}


def test_two_persons_put_a_policy_in_force(app: FastAPI) -> None:
    made = ask(app, "dan").post(URL, {"thresholds": {"min_count": 10, "max_rows": 100}}).json()
    assert (made["version"], made["in_force"], made["signed_by"]) == (2, False, None)
    assert made["thresholds"] == {**unsigned(FLOOR), "min_count": 10, "max_rows": 100}
    assert (force(app).version, force(app).min_count) == (1, 6)
    signed = f"{URL}/2:sign"
    said = {"sha256": made["sha256"]}
    assert ask(app, "dan").post(signed, said).status_code == 409
    assert ask(app, "sen").post(signed, {"sha256": "0" * 64}).status_code == 400
    assert ask(app, "sen").post(f"{URL}/3:sign", said).status_code == 404
    assert force(app).version == 1
    assert ask(app, "sen").post(signed, said).json()["in_force"] is True
    assert (force(app).version, force(app).min_count, force(app).max_rows) == (2, 10, 100)
    assert ask(app, "sen").post(signed, said).status_code == 409
    with transaction(app.state.engine) as session:
        told = [
            (row.event, row.actor, json.loads(row.body)["facts"]["version"])
            for row in events(session)
            if row.event.startswith("policy.")
        ]
        assert session.get_one(Project, "p1").policy_version == 2
    assert told == [("policy.proposed", "dan@development", 2), ("policy.signed", "sen@development", 2)]


def test_only_the_newest_proposal_is_signed(app: FastAPI) -> None:
    old = ask(app, "dan").post(URL, {"thresholds": {"min_count": 10}}).json()
    ask(app, "dan").post(URL, {"thresholds": {"min_count": 11}})
    assert ask(app, "sen").post(f"{URL}/2:sign", {"sha256": old["sha256"]}).status_code == 409
    assert force(app).version == 1


def test_t28_who_proposed_does_not_sign_under_another_identity(app: FastAPI) -> None:
    made = ask(app, "dan").post(URL, {"thresholds": {"min_count": 10}}).json()
    said = {"sha256": made["sha256"]}
    for name in ("daniel", "dan"):
        answer = ask(app, name).post(f"{URL}/2:sign", said)
        assert (answer.status_code, "another person" in answer.text) == (409, True), name
    # Nor does who is a researcher of the project under another identity.
    assert ask(app, "rudi").post(f"{URL}/2:sign", said).status_code == 403
    assert force(app).version == 1
    assert ask(app, "sen").post(f"{URL}/2:sign", said).status_code == 200


@pytest.mark.parametrize("name", ["ruth", "rudi", "sam", "olga", "vera", "dora", "nobody"])
def test_others_neither_propose_nor_sign(app: FastAPI, name: str) -> None:
    # dora is of the DAC, but a researcher of this very project too (J8).
    made = ask(app, "dan").post(URL, {"thresholds": {"min_count": 10}}).json()
    assert ask(app, name).post(URL, {"thresholds": {"min_count": 10}}).status_code == 403
    assert ask(app, name).post(f"{URL}/2:sign", {"sha256": made["sha256"]}).status_code == 403
    assert force(app).version == 1


@pytest.mark.parametrize(
    "thresholds",
    [
        {"min_count": 5},  # the project's own is 6
        {"max_rows": 5001},
        {"min_dof": 9},
        {"min_cuont": 10},
        {"version": 7},
        {"min_count": -1},
        {"min_count": 2**41},
        {"min_count": "ten"},
        {"min_count": 10.5},
    ],
)
def test_what_is_laxer_unknown_or_no_number_is_refused(app: FastAPI, thresholds: dict[str, object]) -> None:
    answer = ask(app, "dan").post(URL, {"thresholds": thresholds})
    assert answer.status_code == 400
    assert next(iter(thresholds)) in answer.text or "version" in thresholds
    assert ask(app, "dan").get(URL).json() == []


def test_strangers_learn_nothing_and_members_read(app: FastAPI) -> None:
    ask(app, "dan").post(URL, {"thresholds": {"min_count": 10}})
    for name in ("ruth", "sam", "olga", "dan", "sen"):
        assert [row["version"] for row in ask(app, name).get(URL).json()] == [2]
    for name, url in (("nobody", URL), ("vera", URL), ("olga", URL.replace("p1", "p9"))):
        assert ask(app, name).get(url).status_code == 404
    assert Asking(app).request("GET", URL).status_code == 401


def test_a_floor_that_rises_later_holds_over_what_was_signed(app: FastAPI) -> None:
    made = ask(app, "dan").post(URL, {"thresholds": {"min_count": 10}}).json()
    ask(app, "sen").post(f"{URL}/2:sign", {"sha256": made["sha256"]})
    settings = app.state.settings
    higher = settings.model_copy(update={"airlock": settings.airlock.model_copy(update={"min_count": 15})})
    with transaction(app.state.engine) as session:
        assert intake.policy_of(session, session.get_one(Project, "p1"), higher, datasets=()).min_count == 15

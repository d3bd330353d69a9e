"""The routes of floors: two of the DAC sign, projects with the data and what was derived from it are held to them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from asking import Asking
from fastapi import FastAPI

from access import memberships
from access.floors_api import router
from airlock import intake
from airlock.policy import Policy
from archive.store import Dataset, DatasetProject
from strongroom.audit import events
from strongroom.canonical import digest
from strongroom.database import Base, now, open_database, transaction
from strongroom.http import new_app
from strongroom.identity import make_development_issuer, mint_token, trusted_issuers
from strongroom.persons import Joined
from strongroom.projects import PLATFORM, Project, Role
from strongroom.settings import Settings
from strongroom.thresholds import FLOOR, unsigned

URL = "/api/access/v1/datasets/calls/floors"
PEOPLE = {
    "dan": (PLATFORM, Role.DAC_MEMBER),
    "dora": (PLATFORM, Role.DAC_MEMBER),
    "dirk": (PLATFORM, Role.DAC_MEMBER),
    "sen": (PLATFORM, Role.SENIOR_STEWARD),
    "ruth": ("p1", Role.RESEARCHER),
    "rob": ("p2", Role.RESEARCHER),
    "olga": (PLATFORM, Role.OPERATOR),
    "vera": (PLATFORM, Role.VETTER),
    "paul": ("p1", Role.DAC_MEMBER),
    "daniel": (PLATFORM, Role.DAC_MEMBER),  # who is dan
    "rudi": (PLATFORM, Role.DAC_MEMBER),  # who is ruth
}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    settings = Settings(home=tmp_path, identity={"development_issuer": True})
    make_development_issuer(settings)
    joined = Joined((("dan@development", "daniel@development"), ("rudi@development", "ruth@development")))
    engine = open_database(f"sqlite:///{tmp_path / 'access.db'}", joined=joined)
    Base.metadata.create_all(engine)
    with transaction(engine) as session:
        for project in ("p1", "p2"):
            memberships.create_project(session, "op@x", project=project, title="Hearts", floor=5, min_count=6)
        for name, (place, role) in PEOPLE.items():
            memberships.grant(session, "op@x", project=place, person=f"{name}@development", role=role)
        # dirk is of the DAC, but a researcher with this very data too (J8).
        memberships.grant(session, "op@x", project="p1", person="dirk@development", role=Role.RESEARCHER)
        for name, ancestors in {"calls": [], "derived": ["calls"], "far": ["derived"], "gone": []}.items():
            session.add(dataset(name, ancestors))
        session.flush()
        session.get_one(Dataset, "gone").deleted_at = now()
        session.add(
            DatasetProject(dataset="calls", project="p1", shared_by="op@x", since=now(), until=None, policy_version=1)
        )
    made = new_app("test", settings, engine=engine, issuers=trusted_issuers(settings))
    made.include_router(router)
    yield made
    engine.dispose()


def dataset(name: str, ancestors: list[str]) -> Dataset:
    return Dataset(
        id=name,
        title=name,
        observability="open",
        sensitivity="standard",
        min_population=0,
        ancestors=ancestors,
        created_by="op@x",
        created=now(),
        policy_version=1,
    )


def ask(app: FastAPI, name: str) -> Asking:
    return Asking(app, mint_token(app.state.settings, name))


def force(app: FastAPI, *datasets: str) -> Policy:
    with transaction(app.state.engine) as session:
        return intake.policy_of(session, session.get_one(Project, "p1"), app.state.settings, datasets=datasets)


def signed(app: FastAPI, url: str = URL, **thresholds: int) -> None:
    made = ask(app, "dan").post(url, {"thresholds": thresholds}).json()
    done = ask(app, "dora").post(f"{url}/{made['version']}:sign", {"sha256": made["sha256"]})
    assert done.json()["in_force"] is True


def test_t28_one_of_the_dac_with_two_identities_is_not_two(app: FastAPI) -> None:
    made = ask(app, "daniel").post(URL, {"thresholds": {"min_count": 10}}).json()
    said = {"sha256": made["sha256"]}
    assert ask(app, "dan").post(f"{URL}/1:sign", said).status_code == 409
    assert ask(app, "rudi").post(f"{URL}/1:sign", said).status_code == 403
    assert force(app, "calls").min_count == 6
    assert ask(app, "dora").post(f"{URL}/1:sign", said).json()["in_force"] is True


def test_two_of_the_dac_put_floors_in_force(app: FastAPI) -> None:
    answer = ask(app, "dan").post(URL, {"thresholds": {"min_count": 10, "max_rows": 100}})
    made = answer.json()
    assert (answer.status_code, made["version"], made["in_force"]) == (201, 1, False)
    assert made["thresholds"] == {"min_count": 10, "max_rows": 100}
    said = {"sha256": made["sha256"]}
    assert ask(app, "dan").post(f"{URL}/1:sign", said).status_code == 409
    assert ask(app, "dora").post(f"{URL}/1:sign", {"sha256": "0" * 64}).status_code == 400
    assert ask(app, "dora").post(f"{URL}/2:sign", said).status_code == 404
    assert force(app, "calls").min_count == 6
    assert ask(app, "dora").post(f"{URL}/1:sign", said).json()["in_force"] is True
    assert ask(app, "dora").post(f"{URL}/1:sign", said).status_code == 409
    assert (force(app, "calls").version, force(app, "calls").min_count, force(app, "calls").max_rows) == (1, 10, 100)
    with transaction(app.state.engine) as session:
        told = [
            (row.event, row.actor, row.subject, json.loads(row.body)["facts"]["version"])
            for row in events(session)
            if row.event.startswith("floors.")
        ]
    dan, dora = "dan@development", "dora@development"
    assert told == [("floors.proposed", dan, "calls", 1), ("floors.signed", dora, "calls", 1)]


def test_the_strictest_of_project_and_all_data_counts_and_derived_data_inherits(app: FastAPI) -> None:
    signed(app, min_count=10)
    signed(app, URL.replace("calls", "derived"), max_rows=100)
    assert force(app).as_json() == {**unsigned(FLOOR), "min_count": 6, "version": 1}
    for name in ("derived", "far"):
        assert force(app, name).as_json() == {**unsigned(FLOOR), "min_count": 10, "max_rows": 100, "version": 1}
    assert force(app, "calls", "unknown").max_rows == FLOOR["max_rows"]
    signed(app, min_count=7)
    assert force(app, "derived").min_count == 7
    signed(app, min_count=5)
    assert force(app, "derived").min_count == 6  # the project's own


@pytest.mark.parametrize("name", ["dirk", "sen", "ruth", "rob", "olga", "vera", "paul", "nobody"])
def test_others_neither_propose_nor_sign(app: FastAPI, name: str) -> None:
    made = ask(app, "dan").post(URL, {"thresholds": {"min_count": 10}}).json()
    assert ask(app, name).post(URL, {"thresholds": {"min_count": 10}}).status_code == 403
    assert ask(app, name).post(f"{URL}/1:sign", {"sha256": made["sha256"]}).status_code == 403
    assert force(app, "calls").min_count == 6


def test_who_was_once_a_researcher_with_the_data_stays_out(app: FastAPI) -> None:
    with transaction(app.state.engine) as session:
        session.execute(sa.update(DatasetProject).values(until=now()))
    assert ask(app, "dirk").post(URL, {"thresholds": {"min_count": 10}}).status_code == 403


@pytest.mark.parametrize(
    "thresholds",
    [
        {"min_count": 4},
        {"max_rows": 5001},
        {"min_cuont": 10},
        {"min_count": -1},
        {"min_count": "ten"},
        {"version": 2},
    ],
)
def test_what_is_laxer_unknown_or_no_number_is_refused(app: FastAPI, thresholds: dict[str, object]) -> None:
    answer = ask(app, "dan").post(URL, {"thresholds": thresholds})
    assert answer.status_code == 400
    assert next(iter(thresholds)) in answer.text
    assert ask(app, "dan").post(URL, {"thresholds": {}}).status_code == 400
    assert ask(app, "dan").get(URL).json() == []


def test_strangers_learn_nothing_and_people_with_the_data_read(app: FastAPI) -> None:
    ask(app, "dan").post(URL, {"thresholds": {"min_count": 10}})
    for name in ("ruth", "olga", "dan", "dirk", "paul"):
        assert [row["version"] for row in ask(app, name).get(URL).json()] == [1]
    for name in ("nobody", "vera", "rob"):
        assert ask(app, name).get(URL).status_code == 404
    for name in ("none", "gone"):
        assert ask(app, "dan").get(URL.replace("calls", name)).status_code == 404
        answer = ask(app, "dan").post(URL.replace("calls", name), {"thresholds": {"min_count": 10}})
        assert answer.status_code == 404
    assert Asking(app).request("GET", URL).status_code == 401


def test_a_version_that_was_read_is_the_one_that_is_signed(app: FastAPI) -> None:
    old = ask(app, "dan").post(URL, {"thresholds": {"min_count": 10}}).json()
    ask(app, "dan").post(URL, {"thresholds": {"min_count": 7}})
    said = {"sha256": old["sha256"]}
    assert old["sha256"] == digest({"min_count": 10})
    assert ask(app, "dora").post(f"{URL}/1:sign", said).status_code == 409
    assert ask(app, "dora").post(f"{URL}/2:sign", said).status_code == 400

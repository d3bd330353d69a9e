"""The routes of /api/access/v1: everyone sees their own, operators act, keys are proved before they count."""

import base64
import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from asking import Asking
from crypt4gh.lib import decrypt
from fastapi import FastAPI

from access.api import router
from access.grants_api import router as grants_router
from access.keys import public_key_of
from access.memberships import grant
from access.store import KeyChallenge, ResearcherKey
from sandbox.crypt4gh import new_private_key
from sandbox.crypt4gh import public_key_of as public_half
from strongroom.audit import events
from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.http import new_app
from strongroom.identity import make_development_issuer, mint_token, trusted_issuers
from strongroom.projects import PLATFORM, Role
from strongroom.settings import Settings

API = "/api/access/v1"
SECRET = new_private_key()
PUBLIC = base64.b64encode(public_half(SECRET)).decode()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path, identity={"development_issuer": True})
    make_development_issuer(settings)
    return settings


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'access.db'}")
    Base.metadata.create_all(engine)
    with transaction(engine) as session:
        grant(session, "test", project=PLATFORM, person="olga@development", role=Role.OPERATOR)
    yield engine
    engine.dispose()


@pytest.fixture
def app(settings: Settings, engine: sa.Engine) -> FastAPI:
    app = new_app("test", settings, engine=engine, issuers=trusted_issuers(settings))
    app.include_router(router)
    app.include_router(grants_router)
    return app


def _as(app: FastAPI, name: str) -> Asking:
    return Asking(app, mint_token(app.state.settings, name))


def _project(app: FastAPI, name: str = "p1") -> None:
    assert _as(app, "olga").post(f"{API}/projects", {"id": name, "title": "Hearts"}).status_code == 201


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/projects"),
        ("POST", "/projects"),
        ("POST", "/projects/p1/members"),
        ("GET", "/me"),
        ("GET", "/keys"),
        ("POST", "/keys"),
        ("POST", "/keys/ab:prove"),
    ],
)
def test_every_route_denies_by_default(app: FastAPI, method: str, path: str) -> None:
    assert Asking(app).request(method, API + path, json={}).status_code == 401
    if method == "POST":
        assert _as(app, "nobody").post(API + path, {"surprise": 1}).status_code == 400


def test_only_operators_create_projects_and_grant_roles(app: FastAPI) -> None:
    new, role = {"id": "p1", "title": "Hearts"}, {"person": "bob@development", "role": "researcher"}
    assert _as(app, "alice").post(f"{API}/projects", new).status_code == 403
    made = _as(app, "olga").post(f"{API}/projects", new)
    assert (made.status_code, made.json()["min_count"]) == (201, 5)
    assert _as(app, "olga").post(f"{API}/projects", new).status_code == 409
    assert _as(app, "olga").post(f"{API}/projects", {**new, "id": "p2", "min_count": 1}).status_code == 400
    assert _as(app, "alice").post(f"{API}/projects/p1/members", role).status_code == 403
    assert _as(app, "olga").post(f"{API}/projects/p1/members", role).json()["changed"] is True
    assert _as(app, "olga").post(f"{API}/projects/p1/members", role).json()["changed"] is False
    assert _as(app, "olga").post(f"{API}/projects/p1/members", {**role, "role": "steward"}).status_code == 409
    assert _as(app, "olga").post(f"{API}/projects/p1/members", {**role, "role": "king"}).status_code == 400
    own = {"person": "olga@development", "role": "steward"}
    assert _as(app, "olga").post(f"{API}/projects/p1/members", own).status_code == 403
    platform = {"person": "vera@development", "role": "vetter"}
    assert _as(app, "olga").post(f"{API}/projects/*/members", platform).status_code == 201


def test_an_operator_of_one_project_is_none_of_the_platform(app: FastAPI) -> None:
    _project(app)
    role = {"person": "bob@development", "role": "operator"}
    assert _as(app, "olga").post(f"{API}/projects/p1/members", role).status_code == 201
    assert _as(app, "bob").post(f"{API}/projects", {"id": "p2", "title": "x"}).status_code == 403


def test_everyone_sees_their_own_projects_and_operators_all(app: FastAPI) -> None:
    _project(app)
    _project(app, "p2")
    role = {"person": "bob@development", "role": "researcher"}
    _as(app, "olga").post(f"{API}/projects/p1/members", role)
    assert [p["id"] for p in _as(app, "olga").get(f"{API}/projects").json()] == ["p1", "p2"]
    (seen,) = _as(app, "bob").get(f"{API}/projects").json()
    assert (seen["id"], seen["roles"]) == ("p1", ["researcher"])
    assert _as(app, "eve").get(f"{API}/projects").json() == []
    assert _as(app, "bob").get(f"{API}/me").json() == {
        "person": "bob@development",
        "roles": {"p1": ["researcher"]},
    }


def _opened(challenge: str, secret: bytes = SECRET) -> str:
    found = io.BytesIO()
    decrypt([(0, secret, None)], io.BytesIO(base64.b64decode(challenge)), found)
    return base64.b64encode(found.getvalue()).decode()


def _registered(app: FastAPI, name: str, secret: bytes = SECRET) -> str:
    asked = _as(app, name).post(f"{API}/keys", {"public_key": base64.b64encode(public_half(secret)).decode()}).json()
    proof = {"nonce": _opened(asked["challenge"], secret)}
    answer = _as(app, name).post(f"{API}/keys/{asked['fingerprint']}:prove", proof)
    assert answer.status_code == 200, answer.text
    return str(asked["fingerprint"])


def test_a_key_counts_once_its_owner_opened_the_challenge(app: FastAPI, engine: sa.Engine) -> None:
    asked = _as(app, "bob").post(f"{API}/keys", {"public_key": PUBLIC})
    assert asked.status_code == 201
    name = asked.json()["fingerprint"]
    with reading(engine) as session:
        assert public_key_of(session, "bob@development", name) is None
    assert _registered(app, "bob") == name
    with reading(engine) as session:
        assert public_key_of(session, "bob@development", name) == PUBLIC
        assert public_key_of(session, "eve@development", name) is None
        assert public_key_of(session, "bob@development", "0" * 64) is None
        assert [row.subject for row in events(session) if row.event == "key.registered"] == [name]
        assert session.scalar(sa.select(sa.func.count()).select_from(KeyChallenge)) == 0
    assert [key["fingerprint"] for key in _as(app, "bob").get(f"{API}/keys").json()] == [name]
    assert _as(app, "eve").get(f"{API}/keys").json() == []


def test_registering_a_key_again_changes_nothing(app: FastAPI, engine: sa.Engine) -> None:
    assert _registered(app, "bob") == _registered(app, "bob")
    with reading(engine) as session:
        assert len([row for row in events(session) if row.event == "key.registered"]) == 1


def test_a_wrong_foreign_late_or_second_proof_is_refused(app: FastAPI, engine: sa.Engine) -> None:
    asked = _as(app, "bob").post(f"{API}/keys", {"public_key": PUBLIC}).json()
    path, nonce = f"{API}/keys/{asked['fingerprint']}:prove", _opened(asked["challenge"])
    wrong = base64.b64encode(b"\x00" * 32).decode()
    for value in (wrong, "AAAA", "not base64"):
        assert _as(app, "bob").post(path, {"nonce": value}).status_code == 400
    assert _as(app, "eve").post(path, {"nonce": nonce}).status_code == 404, "the challenge is bob's"
    with transaction(engine) as session:
        session.execute(sa.update(KeyChallenge).values(expires=now() - timedelta(seconds=1)))
    assert _as(app, "bob").post(path, {"nonce": nonce}).status_code == 404
    fresh = _opened(_as(app, "bob").post(f"{API}/keys", {"public_key": PUBLIC}).json()["challenge"])
    assert _as(app, "bob").post(path, {"nonce": nonce}).status_code == 400, "an older challenge is void"
    assert _as(app, "bob").post(path, {"nonce": fresh}).status_code == 200
    assert _as(app, "bob").post(path, {"nonce": fresh}).status_code == 404


def test_a_key_belongs_to_one_person_and_a_revoked_one_to_nobody(app: FastAPI, engine: sa.Engine) -> None:
    name = _registered(app, "bob")
    asked = _as(app, "eve").post(f"{API}/keys", {"public_key": PUBLIC}).json()
    proof = {"nonce": _opened(asked["challenge"])}
    assert _as(app, "eve").post(f"{API}/keys/{name}:prove", proof).status_code == 409
    with transaction(engine) as session:
        session.execute(sa.update(ResearcherKey).values(revoked_at=now()))
    with reading(engine) as session:
        assert public_key_of(session, "bob@development", name) is None


@pytest.mark.parametrize(
    "public",
    ["", "AAAA", "not base64!", base64.b64encode(b"\x00" * 32).decode(), "A" * 200, PUBLIC + "\n"],
    ids=["nothing", "short", "other-text", "zeros", "long", "with-a-newline"],
)
def test_what_is_no_usable_public_key_is_refused(app: FastAPI, public: str) -> None:
    assert _as(app, "bob").post(f"{API}/keys", {"public_key": public}).status_code == 400


def test_the_database_never_holds_the_nonce(app: FastAPI, tmp_path: Path) -> None:
    asked = _as(app, "bob").post(f"{API}/keys", {"public_key": PUBLIC}).json()
    nonce = base64.b64decode(_opened(asked["challenge"]))
    for file in tmp_path.glob("access.db*"):
        kept = file.read_bytes()
        assert nonce not in kept
        assert base64.b64encode(nonce) not in kept
        assert nonce.hex().encode() not in kept

"""Certificates, addresses and keys: who records what, and what a stolen token does not get."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from asking import Asking
from fastapi import FastAPI

from access.api import router
from access.grants_api import router as grants_router
from access.memberships import grant
from access.rules import RolesExclude, check_excludes
from strongroom.audit import AuditEvent, Event
from strongroom.contacts import address_of
from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.http import new_app
from strongroom.identity import make_development_issuer, mint_token, trusted_issuers
from strongroom.projects import PLATFORM, Project, Role, Training, is_trained
from strongroom.settings import Settings

API = "/api/access/v1"
KEY = "iqFvkLkMNPX9hG4jjYMCGRjQOzAMSWbvsTTuXeTVsDk="


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'access.db'}")
    Base.metadata.create_all(engine)
    with transaction(engine) as session:
        grant(session, "test", project=PLATFORM, person="olga@development", role=Role.OPERATOR)
        for name, needs in (("strict", True), ("plain", False)):
            session.add(
                Project(id=name, title="t", min_count=5, policy_version=1, created=now(), needs_training=needs)
            )
    yield engine
    engine.dispose()


@pytest.fixture
def app(tmp_path: Path, engine: sa.Engine) -> FastAPI:
    identity = {"development_issuer": True, "step_up_of_development": True}
    settings = Settings(home=tmp_path, identity=identity)  # type: ignore[arg-type]
    make_development_issuer(settings)
    app = new_app("test", settings, engine=engine, issuers=trusted_issuers(settings))
    app.include_router(router)
    app.include_router(grants_router)
    return app


def asking(app: FastAPI, name: str, *, step_up: bool = True) -> Asking:
    return Asking(app, mint_token(app.state.settings, name, step_up=step_up))


def paper(person: str = "ruth@development", **more: Any) -> dict[str, Any]:
    said = {"person": person, "training": "researcher", "issuer": "ONS", "sha256": "0" * 64}
    since, until = now() - timedelta(days=1), now() + timedelta(days=9)
    return {**said, "since": since.isoformat(), "until": until.isoformat(), **more}


def test_t20_keys_roles_papers_and_addresses_need_a_second_factor(app: FastAPI, engine: sa.Engine) -> None:
    forms: dict[str, Any] = {
        "keys": {"public_key": KEY},
        "keys/ab:prove": {"nonce": KEY},
        "projects/plain/members": {"person": "rob@development", "role": "researcher"},
        "certificates": paper(),
        "me:contact": {"email": "eve@example.org"},
    }
    for path, form in forms.items():
        stale = asking(app, "olga", step_up=False).post(f"{API}/{path}", form)
        assert stale.status_code == 401, path
        assert stale.headers["www-authenticate"].startswith('Bearer error="insufficient_user_authentication"')
        assert asking(app, "olga").post(f"{API}/{path}", form).status_code != 401, path
    with reading(engine) as session:
        assert address_of(session, "olga@development") == "eve@example.org"


def test_an_operator_records_training_and_never_their_own(app: FastAPI, engine: sa.Engine) -> None:
    assert asking(app, "ruth").post(f"{API}/certificates", paper()).status_code == 403
    assert asking(app, "olga").post(f"{API}/certificates", paper("olga@development")).status_code == 403
    backwards = paper(until=(now() - timedelta(days=2)).isoformat())
    assert asking(app, "olga").post(f"{API}/certificates", backwards).status_code == 400
    assert asking(app, "olga").post(f"{API}/certificates", paper(since="2026-01-01T00:00:00")).status_code == 400
    assert asking(app, "olga").post(f"{API}/certificates", paper()).status_code == 201
    (seen,) = asking(app, "ruth").get(f"{API}/certificates").json()
    assert (seen["training"], seen["issuer"]) == ("researcher", "ONS")
    assert asking(app, "rob").get(f"{API}/certificates").json() == []
    with reading(engine) as session:
        (said,) = session.query(AuditEvent).where(AuditEvent.event == Event.CERTIFICATE_RECORDED.value)
        assert (said.actor, said.subject) == ("olga@development", "ruth@development")


def test_training_is_in_force_from_its_first_day_to_its_last(app: FastAPI, engine: sa.Engine) -> None:
    def trained(project: str, training: Training = Training.RESEARCHER) -> bool:
        with reading(engine) as session:
            return is_trained(session, "ruth@development", project, training)

    assert (trained("plain"), trained("strict"), trained("none")) == (True, False, False)
    old = paper(since=(now() - timedelta(days=9)).isoformat(), until=(now() - timedelta(days=1)).isoformat())
    asking(app, "olga").post(f"{API}/certificates", old)
    assert (trained("plain"), trained("strict")) == (False, False)
    future = paper(since=(now() + timedelta(days=1)).isoformat())
    asking(app, "olga").post(f"{API}/certificates", future)
    assert trained("plain") is False
    asking(app, "olga").post(f"{API}/certificates", paper())
    assert (trained("plain"), trained("strict")) == (True, True)
    # P2: a steward needs a paper of their own.
    assert (trained("plain", Training.STEWARD), trained("strict", Training.STEWARD)) == (True, False)


@pytest.mark.parametrize("email", ["no address", "a@b\r\nBcc: c@d", "a@b, c@d", "<a@b>", "x" * 250 + "@b.c"])
def test_what_is_no_address_is_refused(app: FastAPI, email: str) -> None:
    assert asking(app, "ruth").post(f"{API}/me:contact", {"email": email}).status_code == 400


def test_t28_a_senior_of_a_project_is_never_its_researcher() -> None:
    for role, ever in ((Role.SENIOR_STEWARD, Role.RESEARCHER), (Role.RESEARCHER, Role.SENIOR_STEWARD)):
        with pytest.raises(RolesExclude):
            check_excludes(role, {ever})
    check_excludes(Role.SENIOR_STEWARD, {Role.STEWARD})

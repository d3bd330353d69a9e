"""`strongroom token` prints one token and nothing else, and grants what it names once."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import typer
from click.testing import Result
from typer.testing import CliRunner

from strongroom.audit import events
from strongroom.cli.token import token
from strongroom.database import Base, open_database, reading
from strongroom.identity import person_of, trusted_issuers
from strongroom.projects import PLATFORM, Project, Role, roles_of
from strongroom.settings import Settings, load

app = typer.Typer()
app.command()(token)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith("STRONGROOM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STRONGROOM_HOME", str(tmp_path))
    return load()


@pytest.fixture
def engine(settings: Settings) -> Iterator[sa.Engine]:
    (settings.home / "database").mkdir()
    engine = open_database(settings.database)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def _token(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments])


def _told(engine: sa.Engine) -> list[tuple[str, str, str | None]]:
    with reading(engine) as session:
        return [(row.event, row.subject, row.project) for row in events(session)]


def test_it_prints_one_token_and_nothing_else(settings: Settings, engine: sa.Engine) -> None:
    said = _token("--person", "alice", "--role", "researcher", "--project", "hearts")
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout.count("\n") == 1
    assert person_of(said.stdout.strip(), trusted_issuers(settings)).id == "alice@development"
    with reading(engine) as session:
        assert roles_of(session, "alice@development", "hearts") == {Role.RESEARCHER}
        project = session.get_one(Project, "hearts")
        assert (project.title, project.min_count) == ("hearts", settings.airlock.min_count)
    assert _told(engine) == [
        ("project.created", "hearts", "hearts"),
        ("membership.granted", "alice@development", "hearts"),
        ("token.minted", "alice@development", "hearts"),
    ]


def test_a_second_token_grants_nothing_new(engine: sa.Engine) -> None:
    arguments = ("--person", "alice", "--role", "researcher", "--project", "hearts")
    first, second = _token(*arguments), _token(*arguments)
    assert first.stdout != second.stdout
    assert [event for event, *_ in _told(engine)].count("membership.granted") == 1
    assert [event for event, *_ in _told(engine)].count("token.minted") == 2


@pytest.mark.parametrize("role", ["vetter", "operator", "auditor", "dac_member"])
def test_platform_roles_need_no_project(engine: sa.Engine, role: str) -> None:
    assert _token("--person", "vera", "--role", role).exit_code == 0
    with reading(engine) as session:
        assert roles_of(session, "vera@development", PLATFORM) == {Role(role)}


@pytest.mark.parametrize("role", ["researcher", "steward"])
def test_researchers_and_stewards_need_a_project(engine: sa.Engine, role: str) -> None:
    said = _token("--person", "alice", "--role", role)
    assert (said.exit_code, said.stdout) == (1, "")
    assert "--project" in said.stderr
    assert _told(engine) == []


def test_a_researcher_gets_no_steward_s_token_of_the_same_project(engine: sa.Engine) -> None:
    assert _token("--person", "alice", "--role", "researcher", "--project", "hearts").exit_code == 0
    before = _told(engine)
    said = _token("--person", "alice", "--role", "steward", "--project", "hearts")
    assert (said.exit_code, said.stdout) == (1, "")
    assert "never" in said.stderr
    assert _told(engine) == before


@pytest.mark.parametrize("name", ["", "alice@development", "a b", "-x", "a/../b", "x" * 64, "é"])
def test_a_name_is_plain(engine: sa.Engine, name: str) -> None:
    said = _token(f"--person={name}", "--role", "vetter")
    assert said.exit_code != 0
    assert said.stdout == ""
    assert _told(engine) == []


@pytest.mark.parametrize("project", ["*", "Hearts", "../x", ""])
def test_a_project_is_plain_and_never_the_platform_by_name(engine: sa.Engine, project: str) -> None:
    said = _token("--person", "alice", "--role", "researcher", "--project", project)
    assert (said.exit_code, said.stdout) == (1, "")
    assert _told(engine) == []


def test_an_unknown_role_is_a_matter_of_usage(engine: sa.Engine) -> None:
    assert _token("--person", "alice", "--role", "king").exit_code == 2


def test_the_issuer_s_keys_and_the_database_keep_their_owners(settings: Settings, engine: sa.Engine) -> None:
    assert os.geteuid() == 0, "this test needs root: it gives the database to another user"
    folder = settings.home / "database"
    os.chown(folder, 61103, 61100)
    folder.chmod(0o2770)
    engine.dispose()
    for file in folder.iterdir():
        os.chown(file, 61103, 61100)
        file.chmod(0o660)
    # Held open as the server does, so that the files that SQLite adds stay to be looked at.
    with engine.connect():
        assert _token("--person", "vera", "--role", "vetter").exit_code == 0
        for file in folder.iterdir():
            seen = file.stat()
            assert (seen.st_uid, seen.st_gid, seen.st_mode & 0o777) == (61103, 61100, 0o660), file.name
    private = settings.home / "keys" / "development-issuer.json"
    assert (private.stat().st_uid, private.stat().st_mode & 0o777) == (0, 0o600)


def test_a_token_is_never_in_the_log_or_the_database(settings: Settings, engine: sa.Engine) -> None:
    said = _token("--person", "alice", "--role", "researcher", "--project", "hearts").stdout.strip()
    for part in said.split("."):
        for file in (settings.home / "database").iterdir():
            assert part.encode() not in file.read_bytes()
    with reading(engine) as session:
        minted = [json.loads(row.body) for row in events(session) if row.event == "token.minted"]
    assert minted[0]["facts"] == {"role": "researcher"}

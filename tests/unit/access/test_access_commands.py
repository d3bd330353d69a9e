"""`strongroom project` and `strongroom key` against a real server: sentences, exit codes, keys that stay put."""

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from click.testing import Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from typer.testing import CliRunner

from access.store import ResearcherKey
from archive.store import Dataset
from strongroom import floors, notices  # noqa: F401  their tables belong to the database of this test
from strongroom.audit import events
from strongroom.cli import dataset, key, project
from strongroom.cli.project import told_of_grant
from strongroom.cli.token import issue
from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.projects import Role
from strongroom.settings import Settings, load

SERVER = """
import socket, sys
from access import floors_api, grants_api, policy_api
from access.api import router
from strongroom.database import open_database
from strongroom.http import new_app, run
from strongroom.identity import trusted_issuers
from strongroom.settings import load
settings = load()
app = new_app("test", settings, engine=open_database(settings.database), issuers=trusted_issuers(settings))
app.include_router(router)
app.include_router(policy_api.router)
app.include_router(floors_api.router)
app.include_router(grants_api.router)
run(app, [socket.socket(fileno=int(sys.argv[1]))])
"""
app = typer.Typer()
app.add_typer(project.app, name="project")
app.add_typer(key.app, name="key")
app.add_typer(dataset.app, name="dataset")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("home")
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("STRONGROOM_")}
    os.environ["STRONGROOM_HOME"] = str(home)
    settings = load()
    (home / "database").mkdir()
    engine = open_database(settings.database)
    Base.metadata.create_all(engine)
    engine.dispose()
    yield settings
    del os.environ["STRONGROOM_HOME"]
    os.environ.update(kept)


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[str]:
    issue(settings, "olga", role=Role.OPERATOR, project=None)
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        process = subprocess.Popen([sys.executable, "-c", SERVER, str(door.fileno())], pass_fds=[door.fileno()])
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(20)


@pytest.fixture
def olga(settings: Settings) -> str:
    return issue(settings, "olga", role=Role.OPERATOR, project=None)


@pytest.fixture
def bob(settings: Settings) -> str:
    return issue(settings, "bob", role=Role.RESEARCHER, project="lungs")


def _run(*arguments: object, token: str = "", server: str = "") -> Result:
    options = [*(["--token", token] if token else []), *(["--server", server] if server else [])]
    return CliRunner().invoke(app, [*map(str, arguments), *options])


def test_an_operator_creates_a_project_and_grants_a_role(server: str, olga: str, bob: str) -> None:
    made = _run("project", "create", "hearts", "--title", "[red]Hearts", token=olga, server=server)
    assert made.exit_code == 0, made.stderr
    again = _run("project", "create", "hearts", "--title", "Hearts", token=olga, server=server)
    assert (again.exit_code, again.stdout) == (1, "")
    assert "already" in again.stderr
    for changed in (True, False):
        said = _run("project", "member", "hearts", "sam@development", "steward", "--json", token=olga, server=server)
        assert json.loads(said.stdout)["changed"] is changed
    listed = _run("project", "list", token=olga, server=server)
    assert "[red]Hearts" in listed.stdout
    own = json.loads(_run("project", "list", "--json", token=bob, server=server).stdout)
    assert [row["id"] for row in own] == ["lungs"]


@pytest.mark.parametrize(
    ("standing", "changed", "sentence"),
    [
        ("waits", True, "another operator says the same:\nstrongroom project member p1 sam@x steward"),
        ("waits", False, "another operator says the same:\nstrongroom project member p1 sam@x steward"),
        ("begins", True, "from 2026-11-28T10:00:00 UTC on"),
        ("held", True, "sam@x is now steward of p1"),
        ("held", False, "sam@x was already steward of p1"),
    ],
)
def test_an_operator_reads_what_became_of_a_grant_and_what_to_do(standing: str, changed: bool, sentence: str) -> None:
    made = {"project": "p1", "person": "sam@x", "role": "steward", "standing": standing, "changed": changed}
    assert sentence in told_of_grant({**made, "since": "2026-11-28T10:00:00.123+00:00"})


def test_roles_are_listed_and_taken(server: str, olga: str) -> None:
    assert _run("project", "create", "kidneys", "--title", "K", token=olga, server=server).exit_code == 0
    role = ("kidneys", "sid@development", "steward")
    assert "is now" in _run("project", "member", *role, token=olga, server=server).stdout
    listed = _run("project", "members", "kidneys", token=olga, server=server)
    assert "sid@development" in listed.stdout
    assert "held" in listed.stdout
    assert _run("project", "end-member", *role, token=olga, server=server).exit_code == 0
    assert json.loads(_run("project", "members", "kidneys", "--json", token=olga, server=server).stdout) == []
    again = _run("project", "end-member", *role, token=olga, server=server)
    assert again.exit_code != 0
    assert "holds no such role" in again.stderr


def test_the_first_operators_are_named_on_the_host_while_there_are_not_two(server: str, olga: str) -> None:
    # olga is one; of the two that are needed another one is named, and from then on the host names nobody.
    assert _run("project", "operators", "olga@development").exit_code != 0
    named = _run("project", "operators", "otto@development")
    assert named.exit_code == 0, named.stderr
    refused = _run("project", "operators", "eve@development")
    assert refused.exit_code != 0
    assert "two operators already" in refused.stderr
    found = json.loads(_run("project", "members", "*", "--json", token=olga, server=server).stdout)
    holding = {row["person"] for row in found if row["role"] == "operator"}
    assert holding == {"olga@development", "otto@development"}


def test_two_persons_sign_a_policy_from_a_file(settings: Settings, server: str, olga: str, tmp_path: Path) -> None:
    dan, sen = (issue(settings, name, role=Role.DAC_MEMBER, project=None) for name in ("dan", "sen"))
    assert _run("project", "create", "livers", "--title", "L", token=olga, server=server).exit_code == 0
    asked = ("project", "policy", "livers")
    assert "Nobody has signed" in _run(*asked, token=dan, server=server).stdout
    file = tmp_path / "policy.toml"
    for bad in ("min_count =", "min_count = 4", "min_cuont = 10"):
        file.write_text(bad)
        assert _run(*asked, "--file", file, token=dan, server=server).exit_code == 1
    assert _run(*asked, "--file", tmp_path / "none", token=dan, server=server).exit_code == 1
    file.write_text("min_count = 10\n")
    made = _run(*asked, "--file", file, token=dan, server=server)
    command = made.stdout.splitlines()[-1].split()
    assert command[:3] == ["strongroom", "project", "sign-policy"]
    assert _run(*command[1:], token=dan, server=server).exit_code == 1
    done = _run(*command[1:], token=sen, server=server)
    assert (done.exit_code, "in force" in done.stdout) == (0, True), done.stderr
    listed = _run(*asked, token=sen, server=server).stdout
    assert "Version 2 (in force): proposed by dan@development, signed by sen@development" in listed
    assert "min_count = 10" in listed


def test_two_of_the_dac_sign_floors_from_a_file(settings: Settings, server: str, tmp_path: Path) -> None:
    dan, dora = (issue(settings, name, role=Role.DAC_MEMBER, project=None) for name in ("dan", "dora"))
    engine = open_database(settings.database)
    with transaction(engine) as session:
        about = {"observability": "open", "sensitivity": "standard", "created_by": "o@x", "policy_version": 1}
        session.add(Dataset(id="calls", title="Calls", ancestors=[], created=now(), **about))
    engine.dispose()
    asked = ("dataset", "floors", "calls")
    assert "Nobody has signed floors" in _run(*asked, token=dan, server=server).stdout
    file = tmp_path / "floors.toml"
    for bad in ("", "min_count = 4", "min_cuont = 10"):
        file.write_text(bad)
        assert _run(*asked, "--file", file, token=dan, server=server).exit_code == 1
    file.write_text("min_count = 10\n")
    command = _run(*asked, "--file", file, token=dan, server=server).stdout.splitlines()[-1].split()
    assert command[:3] == ["strongroom", "dataset", "sign-floors"]
    assert _run(*command[1:], token=dan, server=server).exit_code == 1
    done = _run(*command[1:], token=dora, server=server)
    assert (done.exit_code, "in force" in done.stdout) == (0, True), done.stderr
    listed = _run(*asked, token=dora, server=server).stdout
    assert "Version 1 (in force): proposed by dan@development, signed by dora@development" in listed
    assert [line.strip() for line in listed.splitlines()[1:]] == ["min_count = 10"]


def test_exit_codes_say_what_kind_of_refusal(server: str, bob: str) -> None:
    assert _run("project", "create", "x", "--title", "X", token=bob, server=server).exit_code == 3
    assert _run("project", "list", server=server).exit_code == 3
    assert _run("project", "list", token="nonsense", server=server).exit_code == 3
    assert _run("project", "create", "x").exit_code == 2
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    nobody = _run("project", "list", token=bob, server=f"http://127.0.0.1:{port}")
    assert nobody.exit_code == 5
    assert "strongroom serve" in nobody.stderr


def test_a_pair_is_made_once_and_its_secret_is_its_owner_s_alone(tmp_path: Path) -> None:
    secret = tmp_path / "bob.sec"
    made = _run("key", "new", secret)
    assert made.exit_code == 0, made.stderr
    assert secret.stat().st_mode & 0o777 == 0o400
    assert len(key.read_public(tmp_path / "bob.sec.pub")) == len(key.read_secret(secret)) == 32
    before = secret.read_bytes()
    again = _run("key", "new", secret)
    assert again.exit_code == 1
    assert secret.read_bytes() == before
    assert key.read_secret(secret).hex() not in made.output


def test_a_key_with_a_passphrase_opens_with_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "bob.sec"
    key.make_pair(secret, passphrase="right")
    monkeypatch.setattr("getpass.getpass", lambda *_, **__: "right")
    assert len(key.read_secret(secret)) == 32
    monkeypatch.setattr("getpass.getpass", lambda *_, **__: "wrong")
    with pytest.raises(key.StrongroomError):
        key.read_secret(secret)


def test_a_key_is_added_by_proof_and_its_secret_never_leaves(
    server: str, bob: str, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret, public = tmp_path / "bob.sec", tmp_path / "bob.sec.pub"
    key.make_pair(secret, passphrase="")
    added = _run("key", "add", public, "--secret", secret, "--json", token=bob, server=server)
    assert added.exit_code == 0, added.stderr
    name = json.loads(added.stdout)["fingerprint"]
    assert name in _run("key", "list", "--json", token=bob, server=server).stdout
    engine = open_database(settings.database)
    with reading(engine) as session:
        assert session.get_one(ResearcherKey, name).person == "bob@development"
    engine.dispose()
    raw = key.read_secret(secret).hex()
    assert raw.lower() not in caplog.text.lower()
    for file in (settings.home / "database").iterdir():
        assert bytes.fromhex(raw) not in file.read_bytes()


def test_a_key_without_its_secret_is_not_added(server: str, bob: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        key.make_pair(tmp_path / name, passphrase="")
    said = _run("key", "add", tmp_path / "one.pub", "--secret", tmp_path / "two", token=bob, server=server)
    assert said.exit_code == 1
    assert "does not open" in said.stderr
    other = _run("key", "add", tmp_path / "two", "--secret", tmp_path / "two", token=bob, server=server)
    assert other.exit_code == 1


def test_a_vetter_s_key_is_trusted_in_the_home_and_told_in_the_log(settings: Settings, tmp_path: Path) -> None:
    assert _run("key", "new-vetter", "vera").exit_code == 0
    assert _run("key", "new-vetter", "victor", "--out", tmp_path / "victor.pem").exit_code == 0
    private, public = settings.home / "vetters" / "vera.pem", settings.home / "trust" / "vetters" / "vera.pem"
    for file, mode in ((private, 0o600), (tmp_path / "victor.pem", 0o600), (public, 0o644)):
        assert file.stat().st_mode & 0o777 == mode
    secret = load_pem_private_key(private.read_bytes(), None)
    assert secret.public_key() == load_pem_public_key(public.read_bytes())
    before = private.read_bytes(), public.read_bytes()
    assert _run("key", "new-vetter", "vera").exit_code == 1
    assert _run("key", "new-vetter", "../vera").exit_code == 1
    assert (private.read_bytes(), public.read_bytes()) == before
    engine = open_database(settings.database)
    with reading(engine) as session:
        told = [json.loads(row.body)["facts"]["name"] for row in events(session) if row.event == "vetter.trusted"]
    engine.dispose()
    assert told == ["vera", "victor"]


def test_t23_a_third_vetter_needs_the_operator_and_a_vetter(settings: Settings, tmp_path: Path) -> None:
    for name in ("vera", "victor"):
        if not (settings.home / "trust" / "vetters" / f"{name}.pem").exists():
            assert _run("key", "new-vetter", name).exit_code == 0
    alone = _run("key", "new-vetter", "mallory")
    assert (alone.exit_code, "endorses" in alone.stderr) == (3, True)
    assert _run("key", "new-vetter", "stranger", "--out", tmp_path / "x.pem").exit_code == 3
    assert not (settings.home / "trust" / "vetters" / "mallory.pem").exists()
    endorsed = _run("key", "new-vetter", "vito", "--endorsed-by", settings.home / "vetters" / "vera.pem")
    assert endorsed.exit_code == 0
    stranger = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "stranger.pem").write_bytes(stranger)
    refused = _run("key", "new-vetter", "mallory", "--endorsed-by", tmp_path / "stranger.pem")
    assert refused.exit_code == 3

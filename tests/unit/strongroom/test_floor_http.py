"""Errors have GA4GH's shape and tell nothing that was sent or failed inside; a Unix peer is its uid."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from asking import Asking
from pydantic import BaseModel

from strongroom.errors import Conflict, NotFound, Unavailable
from strongroom.http import SignedIn, Who, new_app
from strongroom.identity import make_development_issuer, mint_token, trusted_issuers
from strongroom.settings import Settings

PEER_SERVER = """
import asyncio, socket, sys
from pathlib import Path
from strongroom.database import open_database
from strongroom.http import SignedIn, Who, new_app, run
from strongroom.settings import Settings
app = new_app("test", Settings(home=Path(sys.argv[2])), engine=open_database("sqlite://"), issuers=())
@app.get("/who")
def who(who: Who) -> str:
    return f"{type(who).__name__} {who.id}"
@app.get("/person")
def person(who: SignedIn) -> str:
    return who.id
@app.get("/loop")
async def loop() -> str:
    return type(asyncio.get_running_loop()).__module__
door = socket.socket(socket.AF_UNIX)
door.bind(sys.argv[1])
door.listen(8)
run(app, [door])
"""


class Secret(BaseModel):
    number: int


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path, identity={"development_issuer": True})
    make_development_issuer(settings)
    return settings


@pytest.fixture
def client(settings: Settings) -> Asking:
    app = new_app("test", settings, engine=sa.create_engine("sqlite://"), issuers=trusted_issuers(settings))

    @app.get("/me")
    def me(who: SignedIn) -> str:
        return who.id

    @app.get("/anyone")
    def anyone(who: Who) -> str:
        return who.id

    @app.post("/secret")
    def secret(value: Secret) -> int:
        return value.number

    @app.get("/conflict")
    def conflict() -> None:
        raise Conflict("It is released already.", detail="row 7 of /var/x")

    @app.get("/missing")
    def missing() -> None:
        raise NotFound("There is no such run.")

    @app.get("/down")
    def down() -> None:
        raise Unavailable("Try again in a moment.")

    @app.get("/fail")
    def fail() -> None:
        raise ZeroDivisionError("secret-canary")

    return Asking(app)


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/conflict", 409, "It is released already."),
        ("/missing", 404, "There is no such run."),
        ("/down", 503, "Try again in a moment."),
        ("/nothing", 404, "There is nothing here."),
        ("/secret", 405, "GET is not possible here."),
    ],
)
def test_a_refusal_has_the_shape_of_wes_and_its_sentence_alone(
    client: Asking, path: str, status: int, sentence: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.json() == {"msg": sentence, "status_code": status}


def test_a_malformed_request_is_told_where_but_never_what(client: Asking) -> None:
    answer = client.post("/secret", {"number": "patient-canary"})
    assert answer.status_code == 400
    assert "body.number" in answer.json()["msg"]
    assert "canary" not in answer.text


def test_a_failure_inside_tells_nothing(client: Asking) -> None:
    answer = client.get("/fail")
    assert answer.status_code == answer.json()["status_code"] == 500
    assert "canary" not in answer.text
    assert "ZeroDivision" not in answer.text


@pytest.mark.parametrize("path", ["/me", "/anyone"])
def test_without_a_token_one_is_nobody(client: Asking, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}):
        answer = client.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_with_a_token_one_is_its_person(client: Asking, settings: Settings) -> None:
    assert Asking(client.app, mint_token(settings, "alice")).get("/me").json() == "alice@development"


def test_a_tcp_client_cannot_pass_for_a_unix_peer(client: Asking) -> None:
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Host"):
        assert client.get("/anyone", headers={name: "unix-peer"}).status_code == 401


def test_a_unix_peer_is_the_uid_that_the_kernel_names(tmp_path: Path) -> None:
    assert os.geteuid() == 0, "this test needs root: it calls the door as another user"
    path = tmp_path / "api.sock"
    for parent in (tmp_path, *list(tmp_path.parents)[:2]):
        parent.chmod(0o755)
    server = subprocess.Popen([sys.executable, "-c", PEER_SERVER, str(path), str(tmp_path)])
    try:
        deadline = time.monotonic() + 30
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        path.chmod(0o666)
        assert _asked(path, "/who", uid=0) == (200, "ServicePerson services")
        assert _asked(path, "/person", uid=0)[0] == 403, "services have no business on routes for persons"
        assert _asked(path, "/who", uid=65534)[0] == 403
        assert _asked(path, "/loop", uid=0) == (200, "uvloop")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def _asked(path: Path, route: str, *, uid: int) -> tuple[int, object]:
    """Ask over the socket as `uid`; plain sockets, because the child after a fork runs as little as it can."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setuid(uid)
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(20)
                sock.connect(str(path))
                sock.sendall(f"GET {route} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                while piece := sock.recv(65536):
                    os.write(writing, piece)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        raw = answer.read()
    os.waitpid(child, 0)
    start, _, body = raw.partition(b"\r\n\r\n")
    return int(start.split()[1]), json.loads(body)


@pytest.mark.parametrize(("origin", "told"), [("https://portal.example.org", True), ("https://other.example", False)])
def test_only_named_origins_may_read_answers_in_a_browser(tmp_path: Path, origin: str, told: bool) -> None:
    settings = Settings(home=tmp_path, http={"origins": ["https://portal.example.org"]})
    app = new_app("test", settings, engine=sa.create_engine("sqlite://"), issuers=())
    answer = Asking(app).get("/openapi.json", headers={"Origin": origin})
    assert answer.headers.get("access-control-allow-origin") == (origin if told else None)
    assert "access-control-allow-credentials" not in answer.headers

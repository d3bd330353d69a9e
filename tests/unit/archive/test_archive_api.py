"""Datasets over HTTP, with a real broker behind: made, filled with ciphertext, shared, listed, taken back."""

import base64
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import uvicorn
from keyroom import OPERATOR, PROJECT, RUTH, Attempt, KeyRoom, key_room, opened
from typer.testing import CliRunner

from archive import api, ingest, uploads
from archive.bodies import facts_of
from archive.store import Upload
from sandbox.crypt4gh import Reader
from strongroom import http, identity
from strongroom.cli import dataset as dataset_verbs
from strongroom.cli.client import Client
from strongroom.database import now, reading
from strongroom.objects import open_store
from strongroom.queue import Context

CANARY = b"canary-77aa a plaintext that never reaches the server\n"
BASE = "/api/archive/v1/datasets"


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    with key_room() as made:
        made.people("other")
        identity.make_development_issuer(made.settings)
        yield made


@pytest.fixture(scope="module")
def server(room: KeyRoom) -> Iterator[str]:
    """The archive's routes on a port of this host."""
    app = http.new_app("t", room.settings, engine=room.engine, issuers=identity.trusted_issuers(room.settings))
    app.include_router(api.router)
    config = uvicorn.Config(
        app, port=0, http=http.PeerProtocol, loop="asyncio", log_config=None, lifespan="off", ws="none"
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    port = running.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join()


def token(room: KeyRoom, person: str) -> str:
    """Return a bearer token."""
    return identity.mint_token(room.settings, person.partition("@")[0])


@pytest.fixture
def olga(room: KeyRoom, server: str) -> Iterator[httpx.Client]:
    with as_person(room, server, OPERATOR) as client:
        yield client


@pytest.fixture
def ruth(room: KeyRoom, server: str) -> Iterator[httpx.Client]:
    with as_person(room, server, RUTH) as client:
        yield client


def as_person(room: KeyRoom, server: str, person: str) -> httpx.Client:
    """Return a client with this person's token."""
    return httpx.Client(base_url=server, headers={"Authorization": f"Bearer {token(room, person)}"}, trust_env=False)


def make(olga: httpx.Client, name: str, **more: Any) -> str:
    """Make a dataset."""
    answer = olga.post(BASE, json={"id": name, **more})
    assert answer.status_code == 200, answer.text
    return name


def fill(room: KeyRoom, server: str, dataset: str, plain: bytes, name: str) -> dict[str, Any]:
    """Add a file as the operator's client does."""
    with Client(server, token(room, OPERATOR)) as client:
        return ingest.add(client, dataset, BytesIO(plain), name=name, person="NA1")


def test_a_dataset_is_made_filled_shared_and_used(
    room: KeyRoom, server: str, olga: httpx.Client, ruth: httpx.Client
) -> None:
    make(olga, "calls", title="Exome calls", observability="open")
    plain = CANARY * 10_000  # several segments, more than one piece
    made = fill(room, server, "calls", plain, "NA1.vcf.gz")
    assert ruth.get(f"{BASE}/calls").status_code == 404
    assert olga.post(f"{BASE}/calls:share", json={"project": PROJECT}).json()["projects"] == [PROJECT]
    seen = ruth.get(f"{BASE}/calls").json()
    assert seen["files"] == [{"name": "NA1.vcf.gz", "size": len(plain), "clear": False}]
    attempt = Attempt()
    header = room.grant(attempt, room.decision(["calls"]), [made["object"]])["headers"][made["object"]]
    with reading(room.engine) as session:
        body = facts_of(session, [made["object"]], room.settings)[made["object"]]
    assert read(body.path, Reader(opened(attempt, header), body.size)) == plain


def read(path: Path, reader: Reader) -> bytes:
    """Decrypt a body from end to end."""
    scratch, target = bytearray(reader.segments * 65564), bytearray(reader.segments * 65536)
    with open(path, "rb") as file:
        got = reader.read_into(
            file.fileno(), 0, count=reader.segments, scratch=memoryview(scratch), target=memoryview(target)
        )
    return bytes(target[:got])


def test_no_plaintext_and_no_digest_of_it_reach_the_server(room: KeyRoom, server: str, olga: httpx.Client) -> None:
    make(olga, "secret")
    plain = CANARY * 100
    fill(room, server, "secret", plain, "a.txt")
    digest = hashlib.sha256(plain)
    for path in (p for p in room.home.rglob("*") if p.is_file()):
        stored = path.read_bytes()
        assert CANARY not in stored, path
        assert digest.digest() not in stored, path
        assert digest.hexdigest().encode() not in stored, path


def test_coarse_data_shows_names_and_no_sizes(
    room: KeyRoom, server: str, olga: httpx.Client, ruth: httpx.Client
) -> None:
    make(olga, "coarse")
    fill(room, server, "coarse", b"x" * 1234, "a.vcf")
    olga.post(f"{BASE}/coarse:share", json={"project": PROJECT})
    assert ruth.get(f"{BASE}/coarse").json()["files"] == [{"name": "a.vcf", "size": None, "clear": False}]
    assert "1234" not in ruth.get(BASE).text


def test_an_empty_file_is_a_file(room: KeyRoom, server: str, olga: httpx.Client) -> None:
    make(olga, "empty", observability="open")
    fill(room, server, "empty", b"", "nothing.txt")
    assert olga.get(f"{BASE}/empty").json()["files"] == [{"name": "nothing.txt", "size": 0, "clear": False}]


def test_a_share_ends(room: KeyRoom, olga: httpx.Client, ruth: httpx.Client) -> None:
    make(olga, "lent")
    olga.post(f"{BASE}/lent:share", json={"project": PROJECT})
    assert ruth.get(f"{BASE}/lent").status_code == 200
    assert olga.post(f"{BASE}/lent:unshare", json={"project": PROJECT}).json()["projects"] == []
    assert ruth.get(f"{BASE}/lent").status_code == 404
    assert olga.post(f"{BASE}/lent:unshare", json={"project": PROJECT}).status_code == 404
    soon = (now() + timedelta(seconds=0.2)).isoformat()
    olga.post(f"{BASE}/lent:share", json={"project": PROJECT, "until": soon})
    time.sleep(0.3)
    assert ruth.get(f"{BASE}/lent").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", BASE, {"id": "mine"}),
        ("POST", f"{BASE}/calls:share", {"project": PROJECT}),
        ("POST", f"{BASE}/calls:unshare", {"project": PROJECT}),
        ("POST", f"{BASE}/calls:delete", None),
        ("GET", f"{BASE}/calls/recipient", None),
        ("POST", f"{BASE}/calls/uploads", None),
    ],
)
def test_a_researcher_keeps_no_datasets(
    room: KeyRoom, olga: httpx.Client, ruth: httpx.Client, method: str, path: str, body: dict[str, str] | None
) -> None:
    if olga.get(f"{BASE}/calls").status_code == 404:
        make(olga, "calls")
    answer = ruth.request(method, path, json=body)
    assert answer.status_code == 403, answer.text
    assert set(answer.json()) == {"msg", "status_code"}


def test_nobody_without_a_token(server: str) -> None:
    with httpx.Client(base_url=server, trust_env=False) as client:
        for method, path in (("GET", BASE), ("POST", BASE), ("POST", f"{BASE}/x/uploads"), ("GET", f"{BASE}/x")):
            assert client.request(method, path, json={"id": "x"}).status_code == 401


def test_a_body_that_is_not_what_was_meant_is_refused(room: KeyRoom, olga: httpx.Client) -> None:
    make(olga, "broken")
    received = olga.post(f"{BASE}/broken/uploads", content=b"z" * 100).json()
    assert received["body_sha256"] == hashlib.sha256(b"z" * 100).hexdigest()
    words = {
        "object": received["object"],
        "name": "a.vcf",
        "persons": [],
        "header": base64.b64encode(b"h" * 124).decode(),
        "digest": base64.b64encode(b"d" * 184).decode(),
        "size": 72,
        "body_length": 100,
        "body_sha256": "0" * 64,
        "segments": 1,
    }
    answer = olga.post(f"{BASE}/broken/files", json=words)
    assert (answer.status_code, "not the one that was sent" in answer.text) == (400, True)
    answer = olga.post(f"{BASE}/broken/files", json={**words, "object": "0" * 32})
    assert answer.status_code == 404
    answer = olga.post(f"{BASE}/broken/files", json={**words, "body_sha256": received["body_sha256"]})
    assert answer.status_code == 400
    assert olga.post(f"{BASE}/broken/files", json={**words, "recipient": "x"}).status_code == 400
    assert olga.get(f"{BASE}/broken").json()["files"] == []


def test_an_upload_that_nobody_names_is_forgotten(room: KeyRoom, olga: httpx.Client) -> None:
    make(olga, "orphans")
    received = olga.post(f"{BASE}/orphans/uploads", content=b"z" * 100).json()
    context = Context(room.settings, room.engine)
    found = [identifier for _, identifier in uploads.forgotten(context)]
    assert received["object"] not in found
    old = now() - timedelta(days=2)
    room.change(sa.update(Upload).where(Upload.object == received["object"]).values(created=old))
    assert [identifier for _, identifier in uploads.forgotten(context)] == [received["object"]]
    body = open_store(room.settings).path(received["object"])
    assert body.exists()
    uploads.forget(context, received["object"])
    assert not body.exists()
    with reading(room.engine) as session:
        assert session.get(Upload, received["object"]) is None


def test_a_deleted_dataset_is_gone_for_good(room: KeyRoom, server: str, olga: httpx.Client) -> None:
    make(olga, "doomed")
    made = fill(room, server, "doomed", b"x", "a.vcf")
    body = open_store(room.settings).path(made["object"])
    assert body.exists()
    assert olga.post(f"{BASE}/doomed:delete").status_code == 200
    assert not body.exists()
    assert room.row(made["object"]).header is None
    assert olga.get(f"{BASE}/doomed").status_code == 404
    assert olga.post(BASE, json={"id": "doomed"}).status_code == 409
    assert olga.post(f"{BASE}/doomed:delete").status_code == 200  # safe to repeat


@pytest.mark.parametrize(
    "body",
    [
        {"id": "Bad"},
        {"id": "x", "observability": "closed"},
        {"id": "x", "sensitivity": "low"},
        {"id": "x", "k": 1},
        {"id": "x", "project": "unknown"},
        {},
    ],
)
def test_a_dataset_of_another_form_is_refused(olga: httpx.Client, body: dict[str, Any]) -> None:
    assert olga.post(BASE, json=body).status_code in {400, 404}


def test_the_broker_away_is_said_plainly(room: KeyRoom, olga: httpx.Client) -> None:
    make(olga, "waiting")
    room.kill("broker")
    answer = olga.get(f"{BASE}/waiting/recipient")
    room.start("broker")
    assert (answer.status_code, "does not answer" in answer.json()["msg"]) == (503, True)
    assert olga.get(f"{BASE}/waiting/recipient").status_code == 200


def test_a_source_that_breaks_off_leaves_no_file(room: KeyRoom, server: str, olga: httpx.Client) -> None:
    before = threading.active_count()
    make(olga, "torn")

    class Torn(BytesIO):
        def readinto(self, buffer: Any, /) -> int:
            raise OSError("the disk is gone")

    with Client(server, token(room, OPERATOR)) as client, pytest.raises(OSError, match="disk is gone"):
        ingest.add(client, "torn", Torn(), name="a.vcf")
    assert olga.get(f"{BASE}/torn").json()["files"] == []
    assert threading.active_count() <= before + 1  # the sealing thread ended


def test_the_command_adds_files_and_a_pipe(room: KeyRoom, server: str, tmp_path: Path) -> None:
    words = ["--token", token(room, OPERATOR), "--server", server]
    run = CliRunner().invoke
    app = dataset_verbs.app
    assert run(app, ["create", "by-hand", "--observability", "open", *words]).exit_code == 0
    plain = tmp_path / "NA2.vcf"
    plain.write_bytes(CANARY)
    done = run(app, ["add", str(plain), "--dataset", "by-hand", "--person", "NA2", "--json", *words])
    assert done.exit_code == 0, done.output
    adding = ["add", "-", "--dataset", "by-hand", "--name", "piped.txt", *words]
    piped = subprocess.run(
        [sys.executable, "-P", "-c", "from strongroom.cli.dataset import app; app()", *adding],
        input=CANARY * 5000,
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert piped.returncode == 0, piped.stderr
    listed = run(app, ["list", "by-hand", *words])
    assert "NA2.vcf" in listed.output
    assert str(len(CANARY) * 5000) in listed.output
    assert run(app, ["share", "by-hand", PROJECT, *words]).exit_code == 0
    assert run(app, ["share", "by-hand", PROJECT, "--end", *words]).exit_code == 0
    assert run(app, ["list", *words]).exit_code == 0
    assert run(app, ["delete", "by-hand", "--yes", *words]).exit_code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["add", "-", "--dataset", "calls"], 2),
        (["add", "no-such-file", "--dataset", "calls"], 2),
        (["list", "no-such-dataset"], 4),
        (["share", "no-such-dataset", PROJECT], 4),
    ],
)
def test_the_commands_exit_codes(room: KeyRoom, server: str, words: list[str], code: int) -> None:
    door = ["--token", token(room, OPERATOR), "--server", server]
    assert CliRunner().invoke(dataset_verbs.app, [*words, *door]).exit_code == code


def test_the_commands_exit_codes_for_strangers(room: KeyRoom, server: str) -> None:
    run, app = CliRunner().invoke, dataset_verbs.app
    assert run(app, ["create", "x", "--token", "nonsense", "--server", server]).exit_code == 3
    assert run(app, ["create", "x", "--token", token(room, RUTH), "--server", server]).exit_code == 3
    assert run(app, ["list", "--server", "http://127.0.0.1:9"]).exit_code == 5

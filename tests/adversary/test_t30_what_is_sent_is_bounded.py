"""Nobody fills a disk or memory with what is sent: bytes are counted as they come, and refused before they lie."""

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from typer.testing import CliRunner

import archive.api
import wes.api
from access.memberships import grant
from archive import quarantine, rules, streams, uploads
from archive.store import Dataset, StoredObject, Upload
from strongroom import bodies
from strongroom.cli import ingress as commands
from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.http import new_app
from strongroom.identity import make_development_issuer, mint_token, trusted_issuers
from strongroom.projects import PLATFORM, Project, Role
from strongroom.settings import Settings
from wes import forms

PIECE = 64 << 10
ENDLESS = 256 << 20  # enough to be noticed, should it ever be read
PROJECT, DATASET, INGRESS = "alpha", "alpha-genes", "1" * 32
UPLOADS = f"/api/archive/v1/datasets/{DATASET}/uploads"
RUNS = "/ga4gh/wes/v1/runs"
ATTACHED = (
    b'--x\r\nContent-Disposition: form-data; name="workflow_attachment"; filename="a"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n"
)
FIELD = b'--x\r\nContent-Disposition: form-data; name="workflow_params"\r\n\r\n'
MULTIPART, JSON, FORM = 'multipart/form-data; boundary="x"', "application/json", "application/x-www-form-urlencoded"


class Sender:
    """Somebody who sends on and on, and counts what was taken of it."""

    def __init__(self, app: FastAPI, settings: Settings, name: str = "") -> None:
        self.app, self.taken = app, 0
        self.headers = {"Authorization": f"Bearer {mint_token(settings, name)}"} if name else {}

    def send(self, path: str, *, kind: str, start: bytes = b"", most: int = ENDLESS, **more: Any) -> httpx.Response:
        """Send so many bytes after a start."""
        self.taken = 0
        method, told = more.pop("method", "POST"), more.pop("headers", {})

        async def body() -> AsyncIterator[bytes]:
            self.taken += len(start)
            yield start
            left = most
            while left > 0:
                self.taken += min(PIECE, left)
                yield b"a" * min(PIECE, left)
                left -= PIECE

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
            async with httpx.AsyncClient(transport=transport, base_url="http://strongroom.test") as client:
                headers = {**self.headers, "Content-Type": kind, **told}
                return await client.request(method, path, content=body(), headers=headers)

        return asyncio.run(ask())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path, identity={"development_issuer": True})  # type: ignore[arg-type]
    for folder in (settings.sockets, tmp_path / "database", tmp_path / "objects"):
        folder.mkdir(parents=True, exist_ok=True)
    make_development_issuer(settings)
    return settings


@pytest.fixture
def engine(settings: Settings) -> Iterator[sa.Engine]:
    engine = open_database(settings.database)
    Base.metadata.create_all(engine)
    with transaction(engine) as session:
        session.add(Project(id=PROJECT, title="t", min_count=5, policy_version=1, created=now()))
        session.flush()
        grant(session, "test", project=PROJECT, person="ruth@development", role=Role.RESEARCHER)
        grant(session, "test", project=PLATFORM, person="olga@development", role=Role.OPERATOR)
        quarantine.open_dataset(
            session, ingress=INGRESS, person="ruth@development", project=PROJECT, dataset=DATASET, title="Genes"
        )
    yield engine
    engine.dispose()


@pytest.fixture
def app(settings: Settings, engine: sa.Engine) -> FastAPI:
    app = new_app("test", settings, engine=engine, issuers=trusted_issuers(settings))
    for router in (wes.api.router, archive.api.router):
        app.include_router(router)
    return app


@pytest.fixture
def ruth(app: FastAPI, settings: Settings) -> Sender:
    return Sender(app, settings, "ruth")


def bodies_in(settings: Settings) -> list[Path]:
    return [path for path in (settings.home / "objects").rglob("*") if path.is_file()]


def waiting(engine: sa.Engine) -> int:
    with reading(engine) as session:
        return int(session.scalar(sa.select(sa.func.count(Upload.object))) or 0)


def test_t30_an_attachment_is_refused_before_it_is_stored(ruth: Sender) -> None:
    answer = ruth.send(RUNS, kind=MULTIPART, start=ATTACHED)
    assert (answer.status_code, answer.json()["status_code"]) == (400, 400)
    assert "workflow_attachment: not accepted" in answer.json()["msg"]
    assert ruth.taken <= len(ATTACHED) + PIECE


@pytest.mark.parametrize(("kind", "start"), [(MULTIPART, FIELD), (JSON, b'{"a": "'), (FORM, b"workflow_params=")])
@pytest.mark.parametrize("told", [{}, {"Content-Length": str(ENDLESS)}])
def test_t30_a_request_to_run_something_has_few_bytes(
    ruth: Sender, kind: str, start: bytes, told: dict[str, str]
) -> None:
    answer = ruth.send(RUNS, kind=kind, start=start, headers=told)
    assert (answer.status_code, set(answer.json())) == (413, {"msg", "status_code"})
    assert "at most 4 MiB" in answer.json()["msg"]
    assert ruth.taken <= (0 if told else forms.MOST_BYTES + 2 * PIECE)


def test_t30_a_length_that_is_told_too_short_or_not_at_all_is_no_way_round(ruth: Sender) -> None:
    for told in ("1", "", "-1", "a", "9" * 5000):
        answer = ruth.send(RUNS, kind=JSON, start=b'{"a": "', headers={"Content-Length": told})
        assert answer.status_code == 413, told
        assert ruth.taken <= forms.MOST_BYTES + 2 * PIECE


def routes(source: APIRouter | FastAPI, prefix: str = "") -> Iterator[tuple[str, str]]:
    for route in source.routes:
        if (included := getattr(route, "original_router", None)) is not None:
            yield from routes(included, prefix + route.include_context.prefix)  # type: ignore[attr-defined]
        elif isinstance(route, APIRoute):
            yield from ((method, prefix + route.path) for method in route.methods & {"POST", "PUT", "PATCH"})


def test_t30_no_route_reads_on_and_on_before_a_sign_in(settings: Settings, engine: sa.Engine) -> None:
    from strongroom.cli.application import application

    nobody = Sender(application(settings), settings)
    found = list(routes(nobody.app))
    assert len(found) > 50
    for method, path in found:
        for kind in (JSON, FORM):
            answer = nobody.send(re.sub(r"\{.*?\}", "x", path), kind=kind, start=b'{"a": "', method=method)
            assert 300 <= answer.status_code < 500, path
            assert nobody.taken <= bodies.MOST_BYTES + 2 * PIECE, path


def test_t30_a_file_that_is_brought_in_is_bounded_and_leaves_nothing(
    ruth: Sender, settings: Settings, engine: sa.Engine
) -> None:
    kind = "application/octet-stream"
    answer = ruth.send(UPLOADS, kind=kind)
    assert (answer.status_code, answer.json()["msg"]) == (413, rules.TOO_LARGE)
    assert ruth.taken <= uploads.MOST_BROUGHT + 2 * PIECE
    assert ruth.send(UPLOADS, kind=kind, headers={"Content-Length": str(ENDLESS)}).status_code == 413
    assert ruth.taken == 0
    assert ruth.send(UPLOADS, kind=kind, most=uploads.MOST_BROUGHT + 1).status_code == 413
    assert (bodies_in(settings), waiting(engine)) == ([], 0)
    whole = ruth.send(UPLOADS, kind=kind, most=uploads.MOST_BROUGHT)
    assert (whole.status_code, whole.json()["body_length"]) == (200, uploads.MOST_BROUGHT)


def test_t30_uploads_that_nobody_names_are_few(ruth: Sender, settings: Settings, engine: sa.Engine) -> None:
    answers = [ruth.send(UPLOADS, kind="x/y", most=10) for _ in range(uploads.MOST_OPEN + 1)]
    assert [one.status_code for one in answers] == [200] * uploads.MOST_OPEN + [409]
    assert "forgotten a day after" in answers[-1].json()["msg"]
    assert len(bodies_in(settings)) == waiting(engine) == uploads.MOST_OPEN
    with transaction(engine) as session:
        session.execute(sa.delete(Upload).where(Upload.object == answers[0].json()["object"]))
    assert ruth.send(UPLOADS, kind="x/y", most=10).status_code == 200


def test_t30_a_quarantine_takes_no_more_than_can_be_asked_for(ruth: Sender, engine: sa.Engine) -> None:
    facts: dict[str, Any] = {"purpose": "quarantine", "owner": INGRESS, "project": PROJECT, "run": INGRESS}
    facts |= {"kind": "upload", "role": "output", "size": 1, "plaintext_hmac": "", "body_length": 29, "segments": 1}
    facts |= {"body_sha256": "", "header": b"", "header_sha256": "", "signature": b"", "created": now()}
    facts |= {"persons": [], "ancestors": [], "version": 1, "key_version": 1, "policy_version": 1}
    with transaction(engine) as session:
        session.add_all(StoredObject(id=uuid.uuid4().hex, **facts) for _ in range(quarantine.MOST_FILES))
    answer = ruth.send(UPLOADS, kind="x/y", most=10)
    assert (answer.status_code, answer.json()["msg"]) == (409, quarantine.FULL)


def test_t30_stalled_uploads_leave_the_api_awake(
    ruth: Sender, app: FastAPI, settings: Settings, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PATIENCE", 2.0)
    monkeypatch.setattr(uploads, "MOST_OPEN", 1000)

    async def drips() -> AsyncIterator[bytes]:
        while True:
            yield b"a"
            await asyncio.sleep(0.2)

    async def all_at_once() -> tuple[list[int], int, float]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://strongroom.test", timeout=60) as client:
            stalled = [
                asyncio.create_task(client.post(UPLOADS, headers=ruth.headers, content=drips())) for _ in range(60)
            ]
            await asyncio.sleep(1)
            begun = time.monotonic()
            answer = await client.get("/api/archive/v1/datasets", headers=ruth.headers)
            spent = time.monotonic() - begun
            return [(await one).status_code for one in stalled], answer.status_code, spent

    ended, answer, spent = asyncio.run(all_at_once())
    assert (answer, spent < 1.5) == (200, True)
    assert set(ended) == {400, 429}  # too slow, or one too many
    assert ended.count(400) >= streams.AT_ONCE
    with reading(engine) as session:
        assert session.scalar(sa.select(sa.func.count(Upload.object))) == 0


def test_custodians_add_files_of_any_size(app: FastAPI, settings: Settings, engine: sa.Engine) -> None:
    with transaction(engine) as session:
        known = session.get_one(Dataset, DATASET)
        facts = {name: getattr(known, name) for name in ("title", "observability", "sensitivity", "ancestors")}
        session.add(
            Dataset(id="calls", min_population=None, created_by="o", created=now(), policy_version=1, **facts)
        )
    olga = Sender(app, settings, "olga")
    sent = uploads.MOST_BROUGHT + (1 << 20)
    answer = olga.send("/api/archive/v1/datasets/calls/uploads", kind="x/y", most=sent)
    assert (answer.status_code, answer.json()["body_length"]) == (200, sent)


def test_the_command_says_that_a_file_is_too_large_before_anything_is_opened(tmp_path: Path) -> None:
    large = tmp_path / "genome.fa"
    with large.open("wb") as file:
        file.truncate(rules.MOST_BROUGHT + 1)
    words = ["--as", "fasta", "--project", PROJECT, "--dataset", DATASET, "--purpose", "x", "--token", "x"]
    said = CliRunner().invoke(commands.app, ["bring", str(large), *words, "--server", "http://127.0.0.1:9"])
    assert said.exit_code == 2
    assert "at most 16 MiB" in " ".join(said.output.split())

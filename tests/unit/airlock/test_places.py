"""Released files are put to the requester's own storage: where they said before review, and nowhere else."""

import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sqlalchemy as sa
from airlock_scene import API, FINGERPRINT, PNG, TSV, VCF, Scene, scene
from services.in_thread import answering

from airlock.places import digest_of
from airlock.store import Delivery
from strongroom.audit import Event
from strongroom.database import now, transaction

ALL = {TSV: "count", PNG: "plot", VCF: "sites"}


class Bucket(ThreadingHTTPServer):
    """Keeps what is put."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Put)
        self.taken: dict[str, bytes] = {}

    @property
    def host(self) -> str:
        return f"localhost:{self.server_port}"


class _Put(BaseHTTPRequestHandler):
    server: Bucket

    def do_PUT(self) -> None:
        self.server.taken[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    server = Bucket()
    with answering(server):
        yield server


@pytest.fixture
def stage(bucket: Bucket) -> Iterator[Scene]:
    with scene(hosts=(bucket.host,)) as one:
        yield one


def submit(stage: Scene, places: dict[str, str], *, status: int = 200) -> Any:
    made = stage.ready(stage.complete_run(ALL), TSV)
    form = {"key": FINGERPRINT, "deliver_to": places}
    done = stage.ask("ruth").post(f"{API}/requests/{made['id']}:submit", form)
    assert done.status_code == status, done.text
    return done.json()


def approve(stage: Scene, request: dict[str, Any]) -> None:
    for name in ("sam", "sina"):
        assert stage.vote(name, request).status_code == 200
    done = stage.ask("sam").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
    assert done.status_code == 200, done.text
    stage.work()


def test_what_is_released_is_put_where_the_requester_said(stage: Scene, bucket: Bucket) -> None:
    url = f"http://{bucket.host}/mine/af.tsv?X-Amz-Signature=abc"
    request = submit(stage, {TSV: url})
    stage.work()
    assert bucket.taken == {}
    seen = stage.ask("sam").get(f"{API}/reviews/{request['id']}").json()["files"][0]
    assert seen["deliver_to_sha256"] == digest_of(url)
    assert "abc" not in str(seen)
    approve(stage, request)
    (body,) = bucket.taken.values()
    assert hashlib.sha256(body[124:]).hexdigest() == request["files"][0]["body_sha256"]
    assert len(stage.events(Event.RELEASE_DELIVERED)) == 1
    assert "X-Amz" not in str(stage.events(*Event))
    assert stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()["files"][0]["delivery"] == "DELIVERED"


def test_t29_another_host_or_another_file_is_refused(stage: Scene, bucket: Bucket) -> None:
    for places in (
        {TSV: "https://evil.example.org/x"},
        {TSV: f"http://user@{bucket.host}/x"},
        {TSV: "file:///srv"},
        {VCF: f"http://{bucket.host}/x"},
        {"no/such.file": f"http://{bucket.host}/x"},
    ):
        said = submit(stage, places, status=400)
        assert said["msg"].startswith("deliver_to: ")
    assert not [e for e in stage.events(Event.REQUEST_STATE) if e["facts"]["state"] == "SUBMITTED"]


def test_t29_a_place_that_was_changed_after_review_gets_nothing(stage: Scene, bucket: Bucket) -> None:
    request = submit(stage, {TSV: f"http://{bucket.host}/mine"})
    thief = f"http://{bucket.host}/thief"
    with transaction(stage.engine) as session:
        session.execute(sa.update(Delivery).values(url=thief, url_sha256=digest_of(thief)))
    approve(stage, request)
    assert bucket.taken == {}
    assert stage.events(Event.DELIVERY_REFUSED)


def test_an_emergency_stop_holds_deliveries(stage: Scene, bucket: Bucket) -> None:
    from airlock import delivery, release

    request = submit(stage, {TSV: f"http://{bucket.host}/mine"})
    for name in ("sam", "sina"):
        stage.vote(name, request)
    stage.ask("sam").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
    release.release(stage.context, request["id"])
    stage.ask("sara").post(f"{API}/stops", {"reason": "leak"})
    ((_, waiting),) = delivery.waiting(stage.context)
    delivery.deliver(stage.context, waiting)
    assert bucket.taken == {}


def test_a_new_turn_names_its_places_anew_and_is_never_submitted_by_itself(stage: Scene, bucket: Bucket) -> None:
    request = submit(stage, {TSV: f"http://{bucket.host}/mine"})
    for name in ("sam", "sina"):
        stage.vote(name, request, tsv="unclear")
    stage.ask("sam").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "return"})
    assert stage.ask("ruth").post(f"{API}/requests/{request['id']}:edit", {}).json()["state"] == "READY"
    with transaction(stage.engine) as session:
        session.execute(sa.update(Delivery).values(next_try=now()))
    stage.work()
    assert stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()["state"] == "READY"
    again = stage.ask("ruth").post(f"{API}/requests/{request['id']}:submit", {"key": FINGERPRINT}).json()
    assert [file["deliver_to"] for file in again["files"]] == [None]
    approve(stage, request)
    assert bucket.taken == {}

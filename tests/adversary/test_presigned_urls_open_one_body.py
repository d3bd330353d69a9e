"""A presigned URL opens one body, for one act, for a while; and a store that fails or lies is not believed."""

import os
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from services.s3_store import BUCKET, S3Store

from sandbox.far import NoUrl, at
from sandbox.signed_urls import BodyGone, Signed, StoreBusy
from strongroom.errors import Conflict, Unavailable
from strongroom.object_stores.s3 import Bucket, open_bucket
from strongroom.settings import Settings
from strongroom.storage import Objects
from tes import body_door
from tes.backends import Launch

NEW = {"If-None-Match": "*"}


@pytest.fixture
def bucket(s3_store: S3Store) -> Bucket:
    return open_bucket(s3_store.settings())


def _ask(
    server: S3Store, url: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    context = ssl.create_default_context(cafile=server.ca)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=body, method=method, headers=named)
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def _stored(bucket: Bucket, content: bytes) -> str:
    name = uuid4().hex
    bucket.put(name, iter([content]))
    return name


def test_a_url_reads_its_body_whole_or_in_ranges(s3_store: S3Store, bucket: Bucket) -> None:
    url = bucket.url_to_read(_stored(bucket, b"0123456789"))
    assert url is not None
    assert _ask(s3_store, url) == (200, b"0123456789")
    assert _ask(s3_store, url, Range="bytes=2-4") == (206, b"234")


def test_a_url_to_read_opens_no_other_body_and_changes_none(s3_store: S3Store, bucket: Bucket) -> None:
    mine, other = _stored(bucket, b"mine"), _stored(bucket, b"other")
    url = bucket.url_to_read(mine)
    assert url is not None
    swapped = url.replace(f"{mine[:2]}/{mine}", f"{other[:2]}/{other}")
    assert swapped != url
    assert _ask(s3_store, swapped)[0] == 403
    for method, body in (("PUT", b"x"), ("DELETE", None), ("POST", b"")):
        assert _ask(s3_store, url, method, body)[0] in (403, 405), method
    assert b"".join(bucket.read(mine)) == b"mine"


def test_a_url_to_put_takes_one_body_of_its_length_once(s3_store: S3Store, bucket: Bucket) -> None:
    name = uuid4().hex
    url = bucket.url_to_put(name, 5)
    assert url is not None
    assert _ask(s3_store, url)[0] in (403, 404)  # it reads nothing
    assert _ask(s3_store, url, "PUT", b"longer", If_None_Match="*")[0] == 403
    assert _ask(s3_store, url, "PUT", b"first")[0] == 403  # without the header that it must be new
    assert _ask(s3_store, url, "PUT", b"first", If_None_Match="*")[0] == 200
    assert _ask(s3_store, url, "PUT", b"later", If_None_Match="*")[0] == 412
    other = url.replace(name, uuid4().hex)
    assert _ask(s3_store, other, "PUT", b"first", If_None_Match="*")[0] == 403
    assert b"".join(bucket.read(name)) == b"first"


def test_a_url_dies(s3_store: S3Store) -> None:
    settings = s3_store.settings().model_copy(update={"url_seconds": 1})
    bucket = open_bucket(settings)
    url = bucket.url_to_read(_stored(bucket, b"x"))
    assert url is not None
    time.sleep(2.5)
    assert _ask(s3_store, url)[0] == 403


def test_no_secret_stands_in_a_url_or_in_what_is_said_of_a_failure(s3_store: S3Store, bucket: Bucket) -> None:
    secret = s3_store.secret_file.read_text().strip()
    assert secret not in str(bucket.url_to_read("a" * 32))
    settings = s3_store.settings(endpoint="https://127.0.0.1:1")
    dead = Bucket(settings, _impatient(settings))
    with pytest.raises(Unavailable) as refused:
        dead.put("a" * 32, iter([b"x"]))
    said = f"{refused.value.sentence} {refused.value.detail}"
    assert secret not in said
    assert "127.0.0.1" not in said


def test_the_environment_decides_nothing(s3_store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "stranger",
        "AWS_SECRET_ACCESS_KEY": "stranger",
        "AWS_ENDPOINT_URL": "https://127.0.0.1:1",
        "AWS_CA_BUNDLE": "/nowhere",
        "AWS_PROFILE": "nobody",
        "HTTPS_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = open_bucket(s3_store.settings(url_seconds=77))  # made anew: clients are kept
    assert b"".join(bucket.read(_stored(bucket, b"x"))) == b"x"
    assert "stranger" not in str(bucket.url_to_read("a" * 32))


class LosesAnswers:
    """A client whose first putting is done and answered by nobody, so that it's done again."""

    def __init__(self, client: Any, operation: str) -> None:
        self._client, self._operation = client, operation

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._client, name)
        if name != self._operation:
            return act

        def twice(**given: Any) -> Any:
            act(**given)
            return act(**given)

        return twice


@pytest.mark.parametrize(("operation", "length"), [("put_object", 5), ("complete_multipart_upload", 6 << 20)])
def test_a_body_whose_answer_was_lost_is_ours_and_no_conflict(s3_store: S3Store, operation: str, length: int) -> None:
    settings = s3_store.settings()
    plain = open_bucket(settings)
    lossy = Bucket(settings, LosesAnswers(plain._s3, operation))
    name = uuid4().hex
    assert lossy.put(name, iter([bytes(length)]))[0] == length
    with pytest.raises(Conflict):
        lossy.put(name, iter([bytes(length)]))
    assert b"".join(plain.read(name)) == bytes(length)


class HangsUp:
    """A body that breaks off after some bytes, twice."""

    def __init__(self, body: Any, left: list[int]) -> None:
        self._body, self._left = body, left

    def read(self, size: int) -> bytes:
        """Return a little, then fail while there are failures left."""
        if self._left and self._left[0] == 0:
            self._left.pop(0)
            raise OSError("hung up")
        if self._left:
            self._left[0] -= 1
        return bytes(self._body.read(min(size, 1000)))

    def close(self) -> None:
        """Let go."""
        self._body.close()


class Breaks:
    """A client whose answers break off."""

    def __init__(self, client: Any) -> None:
        self._client, self._left, self.between = client, [3, 2], lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_object(self, **given: Any) -> Any:
        """Get it, and break it."""
        if "IfMatch" in given:
            self.between()
        answer = self._client.get_object(**given)
        return {**answer, "Body": HangsUp(answer["Body"], self._left)}


def test_a_reading_that_breaks_off_goes_on(s3_store: S3Store) -> None:
    settings = s3_store.settings()
    bucket = open_bucket(settings)
    content = bytes(range(256)) * 100
    name = _stored(bucket, content)
    assert b"".join(Bucket(settings, Breaks(bucket._s3)).read(name)) == content


def test_a_reading_never_goes_on_with_another_body(s3_store: S3Store) -> None:
    settings = s3_store.settings()
    bucket = open_bucket(settings)
    name = _stored(bucket, bytes(20_000))
    client = Breaks(bucket._s3)

    def replaced() -> None:
        key = f"{settings.prefix}{name[:2]}/{name}"
        s3_store.client().put_object(Bucket=BUCKET, Key=key, Body=b"\1" * 20_000)

    client.between = replaced
    with pytest.raises(Unavailable):
        list(Bucket(settings, client).read(name))


def test_while_one_sends_parts_another_is_refused_and_a_dead_one_leaves_no_body(s3_store: S3Store) -> None:
    settings, name = s3_store.settings(), uuid4().hex
    bucket, goes_on, came = open_bucket(settings), threading.Event(), threading.Event()

    def slow() -> Iterator[bytes]:
        yield bytes(6 << 20)
        came.set()
        assert goes_on.wait(30)
        yield b"end"

    done: list[tuple[int, str]] = []
    thread = threading.Thread(target=lambda: done.append(bucket.put(name, slow())))
    thread.start()
    assert came.wait(30)
    with pytest.raises(Conflict):
        bucket.put(name, iter([bytes(6 << 20)]))
    goes_on.set()
    thread.join(60)
    assert done[0][0] == (6 << 20) + 3
    with pytest.raises(ClientError):
        s3_store.client().head_object(Bucket=BUCKET, Key=f"{settings.prefix}{name[:2]}/{name}.parts")


def _impatient(settings: Any) -> Any:
    client = open_bucket(settings)._s3
    client.meta.config.retries = {"total_max_attempts": 1}
    return client


def test_a_process_that_supervises_nothing_gets_no_url_and_one_that_does_only_its_own(
    s3_store: S3Store, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, objects=Objects(store="s3", s3=s3_store.settings()))
    settings.sockets.mkdir()
    mine, other, supervised = uuid4().hex, uuid4().hex, dict[int, Launch]()
    threading.Thread(target=body_door.serve, args=(settings, supervised.get), daemon=True).start()
    door = settings.sockets / body_door.NAME
    while not door.exists():
        time.sleep(0.01)
    with pytest.raises((StoreBusy, ConnectionError)):
        at(door)._to_read(mine)
    supervised[os.getpid()] = Launch(
        "a" * 32, b"", {"objects": [mine]}, {}
    )  # as if we were an attempt's supervisor that was taken over
    assert mine in at(door)._to_read(mine).url
    for wanted in (other, "../" + mine, f"{mine}?", ""):
        with pytest.raises(NoUrl, match="none of the attempt's inputs"):
            at(door)._to_read(wanted)
    name = _stored(open_bucket(settings.objects.s3), b"there already")
    with pytest.raises(BodyGone), at(door)._putting(name, 3) as write:
        write(b"new")
    assert b"".join(open_bucket(settings.objects.s3).read(name)) == b"there already"


def test_a_signed_url_is_not_shown(s3_store: S3Store, bucket: Bucket) -> None:
    url = str(bucket.url_to_read("a" * 32))
    assert "Signature" in url
    assert "Signature" not in repr(Signed(url, None))

"""What every object store does: bodies appear whole, once, and never change."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from services.s3_store import BUCKET, S3Store

from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.object_stores.folder import Folder
from strongroom.object_stores.s3 import Bucket, open_bucket
from strongroom.objects import ObjectStore

PART = 5 << 20  # of a store that takes parts: the smallest that S3 has


class Files(Folder):
    """A folder, and what lies in it."""

    def everything(self) -> list[str]:
        """Return the names of all that was stored, whole or not."""
        return [path.name for path in self.root.rglob("*") if path.is_file()]


class Keys(Bucket):
    """A prefix of a bucket, and what lies below it."""

    client: Any

    def everything(self) -> list[str]:
        """Return the names of all that was stored, whole or on its way in parts."""
        prefix = self._settings.prefix
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        parts = self.client.list_multipart_uploads(Bucket=BUCKET, Prefix=prefix).get("Uploads", [])
        return [one["Key"].rpartition("/")[2] for one in [*found, *parts]]


def in_folder(_request: pytest.FixtureRequest, folder: Path) -> Files:
    return Files(folder / "objects")


def in_bucket(request: pytest.FixtureRequest, _folder: Path) -> Keys:
    server: S3Store = request.getfixturevalue("s3_store")
    settings = server.settings(part_bytes=PART)
    keys = Keys(settings, open_bucket(settings)._s3)
    keys.client = server.client()
    return keys


STORES: dict[str, Callable[[pytest.FixtureRequest, Path], Files | Keys]] = {"folder": in_folder, "s3": in_bucket}


@pytest.fixture(params=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Files | Keys:
    return STORES[request.param](request, tmp_path)


def _body(*chunks: bytes) -> Iterator[bytes]:
    yield from chunks


def _read(store: ObjectStore, name: str, **how: int) -> bytes:
    return b"".join(store.read(name, **how))


def test_a_body_comes_back_with_its_length_and_digest(store: ObjectStore) -> None:
    name = uuid4().hex
    assert store.put(name, _body(b"ab", b"", b"cde")) == (5, hashlib.sha256(b"abcde").hexdigest())
    assert _read(store, name) == b"abcde"
    place = store.path(name)
    assert place is None or place.read_bytes() == b"abcde"


def test_an_empty_body_is_a_body(store: ObjectStore) -> None:
    name = uuid4().hex
    assert store.put(name, _body()) == (0, hashlib.sha256(b"").hexdigest())
    assert _read(store, name) == b""


@pytest.mark.parametrize("start", [0, 1, 4, 5, 9])
@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_a_body_is_read_from_any_byte_in_any_pieces(store: ObjectStore, start: int, chunk: int) -> None:
    name = uuid4().hex
    store.put(name, _body(b"abcde"))
    assert _read(store, name, start=start, chunk=chunk) == b"abcde"[start:]


def test_a_body_never_changes(store: ObjectStore) -> None:
    name = uuid4().hex
    store.put(name, _body(b"first"))
    with pytest.raises(Conflict):
        store.put(name, _body(b"second"))
    assert _read(store, name) == b"first"


@pytest.mark.parametrize("length", [4, PART, 2 * PART + 1])
def test_a_body_that_breaks_off_leaves_nothing(store: Files | Keys, length: int) -> None:
    name = uuid4().hex

    def broken() -> Iterator[bytes]:
        yield bytes(length)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        store.put(name, broken())
    with pytest.raises(NotFound):
        _read(store, name)
    assert store.everything() == []
    store.put(name, _body(b"whole"))
    assert _read(store, name) == b"whole"


@pytest.mark.parametrize("pieces", [50, PART + 50])
def test_of_many_who_put_one_id_one_wins_and_its_body_is_whole(store: Files | Keys, pieces: int) -> None:
    name, won = uuid4().hex, []

    def put(letter: bytes) -> None:
        try:
            store.put(name, _body(letter * pieces))
        except Conflict:
            return
        won.append(letter)

    threads = [threading.Thread(target=put, args=(bytes([65 + n]),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()  # a busy machine takes its time for eight uploads at once
    assert len(won) == 1
    assert _read(store, name) == won[0] * pieces
    assert store.everything() == [name]


def test_an_unknown_id_is_not_found_and_deleting_it_is_no_error(store: ObjectStore) -> None:
    with pytest.raises(NotFound):
        _read(store, uuid4().hex)
    store.delete(uuid4().hex)


def test_a_deleted_body_is_gone(store: ObjectStore) -> None:
    name = uuid4().hex
    store.put(name, _body(b"x"))
    store.delete(name)
    store.delete(name)
    with pytest.raises(NotFound):
        _read(store, name)


@pytest.mark.parametrize("more", [-1, 0, 1, PART])
def test_a_large_body_comes_back_whole(store: Files | Keys, more: int) -> None:
    name, body = uuid4().hex, hashlib.shake_128(b"large").digest(PART) + bytes(max(0, more))
    body = body[: PART + more]
    pieces = (body[start : start + 700_001] for start in range(0, len(body), 700_001))
    assert store.put(name, pieces) == (len(body), hashlib.sha256(body).hexdigest())
    assert _read(store, name) == body
    assert _read(store, name, start=PART - 10) == body[PART - 10 :]
    assert store.everything() == [name]
    with pytest.raises(Conflict):
        store.put(name, _body(body))
    assert store.everything() == [name]


@pytest.mark.parametrize(
    "name", ["", "../" * 8 + "etc/passwd", "A" * 32, "g" * 32, "a" * 31, "a" * 33, f"/{'a' * 31}", "a" * 32 + "\n"]
)
def test_an_id_that_is_no_id_is_refused_everywhere(store: ObjectStore, name: str) -> None:
    for act in (
        lambda: store.put(name, _body(b"x")),
        lambda: _read(store, name),
        lambda: store.delete(name),
        lambda: store.path(name),
        lambda: store.url_to_read(name),
        lambda: store.url_to_put(name, 1),
    ):
        with pytest.raises(BadRequest):
            act()


def test_what_lies_on_disk_can_be_read_by_its_group_and_written_by_nobody(tmp_path: Path) -> None:
    store, name = Folder(tmp_path / "objects"), uuid4().hex
    store.put(name, _body(b"x"))
    assert store.path(name).stat().st_mode & 0o777 == 0o440
    assert store.path(name).stat().st_nlink == 1

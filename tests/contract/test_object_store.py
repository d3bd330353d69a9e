"""What every object store does: bodies appear whole, once, and never change."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.object_stores.folder import Folder
from strongroom.objects import ObjectStore

STORES: dict[str, Callable[[Path], ObjectStore]] = {"folder": Folder}


@pytest.fixture(params=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return STORES[request.param](tmp_path / "objects")


def _body(*chunks: bytes) -> Iterator[bytes]:
    yield from chunks


def _read(store: ObjectStore, name: str, **how: int) -> bytes:
    return b"".join(store.read(name, **how))


def test_a_body_comes_back_with_its_length_and_digest(store: ObjectStore) -> None:
    name = uuid4().hex
    assert store.put(name, _body(b"ab", b"", b"cde")) == (5, hashlib.sha256(b"abcde").hexdigest())
    assert _read(store, name) == b"abcde"
    assert store.path(name).read_bytes() == b"abcde"


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


def test_a_body_that_breaks_off_leaves_nothing(store: ObjectStore) -> None:
    name = uuid4().hex

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        store.put(name, broken())
    with pytest.raises(NotFound):
        _read(store, name)
    assert [path for path in store.path(name).parent.iterdir() if path.is_file()] == []
    store.put(name, _body(b"whole"))
    assert _read(store, name) == b"whole"


def test_of_many_who_put_one_id_one_wins_and_its_body_is_whole(store: ObjectStore) -> None:
    name, won = uuid4().hex, []

    def put(letter: bytes) -> None:
        try:
            store.put(name, _body(*[letter] * 50))
        except Conflict:
            return
        won.append(letter)

    threads = [threading.Thread(target=put, args=(bytes([65 + n]),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(won) == 1
    assert _read(store, name) == won[0] * 50


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


@pytest.mark.parametrize(
    "name", ["", "../" * 8 + "etc/passwd", "A" * 32, "g" * 32, "a" * 31, "a" * 33, f"/{'a' * 31}", "a" * 32 + "\n"]
)
def test_an_id_that_is_no_id_is_refused_everywhere(store: ObjectStore, name: str) -> None:
    for act in (
        lambda: store.put(name, _body(b"x")),
        lambda: _read(store, name),
        lambda: store.delete(name),
        lambda: store.path(name),
    ):
        with pytest.raises(BadRequest):
            act()


def test_what_lies_on_disk_can_be_read_by_its_group_and_written_by_nobody(tmp_path: Path) -> None:
    store, name = Folder(tmp_path / "objects"), uuid4().hex
    store.put(name, _body(b"x"))
    assert store.path(name).stat().st_mode & 0o777 == 0o440
    assert store.path(name).stat().st_nlink == 1

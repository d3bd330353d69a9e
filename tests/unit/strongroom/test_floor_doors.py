"""Private doors answer the uids they know, and survive whatever is sent to them."""

import fcntl
import json
import os
import socket
import stat
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from strongroom.bells import Bell, ring, share
from strongroom.doors import LARGEST, Caller, Message, ask, listen, receive, send, serve
from strongroom.errors import NotAllowed, StrongroomError, Unavailable

ME = os.geteuid()


def _echo(message: Message, caller: Caller) -> Message:
    match message.get("verb"):
        case "who":
            return {"uid": caller.uid, "pid": caller.pid}
        case "refuse":
            raise NotAllowed("This is not for you; ask a steward.", detail="secret path /etc/x")
        case "fail":
            raise ZeroDivisionError("secret")
        case _:
            return {"echo": message}


@contextmanager
def _door(tmp_path: Path, *, allowed: set[int]) -> Iterator[Path]:
    path = tmp_path / "door.sock"
    door = listen(path)

    def run() -> None:
        with suppress(OSError):  # the test closes the door
            serve(door, allowed=allowed, answer=_echo)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield path
    finally:
        door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join(10)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Path]:
    with _door(tmp_path, allowed={ME}) as path:
        yield path


def test_a_caller_is_whom_the_kernel_names(door: Path) -> None:
    answer = ask(door, {"verb": "who", "uid": 0, "pid": 1})
    assert (answer["uid"], answer["pid"]) == (ME, os.getpid())


def test_a_wrong_uid_gets_no_answer_at_all(tmp_path: Path) -> None:
    with _door(tmp_path, allowed={ME + 1}) as path, pytest.raises(Unavailable):
        ask(path, {"verb": "who"}, timeout=10)


def test_a_door_with_nobody_on_its_list_answers_nobody(tmp_path: Path) -> None:
    with _door(tmp_path, allowed=set()) as path, pytest.raises(Unavailable):
        ask(path, {"verb": "who"}, timeout=10)


def test_another_user_is_refused_by_the_kernel_s_word(tmp_path: Path) -> None:
    assert ME == 0, "this test needs root: it calls the door as another user"
    tmp_path.chmod(0o755)
    for parent in list(tmp_path.parents)[:3]:
        if parent != Path("/tmp"):
            parent.chmod(0o755)
    with _door(tmp_path, allowed={0}) as path:
        path.chmod(0o666)
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            try:
                os.setgid(65534)
                os.setuid(65534)
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.settimeout(10)
                    sock.connect(str(path))
                    send(sock, {"verb": "who"})
                    theirs.send(b"answered" if receive(sock) is not None else b"refused")
            except OSError:
                theirs.send(b"refused")  # the door may be shut before the question is out
            finally:
                os._exit(0)
        theirs.close()
        ours.settimeout(20)
        said = ours.recv(16)
        os.waitpid(child, 0)
        ours.close()
    assert said == b"refused"


def test_the_socket_is_for_owner_and_group_only(door: Path) -> None:
    assert door.stat().st_mode & 0o777 == 0o660


def test_a_refusal_comes_back_as_its_sentence_without_the_detail(door: Path) -> None:
    with pytest.raises(StrongroomError, match="This is not for you; ask a steward") as refused:
        ask(door, {"verb": "refuse"})
    assert refused.value.status == 403
    assert "secret" not in str(refused.value)


def test_a_failure_inside_tells_nothing(door: Path) -> None:
    with pytest.raises(StrongroomError) as failed:
        ask(door, {"verb": "fail"})
    assert failed.value.status == 500
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack(">I", LARGEST + 1),
        struct.pack(">I", 0xFFFFFFFF) + b"x",
        struct.pack(">I", 4) + b"nope",
        struct.pack(">I", 2) + b"[]",
        struct.pack(">I", 3) + b"\xff\xfe\xfd",
        struct.pack(">I", 100) + b"cut",
        b"\x00",
        struct.pack(">I", 40_000) + b"[" * 40_000,
    ],
)
def test_an_oversize_or_broken_message_ends_that_conversation_only(door: Path, raw: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(door))
        sock.sendall(raw)
        sock.shutdown(socket.SHUT_WR)
        assert _end_of(sock)
    assert ask(door, {"verb": "who"})["uid"] == ME


def test_several_questions_may_follow_on_one_connection(door: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(door))
        for number in range(3):
            send(sock, {"n": number})
            answer = receive(sock)
            assert answer is not None
            assert answer["echo"] == {"n": number}


def test_what_is_written_is_a_length_and_json(door: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, {"verb": "grüß"})
        (length,) = struct.unpack(">I", theirs.recv(4))
        assert json.loads(theirs.recv(length)) == {"verb": "grüß"}


def test_nobody_behind_a_door_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="try again"):
        ask(tmp_path / "nothing.sock", {"verb": "who"})


def test_a_bell_wakes_its_owner_and_a_lost_ring_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "bell.sock"
    ring(path)
    bell = Bell(path)
    try:
        for _ in range(2000):
            ring(path)
        assert bell.wait(5)
        bell.quiet()
        assert not bell.wait(0)
    finally:
        bell.close()
    ring(path)


def test_a_bell_is_heard_in_a_process_of_many_descriptors(tmp_path: Path) -> None:
    bell = Bell(tmp_path / "bell.sock")
    try:
        high = fcntl.fcntl(bell.socket, fcntl.F_DUPFD_CLOEXEC, 1500)  # what select() cannot look at
        bell.close()
        bell.socket = socket.socket(fileno=high)
        ring(tmp_path / "bell.sock")
        assert bell.wait(5)
    finally:
        bell.close()


def _end_of(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("kind", ["link", "file", "link to a socket"])
def test_what_stands_in_a_sockets_place_keeps_its_mode(tmp_path: Path, kind: str) -> None:
    secret, place = tmp_path / "kek", tmp_path / "door.sock"
    if kind == "link to a socket":
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(secret))
    else:
        secret.write_bytes(b"a key")
    secret.chmod(0o600)
    if kind == "file":
        secret.rename(place)
        secret = place
    else:
        place.symlink_to(secret)
    with pytest.raises(OSError, match="in a socket's place"):
        share(place, mode=0o660)
    assert secret.stat().st_mode & 0o777 == 0o600


def test_a_door_and_a_bell_have_the_mode_that_was_wanted(tmp_path: Path) -> None:
    with listen(tmp_path / "door.sock", mode=0o600), Bell(tmp_path / "bell.sock"):
        modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("door.sock", "bell.sock")]
    assert modes == [0o600, 0o660]

"""What the stub of a job does: it says one line, waits, ends as its agent says, and never outlives its purpose."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from services.slurm import JOINER

ATTEMPT = "a" * 32
WRONG_USE, NO_AGENT, LOST = 64, 69, 75


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket where an agent would listen."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "s"))
        door.listen()
        door.settimeout(10)
        yield door


def join(tmp_path: Path, attempt: str = ATTEMPT) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([JOINER, tmp_path / "s", attempt])


def accepted(agent: socket.socket) -> socket.socket:
    line, _ = agent.accept()
    line.settimeout(10)
    assert line.recv(100) == f"{ATTEMPT}\n".encode()
    return line


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"0\n", 0),
        (b"1\n", 1),
        (b"77\n", 77),
        (b"255\n", 255),
        (b"", LOST),
        (b"0", LOST),
        (b"\n", LOST),
        (b"256\n", LOST),
        (b"-1\n", LOST),
        (b"0\n0\n", LOST),
        (b"0000000000000000000000000000\n", LOST),
    ],
)
def test_it_ends_as_it_is_told_and_in_doubt_badly(
    agent: socket.socket, tmp_path: Path, said: bytes, code: int
) -> None:
    stub = join(tmp_path)
    with accepted(agent) as line:
        line.sendall(said)
        if len(said) < 16:
            with pytest.raises(subprocess.TimeoutExpired):
                stub.wait(0.1)  # the last word is that the agent hangs up
    assert stub.wait(10) == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_end_it_asks_for_the_end_and_waits_for_it(
    agent: socket.socket, tmp_path: Path, number: signal.Signals
) -> None:
    stub = join(tmp_path)
    with accepted(agent) as line:
        stub.send_signal(number)
        assert line.recv(1) == b""
        stub.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            stub.wait(0.2)
        line.sendall(b"1\n")
    assert stub.wait(10) == 1


def test_its_agent_sees_it_die(agent: socket.socket, tmp_path: Path) -> None:
    stub = join(tmp_path)
    with accepted(agent) as line:
        stub.kill()
        with suppress(ConnectionResetError):
            assert line.recv(1) == b""
    assert stub.wait(10) == -signal.SIGKILL


def test_it_dies_with_who_watches_over_the_job(agent: socket.socket, tmp_path: Path) -> None:
    code = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); p.wait()"
    words = [sys.executable, "-c", code, str(JOINER), str(tmp_path / "s"), ATTEMPT]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as watcher, accepted(agent) as line:
        watcher.kill()
        with suppress(ConnectionResetError):
            assert line.recv(1) == b""


def test_an_agent_that_is_started_again_is_waited_for(tmp_path: Path) -> None:
    stub = join(tmp_path)
    time.sleep(0.3)
    assert stub.poll() is None
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "s"))
        door.listen()
        door.settimeout(10)
        with accepted(door) as line:
            line.sendall(b"0\n")
    assert stub.wait(10) == 0


def test_who_waits_for_an_agent_can_be_told_to_end(tmp_path: Path) -> None:
    stub = join(tmp_path)
    time.sleep(0.2)
    stub.terminate()
    assert stub.wait(10) == NO_AGENT


def test_wrong_use_is_told(agent: socket.socket, tmp_path: Path) -> None:
    assert subprocess.run([JOINER], check=False).returncode == WRONG_USE
    assert subprocess.run([JOINER, "s", ATTEMPT, "x"], check=False).returncode == WRONG_USE
    assert subprocess.run([JOINER, "/" + "x" * 200, ATTEMPT], check=False).returncode == NO_AGENT
    assert join(tmp_path, "short").wait(10) == LOST


def test_it_is_static_and_small() -> None:
    kind = subprocess.run(["file", "-b", JOINER], check=False, capture_output=True, text=True).stdout
    assert not kind or "statically linked" in kind
    assert os.stat(JOINER).st_size < 2 << 20

"""The launcher does what an order says, in the order of the task, and tells how it ended (docs/launcher.md)."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from launcher_lab import DONE, Room, in_seconds, order, python, shell


@pytest.fixture
def room() -> Iterator[Room]:
    one = Room()
    yield one
    one.close()


@pytest.mark.parametrize("code", [0, 1, 3, 126, 255])
def test_the_exit_code_is_told_inside_and_not_outside(room: Room, code: int) -> None:
    ended = room.run(*shell(f"exit {code}"))
    assert ended.code == DONE
    assert ended.lines["cause"] == "exited"
    assert ended.lines["exit_code"] == str(code)
    assert ended.lines["next"] == ("stop" if code else "run")


def test_a_signal_is_told_as_one(room: Room) -> None:
    ended = room.run(*shell("kill -SEGV $$"))
    assert (ended.code, ended.lines["cause"], ended.lines["signal"]) == (DONE, "signal", str(int(signal.SIGSEGV)))
    assert "exit_code" not in ended.lines


def test_a_command_that_is_not_there_is_the_tasks_own_fault(room: Room) -> None:
    assert room.run("no-such-program").lines["exit_code"] == "127"
    assert room.run("/etc/passwd").lines["exit_code"] == "126"
    assert room.run("/bin/true", workdir="/no/such/folder").lines["exit_code"] == "126"


def test_the_command_is_found_on_the_tasks_own_path(room: Room) -> None:
    program = room.work / "mine"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    assert room.run("mine", env=[f"PATH={room.work}"]).stdout == "found\n"


def test_times_are_told(room: Room) -> None:
    before = time.time_ns() // 1_000_000
    lines = room.run("/bin/true").lines
    assert before <= int(lines["start"]) <= int(lines["end"]) <= time.time_ns() // 1_000_000


def test_executors_run_one_after_the_other(room: Room) -> None:
    names = ["first", "second", "third"]
    running = {name: room.start(name) for name in reversed(names)}
    for before, name in reversed(list(zip([None, *names], names, strict=False))):
        after = room.folder(before) / "ended" if before else None
        room.give(name, order(*shell(f"echo {name} >> {room.work}/order"), after=after))
    assert [room.ended(name, running[name]).lines["next"] for name in names] == ["run", "run", "run"]
    assert (room.work / "order").read_text().split() == names


@pytest.mark.parametrize(
    ("failure", "ignore_error", "runs"),
    [
        ("exit 0", 0, True),
        ("exit 3", 0, False),
        ("exit 3", 1, True),
        ("kill -9 $$", 0, False),
        ("kill -9 $$", 1, True),
    ],
)
def test_a_failure_skips_what_comes_after_it_unless_ignored(
    room: Room, failure: str, ignore_error: int, runs: bool
) -> None:
    names = ["first", "second", "third"]
    running = [room.start(name) for name in names]
    room.give("first", order(*shell(failure), ignore_error=ignore_error))
    for before, name in (("first", "second"), ("second", "third")):
        room.give(name, order(*shell(f"touch {room.work}/{name}"), after=room.folder(before) / "ended"))
    ended = [room.ended(name, process) for name, process in zip(names, running, strict=True)]
    assert {one.lines["cause"] for one in ended[1:]} == {"exited" if runs else "skipped"}
    assert {(room.work / name).exists() for name in names[1:]} == {runs}
    assert {one.code for one in ended} == {DONE}


def test_a_failure_of_ours_is_never_ignored(room: Room) -> None:
    first, second = room.start("first"), room.start("second")
    (room.folder("first") / "stdout").touch()  # a second attempt in the same volumes
    room.give("first", order("/bin/true", ignore_error=1))
    room.give("second", order("/bin/true", after=room.folder("first") / "ended"))
    assert room.ended("first", first).lines == {"next": "stop", "cause": "system", "reason": "logs"}
    assert room.ended("second", second).lines["cause"] == "skipped"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_is_captured_is_capped_and_a_task_never_waits_for_it(room: Room, stream: str) -> None:
    ended = room.run(*python(f"import sys; print('0123456789' * 100000, file=sys.{stream})"), log_bytes=25)
    assert getattr(ended, stream) == "0123456789012345678901234"
    assert ended.lines["exit_code"] == "0"


def test_a_file_has_a_cap_too(room: Room) -> None:
    ended = room.run(*shell(f"exec head -c 2000 /dev/zero > {room.work}/large"), file_bytes=1000)
    assert ended.lines["signal"] == str(int(signal.SIGXFSZ))
    assert (room.work / "large").stat().st_size == 1000


def test_streams_go_where_the_task_wants_them(room: Room) -> None:
    (room.work / "in").write_text("hello")
    streams = {"stdin": room.work / "in", "stdout": room.work / "out", "stderr": room.work / "err"}
    ended = room.run(*shell("tr a-z A-Z; echo oh >&2"), **streams)
    assert ((room.work / "out").read_text(), (room.work / "err").read_text()) == ("HELLO", "oh\n")
    assert (ended.stdout, ended.stderr) == ("", "")


def test_no_stdin_is_an_empty_one(room: Room) -> None:
    assert room.run("/bin/cat").lines["exit_code"] == "0"


def test_a_stream_that_is_no_plain_file_is_not_opened(room: Room) -> None:
    os.mkfifo(room.work / "fifo", 0o666)
    (room.work / "link").symlink_to(room.work / "target")
    for path in (room.work / "fifo", room.work / "link", room.work, room.disk / "elsewhere", "/dev/null"):
        assert room.run(*shell("true"), stdout=path).lines["exit_code"] == "126"
    assert room.run("/bin/cat", stdin=room.work / "none").lines["exit_code"] == "126"
    assert not (room.work / "target").exists()


def test_a_program_may_open_its_own_streams_again(room: Room) -> None:
    assert room.run(*shell("echo again > /dev/stdout")).stdout == "again\n"


def test_the_deadline_ends_a_task_and_all_that_it_started(room: Room) -> None:
    ended = room.run(*shell("setsid sleep 1000 & sleep 1000"), deadline=in_seconds(0.3), ignore_error=1)
    assert (ended.code, ended.lines["cause"], ended.lines["next"]) == (DONE, "deadline", "stop")


def test_the_deadline_ends_the_wait_for_whoever_comes_before(room: Room) -> None:
    ended = room.run("/bin/true", after=room.folder("never") / "ended", deadline=in_seconds(0.1))
    assert ended.lines == {"next": "stop", "cause": "deadline"}


def test_an_order_that_never_comes_ends_the_wait(room: Room) -> None:
    ended = room.ended("control", room.start("control", seconds=0))
    assert ended.lines == {"next": "stop", "cause": "deadline"}


@pytest.mark.parametrize("waits", [True, False])
def test_the_kubelet_asks_for_the_end_by_a_signal(room: Room, waits: bool) -> None:
    process = room.start("control")
    started = room.work / "started"
    if not waits:
        room.give("control", order(*shell(f"touch {started}; sleep 1000"), ignore_error=1))
    while not waits and not started.exists():
        time.sleep(0.01)
    room.signal(process, signal.SIGTERM)
    ended = room.ended("control", process)
    assert (ended.code, ended.lines["cause"], ended.lines["next"]) == (DONE, "canceled", "stop")

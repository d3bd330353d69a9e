"""A task cannot use more than it was given, nor leave anything running."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from sandbox_lab import MIB, UID, Lab, executor, python, shell, wait, wait_for

from sandbox import wire


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def processes_of_tasks() -> list[str]:
    found = subprocess.run(["ps", "-u", str(UID), "-o", "pid="], check=False, capture_output=True, text=True)
    return found.stdout.split()


def groups_of(pid: int) -> list[Path]:
    return list(Path("/sys/fs/cgroup").glob(f"**/strongroom/{pid}-*"))


def gone(pid: int, *, within: float = 10.0) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        if not Path(f"/proc/{pid}").exists() and not processes_of_tasks() and not groups_of(pid):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("place", ["/run/work", "/tmp", "/dev/shm"])
def test_scratch_has_a_size(lab: Lab, place: str) -> None:
    script = f"dd if=/dev/zero of={place}/big bs=1M count=200; code=$?; du -m {place}/big; exit $code"
    ended = lab.run(shell(script))
    assert ended.message["cause"] == "disk_full"
    assert int(ended.stdout.split()[0]) <= 32


def test_scratch_has_a_number_of_files(lab: Lab) -> None:
    code = "import os\nfor n in range(200_000): os.close(os.open(f'/run/work/{n}', os.O_CREAT))"
    ended = lab.run(python(code))
    assert ended.message["cause"] == "disk_full"


def test_memory_has_an_end(lab: Lab) -> None:
    ended = lab.run(python("kept = [bytearray(8 << 20) for _ in range(600)]; print('had it all')"))
    assert ended.message["cause"] == "out_of_memory"
    assert "had it all" not in ended.stdout
    assert ended.message["peak_memory_bytes"] <= 168 * MIB


def test_a_fork_bomb_stops(lab: Lab) -> None:
    code = """
import os, time
made = 0
for _ in range(2000):
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        made += 1
    except OSError:
        break
print(made)
"""
    ended = lab.run(python(code))
    assert int(ended.stdout) < 64
    assert not processes_of_tasks()


def test_a_flood_of_log_is_cut_and_does_not_block(lab: Lab) -> None:
    ended = lab.run(shell("yes | head -c 30000000; echo late > done.txt"), outputs=[file("done.txt")])
    assert len(ended.files["stdout.0"]) == MIB
    assert ended.files["done.txt"] == b"late\n"


@pytest.mark.parametrize("size", [1, MIB - 1, MIB, MIB + 1])
def test_the_log_is_kept_to_the_byte(lab: Lab, size: int) -> None:
    ended = lab.run(shell(f"yes | head -c {size}; yes | head -c {size} >&2"))
    kept = (b"y\n" * MIB)[: min(size, MIB)]
    assert (ended.files["stdout.0"], ended.files["stderr.0"]) == (kept, kept)


def test_a_log_lies_in_memory_alone_and_no_later_executor_holds_it(lab: Lab) -> None:
    pid, channel = lab.launch(lab.spec(shell("echo SAID"), shell("ls -l /proc/*/fd; echo END; sleep 60")))
    with channel:
        wait_for(channel, "started")
        until = time.monotonic() + 20
        while not (logs := memfds(pid, "stdout")) or not logs[-1].read_bytes().endswith(b"END\n"):
            assert time.monotonic() < until
            time.sleep(0.02)
        first, second = logs
        assert first.read_bytes() == b"SAID\n"
        assert b"pipe:" in second.read_bytes()
        assert b"memfd:std" not in second.read_bytes()


def memfds(pid: int, name: str) -> list[Path]:
    found = sorted(Path(f"/proc/{pid}/fd").iterdir(), key=lambda path: int(path.name))
    return [path for path in found if leads_to(path) == f"/memfd:{name} (deleted)"]


def leads_to(descriptor: Path) -> str:
    try:
        return os.readlink(descriptor)
    except FileNotFoundError:  # closed meanwhile
        return ""


def test_the_deadline_ends_everything(lab: Lab) -> None:
    start = time.monotonic()
    ended = lab.run(shell("trap '' TERM INT; while :; do sleep 100; done"), limits={"wall_seconds": 1})
    assert ended.message["cause"] == "deadline"
    assert ended.message["exit_code"] is None
    assert time.monotonic() - start < 5
    assert not processes_of_tasks()


def test_nothing_outlives_the_executor(lab: Lab) -> None:
    daemon = "(setsid sh -c 'trap \"\" TERM HUP; sleep 0.3; echo late > late.txt; sleep 100' &) ; sleep 0.05"
    ended = lab.run(shell(daemon), outputs=[file("late.txt")])
    assert ended.message["missing"] == ["/run/work/late.txt"]
    assert not processes_of_tasks()


def test_a_cancel_kills_and_is_reported(lab: Lab) -> None:
    pid, channel = lab.launch(lab.spec(shell("trap '' TERM; sleep 100")))
    with channel:
        wait_for(channel, "started")
        time.sleep(0.05)
        wire.send(channel, {"type": "cancel"})
        message = wait(channel)
    assert message["cause"] == "canceled"
    assert message["outputs"] == []
    assert gone(pid)


def test_a_dead_dispatcher_takes_its_tasks_along(lab: Lab) -> None:
    pid, channel = lab.launch(lab.spec(shell("sleep 100")))
    wait_for(channel, "started")
    channel.close()
    assert gone(pid)


@pytest.mark.parametrize(
    ("ignored", "codes", "exit_code"),
    [((False, False), [3], 3), ((True, False), [3, 0], 0), ((True, True), [3, 0], 0)],
)
def test_an_executor_that_may_fail_lets_the_next_one_run(
    lab: Lab, ignored: tuple[bool, bool], codes: list[int], exit_code: int
) -> None:
    first = executor(shell("exit 3"), ignore_error=ignored[0])
    message = lab.run(executors=[first, executor(shell("true"), ignore_error=ignored[1])]).message
    assert [one["exit_code"] for one in message["executors"]] == codes
    assert (message["cause"], message["exit_code"]) == ("exited", exit_code)


def test_a_last_executor_that_may_fail_leaves_a_task_that_went_well(lab: Lab) -> None:
    message = lab.run(executors=[executor(shell("exit 3"), ignore_error=True)]).message
    assert (message["executors"][0]["exit_code"], message["exit_code"]) == (3, 0)


def test_a_limit_that_is_met_is_no_error_to_ignore(lab: Lab) -> None:
    first = executor(shell("sleep 30"), ignore_error=True)
    message = lab.run(executors=[first, executor(shell("true"))], limits={"wall_seconds": 1}).message
    assert (message["cause"], len(message["executors"])) == ("deadline", 1)


def test_executors_run_in_order_in_one_tree_until_one_fails(lab: Lab) -> None:
    ended = lab.run(
        shell("echo one > x"),
        shell("cat x; echo oops >&2; exit 3"),
        shell("echo never"),
        outputs=[file("x")],
    )
    assert [one["exit_code"] for one in ended.message["executors"]] == [0, 3]
    assert ended.message["exit_code"] == 3
    assert ended.files == {"x": b"one\n", "stdout.1": b"one\n", "stderr.1": b"oops\n"}


def test_a_later_executor_is_not_led_through_a_link(lab: Lab) -> None:
    trap = shell("ln -s /proc/1/mem log; mkfifo pipe")
    spec = lab.spec(trap, executors=[executor(trap), executor(shell("echo x"), stdout="/run/work/log")])
    _, channel = lab.launch(spec)
    with channel:
        assert wait(channel)["exit_code"] == 126
    spec = lab.spec(trap, executors=[executor(trap), executor(shell("cat"), stdin="/run/work/pipe")])
    _, channel = lab.launch(spec)
    with channel:
        assert wait(channel)["exit_code"] == 126


def test_a_command_that_is_not_there_is_the_tasks_own_fault(lab: Lab) -> None:
    ended = lab.run(["/bin/nothing-like-this"])
    assert (ended.message["cause"], ended.message["exit_code"]) == ("exited", 127)

    assert ended.message["reason"] == "The command of this executor is not there."


def test_a_folder_that_is_not_there_is_the_tasks_own_fault(lab: Lab) -> None:
    for changes in ({}, {"stderr": "/run/work/complaints"}):
        spec = lab.spec(executors=[executor(shell("pwd"), workdir="/opt/nothing", **changes)])
        _, channel = lab.launch(spec)
        with channel:
            message = wait(channel)
        assert (message["cause"], message["exit_code"]) == ("exited", 126)
        assert message["reason"] == "The working folder of this executor is not there."


@pytest.mark.parametrize("folder", ["/", "/etc", "/tmp", "/run/work", "/run/work/deep/er"])
def test_a_command_starts_in_the_folder_that_it_names(lab: Lab, folder: str) -> None:
    ended = lab.run(executors=[executor(shell("pwd"), workdir=folder)])
    assert ended.stdout == f"{folder}\n"


def test_a_later_executor_may_work_where_an_earlier_one_made_a_folder(lab: Lab) -> None:
    ended = lab.run(executors=[executor(shell("mkdir /tmp/x")), executor(shell("pwd"), workdir="/tmp/x")])
    assert ended.files["stdout.1"] == b"/tmp/x\n"


def test_a_signal_that_a_task_sends_itself_is_its_exit_code(lab: Lab) -> None:
    assert lab.run(shell("kill -TERM $$")).message["exit_code"] == 143


def test_usage_is_reported(lab: Lab) -> None:
    message = lab.run(python("x = bytearray(50 << 20)\nfor _ in range(3_000_000): pass")).message
    assert message["peak_memory_bytes"] > 50 * MIB
    assert message["cpu_seconds"] > 0.05


def file(name: str) -> dict[str, str]:
    return {"path": f"/run/work/{name}", "type": "FILE"}

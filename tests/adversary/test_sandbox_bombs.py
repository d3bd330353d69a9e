"""Bombs, floods and late daemons: each succeeds where the limit is wide or the wall is gone, and fails with it."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from sandbox_lab import MIB, UID, Lab, python, shell
from weaker_walls import (
    Weakening,
    lacking,
    no_cgroups,
    no_reaping,
    not_apart,
    only_version_1,
    only_version_2,
    run_without,
)

WIDE = {"memory_bytes": 600 * MIB, "scratch_bytes": 300 * MIB, "pids": 600, "output_files": 10_000}
FORKS = """
import os, time
made = 0
for _ in range(200):
    try:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        made += 1
    except OSError:
        break
print(made)
"""
MEMORY = "kept = [bytearray(8 << 20) for _ in range(50)]; print('had it all')"
DISK = "dd if=/dev/zero of=/run/work/big bs=1M count=200 2>/dev/null && rm big && echo had it all"
INODES = """
import os
for n in range(70_000):
    os.close(os.open(f"/run/work/{n}", os.O_CREAT))
print("had it all")
"""
NODES: dict[str, Sequence[Weakening]] = {
    "as it is": (),
    "version 1": (only_version_1,),
    "version 2": (only_version_2,),
    "none": (no_cgroups,),
}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def processes() -> list[int]:
    found = subprocess.run(["ps", "-u", str(UID), "-o", "pid="], check=False, capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


def eventually_none() -> bool:
    end = time.monotonic() + 5
    while processes() and time.monotonic() < end:
        time.sleep(0.02)
    return not processes()


def test_the_bombs_go_off_where_limits_are_wide(lab: Lab) -> None:
    assert lab.run(python(FORKS), limits=WIDE).stdout == "200\n"
    assert lab.run(python(MEMORY), limits=WIDE).stdout == "had it all\n"
    assert lab.run(shell(DISK), limits=WIDE).stdout == "had it all\n"
    assert lab.run(python(INODES), limits={**WIDE, "output_files": 20_000}).stdout == "had it all\n"


@pytest.mark.parametrize("node", NODES)
def test_the_bombs_fail_whatever_cgroups_a_node_has(lab: Lab, node: str) -> None:
    assert int(run_without(lab, NODES[node], python(FORKS)).stdout) < 64
    memory = run_without(lab, NODES[node], python(MEMORY))
    assert "had it all" not in memory.stdout
    assert memory.message["cause"] == "out_of_memory" or "MemoryError" in memory.stderr
    disk = run_without(lab, NODES[node], shell(DISK))
    assert disk.message["cause"] in ("disk_full", "out_of_memory")
    assert "had it all" not in disk.stdout
    assert processes() == []


@pytest.mark.parametrize("node", NODES)
def test_the_deadline_holds_and_time_is_counted_whatever_cgroups_a_node_has(lab: Lab, node: str) -> None:
    spin = "import os\nfor _ in range(3): os.fork()\nwhile True: pass"
    began = time.monotonic()
    ended = run_without(lab, NODES[node], python(spin), limits={"wall_seconds": 1})
    assert ended.message["cause"] == "deadline"
    assert time.monotonic() - began < 6
    assert processes() == []
    if node != "none":  # children that nobody waited for are counted by a cgroup alone
        assert ended.message["cpu_seconds"] > 0.1


def test_inodes_have_an_end(lab: Lab) -> None:
    ended = lab.run(python(INODES))
    assert ended.message["cause"] == "disk_full"
    assert "had it all" not in ended.stdout


def test_a_daemon_outlives_neither_the_namespace_nor_the_reaper(lab: Lab) -> None:
    daemon = shell("(setsid sh -c 'trap \"\" TERM HUP INT; sleep 20' &); sleep 0.1")
    run_without(lab, [no_reaping, not_apart, lacking("--unshare-pid")], daemon)
    left = processes()
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left, "without these walls the daemon lives on"
    assert eventually_none()
    for one_wall in ([no_reaping], [not_apart], [lacking("--unshare-pid")], []):
        run_without(lab, one_wall, daemon)
        assert eventually_none()

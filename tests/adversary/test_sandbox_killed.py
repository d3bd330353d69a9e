"""Whenever a supervisor or the zygote is killed, nothing of the task is left: no process, mount, name or group."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_lab import UID, Lab, shell, wait, wait_for
from weaker_walls import launched_without, not_apart

from sandbox import cgroups, supervisor
from sandbox.zygote import SPARES, start

WORK = "trap '' TERM HUP INT; (setsid sleep 50 &); cp in.txt out.txt; cp in.txt /tmp/x; sleep 0.15; exit 0"
# Milliseconds after the launch: spec read, tree built, view mounted, walls up, running, ended, sealing.
MOMENTS = (0, 4, 8, 12, 16, 20, 30, 60, 120, 180, 190, 200, 210, 230)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def spec(lab: Lab) -> bytes:
    given = lab.encrypted("in.txt", os.urandom(300_000))
    outputs = [{"path": "/run/work/out.txt", "type": "FILE"}]
    return json.dumps(lab.spec(shell(WORK), inputs=[given], outputs=outputs)).encode()


def tasks() -> list[str]:
    found = subprocess.run(["ps", "-u", str(UID), "-o", "stat="], check=False, capture_output=True, text=True)
    return [state for state in found.stdout.split() if not state.startswith("Z")]  # the dead wait for their reaper


def eventually(check: Callable[[], bool], *, within: float = 10) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        if check():
            return True
        time.sleep(0.01)
    return False


def groups_of(pid: int) -> list[str]:
    found = cgroups.hierarchies()
    parents = [*found.v1.values(), *([found.v2] if found.v2 else [])]
    return [name for parent in parents for name in os.listdir(parent) if name.startswith(f"{pid}-")]


def nothing_is_left(pid: int, lab: Lab) -> None:
    assert eventually(lambda: not Path(f"/proc/{pid}").exists())
    assert eventually(lambda: not tasks())
    assert "fuse.view" not in Path("/proc/mounts").read_text()
    supervisor.sweep()
    assert groups_of(pid) == []
    for body in lab.bodies.iterdir():  # only whole bodies have names
        assert body.name in ("out.txt.c4gh", "stdout.0.c4gh", "stderr.0.c4gh") or body.name.startswith(".")
        body.unlink()


def test_a_supervisor_killed_at_any_moment_leaves_nothing(lab: Lab) -> None:
    raw = spec(lab)
    with_zygote = start()
    try:
        for milliseconds in MOMENTS:
            pid, channel = with_zygote.launch(raw)
            with channel:
                time.sleep(milliseconds / 1000)
                with contextlib.suppress(ProcessLookupError):  # it may have ended by then, on a quick machine
                    os.kill(pid, signal.SIGKILL)
                nothing_is_left(pid, lab)
    finally:
        with_zygote.close()


def test_a_supervisor_killed_while_bubblewrap_starts_leaves_nothing(lab: Lab) -> None:
    # bubblewrap's own bond to its parent has gaps of a few hundred microseconds; they are found without our wall.
    def left() -> bool:
        found = not eventually(lambda: not tasks(), within=2)
        subprocess.run(["pkill", "-KILL", "-u", str(UID)], check=False)
        assert eventually(lambda: not tasks())
        return found

    def without(milliseconds: float) -> bool:
        with launched_without([not_apart], lab.spec(shell("sleep 20"))) as (pid, channel):
            kill_while_starting(pid, channel, milliseconds)
        return left()

    def with_it(milliseconds: float) -> bool:
        pid, channel = lab.launch(lab.spec(shell("sleep 20")))
        with channel:
            kill_while_starting(pid, channel, milliseconds)
        return left()

    moments = [number % 40 / 4 for number in range(400)]
    assert any(map(without, moments))
    assert not any(map(with_it, moments[:80]))
    supervisor.sweep()


def kill_while_starting(pid: int, channel: socket.socket, milliseconds: float) -> None:
    wait_for(channel, "started")
    time.sleep(milliseconds / 1000)
    os.kill(pid, signal.SIGKILL)


def test_a_killed_zygote_takes_its_supervisors_along(lab: Lab) -> None:
    raw = spec(lab)
    for milliseconds in (5, 20, 80, 200):
        zygote = start()
        pid, channel = zygote.launch(raw)
        with channel:
            time.sleep(milliseconds / 1000)
            zygote.process.kill()
            zygote.close()
            nothing_is_left(pid, lab)


def test_supervisors_that_were_killed_while_they_waited_are_replaced(lab: Lab) -> None:
    raw = spec(lab)
    zygote = start()
    try:
        first, channel = zygote.launch(raw)
        with channel:
            wait_for(channel, "started")
            waiting = set(children_of(zygote.process.pid)) - {first}
            assert len(waiting) >= SPARES
            for pid in waiting:
                os.kill(pid, signal.SIGKILL)
            assert eventually(lambda: not waiting & set(children_of(zygote.process.pid)))
            second, other = zygote.launch(raw)
            with other:
                assert second not in waiting
                for one in (other, channel):
                    message = wait(one)
                    assert (message["cause"], message["exit_code"]) == ("exited", 0), message
    finally:
        zygote.close()
    for body in lab.bodies.iterdir():
        body.unlink()


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_task_is_what_is_killed(lab: Lab) -> None:
    # The search does find: while the task runs there are a process, a cgroup and, in its own namespace, a view.
    zygote = start()
    try:
        pid, channel = zygote.launch(spec(lab))
        with channel:
            wait_for(channel, "started")
            assert eventually(lambda: bool(tasks()))
            assert groups_of(pid)
            assert "fuse.view" in Path(f"/proc/{pid}/mounts").read_text()
            os.kill(pid, signal.SIGKILL)
            nothing_is_left(pid, lab)
    finally:
        zygote.close()

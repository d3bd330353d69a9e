"""Scratch is sized, can be larger than memory, and leaves nothing plain on a disk whatever ends it."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from sandbox_lab import MIB, Lab, shell, wait, wait_for

OUT = [{"path": "/run/work/out.txt", "type": "FILE"}]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "scratch").mkdir()
    return Lab(tmp_path)


@pytest.fixture(params=["tmpfs", "gocryptfs"])
def space(request: pytest.FixtureRequest, lab: Lab) -> dict[str, Any]:
    return _space(lab, request.param)


def _space(lab: Lab, driver: str) -> dict[str, Any]:
    return {"driver": driver, "folder": str(lab.folder / "scratch")} if driver == "gocryptfs" else {"driver": driver}


def plain_on_disk(lab: Lab, canary: bytes) -> bool:
    """Say whether the canary lies in a named file below the lab's folder, where scratch is made too."""
    done = subprocess.run(
        ["grep", "-rlsaF", "-f", "/dev/stdin", str(lab.folder)], input=canary, capture_output=True, check=False
    )
    return bool(done.stdout)


def test_a_task_works_in_it_and_its_outputs_are_sealed(lab: Lab, space: dict[str, Any]) -> None:
    script = (
        "cat in.txt > out.txt; mv in.txt moved.txt; echo more >> out.txt; mkdir d && mv out.txt d && mv d/out.txt ."
    )
    ended = lab.run(shell(script), inputs=[lab.encrypted("in.txt", b"input\n")], outputs=OUT, scratch=space)
    assert (ended.message["cause"], ended.message["exit_code"]) == ("exited", 0), ended
    assert ended.files["out.txt"] == b"input\nmore\n"
    assert list((lab.folder / "scratch").iterdir()) == []


def test_it_is_no_larger_than_the_task_asked_for(lab: Lab, space: dict[str, Any]) -> None:
    ended = lab.run(
        shell("dd if=/dev/zero of=big bs=1M count=200"), scratch=space, limits={"memory_bytes": 300 * MIB}
    )
    assert ended.message["cause"] in ("disk_full", "signal"), ended


def test_encrypted_disk_is_larger_than_the_tasks_memory(lab: Lab) -> None:
    ended = lab.run(
        shell(
            "dd if=/dev/urandom of=big bs=1M count=150; md5sum < big > a; md5sum < big | cmp - a && stat -c %s big"
        ),
        scratch=_space(lab, "gocryptfs"),
        limits={"memory_bytes": 48 * MIB, "scratch_bytes": 200 * MIB},
    )
    assert (ended.message["cause"], ended.message["exit_code"]) == ("exited", 0), ended
    assert ended.stdout.split() == [str(150 * MIB)]


def test_a_canary_reaches_no_disk_in_the_clear_during_and_after(lab: Lab) -> None:
    canary = f"CANARY{os.urandom(16).hex()}".encode()
    given = lab.encrypted("in.txt", canary)
    script = "for n in 1 2 3 4; do cat in.txt in.txt > copy$n; done; cp in.txt /tmp/x; echo go > ready; sleep 1"
    spec = lab.spec(shell(script), inputs=[given], scratch=_space(lab, "gocryptfs"))
    _, channel = lab.launch(spec)
    with channel:
        wait_for(channel, "started")
        time.sleep(0.4)
        assert not plain_on_disk(lab, canary)
        assert "fuse.scratch" not in Path("/proc/mounts").read_text()
        message = wait(channel)
        assert message["exit_code"] == 0, message
    assert not plain_on_disk(lab, canary)
    assert daemons(lab) == []


def daemons(lab: Lab) -> list[str]:
    done = subprocess.run(["pgrep", "-f", f"gocryptfs.*{lab.folder}"], capture_output=True, text=True, check=False)
    return done.stdout.split()


def test_kill_9_of_the_supervisor_leaves_neither_disk_nor_process(lab: Lab) -> None:
    canary = f"CANARY{os.urandom(16).hex()}".encode()
    script = "cat in.txt > copy; dd if=/dev/zero of=big bs=1M count=8; sleep 100"
    spec = lab.spec(shell(script), inputs=[lab.encrypted("in.txt", canary)], scratch=_space(lab, "gocryptfs"))
    pid, channel = lab.launch(spec)
    with channel:
        wait_for(channel, "started")
        time.sleep(0.4)
        assert len(daemons(lab)) == 1  # the search does find
        used = set(loops())
        assert used
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 20
        while time.monotonic() < end and (daemons(lab) or set(loops()) & used):
            time.sleep(0.05)
    assert daemons(lab) == []
    assert not set(loops()) & used
    assert list((lab.folder / "scratch").iterdir()) == []
    assert not plain_on_disk(lab, canary)


def loops() -> list[str]:
    """Return the loop devices whose file is a nameless one, as ours are."""
    found = Path("/sys/block").glob("loop*/loop/backing_file")
    return [str(path) for path in found if path.read_text().strip().endswith("/disk (deleted)")]


def test_a_node_without_room_refuses(lab: Lab) -> None:
    ended = lab.run(shell("true"), scratch=_space(lab, "gocryptfs"), limits={"scratch_bytes": 2**49})
    assert ended.message["cause"] == "system"
    assert "room" in ended.message["reason"]


def test_a_writable_root_is_thrown_away_and_counts_as_scratch(lab: Lab) -> None:
    script = "echo new > /etc/new && rm /bin/cp && echo x > /bin/x && mkdir /opt && cat /etc/new > out.txt; echo $?"
    ended = lab.run(shell(script), outputs=OUT, writable_root=True)
    assert ended.stdout == "0\n", ended
    assert ended.files["out.txt"] == b"new\n"
    assert not (lab.image / "etc/new").exists()
    assert (lab.image / "bin/cp").is_symlink()
    full = lab.run(shell("dd if=/dev/zero of=/etc/big bs=1M count=64"), writable_root=True)
    assert full.message["cause"] in ("disk_full", "signal"), full
    assert lab.run(shell("echo x > /etc/new")).message["exit_code"] != 0  # and without it the root is read-only

"""What a task decrypts stays inside its walls: during the run, after it, and when its supervisor is killed."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from sandbox_lab import UID, Lab, shell, wait, wait_for
from searching import files_with

from sandbox import supervisor

FOLDERS = ("/tmp", "/var/tmp", "/run", "/dev/shm", "/media", "/mnt", "/srv")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture
def canary() -> bytes:
    return f"CANARY{os.urandom(16).hex()}".encode()


def holders(canary: bytes) -> list[str]:
    """Return the processes outside the walls that show the canary in environment or command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("environ", "cmdline"):
            try:
                if process.stat().st_uid != UID and canary in (process / name).read_bytes():
                    found.append(str(process / name))
            except OSError:
                continue
    return found


def on_disk(canary: bytes, *folders: str) -> list[str]:
    return files_with([canary], *folders)


def mounts_of_the_host() -> list[str]:
    return [line for line in Path("/proc/mounts").read_text().splitlines() if "fuse.view" in line or "/media" in line]


def tasks() -> list[str]:
    done = subprocess.run(["ps", "-u", str(UID), "-o", "pid="], check=False, capture_output=True, text=True)
    return done.stdout.split()


def eventually(check: object, *, within: float = 10.0) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        if check():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


SPREAD = "cp in.txt out.txt; cp in.txt /tmp/x; cp in.txt /dev/shm/x; cat in.txt; cat in.txt >&2; "
CALM = "export SECRET=$(cat in.txt); echo ready > ready; sleep 0.4"


def test_a_canary_in_the_data_is_nowhere_outside(lab: Lab, canary: bytes) -> None:
    spec = lab.spec(
        shell(SPREAD + CALM),
        inputs=[lab.encrypted("in.txt", canary)],
        outputs=[{"path": "/run/work/out.txt", "type": "FILE"}],
    )
    (lab.folder / "control").write_bytes(canary)
    assert on_disk(canary, str(lab.folder)) == [str(lab.folder / "control")]  # the search does find
    (lab.folder / "control").unlink()
    pid, channel = lab.launch(spec)
    with channel:
        wait_for(channel, "started")
        time.sleep(0.15)
        assert holders(canary) == []
        assert on_disk(canary, str(lab.folder), *FOLDERS) == []
        assert mounts_of_the_host() == []
        message = wait(channel)
    assert (message["cause"], message["exit_code"]) == ("exited", 0)
    assert canary.decode() not in str(message)
    assert on_disk(canary, str(lab.folder), *FOLDERS) == []
    assert holders(canary) == []
    assert lab.ended(message).files["out.txt"] == canary
    assert eventually(lambda: not Path(f"/proc/{pid}").exists())


def test_kill_9_of_the_supervisor_leaves_nothing(lab: Lab, canary: bytes) -> None:
    spec = lab.spec(
        shell(SPREAD + "trap '' TERM HUP; (setsid sleep 100 &); sleep 100"),
        inputs=[lab.encrypted("in.txt", canary)],
        outputs=[{"path": "/run/work/out.txt", "type": "FILE"}],
    )
    pid, channel = lab.launch(spec)
    with channel:
        wait_for(channel, "started")
        time.sleep(0.15)
        assert tasks()
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: not tasks() and not Path(f"/proc/{pid}").exists())
    assert mounts_of_the_host() == []
    assert on_disk(canary, str(lab.folder), *FOLDERS) == []
    assert holders(canary) == []
    assert list(lab.bodies.rglob("*")) == []
    supervisor.sweep()
    assert list(Path("/sys/fs/cgroup").glob(f"**/strongroom/{pid}-*")) == []


def test_nobody_of_the_tasks_uid_can_read_the_supervisor(lab: Lab) -> None:
    pid, channel = lab.launch(lab.spec(shell("sleep 0.5")))
    with channel:
        wait_for(channel, "started")
        for act in (["cat", "environ"], ["cat", "maps"], ["head", "-c1", "mem"], ["ls", "root/"], ["ls", "fd/"]):
            command = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", *act]
            done = subprocess.run(command, cwd=f"/proc/{pid}", check=False, capture_output=True)
            assert b"ermission denied" in done.stderr
        assert Path(f"/proc/{pid}/environ").read_bytes().strip(b"\0") == b""
        wait(channel)

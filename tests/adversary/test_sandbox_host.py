"""A task learns nothing of the host and touches nothing of it: each namespace is shown to count."""

import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_lab import UID, Lab, python, shell
from weaker_walls import (
    lacking,
    no_closing_of_descriptors,
    no_empty_environment,
    no_filter,
    no_landlock,
    not_apart,
    open_secret,
    run_without,
)

_IPC_CREAT, _IPC_RMID = 0o1000, 0


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture
def victim() -> Iterator[int]:
    """A process of the host that runs under the very uid of the task, as it would without root."""
    command = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "sleep", "60"]
    with subprocess.Popen(command) as process:
        yield process.pid
        process.kill()


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_a_process_of_the_host_cannot_be_signalled(lab: Lab, victim: int) -> None:
    attack = shell(f"sleep 0.1; kill -CONT {victim} && echo reached || true")
    one_pid = lacking("--unshare-pid")
    assert run_without(lab, [one_pid, not_apart, no_landlock], attack).stdout == "reached\n"
    assert run_without(lab, [one_pid], attack).stdout == ""
    assert run_without(lab, [no_landlock], attack).stdout == ""
    assert lab.run(attack).stdout == ""


def test_memory_of_the_host_cannot_be_attached(lab: Lab) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    key = 0x5EED0000 | os.getpid() & 0xFFFF
    segment = libc.shmget(key, 4096, _IPC_CREAT | 0o666)
    attack = python(f"import ctypes; print(ctypes.CDLL(None).shmget({key}, 4096, 0o666) >= 0)")
    try:
        assert run_without(lab, [lacking("--unshare-ipc")], attack).stdout == "True\n"
        assert lab.run(attack).stdout == "False\n"
    finally:
        libc.shmctl(segment, _IPC_RMID, None)


def test_the_hosts_name_is_not_known(lab: Lab) -> None:
    attack = python("import os; print(os.uname().nodename)")
    assert (
        run_without(lab, [lacking("--unshare-uts", "--hostname task")], attack).stdout.strip() == socket.gethostname()
    )
    assert lab.run(attack).stdout == "task\n"


def test_the_hosts_cgroups_are_not_known(lab: Lab) -> None:
    attack = shell("cat /proc/self/cgroup")
    assert "strongroom" in run_without(lab, [lacking("--unshare-cgroup")], attack).stdout
    assert "strongroom" not in lab.run(attack).stdout


def test_the_supervisors_environment_is_not_inherited(lab: Lab) -> None:
    attack = shell("cat /proc/1/environ")
    assert "of the supervisor" in run_without(lab, [no_empty_environment], attack).stdout
    ended = lab.run(attack)
    assert ended.message["exit_code"] == 0
    assert ended.stdout == ""


def test_no_descriptor_is_inherited(lab: Lab) -> None:
    attack = shell("cat /proc/self/fd/77 2>/dev/null; true")
    assert run_without(lab, [open_secret, no_closing_of_descriptors], attack).stdout == "of the supervisor"
    assert run_without(lab, [open_secret], attack).stdout == ""


def test_proc_shows_and_changes_nothing_of_the_kernel(lab: Lab) -> None:
    code = """
import glob, json, os
def tried(path, mode):
    try:
        with open(path, mode) as file:
            if "w" in mode:
                file.write(b"1")
                return True
            return file.read(1) != b""
    except OSError:
        return False
written = [path for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches",
    "/proc/sys/net/ipv4/ip_forward", "/proc/self/uid_map", "/proc/self/gid_map", "/proc/1/mem",
    "/proc/self/timens_offsets", "/proc/irq/default_smp_affinity", "/proc/mtrr") if tried(path, "wb")]
read = [path for path in ("/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/1/mem", "/proc/1/maps",
    "/proc/1/environ", "/proc/vmallocinfo", "/proc/slabinfo", "/proc/timer_list") if tried(path, "rb")]
devices = [f"{path}" for path in glob.glob("/dev/*") if not os.path.islink(path) and not os.path.isdir(path)]
print(json.dumps(dict(written=written, read=read, devices=sorted(map(os.path.basename, devices)),
    firmware=os.path.exists("/sys/kernel"), nodes=[name for name in os.listdir("/proc/1/task")])))
"""
    found = lab.run(python(code)).json()
    assert found.pop("written") == []
    assert set(found.pop("read")) <= {"/proc/keys", "/proc/1/maps"}  # its own keys, and the walls' own program
    assert found == {
        "devices": ["full", "null", "random", "tty", "urandom", "zero"],
        "firmware": False,
        "nodes": ["1"],
    }


def test_mount_names_say_nothing_of_the_host(lab: Lab) -> None:
    found = lab.run(shell("cat /proc/self/mountinfo /proc/self/mounts /proc/self/maps /proc/1/maps"))
    said = found.stdout
    for secret in (
        str(lab.folder),
        str(Path(__file__).parents[2]),
        "strongroom",
        "overlay/",
        socket.gethostname() + "/",
    ):
        assert secret not in said, secret


def test_nothing_can_be_typed_into_the_launchers_terminal(lab: Lab) -> None:
    code = """
import fcntl, os, termios
try:
    fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), termios.TIOCSTI, b"x")
    print("typed")
except OSError:
    print("refused")
"""
    attack = python(code)
    session = lacking("--new-session")
    assert on_a_terminal(lab, [session, no_filter], attack) == "typed\n"
    assert on_a_terminal(lab, [session], attack) == "refused\n"
    assert on_a_terminal(lab, [no_filter], attack) == "refused\n"


def on_a_terminal(lab: Lab, weakenings: list[object], attack: list[str]) -> str:
    """Run an attack in a supervisor that has a controlling terminal, as one started by hand has."""

    def take_terminal() -> None:
        master, slave = os.openpty()
        os.setsid()
        name = os.ttyname(slave)
        os.chmod(name, 0o666)
        os.close(os.open(name, os.O_RDWR))  # the first terminal that a session's leader opens becomes its own
        os.set_inheritable(master, False)

    return run_without(lab, [take_terminal, *weakenings], attack).stdout  # type: ignore[list-item]

"""Without root the same walls stand: the whole supervisor is an ordinary user, its view in a user namespace."""

import ctypes
import os
import shutil
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sandbox_lab import MIB, Ended, Lab, python, shell
from weaker_walls import Weakening, lacking, no_filter, run_without

from sandbox import cgroups, doctor, kernel

USER = 30_000 + os.getpid() % 30_000  # a user of this test run alone: process limits count all that a user has
FUSE = os.makedev(10, 229)


class Rootless(Lab):
    """A lab whose supervisors are an ordinary user's, on a node whose fuse device has mode 0666, as udev gives it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fuse = folder / "fuse"
        os.mknod(self.fuse, stat.S_IFCHR | 0o666, FUSE)
        self.fuse.chmod(0o666)
        for path in (self.bodies, self.key_file):
            shutil.chown(path, USER, USER)

    def become_user(self) -> None:
        """Give up root for ever."""
        kernel.unshare(kernel.CLONE_NEWNS)
        kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_SLAVE)
        kernel.mount(str(self.fuse), "/dev/fuse", flags=kernel.MS_BIND)
        cgroups.hierarchies.cache_clear()  # what root found before is not this user's
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
        # A program started by the user would be dumpable, which decides who may write its uid map.
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)

    def run(self, *commands: Sequence[str], **changes: Any) -> Ended:
        """Run an attempt as this user."""
        return self.run_weaker([], *commands, **changes)

    def run_weaker(self, weakenings: Sequence[Weakening], *commands: Sequence[str], **changes: Any) -> Ended:
        """Run an attempt as this user, in weaker walls."""
        return run_without(self, [self.become_user, *weakenings], *commands, **changes)


@pytest.fixture
def lab(tmp_path: Path) -> Rootless:
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    return Rootless(tmp_path)


def processes() -> list[str]:
    owned = [path for path in Path("/proc").glob("[0-9]*") if path.exists() and path.stat().st_uid == USER]
    return [path.name for path in owned]


def test_the_whole_path_works_without_root(lab: Rootless) -> None:
    ended = lab.run(
        shell("id -u; tr a-z A-Z < in/person.vcf > results/out.txt; echo new > in/beside; mv in/person.vcf moved"),
        inputs=[lab.encrypted("in/person.vcf", b"genotype" * 20_000)],
        outputs=[{"path": "/run/work/results/out.txt", "type": "FILE"}],
    )
    assert (ended.message["cause"], ended.message["exit_code"]) == ("exited", 0), (ended.message, ended.stderr)
    assert ended.stdout == "1000\n"
    assert ended.files["results/out.txt"] == b"GENOTYPE" * 20_000
    assert [file.stat().st_uid for file in lab.bodies.iterdir()] == []


def test_no_network_no_host_no_back_door_without_root(lab: Rootless) -> None:
    code = """
import ctypes, errno, json, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def refused(number, *arguments):
    libc.syscall(number, *arguments)
    return errno.errorcode.get(ctypes.get_errno())
print(json.dumps(dict(
    interfaces=[name for _, name in socket.if_nameindex()],
    io_uring=refused(425, 2, ctypes.create_string_buffer(256)),
    clone3=refused(435, None, 0),
    open_tree=refused(428, -100, b"/", 0),
    processes=len([name for name in os.listdir("/proc") if name.isdigit()]),
    mountinfo=open("/proc/self/mountinfo").read(),
    capabilities=[line.split()[1].strip("0") for line in open("/proc/self/status") if line.startswith("Cap")],
    host=[name for name in os.listdir("/") if name in ("root", "home", "media", "srv")],
)))
"""
    found = lab.run(python(code)).json()
    assert str(lab.folder) not in found.pop("mountinfo")
    assert found.pop("processes") <= 3
    assert found == {
        "interfaces": ["lo"],
        "io_uring": "EPERM",
        "clone3": "ENOSYS",
        "open_tree": "EPERM",
        "capabilities": [""] * 5,
        "host": [],
    }
    assert lab.run_weaker([no_filter], python(code)).json()["open_tree"] != "EPERM"


def test_a_tasks_own_user_cannot_be_harmed_by_it(lab: Rootless) -> None:
    # Rootless, task and supervisor share a kernel uid: the process namespace and Landlock stand between them.
    victim = os.fork()
    if victim == 0:
        try:
            os.setresuid(USER, USER, USER)
            time.sleep(60)
        finally:
            os._exit(0)
    attack = shell(f"kill -9 {victim}; true")
    try:
        lab.run(attack)
        lab.run_weaker([lacking("--unshare-pid")], attack)
        assert os.waitpid(victim, os.WNOHANG) == (0, 0)
    finally:
        os.kill(victim, 9)
        os.waitpid(victim, 0)


def test_bombs_stop_without_cgroups(lab: Rootless) -> None:
    memory = lab.run(python("kept = [bytearray(8 << 20) for _ in range(600)]; print('had it all')"))
    assert "MemoryError" in memory.stderr
    assert memory.message["exit_code"] == 1
    assert memory.message["peak_memory_bytes"] is None
    disk = lab.run(shell("dd if=/dev/zero of=/run/work/big bs=1M count=200"))
    assert disk.message["cause"] == "disk_full"
    forks = """
import os, time
made = 0
for _ in range(500):
    try:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        made += 1
    except OSError:
        break
print(made)
"""
    assert int(lab.run(python(forks)).stdout) < 64
    assert processes() == []


def test_the_deadline_and_daemons_without_cgroups(lab: Rootless) -> None:
    began = time.monotonic()
    daemon = "(setsid sh -c 'trap \"\" TERM HUP; sleep 100' &); trap '' TERM; sleep 100"
    ended = lab.run(shell(daemon), limits={"wall_seconds": 1, "memory_bytes": 256 * MIB})
    assert ended.message["cause"] == "deadline"
    assert time.monotonic() - began < 5
    assert processes() == []


def test_a_closed_fuse_device_is_told_in_words(lab: Rootless) -> None:
    lab.fuse.chmod(0o600)
    ended = lab.run(shell("cat a"), inputs=[lab.encrypted("a", b"secret")])
    assert ended.message["cause"] == "system"
    assert "0666" in ended.message["reason"]


def test_the_doctor_says_what_is_weaker(lab: Rootless) -> None:
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            lab.become_user()
            os.write(write, "\n".join(f"{item.name}={item.health}" for item in doctor.examine()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read) as report:
        found = dict(line.split("=") for line in report.read().splitlines())
    os.wait()
    assert found["task users"] == found["cgroups"] == "weaker"
    assert found["namespaces"] == found["fuse"] == found["seccomp"] == "good"

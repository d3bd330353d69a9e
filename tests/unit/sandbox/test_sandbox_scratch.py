"""Scratch is sized, can be larger than memory, and leaves nothing plain on a disk whatever ends it."""

import fcntl
import os
import signal
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from sandbox_lab import MIB, TOOLS, UID, Lab, python, shell, wait, wait_for
from searching import files_with
from weaker_walls import launched_without, no_encryption_of_files, no_filter

from sandbox import mounts
from sandbox.scratch_fscrypt import KernelEncrypted

DISKS = ["gocryptfs", "fscrypt"]
OUT = [{"path": "/run/work/out.txt", "type": "FILE"}]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "scratch").mkdir()
    return Lab(tmp_path)


@pytest.fixture(params=["tmpfs", *DISKS])
def space(request: pytest.FixtureRequest, lab: Lab) -> dict[str, Any]:
    return _space(lab, request.param)


def _space(lab: Lab, driver: str) -> dict[str, Any]:
    return {"driver": driver, "folder": str(lab.folder / "scratch")} if driver in DISKS else {"driver": driver}


def plain_on_disk(lab: Lab, canary: bytes) -> bool:
    """Say whether the canary lies in a named file below the lab's folder, where scratch is made too."""
    return bool(files_with([canary], lab.folder))


def until_asleep() -> None:
    """Wait until the task has done what it has to do, and sleeps."""
    end = time.monotonic() + 20
    while subprocess.run(["pgrep", "-u", str(UID), "-x", "sleep"], capture_output=True, check=False).returncode:
        assert time.monotonic() < end
        time.sleep(0.02)


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


@pytest.mark.parametrize("driver", DISKS)
def test_encrypted_disk_is_larger_than_the_tasks_memory(lab: Lab, driver: str) -> None:
    ended = lab.run(
        shell(
            "dd if=/dev/urandom of=big bs=1M count=150; md5sum < big > a; md5sum < big | cmp - a && stat -c %s big"
        ),
        scratch=_space(lab, driver),
        limits={"memory_bytes": 48 * MIB, "scratch_bytes": 200 * MIB},
    )
    assert (ended.message["cause"], ended.message["exit_code"]) == ("exited", 0), ended
    assert ended.stdout.split() == [str(150 * MIB)]


@pytest.mark.parametrize("driver", DISKS)
def test_a_canary_reaches_no_disk_in_the_clear_during_and_after(lab: Lab, driver: str) -> None:
    canary = f"CANARY{os.urandom(16).hex()}".encode()
    given = lab.encrypted("in.txt", canary)
    script = "for n in 1 2 3 4; do cat in.txt in.txt > copy$n; done; cp in.txt /tmp/x; sleep 1"
    spec = lab.spec(shell(script), inputs=[given], scratch=_space(lab, driver))
    _, channel = lab.launch(spec)
    with channel:
        wait_for(channel, "started")
        until_asleep()
        assert not plain_on_disk(lab, canary)
        assert "fuse.scratch" not in Path("/proc/mounts").read_text()
        message = wait(channel)
        assert message["exit_code"] == 0, message
    assert not plain_on_disk(lab, canary)
    assert daemons(lab) == []


def daemons(lab: Lab) -> list[str]:
    done = subprocess.run(["pgrep", "-f", f"gocryptfs.*{lab.folder}"], capture_output=True, text=True, check=False)
    return done.stdout.split()


@pytest.mark.parametrize("driver", DISKS)
def test_kill_9_of_the_supervisor_leaves_neither_disk_nor_process(lab: Lab, driver: str) -> None:
    canary = f"CANARY{os.urandom(16).hex()}".encode()
    script = "cat in.txt > copy; dd if=/dev/zero of=big bs=1M count=8; sleep 100"
    spec = lab.spec(shell(script), inputs=[lab.encrypted("in.txt", canary)], scratch=_space(lab, driver))
    pid, channel = lab.launch(spec)
    with channel:
        wait_for(channel, "started")
        until_asleep()
        assert len(daemons(lab)) == (driver == "gocryptfs")  # the search does find
        used = set(loops(lab))
        assert used
        assert list((lab.folder / "scratch").iterdir()) == []
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 20
        while time.monotonic() < end and (daemons(lab) or set(loops(lab)) & used):
            time.sleep(0.05)
    assert daemons(lab) == []
    assert not set(loops(lab)) & used
    assert list((lab.folder / "scratch").iterdir()) == []
    assert not plain_on_disk(lab, canary)


def loops(lab: Lab) -> list[Path]:
    """Return the loop devices whose file is a nameless one, as ours are."""
    found = []
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        backing = path.read_text().strip()
        if backing.endswith("/disk (deleted)") or backing.startswith(f"{lab.folder}/scratch/#"):
            found.append(Path("/dev") / path.parts[3])
    return found


def backing(lab: Lab) -> bytes:
    """Return what the host's disk holds of the scratch: the file of gocryptfs, or that of the loop device."""
    opened = [file for pid in daemons(lab) for file in Path(f"/proc/{pid}/fd").iterdir()]
    files = [file for file in opened if os.readlink(file).startswith(f"{lab.folder}/scratch/")]
    (found,) = [file for file in files if file.is_file()] or loops(lab)
    return found.read_bytes()


CANARY = f"CANARY{os.urandom(16).hex()}"
PLANTED = f"""cat in.txt > copy; mkdir {CANARY}d; ln -s {CANARY}l link; echo > /tmp/{CANARY}t
fsync copy . /tmp; sleep 60"""


def planted(lab: Lab, driver: str) -> dict[str, Any]:
    return lab.spec(shell(PLANTED), inputs=[lab.encrypted("in.txt", CANARY.encode())], scratch=_space(lab, driver))


@pytest.mark.parametrize("driver", DISKS)
def test_the_hosts_disk_holds_no_canary_of_content_name_or_link(lab: Lab, driver: str) -> None:
    _, channel = lab.launch(planted(lab, driver))
    with channel:
        wait_for(channel, "started")
        until_asleep()
        raw = backing(lab)
        assert any(raw)
        assert CANARY.encode() not in raw
        if driver == "gocryptfs":  # what its loop device shows is the same disk before encryption
            (plain,) = loops(lab)
            assert CANARY.encode() in plain.read_bytes()


def test_the_same_search_finds_a_canary_where_the_kernel_does_not_encrypt(lab: Lab) -> None:
    with launched_without([no_encryption_of_files], planted(lab, "fscrypt")) as (_, channel):
        wait_for(channel, "started")
        until_asleep()
        raw = backing(lab)
    for what in (CANARY, f"{CANARY}d", f"{CANARY}l", f"{CANARY}t"):
        assert what.encode() in raw


ATTRIBUTE = f"""
import os
os.open('x', os.O_CREAT)
try:
    os.setxattr('x', 'user.x', b'{CANARY}')
except OSError as error:
    print(error.errno)
os.fsync(os.open('.', 0))
os.execv('/bin/sleep', ['sleep', '60'])
"""


def test_an_extended_attribute_which_fscrypt_leaves_in_clear_cannot_be_set(lab: Lab) -> None:
    spec = lab.spec(python(ATTRIBUTE), scratch=_space(lab, "fscrypt"))
    _, channel = lab.launch(spec)
    with channel:
        wait_for(channel, "started")
        until_asleep()
        assert CANARY.encode() not in backing(lab)
    with launched_without([no_filter], spec) as (_, channel):
        wait_for(channel, "started")
        until_asleep()
        assert CANARY.encode() in backing(lab)


def test_programs_that_keep_modes_and_attributes_get_on_without(lab: Lab, space: dict[str, Any]) -> None:
    copy = [*python("")[:3], f"{TOOLS}/bin/cp", "-a", "/run/work/a", "/tmp/b"]
    script = f"echo x > a; chmod 640 a; {' '.join(copy)} && stat -c %a /tmp/b"
    ended = lab.run(shell(script), scratch=space)
    assert (ended.stdout, ended.stderr) == ("640\n", ""), ended


PRESENT, KEY_STATUS = 2, 0xC080661A  # linux/fscrypt.h


def test_the_kernel_forgets_the_key_when_scratch_is_closed(lab: Lab) -> None:
    place = lab.folder / "place"
    place.mkdir()

    def has_key(disk: KernelEncrypted) -> bool:
        argument = bytearray(struct.pack("=II16s16x88x", 2, 0, disk._key))
        fd = os.open(place, os.O_RDONLY)
        fcntl.ioctl(fd, KEY_STATUS, argument)
        os.close(fd)
        return int(struct.unpack_from("=I", argument, 64)[0]) == PRESENT

    pid = os.fork()
    if pid == 0:
        try:
            mounts.enter_namespace()
            disk = KernelEncrypted(lab.folder / "scratch")
            disk.mount(str(place), size=MIB, inodes=64)
            before = has_key(disk)
            disk.close()
            os._exit(0 if (before, has_key(disk)) == (True, False) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize("driver", DISKS)
def test_a_node_without_room_refuses(lab: Lab, driver: str) -> None:
    ended = lab.run(shell("true"), scratch=_space(lab, driver), limits={"scratch_bytes": 2**49})
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


def test_what_is_written_to_the_root_is_gone_with_the_attempt_and_never_collected(
    lab: Lab, space: dict[str, Any]
) -> None:
    outputs = [*OUT, {"path": "/run/work/d", "type": "DIRECTORY"}]
    script = """echo ROOT > /etc/new; mkdir -p d /opt/run/work; echo ROOT > /opt/run/work/out.txt; echo mine > d/mine
ln /etc/new d/hard 2>/dev/null || ln -s /etc/new d/link; ln -s /opt/run/work/out.txt out.txt; cat /etc/new"""
    ended = lab.run(shell(script), outputs=outputs, writable_root=True, scratch=space)
    assert ended.message["exit_code"] == 0, ended
    assert ended.files == {"d/mine": b"mine\n", "stdout.0": b"ROOT\n"}
    assert "a symbolic link" in ended.message["reason"]
    after = lab.run(shell("ls /etc/new /opt"), writable_root=True, scratch=space)
    assert (after.message["exit_code"], after.stdout) == (1, ""), after
    assert not list(lab.image.glob("**/new"))

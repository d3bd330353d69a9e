"""A task in a pod cannot speak through its launcher, reach the network, or leave a byte outside of memory."""

import contextlib
import fcntl
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel_attacks import CALLS, FOREIGN, MACHINE_CODE, UNPRIVILEGED
from launcher_attacks import FAMILIES, MAKE_THE_LAUNCHER_SPEAK
from launcher_lab import OURS, PYTHON, UID, WITHOUT_LANDLOCK, WRONG_USE, Room, built, order, python, shell
from searching import files_with

from sandbox import syscalls

CANARY = "CANARY-7f3a"
FLAGS, VERSION = 0x80086601, 0x80087601  # FS_IOC_GETFLAGS, FS_IOC_GETVERSION


@pytest.fixture
def room() -> Iterator[Room]:
    one = Room()
    yield one
    one.close()


# T9: through the launcher


def test_t9_a_task_makes_a_careless_launcher_open_a_socket(room: Room) -> None:
    if os.uname().machine != "x86_64":
        return  # the attack is written for its registers
    careless = built("be_opaque", "be_silent", "refuse_calls")
    attack = python(MAKE_THE_LAUNCHER_SPEAK)
    found = json.loads(room.run(*attack, launcher=careless, options=[WITHOUT_LANDLOCK]).stdout)
    assert found["own_socket"] == "EACCES"
    assert found["launchers_socket"] >= 0
    assert room.log.read_text() == "CANARY"


@pytest.mark.parametrize(
    ("without", "options"),
    [
        ([], []),
        (["be_opaque"], [WITHOUT_LANDLOCK]),
        (["refuse_calls"], [WITHOUT_LANDLOCK]),
        (["be_opaque", "refuse_calls"], []),
    ],
)
def test_t9_not_this_one_and_one_wall_alone_would_do(room: Room, without: list[str], options: list[str]) -> None:
    if os.uname().machine != "x86_64":
        return
    attack = python(MAKE_THE_LAUNCHER_SPEAK)
    found = json.loads(room.run(*attack, launcher=built(*without), options=options).stdout)
    assert found == {"own_socket": found["own_socket"], "attached": "EPERM"}
    assert room.log.read_text() == ""


def test_t9_no_socket_of_any_family_but_unix(room: Room) -> None:
    without = json.loads(room.run(*python(FAMILIES), launcher=built("refuse_calls")).stdout)
    assert {1, 2, 10, 16} <= set(without["socket"])
    found = json.loads(room.run(*python(FAMILIES)).stdout)
    assert found == {"socket": [1], "socketpair": [1]}


def test_t9_what_reaches_round_the_filter_is_refused(room: Room) -> None:
    calls = {"ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "io_uring_setup"}
    without = json.loads(room.run(*python(UNPRIVILEGED), launcher=built("refuse_calls")).stdout)
    assert {without[name] for name in calls} == {"worked"}
    found = json.loads(room.run(*python(UNPRIVILEGED)).stdout)
    assert {found[name] for name in calls} == {"EPERM"}


@pytest.mark.parametrize("abi", FOREIGN)
def test_t9_foreign_tables_of_calls_kill(room: Room, abi: str) -> None:
    if os.uname().machine != "x86_64":
        return  # only x86 has more than one
    attack = python(MACHINE_CODE.format(code=FOREIGN[abi]))
    assert room.run(*attack, launcher=built("refuse_calls")).stdout == "alive\n"
    ended = room.run(*attack)
    assert (ended.lines["signal"], ended.stdout) == (str(int(signal.SIGSYS)), "")


def test_t9_no_byte_reaches_the_containers_log(room: Room) -> None:
    attack = shell(f"echo {CANARY}; echo {CANARY} >&2; for n in 0 1 2; do echo {CANARY} > /proc/1/fd/$n; done")
    careless = built("be_opaque", "be_silent")
    room.run(*attack, launcher=careless, options=[WITHOUT_LANDLOCK])
    assert CANARY in room.log.read_text()
    room.log.write_text("")
    ended = room.run(*attack)
    assert ended.stdout == f"{CANARY}\n"
    assert CANARY in ended.stderr
    assert room.log.read_text() == ""


def test_t9_not_even_wrong_use_says_a_word(room: Room) -> None:
    process = room.start("control", options=["--unknown"])
    assert process.wait() == WRONG_USE
    assert room.log.read_text() == ""


def test_t9_a_task_cannot_stop_or_kill_its_launcher(room: Room) -> None:
    ended = room.run(*shell("kill -9 1; kill -STOP 1; kill -TERM 1; kill -CHLD 1; exit 5"))
    assert (ended.lines["cause"], ended.lines["exit_code"]) == ("exited", "5")


def test_t9_in_a_shared_namespace_of_processes_it_does_not_start(room: Room) -> None:
    apart = room.folder("control")
    assert os.spawnv(os.P_WAIT, built(), ["launcher", "5", str(apart), str(room.work)]) == WRONG_USE


# T10: outside of memory


WRITES = {
    "a message of termination": "echo CANARY >> {disk}/container.log",
    "a new file": "echo CANARY > {disk}/new",
    "a folder's name": "mkdir {disk}/CANARY",
    "a link's target": "ln -s CANARY {disk}/link",
    "a file moved out": "echo CANARY > {work}/f; mv {work}/f {disk}/moved",
    "a length": "truncate -s 67 {disk}/container.log",
    "the launcher's own folder": "echo CANARY > {memory}/next/order",
}

# What Landlock has no right for, as Python.
MARKS = {
    "an attribute": 'print(call((188, 5), b"{log}", b"user.x", b"CANARY", 6, 0))',
    "an attribute, no link followed": 'print(call((189, 6), b"{log}", b"user.x", b"CANARY", 6, 0))',
    "an attribute of what is open": 'print(call((190, 7), os.open("{log}", 0), b"user.x", b"CANARY", 6, 0))',
    "an attribute, as newer kernels set it": """
value = ctypes.create_string_buffer(b"CANARY")
how = struct.pack("QII", ctypes.addressof(value), 6, 0)
print(call((463, 463), -100, b"{log}", 0, b"user.x", how, 16))
""",
    "flags": 'print(call((16, 29), os.open("{log}", 0), 0x40086602, struct.pack("l", 0x40)))',
    "a project": 'print(call((16, 29), os.open("{log}", 0), 0x401C5820, struct.pack("IIIII8x", 0x40, 0, 0, 0, 0)))',
    "a version": 'print(call((16, 29), os.open("{log}", 0), 0x40087602, struct.pack("l", 0x59524E43)))',
}
OWNERS = ("flags", "a project", "a version")  # the kernel itself refuses others


@pytest.mark.parametrize("way", WRITES)
def test_t10_nothing_is_written_outside_of_the_volumes(room: Room, way: str) -> None:
    room.folder("next")
    attack = shell(WRITES[way].format(disk=room.disk, work=room.work, memory=room.memory))
    before = everything(room)
    ended = room.run(*attack)
    assert ended.lines["exit_code"] != "0"
    assert everything(room) == before
    room.run(*attack, options=[WITHOUT_LANDLOCK])
    assert everything(room) != before


@pytest.mark.parametrize("way", MARKS)
def test_t10_nothing_is_written_by_a_descriptor_for_reading(room: Room, way: str) -> None:
    room.folder("next")
    attack = python(CALLS + MARKS[way].format(log=room.log))
    before = everything(room)
    ended = room.run(*attack)
    assert (ended.lines["exit_code"], ended.stdout) == ("0", "ENOTSUP\n")
    assert everything(room) == before
    if way in OWNERS:
        os.chown(room.log, UID, UID)
    assert room.run(*attack, launcher=built("refuse_calls")).stdout == "worked\n"  # Landlock has no right for it
    assert everything(room) != before


def test_t10_the_volumes_keep_no_attribute_either(room: Room) -> None:
    calls = ((188, 5), (189, 6), (190, 7), (463, 463))
    attack = f"print(*[call(one, b'{room.work}', b'user.x', b'x', 1, 0, 0) for one in {calls}])"
    assert room.run(*python(CALLS + attack)).stdout.split() == ["ENOTSUP"] * len(calls)


def test_t10_the_search_for_a_canary_sees_attributes(room: Room) -> None:
    assert files_with([CANARY.encode()], room.disk) == []
    os.setxattr(room.log, "user.x", f"x{CANARY}".encode())
    os.setxattr(room.disk, f"user.{CANARY}", b"")
    assert files_with([CANARY.encode()], room.disk) == [str(room.disk), str(room.log)]


def test_t10_nothing_is_left_in_the_nodes_keyrings(room: Room) -> None:
    keys = {"add_key", "request_key", "keyctl_read", "keyctl_join"}
    without = json.loads(room.run(*python(UNPRIVILEGED), launcher=built("refuse_calls")).stdout)
    assert without["add_key"] == "worked"
    found = json.loads(room.run(*python(UNPRIVILEGED)).stdout)
    assert {found[name] for name in keys} == {"EPERM"}


def test_t10_calls_that_are_newer_than_the_filter_do_not_exist(room: Room) -> None:
    numbers = (syscalls.LAST_KNOWN + 1, 600, 0x3FFFFFFF)
    attack = f"print(*[call((number, number), -1, 0, 0, 0, 0, 0) for number in {numbers}])"
    assert room.run(*python(CALLS + attack)).stdout.split() == ["ENOSYS"] * len(numbers)


def test_t10_the_volumes_and_dev_null_can_be_written(room: Room) -> None:
    ended = room.run(
        *shell(
            f"echo x > /dev/null && mkdir {room.work}/a && echo y > {room.work}/a/b && mv {room.work}/a/b {room.work}"
        )
    )
    assert ended.lines["exit_code"] == "0", ended.stderr


def test_t10_a_volume_on_a_disk_is_refused(room: Room) -> None:
    assert room.start("control", volumes=[room.work, room.disk]).wait() == WRONG_USE


def test_t10_a_node_without_landlock_is_refused(room: Room) -> None:
    ended = room.run(*shell("true"), launcher=built("write_only_below"))
    assert (ended.code, ended.lines) == (OURS, {"next": "stop", "cause": "system", "reason": "landlock"})
    ended = room.run(*shell("true"), launcher=built("write_only_below"), options=[WITHOUT_LANDLOCK])
    assert ended.lines["cause"] == "exited"


# T26: what it is told


def test_t26_a_task_sees_no_variable_but_its_own(room: Room) -> None:
    ended = room.run("/usr/bin/env", env=["A=1", "B=x=y"])
    assert ended.stdout == "A=1\nB=x=y\n"
    attack = shell("cat /proc/1/environ")
    careless = room.run(*attack, launcher=built("be_opaque"), options=[WITHOUT_LANDLOCK])
    assert "STRONGROOM_SECRET" in careless.stdout
    assert room.run(*attack).stdout == ""


@pytest.mark.parametrize("variable", ["LD_PRELOAD=/x", "LD_AUDIT=", "STRONGROOM_TOKEN=1", "=1", "A B=1", "9=1", "A"])
def test_t26_a_reserved_variable_is_refused(room: Room, variable: str) -> None:
    ended = room.run(*shell("true"), env=["A=1", variable])
    assert (ended.code, ended.lines["reason"]) == (OURS, "order")


DAEMON = """
import os
for _ in range(2):
    if os.fork():
        os._exit(0)
    os.setsid()
while True:
    open("{beat}", "w").close()
"""
GOOD = order("/bin/true")
BAD_ORDERS = {
    "empty": b"",
    "cut off": GOOD[:-4],
    "cut off in a word": GOOD[:-1],
    "longer than its end": GOOD + b"x\0",
    "of another version": GOOD.replace(b"order 1", b"order 2"),
    "a field that nobody knows": order("/bin/true", color="red"),
    "a word without a value": GOOD.replace(b"workdir=/", b"workdir"),
    "no command": order(),
    "an empty command": order(""),
    "no folder": order("/bin/true", workdir=None),
    "a relative folder": order("/bin/true", workdir="here"),
    "two folders": GOOD.replace(b"workdir=/", b"workdir=/\0workdir=/"),
    "no cap": order("/bin/true", log_bytes=None),
    "a cap below zero": order("/bin/true", log_bytes=-1),
    "a cap that is no number": order("/bin/true", log_bytes="1e9"),
    "a number too large": order("/bin/true", file_bytes=10**16),
    "neither yes nor no": order("/bin/true", ignore_error=2),
}


@pytest.mark.parametrize("what", BAD_ORDERS)
def test_t26_an_order_that_is_not_as_agreed_is_refused(room: Room, what: str) -> None:
    process = room.start("control")
    room.give("control", BAD_ORDERS[what])
    ended = room.ended("control", process)
    assert (ended.code, ended.lines) == (OURS, {"next": "stop", "cause": "system", "reason": "order"})


def test_t26_an_order_behind_a_link_is_refused(room: Room) -> None:
    process = room.start("control")
    (room.work / "order").write_bytes(GOOD)
    (room.folder("control") / "order").symlink_to(room.work / "order")
    assert room.ended("control", process).lines["reason"] == "order"


def test_t26_when_it_ended_no_process_is_left(room: Room) -> None:
    beat = room.work / "beat"
    (room.work / "daemon.py").write_text(DAEMON.format(beat=beat))
    leave = f"{PYTHON} {room.work}/daemon.py; until [ -e {beat} ]; do :; done"
    process = room.start("control")
    room.give("control", order(*shell(leave)))
    assert room.ended("control", process).lines["cause"] == "exited"
    assert beat.stat().st_mtime_ns <= (room.folder("control") / "ended").stat().st_mtime_ns


def everything(room: Room) -> dict[str, object]:
    """Return what lies on the disk and in the next executor's folder, with what can be written beside a content."""
    paths = [*room.disk.iterdir(), *room.folder("next").iterdir()]
    return {str(path): (path.readlink() if path.is_symlink() else _content(path), _marks(path)) for path in paths}


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _marks(path: Path) -> list[object]:
    names = os.listxattr(path, follow_symlinks=False)
    marks: list[object] = [(name, os.getxattr(path, name, follow_symlinks=False)) for name in names]
    if not path.is_file() or path.is_symlink():
        return marks
    with path.open("rb") as file:
        for request in (FLAGS, VERSION):
            found = bytearray(8)
            with contextlib.suppress(OSError):  # memory has no versions
                fcntl.ioctl(file, request, found)
            marks.append(bytes(found))
    return marks

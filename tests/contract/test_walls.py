"""Whatever walls a spec names, a task sees the same, is held to the same, and leaves the same behind."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
from sandbox_lab import LIBRARIES, MIB, UID, Ended, Lab, executor, make_image, python, shell, wait, wait_for
from weaker_walls import run_without

from sandbox import walls_oci, wire
from sandbox.spec import WallsName

ROOMY = {"memory_bytes": 256 * MIB, "pids": 300}  # a kernel of its own needs some for itself
OUT = [{"path": "/run/work/out.txt", "type": "FILE"}]
WILD = [{"path": "/vol/A/*", "type": "FILE", "wildcards": True}]


@pytest.fixture(params=get_args(WallsName))
def walls(request: pytest.FixtureRequest, tmp_path: Path) -> "Walled":
    return Walled(request.param, Lab(tmp_path))


class Walled:
    """A lab whose attempts are in walls of one kind."""

    def __init__(self, name: str, lab: Lab) -> None:
        self.name, self.lab = name, lab

    def spec(self, *commands: Sequence[str], **changes: Any) -> dict[str, Any]:
        limits = {**ROOMY, **changes.pop("limits", {})}
        return self.lab.spec(*commands, walls=self.name, limits=limits, **changes)

    def run(self, *commands: Sequence[str], **changes: Any) -> Ended:
        _, channel = self.lab.launch(self.spec(*commands, **changes))
        with channel:
            return self.lab.ended(wait(channel))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (shell("exit 0"), 0),
        (shell("exit 3"), 3),
        (["/bin/no-such-program"], 127),
        (shell("sh -c 'kill -TERM $$'; exit $?"), 128 + signal.SIGTERM),
    ],
)
def test_the_exit_code_is_the_commands_own(walls: Walled, command: list[str], code: int) -> None:
    message = walls.run(command).message
    assert (message["cause"], message["exit_code"]) == ("exited", code), message


def test_streams_environment_and_folder_are_the_executors(walls: Walled) -> None:
    first = executor(shell("cat; echo $A $HOME; pwd; echo no >&2"), env={"A": "b"}, workdir="/run/work/deep/er")
    first |= {"stdin": "/run/work/in.txt", "stdout": "/run/work/out.txt"}
    second = executor(shell("cat out.txt; env | sort"))
    given = walls.lab.encrypted("in.txt", b"read\n")
    ended = walls.run(executors=[first, second], inputs=[given], outputs=OUT)
    assert ended.files["out.txt"] == b"read\nb /tmp\n/run/work/deep/er\n", ended.message
    assert ended.files["stderr.0"] == b"no\n"
    printed = ended.files["stdout.1"].decode().splitlines()
    assert printed[:3] == ["read", "b /tmp", "/run/work/deep/er"]
    assert {line.split("=")[0] for line in printed[3:]} <= {"HOME", "LANG", "PATH", "PWD", "SHLVL", "OLDPWD"}


def test_inputs_are_read_through_the_view_and_never_changed(walls: Walled) -> None:
    content = os.urandom(300_000)
    given = walls.lab.encrypted("deep/in.bin", content)
    script = "cp deep/in.bin out.txt; echo x > deep/in.bin; rm -f deep/in.bin; echo beside > deep/new; ls deep"
    ended = walls.run(shell(script), inputs=[given], outputs=OUT)
    assert ended.files["out.txt"] == content
    assert ended.stdout == "new\n"
    again = walls.run(shell("cp deep/in.bin out.txt"), inputs=[given], outputs=OUT)
    assert again.files["out.txt"] == content


def test_a_stream_that_is_no_plain_file_is_the_tasks_own_fault(walls: Walled) -> None:
    first, second = executor(shell("mkfifo p")), executor(shell("true"), stdin="/run/work/p")
    message = walls.run(executors=[first, second]).message
    assert (message["cause"], message["exit_code"]) == ("exited", 126)


@pytest.mark.parametrize(("folder", "code"), [("/", 0), ("/bin", 0), ("/no/such", 126), ("/bin/sh", 126)])
def test_a_command_starts_in_its_folder_and_nowhere_else(walls: Walled, folder: str, code: int) -> None:
    ended = walls.run(executors=[executor(["/bin/pwd"], workdir=folder)])
    assert (ended.message["cause"], ended.message["exit_code"]) == ("exited", code), ended.message
    assert ended.message["reason"] == (None if code == 0 else "The working folder of this executor is not there.")
    assert ended.files.get("stdout.0", b"") == (f"{folder}\n".encode() if code == 0 else b"")


WHO = """
import json, os
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
def tried(act):
    try:
        return act()
    except OSError as error:
        return type(error).__name__
said = {
    "uid": [os.getuid(), os.geteuid(), os.getgid()], "groups": sorted(set(os.getgroups()) - {os.getgid()}),
    "capabilities": [status.get(name, "0").strip("0\\n ") for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")],
    "host": os.uname().nodename, "pids": sorted(int(pid) for pid in os.listdir("/proc") if pid.isdigit()),
    "links": sorted(os.listdir("/sys/class/net")) if os.path.isdir("/sys/class/net") else ["lo"],
    "environ": open("/proc/1/environ").read(), "cmdline": open("/proc/1/cmdline").read(),
    "mounts": open("/proc/self/mountinfo").read(),
    "write": {path: tried(lambda: open(path, "w").close() or "written") for path in
        ("/x", "/etc/x", "/dev/x", "/run/x", "/proc/sys/kernel/core_pattern", "/run/host/x")},
    "write in": {path: tried(lambda: open(path, "w").close() or "written") for path in
        ("/tmp/x", "/dev/shm/x", "/run/work/x", "/dev/null")},
    "fds": sorted(os.listdir("/proc/self/fd")),
}
print(json.dumps(said))
"""


def test_a_task_is_nobody_and_sees_nothing_of_the_host(walls: Walled) -> None:
    found = walls.run(python(WHO)).json()
    assert found["uid"] == [1000, 1000, 1000]
    assert set(found["groups"]) <= {65534}
    assert found["capabilities"] == [""] * 4
    assert found["host"] == "task"
    assert found["pids"][0] == 1
    assert len(found["pids"]) <= 3
    assert found["links"] == ["lo"]
    assert set(found["write"].values()) <= {"PermissionError", "OSError", "FileNotFoundError"}, found["write"]
    assert set(found["write in"].values()) == {"written"}, found["write in"]
    assert len(found["fds"]) <= 4  # three streams and the listing itself
    told = json.dumps([found["environ"], found["cmdline"], found["mounts"]])
    for path in (str(walls.lab.folder), "bundle", "strongroom", str(Path(__file__).parents[2])):
        assert path not in told, path


REACH = """
import json, socket
def tried(family, address):
    try:
        with socket.socket(family) as one:
            one.settimeout(2)
            one.connect(address)
        return "connected"
    except OSError as error:
        return type(error).__name__
print(json.dumps({"tcp": tried(2, ("127.0.0.1", PORT)), "out": tried(2, ("192.0.2.1", 80)),
    "vsock": tried(40, (2, 1)), "abstract": tried(1, "\\0NAME")}))
"""


def test_a_task_reaches_nobody(walls: Walled) -> None:
    import socket

    name = f"strongroom-{os.getpid()}-{walls.name}"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        code = REACH.replace("PORT", str(tcp.getsockname()[1])).replace("NAME", name)
        assert "connected" not in walls.run(python(code)).json().values()


BACK_DOORS = """
import ctypes, json
libc = ctypes.CDLL(None, use_errno=True)
def called(*arguments):
    return libc.syscall(*arguments)
print(json.dumps({"add_key": called(248, b"user", b"a", b"b", 1, -2), "bpf": called(321, 0, 0, 0),
    "io_uring": called(425, 1, ctypes.byref(ctypes.create_string_buffer(200))), "unshare": called(272, 0x10000000),
    "ptrace": called(101, 0, 0, 0, 0), "userfaultfd": called(323, 0), "perf": called(298, 0, 0, -1, -1, 0)}))
"""


@pytest.mark.parametrize("walls", ["bubblewrap", "crun"], indirect=True)  # in runsc they are not the node's kernel's
def test_the_kernels_back_doors_are_shut(walls: Walled) -> None:
    assert set(walls.run(python(BACK_DOORS)).json().values()) == {-1}


def test_a_crun_that_passes_our_filter_over_runs_nothing(tmp_path: Path) -> None:
    def forgetful() -> None:
        whole = walls_oci.configuration
        walls_oci.configuration = lambda *given, **named: {**whole(*given, **named), "annotations": {}}

    lab = Lab(tmp_path)
    ended = run_without(lab, [forgetful], shell("echo ran"), walls="crun")
    assert (ended.message["exit_code"], ended.files) != (0, {"stdout.0": b"ran\n"})
    assert ended.stdout == ""
    assert run_without(lab, [], shell("echo ran"), walls="crun").stdout == "ran\n"


@pytest.mark.parametrize(
    ("command", "cause", "limits"),
    [
        (python("a = [bytearray(1 << 20) for _ in range(4000)]"), "out_of_memory", {"memory_bytes": 200 * MIB}),
        (shell("sleep 60"), "deadline", {"wall_seconds": 2}),
        (shell("cat /dev/zero > big"), "disk_full", {"scratch_bytes": 8 * MIB}),
    ],
)
def test_a_task_is_held_to_its_limits(walls: Walled, command: list[str], cause: str, limits: dict[str, Any]) -> None:
    message = walls.run(command, limits=limits).message
    assert message["cause"] == cause, message


def test_a_task_is_canceled_while_it_runs(walls: Walled) -> None:
    _, channel = walls.lab.launch(walls.spec(shell("sleep 60")))
    with channel:
        wait_for(channel, "started")
        time.sleep(0.3)
        wire.send(channel, {"type": "cancel"})
        assert wait(channel)["cause"] == "canceled"


def test_late_writers_write_nothing(walls: Walled) -> None:
    ended = walls.run(shell("(setsid sh -c 'sleep 1; echo late >> out.txt' &); echo now > out.txt"), outputs=OUT)
    assert ended.files["out.txt"] == b"now\n"


def test_kill_9_of_the_supervisor_leaves_nothing(walls: Walled) -> None:
    for moment in (0.0, 0.05, 0.2, 0.6):
        pid, channel = walls.lab.launch(walls.spec(shell("trap '' TERM; sleep 50"), uid=UID + 1))
        with channel:
            wait_for(channel, "started")
            group = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            time.sleep(moment)
            os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: not Path(f"/proc/{pid}").exists())
        eventually(lambda: not of_uid(UID + 1))
        eventually(lambda group=group: not any(alive(one) for one in group))
    assert "strongroom" not in Path("/proc/mounts").read_text()


def test_hostile_outputs_are_refused(walls: Walled) -> None:
    script = (
        "mkdir out; ln -s /etc/passwd out/link; mkfifo out/fifo; echo a > out/a; ln out/a out/hard; echo b > out/b"
    )
    ended = walls.run(shell(script), outputs=[{"path": "/run/work/out", "type": "DIRECTORY"}])
    assert ended.files == {"out/b": b"b\n"}, ended.message


def test_what_a_task_writes_to_its_root_is_thrown_away(walls: Walled) -> None:
    script = "echo x > /new && cat /new && rm /bin/ls && test ! -e /bin/ls"
    ended = walls.run(shell(script), writable_root=True)
    assert (ended.message["exit_code"], ended.stdout) == (0, "x\n"), (ended.message, ended.stderr)
    assert (walls.lab.image / "bin" / "ls").exists()
    assert not (walls.lab.image / "new").exists()


def in_another_image(walls: Walled, *executors: dict[str, Any], **changes: Any) -> Ended:
    """Run executors, each second one in an image of its own that has /etc/second."""
    second = make_image(walls.lab.folder / "second")
    (second / "etc" / "second").write_text("second\n")
    own = [{**one, "rootfs": str(second)} if n % 2 else one for n, one in enumerate(executors)]
    return walls.run(executors=own, **changes)


@pytest.mark.parametrize("writable", [False, True])
def test_executors_share_volumes_and_files_and_no_image(walls: Walled, writable: bool) -> None:
    first = executor(
        shell("ls -A . /etc; echo 1 > one; echo t > /tmp/shared/t; echo w > /run/work/w"), workdir="/vol/A"
    )
    script = "cat /etc/second one /tmp/shared/t /run/work/w; echo x > /etc/x; ls /etc; echo 2 > two"
    second = executor(shell(script), workdir="/vol/A", stdout="/vol/A/said")
    third = executor(shell("ls /etc; cat two; cat"), workdir="/vol/A", stdin="/vol/A/said")
    volumes = {"volumes": ["/vol/A", "/tmp/shared"], "writable_root": writable}
    ended = in_another_image(walls, first, second, third, **volumes, outputs=WILD)
    changed = "x\n" if writable else ""
    said = f"second\n1\nt\nw\nsecond\n{changed}"
    assert ended.files["stdout.0"].decode().split() == [".:", "/etc:"], ended.stderr
    assert ended.files["stdout.2"].decode() == "2\n" + said
    assert {name: text.decode() for name, text in ended.files.items() if "/" in name} == {
        "/vol/A/one": "1\n",
        "/vol/A/two": "2\n",
        "/vol/A/said": said,
    }
    assert not (walls.lab.image / "vol").exists()


def test_no_volume_lies_behind_a_link_of_an_image(walls: Walled) -> None:
    (walls.lab.image / "vol").symlink_to("tmp")
    message = walls.run(shell("true"), volumes=["/vol/A"]).message
    assert (message["cause"], message["executors"]) == ("system", [])


def test_the_hosts_libraries_are_there_to_read(walls: Walled) -> None:
    assert walls.run(shell(f"test -d {LIBRARIES} && echo there")).stdout == "there\n"


def eventually(check: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not check():
        assert time.monotonic() < end
        time.sleep(0.01)


def of_uid(uid: int) -> list[str]:
    found = subprocess.run(["ps", "-u", str(uid), "-o", "stat="], check=False, capture_output=True, text=True)
    return [state for state in found.stdout.split() if not state.startswith("Z")]


def alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

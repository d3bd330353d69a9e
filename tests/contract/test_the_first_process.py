"""What takes the steps of a plan: each does what it says, a failed one ends it, and it dies with its supervisor."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from first_lab import become, python, told

from sandbox import kernel
from sandbox.plan import FAILED, PROGRAM, Plan, WallsError, find_first, memory
from sandbox.processes import FirstProcess

SENTENCE = "It cannot be opened."
READ, WRITE = os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def test_what_it_becomes_has_its_words_its_variables_and_the_kept_descriptors_only(tmp_path: Path) -> None:
    found = tmp_path / "found"
    code = (
        "import os, sys; fds = [fd for fd in range(3, 300) if os.path.exists(f'/proc/self/fd/{fd}')];"
        f"open({str(found)!r}, 'w').write(repr((sys.argv[1:], dict(os.environ), [os.read(fd, 9) for fd in fds[:1]])))"
    )
    open_one = os.memfd_create("secret", 0)
    os.dup2(open_one, 77, inheritable=True)
    try:
        plan = Plan()
        kept, _lost = plan.take(memory(b"kept")), plan.take(memory(b"lost"))
        command = python(code)
        plan.become(command[0], [*command, "", "a b", "\udcff"], keep=[kept])
        assert told(plan) == 0
    finally:
        os.close(77)
        os.close(open_one)
    words, variables, descriptors = eval(found.read_text())
    assert words == ["", "a b", "\udcff"]
    assert set(variables) <= {"LC_CTYPE"}  # Python's own
    assert descriptors == [b"kept"]


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [("no step of ours",)],
        [("mount",)],
        [("limit", "7")],
        [("limit", "seven", "7")],
        [("limit", "", "7")],
        [("limit", 1 << 70, "7")],
        [("place", 999, 1)],
        [("exec",)],
        [("exec", "/bin/true", 3, "A=1")],
        [("exec", "/bin/true", 0)],
        [("exec", "/nowhere", 0, "nowhere")],
        [("unshare", -1)],
        [("landlock", 999)],
        [("listen", 999, 998)],
        [("write", "/nowhere/at/all", "x")],
        [("mount", "none", "/nowhere", "tmpfs", 0, "")],
        [("keep", 999)],
    ],
)
def test_a_plan_that_cannot_be_followed_ends_it_before_anything_runs(steps: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch, _complaints() as said:
        plan = Plan()
        patch.setattr(plan, "become", None)
        plan.add(("complain", plan.give(said)), *steps)
        assert told(plan) == FAILED
        os.lseek(said, 0, os.SEEK_SET)
        assert os.read(said, 100).startswith(b"The walls could not be built (")


class _complaints:
    def __enter__(self) -> int:
        self.fd = os.memfd_create("complaints")
        return self.fd

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def test_words_without_an_end_are_no_plan() -> None:
    plan = Plan()
    plan.words = lambda: memory(b"unshare\0" + b"0")  # type: ignore[method-assign]
    assert told(plan) == FAILED


def test_no_word_of_a_task_becomes_a_step() -> None:
    plan = Plan()
    plan.add(("stream", 1, "/", "a\0write\0/proc/self/oom_score_adj", 0, 126, SENTENCE))
    with pytest.raises(WallsError, match="NUL"):
        plan.words()


def test_it_takes_no_plan_but_with_descriptors() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        os.set_inheritable(theirs.fileno(), True)
        parent = os.pidfd_open(os.getpid())
        os.set_inheritable(parent, True)
        command = [PROGRAM, str(theirs.fileno()), str(parent)]
        with subprocess.Popen(command, close_fds=False) as first:
            ours.send(b"p")
            assert first.wait(10) == FAILED
        os.close(parent)


@pytest.mark.parametrize("number", [0, 2])
def test_wrong_use_ends_it(number: int) -> None:
    assert subprocess.run([PROGRAM, *["9"] * (number // 2)], check=False).returncode == FAILED


def test_more_descriptors_than_it_takes_are_not_sent() -> None:
    plan = Plan()
    for _ in range(12):
        plan.take(memory(b""))
    with pytest.raises(ValueError, match="no more descriptors"):
        plan.give(0)
    plan.close()


@pytest.mark.parametrize(
    ("path", "flags", "opened"),
    [
        ("file", READ, True),
        ("new", WRITE, True),
        ("folder/file", READ, True),
        ("missing", READ, False),
        ("folder", READ, False),
        ("fifo", READ, False),
        ("link", READ, False),
        ("linked/file", READ, False),
        ("../outside", READ, False),
        ("folder/../../outside", READ, False),
        ("/etc/passwd", READ, False),
    ],
)
def test_a_stream_is_a_plain_file_below_its_folder(tmp_path: Path, path: str, flags: int, opened: bool) -> None:
    top = tmp_path / "top"
    (top / "folder").mkdir(parents=True)
    for file in (top / "file", top / "folder" / "file", tmp_path / "outside"):
        file.write_text("x")
    os.mkfifo(top / "fifo")
    (top / "link").symlink_to("file")
    (top / "linked").symlink_to("folder")

    def stream(plan: Plan) -> None:
        plan.add(("stream", 0 if flags == READ else 1, top, path, flags, 126, SENTENCE))

    ended = become(["/bin/sh", "-c", "if [ -e /proc/self/fd/0 ]; then echo y; fi"], stream)
    assert (ended.code, ended.said) == ((0, "") if opened else (126, f"{SENTENCE}\n"))
    if path == "new":
        assert (top / "new").read_text() == "y\n"
        assert (top / "new").stat().st_mode & 0o7777 == 0o644


def _show(folder: Path) -> None:
    for one in (folder, *folder.parents[:-1]):
        one.chmod(one.stat().st_mode | 0o055)


def test_who_it_becomes_is_nobody_of_ours(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.touch()
    status.chmod(0o666)
    _show(tmp_path)

    def nobody(plan: Plan) -> None:
        plan.add(("limit", 7, 99), ("no-groups",), ("group", 1999, 1999, 1999), ("user", 1999, 1999, 1999))

    ended = become(["/bin/sh", "-c", f"cat /proc/self/status > {status}; ulimit -n >> {status}"], nobody)
    assert ended.code == 0, ended.said
    facts = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    assert facts["Uid"].split() == facts["Gid"].split() == ["1999"] * 4
    assert not facts["Groups"].split()
    assert {int(facts[f"Cap{which}"], 16) for which in ("Inh", "Prm", "Eff", "Amb")} == {0}
    assert facts["NSpid"].split()[-1] in "12"  # a namespace of its own, which the shell or its child is first in
    assert status.read_text().splitlines()[-1] == "99"


def test_without_root_it_may_mount_and_what_it_becomes_may_not(tmp_path: Path) -> None:
    found, place = tmp_path / "found", tmp_path / "place"
    place.mkdir()
    found.touch()
    found.chmod(0o666)
    _show(tmp_path)
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(1999, 1999, 1999)
            os.setresuid(1999, 1999, 1999)
            kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)

            def mounts(plan: Plan) -> None:
                plan.add(("mount", "x", place, "tmpfs", 0, ""))

            ended = become(["/bin/sh", "-c", f"grep Cap /proc/self/status > {found}"], mounts)
            os._exit(ended.code if os.path.ismount(place) else 98)
        finally:
            os._exit(99)
    assert os.waitpid(pid, 0)[1] == 0
    facts = dict(line.split(":\t") for line in found.read_text().splitlines())
    assert {facts[f"Cap{which}"] for which in ("Prm", "Eff", "Amb")} == {"0" * 16}


def test_it_joins_the_groups_of_its_doors(tmp_path: Path) -> None:
    doors = [tmp_path / "one", tmp_path / "two"]
    for door in doors:
        door.touch()
    first = FirstProcess(doors)
    _until(lambda: [door.read_text() for door in doors] == ["0", "0"])
    first.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(first.pid, 0)


def test_one_whose_door_is_shut_runs_nothing(tmp_path: Path) -> None:
    first = FirstProcess([tmp_path / "nowhere" / "cgroup.procs"])
    _, status = os.waitpid(first.pid, 0)
    assert os.waitstatus_to_exitcode(status) == FAILED
    first._told = True
    first.close()


@pytest.mark.parametrize("told_first", [False, True])
def test_it_and_what_it_became_die_with_their_supervisor(tmp_path: Path, told_first: bool) -> None:
    place = tmp_path / "pid"
    supervisor = os.fork()
    if supervisor == 0:
        try:
            first = FirstProcess()
            if told_first:
                plan = Plan()
                plan.become("/bin/sleep", ["sleep", "100"])
                first.tell(plan)
            place.write_text(str(first.pid))
            time.sleep(100)
        finally:
            os._exit(1)
    _until(lambda: place.exists() and place.read_text() != "")
    pid = int(place.read_text())
    if told_first:
        _until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
    os.kill(supervisor, signal.SIGKILL)
    os.waitpid(supervisor, 0)
    _until(lambda: _gone(pid))


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _until(holds: Any) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_nobody_looks_into_it_while_it_waits() -> None:
    first = FirstProcess()
    _until(lambda: Path(f"/proc/{first.pid}/comm").read_text() == "first\n")
    _until(lambda: os.stat(f"/proc/{first.pid}/environ").st_uid == 0)
    attach = ["setpriv", "--reuid=1999", "--regid=1999", "--clear-groups", "cat", f"/proc/{first.pid}/environ"]
    assert subprocess.run(attach, check=False, capture_output=True).returncode != 0
    assert Path(f"/proc/{first.pid}/environ").read_bytes() == b""
    first.close()


def test_a_node_where_it_was_not_compiled_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_first() == PROGRAM
    monkeypatch.setattr("sandbox.plan.PROGRAM", PROGRAM.with_name("nothing"))
    with pytest.raises(WallsError, match="make setup"):
        FirstProcess()

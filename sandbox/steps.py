"""Takes a first process into any walls, from its orders to what is told of its end."""

import os
import resource
import signal
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from sandbox import cgroups, kernel, processes, wire
from sandbox.denials import Witness
from sandbox.fields import WORK
from sandbox.mounts import Stage, Work
from sandbox.spec import Executor, Limits, WallsName

IN_SANDBOX_UID = 1000
RUN_SIZE = 1 << 20
_DEFAULTS = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",  # noqa: S108 - the task's own
    "LANG": "C.UTF-8",
}
_NO_DUMP = 1  # a limit of 0 would still feed a core handler behind a pipe
_OPEN_FILES = 4096


class WallsError(Exception):
    """This node cannot put up these walls; the sentence says what the operator can do."""


@dataclass(frozen=True)
class Trace:
    """What is left of an executor whose processes are dead: a status file, a wait status, and its first words."""

    stage: Stage
    status: int
    outcome: int
    said: bytes  # on standard error; where walls are, they speak first


@dataclass(frozen=True)
class Verdict:
    """The command's own exit code, or None when it was killed or our fault kept it from starting; and its fault."""

    exit_code: int | None
    reason: str | None = None


# The task's own fault, told as a shell would.
NO_STREAM = Verdict(126, "A stream of this executor cannot be opened.")
NO_FOLDER = Verdict(126, "The working folder of this executor is not there.")
NO_COMMAND = Verdict(127, "The command of this executor is not there.")


@dataclass(frozen=True)
class Orders:
    """What a first process is told: which walls to put round which command."""

    walls: WallsName
    stage: Stage
    work: Work
    executor: Executor
    limits: Limits
    loopback: bool

    def message(self) -> wire.Message:
        """Return the orders as they travel."""
        parts = {name: vars(getattr(self, name)) for name in ("stage", "work", "executor", "limits")}
        return {"walls": self.walls, "loopback": self.loopback, **parts}


@dataclass(frozen=True)
class Means:
    """What a first process holds: descriptors that it was born with or given, and a witness if there is one."""

    status: int  # where walls write how the command ended
    streams: tuple[int, int]
    parent: int  # pidfd of the supervisor
    line: int  # our end of the socket that its orders came by
    strict: int  # our seccomp program, to be read by whoever loads it
    witness: Witness | None


def orders_of(message: wire.Message) -> Orders:
    """Return the orders in a message of our own supervisor."""
    pairs = {name: tuple(map(tuple, message["stage"][name])) for name in ("code", "volumes")}
    stage = Stage(**{**message["stage"], **pairs})
    parts: dict[str, Any] = {"work": Work(**message["work"]), "limits": Limits(**message["limits"])}
    return Orders(
        message["walls"], stage, executor=Executor(**message["executor"]), loopback=message["loopback"], **parts
    )


def limit(limits: Limits, *, largest_file: int) -> None:
    """Set the limits of this process and all that it starts; where the node has no cgroups, theirs too."""
    found = cgroups.hierarchies()
    wanted = {
        resource.RLIMIT_CORE: _NO_DUMP,
        resource.RLIMIT_FSIZE: largest_file,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_MEMLOCK: 1 << 16,
    }
    if not found.limits("pids"):
        wanted[resource.RLIMIT_NPROC] = limits.pids  # one kernel uid a task, or this counts others too
    if not found.limits("memory"):
        wanted[resource.RLIMIT_AS] = limits.memory_bytes
    for name, value in wanted.items():
        _, hard = resource.getrlimit(name)
        allowed = value if hard == resource.RLIM_INFINITY or os.geteuid() == 0 else min(value, hard)
        resource.setrlimit(name, (allowed, allowed))
    if os.geteuid() == 0:
        _write("/proc/self/oom_score_adj", b"500")


def connect(orders: Orders, streams: tuple[int, int]) -> None:
    """Put the executor's streams at 0, 1 and 2; ends this process when one of them cannot be opened."""
    try:
        _connect({**orders.stage.fixed, WORK: orders.work.path}, orders.executor, streams)
    except OSError:
        os.write(streams[1], f"{NO_STREAM.reason}\n".encode())
        os._exit(NO_STREAM.exit_code or 1)


def memory(content: bytes) -> int:
    """Return a descriptor to read `content` from."""
    fd = os.memfd_create("walls")
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def become(program: str, command: Sequence[str], *, keep: Sequence[int], means: Means) -> NoReturn:
    """Become `program` with an empty environment and no descriptor but the streams and those to keep."""
    kernel.keep_from_exec(3)
    for fd in keep:
        os.set_inheritable(fd, True)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    kernel.die_with_parent(signal.SIGKILL)  # last: a change of credentials forgets it
    if processes.is_dead(means.parent, means.line):
        sys.exit(1)
    os.execve(program, list(command), {})  # noqa: S606 - no shell is what we want


def _connect(folders: Mapping[str, str], executor: Executor, streams: tuple[int, int]) -> None:
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, path, flags, otherwise in (
        (0, executor.stdin, os.O_RDONLY, os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)),
        (1, executor.stdout, writing, streams[0]),
        (2, executor.stderr, writing, streams[1]),
    ):
        os.dup2(otherwise if path is None else plain_file(folders, path, flags), number)


def plain_file(folders: Mapping[str, str], path: str, flags: int) -> int:
    """Open a plain file, and nothing else, below one of `folders` (by their path in the task); raises OSError."""
    # An earlier executor may have put a link or a FIFO there.
    mode = 0o644 if flags & os.O_CREAT else 0
    top = next(top for top in folders if path.startswith(f"{top}/"))
    folder = os.open(folders[top], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = kernel.open_beneath(
            folder, path.removeprefix(f"{top}/"), flags | os.O_NONBLOCK | os.O_NOFOLLOW, mode=mode
        )
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError
    return fd


def _write(path: str, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    os.write(fd, content)
    os.close(fd)


def environment(executor: Executor) -> Mapping[str, str]:
    """Return all that a command finds in its environment."""
    return {**_DEFAULTS, **dict(executor.env)}

"""Says what all walls have in common, from the steps into them to what is told of their end."""

import os
import resource
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox import cgroups, kernel
from sandbox.denials import Witness
from sandbox.fields import WORK
from sandbox.mounts import Stage, Work
from sandbox.plan import Plan, Step
from sandbox.spec import Executor, Limits

IN_SANDBOX_UID = 1000
RUN_SIZE = 1 << 20
_DEFAULTS = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",  # noqa: S108 - the task's own
    "LANG": "C.UTF-8",
}
_NO_DUMP = 1  # a limit of 0 would still feed a core handler behind a pipe
_OPEN_FILES = 4096


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
    """Which walls to put round which command."""

    stage: Stage
    work: Work
    executor: Executor
    limits: Limits
    loopback: bool


@dataclass(frozen=True)
class Means:
    """What the walls' steps go into, and the numbers of descriptors there."""

    plan: Plan
    status: int  # where walls write how the command ended
    streams: tuple[int, int]
    witness: Witness | None


def limit(limits: Limits, *, largest_file: int) -> list[Step]:
    """Return the steps that limit a process and all that it starts; where the node has no cgroups, theirs too."""
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
    steps: list[Step] = [("limit", name, _allowed(name, value)) for name, value in wanted.items()]
    if os.geteuid() == 0:
        steps.append(("write", "/proc/self/oom_score_adj", 500))
    return steps


def _allowed(name: int, value: int) -> int:
    _, hard = resource.getrlimit(name)  # what a first process is born with too
    return value if hard == resource.RLIM_INFINITY or os.geteuid() == 0 else min(value, hard)


def connect(orders: Orders, streams: tuple[int, int]) -> list[Step]:
    """Return the steps that put the executor's streams at 0, 1 and 2; they end the process when one cannot be opened.

    Nobody but the first process opens what a task made: below a view, a supervisor would wait for itself.
    """
    folders = {**orders.stage.fixed, WORK: orders.work.path}
    executor, writing = orders.executor, os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    steps: list[Step] = []
    for number, path, flags in (
        (0, executor.stdin, os.O_RDONLY),
        (1, executor.stdout, writing),
        (2, executor.stderr, writing),
    ):
        if path is not None:
            folder, below = _split(folders, path)
            steps.append(("stream", number, folder, below, flags, NO_STREAM.exit_code, NO_STREAM.reason))
        elif number:
            steps.append(("place", streams[number - 1], number))
        else:
            steps.append(("null",))
    return steps


def plain_file(folders: Mapping[str, str], path: str) -> int:
    """Open a plain file, and nothing else, below one of `folders` (by their path in the task); raises OSError."""
    # An executor may have put a link or a FIFO there.
    top, below = _split(folders, path)
    folder = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = kernel.open_beneath(folder, below, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError
    return fd


def _split(folders: Mapping[str, str], path: str) -> tuple[str, str]:
    top = next(top for top in folders if path.startswith(f"{top}/"))
    return folders[top], path.removeprefix(f"{top}/")


def environment(executor: Executor) -> Mapping[str, str]:
    """Return all that a command finds in its environment."""
    return {**_DEFAULTS, **dict(executor.env)}

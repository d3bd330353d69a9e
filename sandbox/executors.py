"""Starts one executor inside its walls, watches it, and leaves no process of it alive."""

import json
import os
import resource
import select
import signal
import socket
import stat
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn

from sandbox import cgroups, kernel, landlock, processes, seccomp, walls, wire
from sandbox.cgroups import Group
from sandbox.denials import Witness
from sandbox.fields import WORK
from sandbox.mounts import Stage, Work, join_work
from sandbox.spec import Executor, Limits

Cause = Literal["exited", "deadline", "out_of_memory", "signal", "disk_full", "canceled", "system"]
_NO_DUMP = 1  # a limit of 0 would still feed a core handler behind a pipe
_OPEN_FILES = 4096
_CHUNK = 1 << 16
_FAILED, _NO_STREAM, _NO_COMMAND = 98, 126, 127
_EXEC_FAILED = b"bwrap: execvp "


class DispatcherGone(Exception):
    """Nobody is left to report to."""


@dataclass(frozen=True)
class Room:
    """Everything that the executors of one attempt share."""

    stage: Stage
    work: Work
    group: Group
    limits: Limits
    channel: socket.socket
    deadline: float  # time.monotonic()
    loopback: bool = False  # whether the task may speak TCP with itself
    keepers: frozenset[int] = frozenset()  # children of ours that outlive the executors
    witness: Witness | None = None  # a vetter's run names the system calls that it was refused


@dataclass(frozen=True)
class Ended:
    """How one executor ended; `exit_code` is None when it did not end by itself."""

    cause: Cause
    exit_code: int | None
    start: float
    end: float
    stdout: bytes
    stderr: bytes


def run(room: Room, executor: Executor) -> Ended:
    """Run one executor to its end and return how it ended; raises `DispatcherGone`."""
    start = time.time()
    status_fd = os.memfd_create("status")
    pipes = {name: os.pipe2(os.O_CLOEXEC) for name in ("stdout", "stderr")}
    for _, write_end in pipes.values():
        os.fchown(write_end, room.stage.uid, -1)  # so that a task may open /dev/stdout
    streams = {name: pipes[name][1] for name in pipes}
    logs = {pipes[name][0]: bytearray() for name in pipes}
    with processes.apart(lambda parent: _become(room, executor, streams, status_fd=status_fd, parent=parent)) as pid:
        for read_end, write_end in pipes.values():
            os.close(write_end)
            os.set_blocking(read_end, False)
        try:
            cause = _watch(pid, room, logs)
        finally:
            outcome = processes.kill_all(pid, at_once=room.group.kill, spared=room.keepers)
    for read_end, log in logs.items():
        while _drain(read_end, log, room.limits.log_bytes):
            pass
        os.close(read_end)
    stdout, stderr = (bytes(log) for log in logs.values())
    exit_code = _exit_code(status_fd)
    if exit_code is None and os.WIFEXITED(outcome):
        exit_code = _never_started(os.WEXITSTATUS(outcome), stderr)
    if cause == "exited":
        cause = _cause(room, outcome, exit_code)
    if cause == "system":  # the command never ran, so this is bubblewrap's own sentence
        sys.stderr.write(f"sandbox: {stderr[:300].decode(errors='replace')}")
        sys.stderr.flush()
    return Ended(cause, exit_code if cause != "system" else None, start, time.time(), stdout, stderr)


def _watch(pid: int, room: Room, logs: Mapping[int, bytearray]) -> Cause:
    poll = select.poll()  # not select(): descriptors may be above 1,024
    process, channel = os.pidfd_open(pid), room.channel.fileno()
    for fd in (process, channel, *logs):
        poll.register(fd, select.POLLIN)
    try:
        while True:
            left = room.deadline - time.monotonic()
            if left <= 0:
                return "deadline"
            ready = [fd for fd, _ in poll.poll(min(left, 3600) * 1000)]
            for fd in ready:
                if fd in logs and not _drain(fd, logs[fd], room.limits.log_bytes):
                    poll.unregister(fd)
            if channel in ready:
                if wire.recv(room.channel) is None:
                    raise DispatcherGone
                return "canceled"
            if process in ready:
                return "exited"
    finally:
        os.close(process)


def _drain(fd: int, log: bytearray, most: int) -> bool:
    """Take what is there; what exceeds the cap is thrown away, the task never blocks on it."""
    try:
        piece = os.read(fd, _CHUNK)
    except BlockingIOError:
        return False
    log += piece[: max(0, most - len(log))]
    return bool(piece)


def _exit_code(status_fd: int) -> int | None:
    # bubblewrap writes "exit-code" only when its walls stood and the command was started.
    os.lseek(status_fd, 0, os.SEEK_SET)
    with open(status_fd, encoding="ascii") as file:
        for line in file:
            code = json.loads(line).get("exit-code")
            if isinstance(code, int):
                return code
    return None


def _never_started(status: int, stderr: bytes) -> int | None:
    # The task's own fault, told as a shell would: a stream or a command that is not there.
    if status == _NO_STREAM:
        return _NO_STREAM
    return _NO_COMMAND if stderr.startswith(_EXEC_FAILED) else None


def _cause(room: Room, outcome: int, exit_code: int | None) -> Cause:
    if room.group.oom_killed() and exit_code != 0:
        return "out_of_memory"
    if exit_code is None:
        return "signal" if os.WIFSIGNALED(outcome) else "system"
    if exit_code == 128 + signal.SIGXFSZ:  # one file as large as all scratch
        return "disk_full"
    if exit_code != 0:
        room_left = os.statvfs(f"{room.stage.place}/scratch")
        if room_left.f_bavail == 0 or room_left.f_favail == 0:
            return "disk_full"
    return "exited"


def _become(room: Room, executor: Executor, streams: Mapping[str, int], *, status_fd: int, parent: int) -> NoReturn:
    """In the child: join the cgroups, give everything up, and become bubblewrap; `parent` is a pidfd."""
    try:
        # Above all the view's device: who holds it and waits for a dead server's answer waits for ever.
        kernel.close_all_but({0, 1, 2, *streams.values(), status_fd, parent, *_witnesses(room)})
        room.group.join()
        join_work(room.stage, room.work)
        _limit(room.limits)
        if os.geteuid() == 0:
            _write("/proc/self/oom_score_adj", b"500")
            os.setgroups([])
            os.setresgid(room.stage.uid, room.stage.uid, room.stage.uid)
            os.setresuid(room.stage.uid, room.stage.uid, room.stage.uid)
        try:
            _connect({**room.stage.folders, WORK: room.work.path}, executor, streams)
        except OSError:
            os.write(streams["stderr"], b"A stream of this executor cannot be opened.\n")
            os._exit(_NO_STREAM)
        landlock.restrict(loopback=room.loopback)
        filter_fd = _memory(room.witness.install() if room.witness else seccomp.program())
        options = walls.arguments(room.stage, room.work.path, executor, filter_fd=filter_fd, status_fd=status_fd)
        options_fd = _memory(b"".join(option.encode() + b"\0" for option in options))
        kernel.keep_from_exec(3)
        for fd in (filter_fd, options_fd, status_fd):
            os.set_inheritable(fd, True)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        kernel.die_with_parent(signal.SIGKILL)  # last: a change of credentials forgets it
        if not processes.is_dead(parent):
            # Options by descriptor and an empty environment: /proc/1 of the task tells nothing of the host.
            command = ["bwrap", "--args", str(options_fd), "--", *executor.command]
            os.execve(room.stage.program, command, {})  # noqa: S606 - no shell is what we want
    except BaseException as error:  # nothing may return from this child
        os.write(streams["stderr"], f"The walls could not be built ({type(error).__name__}).\n".encode())
    os._exit(_FAILED)


def _witnesses(room: Room) -> set[int]:
    return {room.witness.fileno()} if room.witness else set()


def _limit(limits: Limits) -> None:
    found = cgroups.hierarchies()
    wanted = {
        resource.RLIMIT_CORE: _NO_DUMP,
        resource.RLIMIT_FSIZE: limits.scratch_bytes,
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


def _connect(folders: Mapping[str, str], executor: Executor, streams: Mapping[str, int]) -> None:
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, path, flags, otherwise in (
        (0, executor.stdin, os.O_RDONLY, os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)),
        (1, executor.stdout, writing, streams["stdout"]),
        (2, executor.stderr, writing, streams["stderr"]),
    ):
        os.dup2(otherwise if path is None else _plain_file(folders, path, flags), number)


def _plain_file(folders: Mapping[str, str], path: str, flags: int) -> int:
    # An earlier executor may have put a link or a FIFO there.
    mode = 0o644 if flags & os.O_CREAT else 0
    top = next(top for top in folders if path.startswith(f"{top}/"))
    folder = os.open(folders[top], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fd = kernel.open_beneath(folder, path.removeprefix(f"{top}/"), flags | os.O_NONBLOCK | os.O_NOFOLLOW, mode=mode)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError
    return fd


def _memory(content: bytes) -> int:
    fd = os.memfd_create("walls")
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _write(path: str, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    os.write(fd, content)
    os.close(fd)

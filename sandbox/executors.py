"""Starts one executor inside its walls, watches it, and leaves no process of it alive."""

import io
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox import processes, wire
from sandbox.cgroups import Group
from sandbox.denials import Witness
from sandbox.mounts import Stage, Work
from sandbox.plan import Plan
from sandbox.processes import FirstProcess
from sandbox.results import Cause
from sandbox.spec import Executor, Limits, WallsName
from sandbox.steps import Means, Orders, Trace, plain_file
from sandbox.walls import open_walls

_CHUNK = 1 << 16
_FIRST_WORDS = 300  # of what an executor complained, where it is the walls that speak


class DispatcherGone(Exception):
    """Nobody is left to report to."""


@dataclass(frozen=True)
class Room:
    """Everything that the executors of one attempt share."""

    walls: WallsName
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
    stdout: io.FileIO  # in memory, at its start; whoever seals it closes it, else it goes with the supervisor
    stderr: io.FileIO
    reason: str | None = None  # what the task did wrong, where its exit code alone would not tell


def run(room: Room, executor: Executor, first: FirstProcess) -> Ended:
    """Run one executor to its end and return how it ended; raises `DispatcherGone`."""
    start = time.time()
    status_fd = os.memfd_create("status")
    pipes = [os.pipe2(os.O_CLOEXEC) for _ in ("stdout", "stderr")]
    for read_end, write_end in pipes:
        os.fchown(write_end, room.stage.uid, -1)  # so that a task may open /dev/stdout
        os.set_blocking(read_end, False)
    logs = {pipes[n][0]: io.FileIO(os.memfd_create(name), "r+") for n, name in enumerate(("stdout", "stderr"))}
    _tell(first, room, executor, [status_fd, *(write_end for _, write_end in pipes)])
    for _, write_end in pipes:
        os.close(write_end)
    try:
        cause = _watch(first.pid, room, logs)
    finally:
        outcome = processes.kill_all(first.pid, at_once=room.group.kill, spared=room.keepers)
    for read_end, log in logs.items():
        while _drain(read_end, log, room.limits.log_bytes):
            pass
        os.close(read_end)
        log.seek(0)
    stdout, stderr = logs.values()
    said = os.pread(stderr.fileno(), _FIRST_WORDS, 0)
    trace = Trace(room.stage, status_fd, outcome, said or _first_words(room, executor))
    verdict = open_walls(room.walls).verdict(trace)
    os.close(status_fd)
    if cause == "exited":
        cause = _cause(room, outcome, verdict.exit_code)
    if cause == "system":  # the command never ran, so this is the walls' own sentence
        sys.stderr.write(f"sandbox: {said.decode(errors='replace')}")
        sys.stderr.flush()
    exit_code = verdict.exit_code if cause != "system" else None
    reason = verdict.reason if cause == "exited" else None
    return Ended(cause, exit_code, start, time.time(), stdout, stderr, reason)


def _tell(first: FirstProcess, room: Room, executor: Executor, fds: Sequence[int]) -> None:
    plan = Plan()
    status, stdout, stderr = map(plan.give, fds)
    plan.add(("complain", stderr))
    orders = Orders(room.stage, room.work, executor, room.limits, room.loopback)
    open_walls(room.walls).enter(orders, Means(plan, status, (stdout, stderr), room.witness))
    first.tell(plan)
    plan.close()


def _first_words(room: Room, executor: Executor) -> bytes:
    """Return what stands first in the file that is its standard error: perhaps the walls' words, perhaps data."""
    if executor.stderr is None:
        return b""
    try:
        with open(plain_file(room.stage.fixed, executor.stderr), "rb") as file:
            return file.read(_FIRST_WORDS)
    except OSError:
        return b""


def _watch(pid: int, room: Room, logs: Mapping[int, io.FileIO]) -> Cause:
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


def _drain(pipe: int, log: io.FileIO, most: int) -> bool:
    """Take what is there; what exceeds the cap is thrown away, the task never blocks on it."""
    left = most - log.tell()
    try:
        if left > 0:  # from the pipe into memory: our own holds none of it
            return os.splice(pipe, log.fileno(), min(left, _CHUNK)) > 0
        return bool(os.read(pipe, _CHUNK))
    except BlockingIOError:
        return False


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

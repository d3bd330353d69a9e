"""Starts the one process that everything of an executor comes from, and leaves none of it alive."""

import contextlib
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sandbox import kernel
from sandbox.plan import Plan, WallsError, find_first


class FirstProcess:
    """A child in a PID namespace of its own that waits to be told what to become: what comes of it dies with it.

    bubblewrap's own bond to its parent has a gap: whoever is killed while it starts leaves what it started. And a
    process that joins its cgroups waits for all other processors for some ten milliseconds: so it is born before it
    is needed. A thread starts it, as the namespace that children are born into is a thread's own; the thread lives as
    long as the child may, because to PDEATHSIG the thread is the parent. It is a small program and no fork of ours:
    whoever forks pays for each page that either touches afterwards.
    """

    def __init__(self, doors: Sequence[Path] = ()) -> None:
        """Start it; it joins the cgroups of these doors (files cgroup.procs)."""
        self._born: queue.SimpleQueue[int | Exception] = queue.SimpleQueue()
        self._over = threading.Event()
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._parent = os.pidfd_open(os.getpid())
        threading.Thread(target=self._start, args=(doors,), daemon=True).start()
        born = self._born.get()
        self._theirs.close()
        if isinstance(born, Exception):
            self._ours.close()
            os.close(self._parent)
            raise born
        self.pid, self._told = born, False

    def tell(self, plan: Plan) -> None:
        """Tell the child what to become."""
        self._told = True
        words = plan.words()
        socket.send_fds(self._ours, [b"p"], [words, *plan.descriptors])
        os.close(words)

    def close(self) -> None:
        """Let go of a child that is dead, or that was never told anything and dies of it."""
        if self._over.is_set():
            return
        self._over.set()
        self._ours.close()
        os.close(self._parent)
        if not self._told:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def _start(self, doors: Sequence[Path]) -> None:
        given = (self._theirs.fileno(), self._parent)
        try:
            kernel.unshare(kernel.CLONE_NEWPID)
            if os.geteuid() != 0:
                kernel.hand_on_capabilities()  # for the mount of the work folder; `first` hands on none of them
            pid = os.posix_spawn(
                find_first(),
                ["first", *map(str, given), *map(str, doors)],
                {},
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, fd) for fd in given],  # onto itself: it survives
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # which Python ignores
            )
        except (OSError, WallsError) as error:
            self._born.put(error)
            return
        self._born.put(pid)
        self._over.wait()


def kill_all(pid: int, *, at_once: Callable[[], None], spared: frozenset[int] = frozenset()) -> int:
    """Kill and reap every descendant; return how `pid` ended. We adopt orphans, so none can hide from us."""
    outcome = 0
    first = True
    while True:
        try:
            found, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return outcome
        if found == pid:
            outcome = status
        if found == 0:
            if not first:
                time.sleep(0.0005)
            first = False
            at_once()
            found_children = set(_children())
            if found_children and found_children <= spared:
                return outcome
            for child in found_children - spared:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)


def _children() -> list[int]:
    lists = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
    return [int(child) for one in lists for child in one.split()]

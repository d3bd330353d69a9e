"""Forks the one process that everything of an executor comes from, and leaves none of it alive."""

import contextlib
import os
import queue
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from sandbox import kernel, wire


class FirstProcess:
    """A child in a PID namespace of its own that waits to be told what to become: what comes of it dies with it.

    bubblewrap's own bond to its parent has a gap: whoever is killed while it starts leaves what it started. And a
    process that joins its cgroups waits for all other processors for some ten milliseconds: so it is born before it
    is needed. A thread forks it, as the namespace that children are born into is a thread's own; the thread lives as
    long as the child may, because to PDEATHSIG the thread is the parent.
    """

    def __init__(self, become: Callable[[socket.socket, int], NoReturn]) -> None:
        """Fork; `become` runs in the child, with its end of a socket and a descriptor for `is_dead`."""
        self._born: queue.SimpleQueue[int | OSError] = queue.SimpleQueue()
        self._over = threading.Event()
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._parent = os.pidfd_open(os.getpid())
        threading.Thread(target=self._fork, args=(become,), daemon=True).start()
        born = self._born.get()
        self._theirs.close()
        if isinstance(born, OSError):
            raise born
        self.pid, self._told = born, False

    def tell(self, message: wire.Message, fds: Sequence[int]) -> None:
        """Tell the child what to become, with descriptors that it needs for it."""
        self._told = True
        socket.send_fds(self._ours, [b"f"], fds)
        wire.send(self._ours, message)

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

    def _fork(self, become: Callable[[socket.socket, int], NoReturn]) -> None:
        try:
            kernel.unshare(kernel.CLONE_NEWPID)
            pid = os.fork()
        except OSError as error:
            self._born.put(error)
            return
        if pid == 0:
            become(self._theirs, self._parent)
        self._born.put(pid)
        self._over.wait()


def is_dead(process: int, line: int) -> bool:
    """Say whether the process of this pidfd, with its end of `line`, dies or is dead; getppid cannot tell it here.

    Its last thread closes the line before the kernel looks for whom to send PDEATHSIG to: without the line, a child
    that asks for the signal just then would get none, and live on.
    """
    poll = select.poll()
    poll.register(process, select.POLLIN)
    poll.register(line, select.POLLIN)  # nothing more is ever said on it, so it is readable at its end alone
    return bool(poll.poll(0))


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

"""Forks the one process that everything of an executor comes from, and leaves none of it alive."""

import contextlib
import os
import queue
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from sandbox import kernel


@contextlib.contextmanager
def apart(become: Callable[[int], NoReturn]) -> Iterator[int]:
    """Fork into a PID namespace of its own; the child is its first process, so whatever came of it dies with it.

    bubblewrap's own bond to its parent has a gap: whoever is killed while it starts leaves what it started. `become`
    runs in the child and is given a descriptor for `is_dead`. A thread forks, as the namespace that children are born
    into is a thread's own; it lives as long as this context, because to PDEATHSIG the thread is the parent.
    """
    born: queue.SimpleQueue[int | OSError] = queue.SimpleQueue()
    over = threading.Event()
    ourselves = os.pidfd_open(os.getpid())

    def fork() -> None:
        try:
            kernel.unshare(kernel.CLONE_NEWPID)
            pid = os.fork()
        except OSError as error:
            born.put(error)
            return
        if pid == 0:
            become(ourselves)
        born.put(pid)
        over.wait()

    threading.Thread(target=fork, daemon=True).start()
    child = born.get()
    try:
        if isinstance(child, OSError):
            raise child
        yield child
    finally:
        over.set()
        os.close(ourselves)


def is_dead(process: int) -> bool:
    """Say whether the process of this pidfd is dead; in another PID namespace, getppid cannot tell."""
    return bool(select.select([process], [], [], 0)[0])


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

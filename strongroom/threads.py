"""Runs what waits for others in threads that stay for the next of its kind."""

import functools
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, TypeVarTuple

KEPT: Final = 16
Args = TypeVarTuple("Args")


class Threads:
    """Runs every call at once, however many run already; a thread that is done waits for another call.

    To start one costs more than most of what is done in it.
    """

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._lock = threading.Lock()
        self._free = 0  # threads that wait and have no call on its way to them

    def run(self, act: Callable[[*Args], object], *args: *Args) -> None:
        """Have `act` called with these arguments, and return at once."""
        with self._lock:
            waits = self._free > 0
            self._free -= waits
        self._calls.put(functools.partial(act, *args))
        if not waits:
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            # What it raises ends this thread, and is told as of any other; nothing of it stays while we wait.
            self._calls.get()()
            with self._lock:
                if self._free == self._kept:
                    return
                self._free += 1

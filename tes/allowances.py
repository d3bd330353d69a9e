"""Holds what an attempt stores to what its spec lets it leave: no node fills the store (T30)."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.crypt4gh import SMALLEST_CLASS
from strongroom.errors import NotAllowed

MOST_REMEMBERED: Final = 10_000  # attempts
TIMES: Final = 2  # a body that broke off is begun again, under another name
SEALED: Final = 1.13  # of a byte that a task leaves: sealing, and padding to an eighth of an octave (T32)


@dataclass
class _Left:
    files: int
    bytes: float


class Allowances:
    """What each attempt may store yet, as one life of the dispatcher counts it; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: OrderedDict[str, _Left] = OrderedDict()

    def take(self, attempt: str, length: int, *, spec: Callable[[], Mapping[str, Any]]) -> None:
        """Count one body of so many bytes; raises `NotAllowed` beyond what the spec lets an attempt leave."""
        with self._lock:
            known = self._left.get(attempt)
        left = known or _of(spec())
        with self._lock:
            left = self._left.setdefault(attempt, left)
            if len(self._left) > MOST_REMEMBERED:
                self._left.popitem(last=False)
            if left.files < 1 or left.bytes + 2 * SMALLEST_CLASS < length:
                raise NotAllowed("This attempt stored all that its task may leave.")
            left.files -= 1
            left.bytes -= max(0, length - 2 * SMALLEST_CLASS)


def _of(spec: Mapping[str, Any]) -> _Left:
    limits, streams = spec["limits"], 2 * len(spec["executors"])
    whole = limits["output_bytes"] + streams * limits["log_bytes"]
    return _Left(TIMES * (limits["output_files"] + streams), TIMES * SEALED * whole)

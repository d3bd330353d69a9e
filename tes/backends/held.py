"""Holds attempts back where jobs that run take them on: a job costs more than a short task does (ADR 0051)."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

FIRST: Final = 8  # jobs of a shape that are handed in at once
ROUND: Final = 5.0  # seconds after which twice as many may be, or all, where no attempt has ended so soon


@dataclass
class _Shape:
    since: float
    most: float = field(default_factory=lambda: FIRST)  # jobs in the cluster
    jobs: int = 0
    ended: int = 0  # attempts, in this round
    held: OrderedDict[str, None] = field(default_factory=OrderedDict)


class Held:
    """Which attempts wait with us, and how many jobs of each shape are in the cluster; its owner has the lock.

    Moments are `time.monotonic()`.
    """

    def __init__(self) -> None:
        self._shapes: dict[Hashable, _Shape] = {}
        self._shape_of: dict[str, Hashable] = {}

    def add(self, attempt: str, shape: Hashable, moment: float) -> None:
        """Let an attempt wait, behind all others of its shape."""
        self._shape_of[attempt] = shape
        self._shapes.setdefault(shape, _Shape(moment)).held[attempt] = None

    def let_in(self, moment: float) -> list[str]:
        """Return the attempts that are to be handed in now, the oldest first; they are held no more."""
        going = []
        for one in self._shapes.values():
            if one.held and moment - one.since >= ROUND:
                one.most = 2 * one.most if one.ended else float("inf")
                one.since, one.ended = moment, 0
            while one.held and one.jobs < one.most:
                going.append(one.held.popitem(last=False)[0])
                one.jobs += 1
        return going

    def take(self, shape: Hashable) -> str | None:
        """Return the oldest attempt of a shape, for a job whose own is over."""
        one = self._shapes.get(shape)
        if one is None or not one.held:
            return None
        one.jobs += 1
        return one.held.popitem(last=False)[0]

    def put_back(self, attempt: str) -> None:
        """Undo `take`."""
        one = self._shapes[self._shape_of[attempt]]
        one.jobs -= 1
        one.held[attempt] = None
        one.held.move_to_end(attempt, last=False)

    def holds(self, attempt: str) -> bool:
        """Say whether an attempt waits with us."""
        one = self._shapes.get(self._shape_of.get(attempt))
        return one is not None and attempt in one.held

    def remove(self, attempt: str) -> None:
        """Forget an attempt that is over."""
        if attempt not in self._shape_of:
            return
        shape = self._shape_of.pop(attempt)
        one = self._shapes[shape]
        if attempt in one.held:
            del one.held[attempt]
        else:
            one.jobs -= 1
            one.ended += 1
        if not one.held and not one.jobs:
            del self._shapes[shape]  # what comes later begins anew

"""Counts what is left of this node: cores, memory, encrypted disk, and the kernel uids that tasks run under."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from strongroom.settings import Settings

MOST_SLOTS = 1024


class Size(NamedTuple):
    """What a task takes of a node: cores, bytes of memory and of encrypted disk."""

    cores: float
    memory: int
    disk: int

    @classmethod
    def of(cls, plan: Mapping[str, Any]) -> "Size":
        """Return what this plan takes; its scratch is memory or encrypted disk, never both."""
        on_disk = plan.get("scratch_on_disk", False)
        memory = plan["memory"] + (0 if on_disk else plan["scratch"])
        return cls(plan["cores"], memory, plan["scratch"] if on_disk else 0)


@dataclass
class Node:
    """What is left of this node: cores, bytes of memory, and uids that no running task has."""

    cores: float
    memory: int
    uids: list[int]
    disk: int = 0  # bytes of encrypted scratch
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, settings: Settings, *, elsewhere: bool) -> "Node":
        """Return what settings give; where tasks run `elsewhere`, its scheduler counts all but uids."""
        uids = list(range(settings.uids.first_task, settings.uids.first_task + MOST_SLOTS))
        if elsewhere:
            return cls(float("inf"), 1 << 62, uids, disk=1 << 62)
        return cls(
            cores=settings.tes.cores + settings.tes.cores_ahead,
            memory=int(settings.tes.memory_gb * (1 << 30)),
            uids=uids,
            disk=int(settings.tes.scratch_disk_gb * (1 << 30)),
        )

    def is_full(self) -> bool:
        """Say whether no task fits, as each takes a core or more."""
        return self.cores < 1 or not self.uids

    def take(self, cores: float, memory: int, disk: int = 0) -> int | None:
        """Return a uid for something of this size, or None when it does not fit now."""
        with self.lock:
            if cores > self.cores or memory > self.memory or disk > self.disk or not self.uids:
                return None
            self.cores -= cores
            self.memory -= memory
            self.disk -= disk
            return self.uids.pop()

    def hold(self, cores: float, memory: int, disk: int, uid: int) -> None:
        """Set aside for what runs already, whether it fits or not."""
        with self.lock:
            self.cores -= cores
            self.memory -= memory
            self.disk -= disk
            self.uids = [one for one in self.uids if one != uid]

    def give_back(self, cores: float, memory: int, disk: int, uid: int) -> None:
        """Take back what `take` gave."""
        with self.lock:
            self.cores += cores
            self.memory += memory
            self.disk += disk
            self.uids.insert(0, uid)

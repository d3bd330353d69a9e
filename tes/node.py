"""Counts what is left of this node: cores, memory, encrypted disk, and the kernel uids that tasks run under."""

import threading
from dataclasses import dataclass, field


@dataclass
class Node:
    """What is left of this node: cores, bytes of memory, and uids that no running task has."""

    cores: float
    memory: int
    uids: list[int]
    disk: int = 0  # bytes of encrypted scratch
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, cores: float, memory: int, disk: int = 0) -> int | None:
        """Return a uid for something of this size, or None when it does not fit now."""
        with self.lock:
            if cores > self.cores or memory > self.memory or disk > self.disk or not self.uids:
                return None
            self.cores -= cores
            self.memory -= memory
            self.disk -= disk
            return self.uids.pop()

    def give_back(self, cores: float, memory: int, disk: int, uid: int) -> None:
        """Take back what `take` gave."""
        with self.lock:
            self.cores += cores
            self.memory += memory
            self.disk += disk
            self.uids.insert(0, uid)

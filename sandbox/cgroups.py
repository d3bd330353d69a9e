"""Puts a task into cgroups of its own, whichever versions this node mounts, and removes them again."""

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sandbox.spec import Limits

PARENT = "strongroom"
CONTROLLERS = ("memory", "pids", "cpu")
_ACCOUNTING = "cpuacct"  # version 1: often mounted with cpu, but not always; limits nothing
_LONGEST_REPORT = 1 << 16
_PERIOD, _LEAST_QUOTA = 100_000, 1_000  # microseconds


@dataclass(frozen=True)
class Hierarchies:
    """Where cgroups can be made: version 1 by controller, version 2 with the controllers it has."""

    v1: Mapping[str, Path]
    v2: Path | None
    v2_controllers: frozenset[str]

    def limits(self, controller: str) -> bool:
        """Say whether the kernel will hold a task to this limit."""
        return controller in self.v1 or controller in self.v2_controllers


@cache
def hierarchies() -> Hierarchies:
    """Return what this node has and we may use; nothing when we are not root."""
    v1: dict[str, Path] = {}
    v2: Path | None = None
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount_point, kind, options, *_ = line.split()
        if kind == "cgroup2":
            v2 = _parent(Path(mount_point)) or v2
        elif kind == "cgroup":
            for controller in set(options.split(",")) & {*CONTROLLERS, _ACCOUNTING}:
                parent = _parent(Path(mount_point))
                if parent is not None:
                    v1[controller] = parent
    wanted = frozenset(CONTROLLERS) - v1.keys()
    return Hierarchies(v1, v2, _delegate(v2, wanted) if v2 else frozenset())


def _parent(mount_point: Path) -> Path | None:
    parent = mount_point / PARENT
    try:
        parent.mkdir(exist_ok=True)
    except OSError:
        return None
    return parent if os.access(parent, os.W_OK) else None


def _delegate(parent: Path, wanted: frozenset[str]) -> frozenset[str]:
    for folder in (parent.parent, parent):
        for controller in wanted:
            with contextlib.suppress(OSError):
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")
    return wanted & frozenset((parent / "cgroup.subtree_control").read_text().split())


class Group:
    """The cgroups of one attempt, named after our process and its birth so that `sweep` finds those of the dead."""

    def __init__(self) -> None:
        found = hierarchies()
        name = f"{os.getpid()}-{_born(os.getpid())}"
        self._v1 = {controller: parent / name for controller, parent in found.v1.items()}
        self._v2 = found.v2 / name if found.v2 else None
        self.folders = list(dict.fromkeys([*self._v1.values(), *([self._v2] if self._v2 else [])]))
        for folder in self.folders:
            folder.mkdir(exist_ok=True)

    def limit(self, limits: Limits, *, scratch_in_memory: bool = True) -> None:
        """Set the limits; members that are there already are held to them too."""
        # Output bytes may live in memory, and swap would put plaintext on a disk.
        memory = limits.memory_bytes + (limits.scratch_bytes if scratch_in_memory else 0)
        quota = max(_LEAST_QUOTA, int(limits.cpu_cores * _PERIOD))
        if "memory" in self._v1:
            _write(self._v1["memory"] / "memory.limit_in_bytes", memory)
            _write_if_there(self._v1["memory"] / "memory.memsw.limit_in_bytes", memory)
        if "pids" in self._v1:
            _write(self._v1["pids"] / "pids.max", limits.pids)
        if "cpu" in self._v1:
            _write(self._v1["cpu"] / "cpu.cfs_quota_us", quota)
        if self._v2 is not None:
            self._limit_v2(self._v2, hierarchies().v2_controllers, memory=memory, pids=limits.pids, quota=quota)

    def _limit_v2(self, group: Path, controllers: frozenset[str], *, memory: int, pids: int, quota: int) -> None:
        if "memory" in controllers:
            _write(group / "memory.max", memory)
            _write_if_there(group / "memory.swap.max", 0)
            _write_if_there(group / "memory.oom.group", 1)
        if "pids" in controllers:
            _write(group / "pids.max", pids)
        if "cpu" in controllers:
            _write(group / "cpu.max", f"{quota} {_PERIOD}")

    @property
    def doors(self) -> list[Path]:
        """Files into which a process writes 0 to move in; its children follow."""
        return [folder / "cgroup.procs" for folder in self.folders]

    def kill(self) -> None:
        """Kill every member at once where the kernel can (version 2)."""
        if self._v2 is not None:
            _write_if_there(self._v2 / "cgroup.kill", 1)

    def oom_killed(self) -> bool:
        """Say whether the memory limit killed anything."""
        report = self._report("memory", "memory.oom_control", "memory.events")
        return any(line.startswith("oom_kill ") and line != "oom_kill 0" for line in report.splitlines())

    def peak_memory(self) -> int | None:
        """Return the most bytes that were in use at once, page cache included."""
        report = self._report("memory", "memory.max_usage_in_bytes", "memory.peak").strip()
        return int(report) if report else None

    def cpu_seconds(self) -> float | None:
        """Return the CPU time of every process that ever was in, those that nobody waited for too."""
        # Version 2 counts by itself in every group; in a hybrid set-up both may be there.
        if self._v2 is not None and (report := _read(self._v2 / "cpu.stat")):
            return int(dict(line.split() for line in report.splitlines())["usage_usec"]) / 1e6
        report = _read(self._v1[_ACCOUNTING] / "cpuacct.usage") if _ACCOUNTING in self._v1 else ""
        return int(report) / 1e9 if report else None

    def _report(self, controller: str, name_v1: str, name_v2: str) -> str:
        folder = self._v1.get(controller)
        path = folder / name_v1 if folder else self._v2 / name_v2 if self._v2 else None
        return _read(path) if path else ""

    def remove(self) -> None:
        """Remove the empty cgroups; what cannot be removed yet is left to `sweep`."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                folder.rmdir()


def sweep() -> None:
    """Kill and remove what supervisors left behind that are no more."""
    found = hierarchies()
    parents = {*found.v1.values(), *([found.v2] if found.v2 else [])}
    for folder in [folder for parent in parents for folder in parent.iterdir() if folder.is_dir()]:
        pid, _, born = folder.name.partition("-")
        if pid.isdigit() and _born(int(pid)) != born:
            _empty(folder)


def _born(pid: int) -> str:
    # In the kernel's ticks since its start: another process that has this number later has another.
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return fields[19] if fields else ""


def _empty(folder: Path) -> None:
    _write_if_there(folder / "cgroup.kill", 1)
    for _ in range(50):
        with contextlib.suppress(OSError):
            for pid in (folder / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            folder.rmdir()
        if not folder.exists():
            return
        time.sleep(0.02)


def _read(path: Path) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, _LONGEST_REPORT).decode()
        finally:
            os.close(fd)
    except OSError:
        return ""


def _write(path: Path, value: object) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, str(value).encode())
    finally:
        os.close(fd)


def _write_if_there(path: Path, value: object) -> None:
    with contextlib.suppress(OSError):
        _write(path, value)

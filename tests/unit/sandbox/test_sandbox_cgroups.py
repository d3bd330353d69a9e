"""The limits that are written, and what is read back, on nodes of each kind: files as the kernel would show them."""

from pathlib import Path

import pytest

from sandbox import cgroups
from sandbox.cgroups import Group, Hierarchies
from sandbox.spec import Limits

MIB = 1 << 20
LIMITS = Limits(
    memory_bytes=64 * MIB,
    cpu_cores=1.5,
    pids=32,
    scratch_bytes=16 * MIB,
    wall_seconds=1,
    output_bytes=1,
    output_files=1,
    log_bytes=1,
)
V1 = {
    "memory": (
        "memory.limit_in_bytes",
        "memory.memsw.limit_in_bytes",
        "memory.oom_control",
        "memory.max_usage_in_bytes",
    ),
    "pids": ("pids.max",),
    "cpu": ("cpu.cfs_quota_us",),
    "cpuacct": ("cpuacct.usage",),
}
V2 = ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.max", "cgroup.kill", "cgroup.procs")
V2_REPORTS = ("memory.events", "memory.peak", "cpu.stat")


def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, v1: bool, v2: bool) -> tuple[Group, Path]:
    """Return a group of a node with these hierarchies, and the folder that stands for them."""
    monkeypatch.setattr("os.getpid", lambda: 7)
    monkeypatch.setattr(cgroups, "_born", lambda _: "task")
    found_v1 = {}
    for controller, names in V1.items() if v1 else ():
        found_v1[controller] = tmp_path / controller
        (tmp_path / controller / "7-task").mkdir(parents=True)
        for name in names:
            (tmp_path / controller / "7-task" / name).write_text("")
    if v2:
        (tmp_path / "v2" / "7-task").mkdir(parents=True)
        for name in (*V2, *V2_REPORTS):
            (tmp_path / "v2" / "7-task" / name).write_text("")
    controllers = frozenset(cgroups.CONTROLLERS) if v2 and not v1 else frozenset()
    nodes = Hierarchies(found_v1, tmp_path / "v2" if v2 else None, controllers)
    monkeypatch.setattr(cgroups, "hierarchies", lambda: nodes)
    one = Group()
    one.limit(LIMITS)
    return one, tmp_path


def test_version_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, root = group(tmp_path, monkeypatch, v1=True, v2=False)
    memory = root / "memory" / "7-task"
    assert (memory / "memory.limit_in_bytes").read_text() == str(80 * MIB)
    assert (memory / "memory.memsw.limit_in_bytes").read_text() == str(80 * MIB)  # so there is no swap at all
    assert (root / "pids" / "7-task" / "pids.max").read_text() == "32"
    assert (root / "cpu" / "7-task" / "cpu.cfs_quota_us").read_text() == "150000"
    assert not one.oom_killed()
    (memory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    (memory / "memory.max_usage_in_bytes").write_text("123\n")
    (root / "cpuacct" / "7-task" / "cpuacct.usage").write_text("2500000000\n")
    assert (one.oom_killed(), one.peak_memory(), one.cpu_seconds()) == (True, 123, 2.5)


def test_version_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, root = group(tmp_path, monkeypatch, v1=False, v2=True)
    folder = root / "v2" / "7-task"
    written = {name: (folder / name).read_text() for name in V2[:5]}
    assert written == {
        "memory.max": str(80 * MIB),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "32",
        "cpu.max": "150000 100000",
    }
    (folder / "memory.events").write_text("low 0\nhigh 0\nmax 4\noom 1\noom_kill 2\noom_group_kill 1\n")
    (folder / "memory.peak").write_text("456\n")
    (folder / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\nsystem_usec 2\n")
    assert (one.oom_killed(), one.peak_memory(), one.cpu_seconds()) == (True, 456, 1.5)
    one.kill()
    assert (folder / "cgroup.kill").read_text() == "1"


def test_hybrid_limits_by_version_1_and_kills_by_version_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, root = group(tmp_path, monkeypatch, v1=True, v2=True)
    assert (root / "memory" / "7-task" / "memory.limit_in_bytes").read_text() == str(80 * MIB)
    assert (root / "v2" / "7-task" / "memory.max").read_text() == ""
    one.kill()
    assert (root / "v2" / "7-task" / "cgroup.kill").read_text() == "1"


def test_no_cgroup_reports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = group(tmp_path, monkeypatch, v1=False, v2=False)
    assert (one.oom_killed(), one.peak_memory(), one.cpu_seconds(), one.folders) == (False, None, None, [])

"""`strongroom doctor`: says what this node can and cannot do for the walls."""

import os
import shutil
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import typer
from rich.table import Table

from sandbox import bubblewrap
from strongroom.cli.client import AsJson, out, print_json


class Health(StrEnum):
    """How an item stands."""

    GOOD = "good"
    WEAKER = "weaker"
    MISSING = "missing"


@dataclass(frozen=True)
class Item:
    """One line of the doctor's report."""

    name: str
    health: Health
    says: str


def doctor(as_json: AsJson = False) -> None:
    """Examine this node; the exit code is that of the worst item: 0 good, 1 weaker, 2 missing."""
    items = [_root(), _wall_builder(), _fuse(), _namespaces(), _cgroups(), _swap(), _cores(), _python()]
    if as_json:
        print_json([asdict(item) for item in items])
    else:
        table = Table("Item", "Health", "What it means")
        for item in items:
            table.add_row(item.name, item.health.value, item.says)
        out.print(table)
    worst = {Health.GOOD: 0, Health.WEAKER: 1, Health.MISSING: 2}
    raise typer.Exit(max(worst[item.health] for item in items))


def _root() -> Item:
    if os.geteuid() == 0:
        return Item("users", Health.GOOD, "Broker, signer and services run as users of their own.")
    return Item("users", Health.WEAKER, "Not root: all processes share one user, who could read the broker's keys.")


def _wall_builder() -> Item:
    try:
        path = bubblewrap.find_bubblewrap().path
    except (OSError, bubblewrap.NoBubblewrap) as error:
        return Item("bubblewrap", Health.MISSING, str(error))
    return Item("bubblewrap", Health.GOOD, f"{path}; mount paths that cross links of an image are refused.")


def _fuse() -> Item:
    device = Path("/dev/fuse")
    if not device.exists():
        return Item("fuse", Health.MISSING, "/dev/fuse is missing: inputs cannot be decrypted on the fly.")
    return Item("fuse", Health.GOOD, "Inputs are decrypted on the fly inside each task's own mount namespace.")


def _namespaces() -> Item:
    missing = [
        n for n in ("mnt", "pid", "net", "ipc", "uts", "cgroup", "user") if not Path("/proc/self/ns", n).exists()
    ]
    if missing:
        return Item("namespaces", Health.MISSING, f"This kernel lacks: {', '.join(missing)}.")
    return Item("namespaces", Health.GOOD, "Mount, process, network, IPC, host name, cgroup and user.")


def _cgroups() -> Item:
    root = Path("/sys/fs/cgroup")
    unified = (root / "cgroup.controllers").exists() and "memory" in (root / "cgroup.controllers").read_text()
    if os.geteuid() == 0 and (unified or (root / "memory").is_dir()):
        return Item("cgroups", Health.GOOD, "Memory, CPU and process limits hold.")
    return Item("cgroups", Health.WEAKER, "No cgroup may be made here: only per-process limits hold.")


def _swap() -> Item:
    lines = Path("/proc/swaps").read_text().splitlines()
    if len(lines) > 1:
        return Item("swap", Health.WEAKER, "Swap is on: turn it off or encrypt it, or plaintext may reach a disk.")
    return Item("swap", Health.GOOD, "No swap: plaintext stays in memory.")


def _cores() -> Item:
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith("|"):
        return Item("core dumps", Health.GOOD, "Piped to a handler, but off for supervisors and tasks.")
    return Item("core dumps", Health.GOOD, "Off for supervisors and tasks.")


def _python() -> Item:
    if shutil.which("python3", path="/usr/bin") is None:
        return Item("python", Health.MISSING, "/usr/bin/python3 is missing: engines cannot start.")
    return Item("python", Health.GOOD, "/usr/bin/python3 is there for the engines.")

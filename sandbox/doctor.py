"""Says in plain words what this node can and cannot do for the walls: `python -m sandbox.doctor [--json]`."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from sandbox import bubblewrap, cgroups, landlock, plan, scratch_trials, seccomp, walls_bubblewrap, walls_oci
from sandbox.spec import Driver

OLDEST_KERNEL, NO_SWAP_KERNEL = (5, 12), (6, 4)
_HARDER = "/proc/sys/kernel/seccomp/actions_avail"
_DISKS: dict[Driver, str] = {
    "gocryptfs": "All of it is encrypted, by a process beside the task.",
    "fscrypt": "The kernel encrypts contents and names, not sizes, times and modes.",
}


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


EXIT_CODES = {Health.GOOD: 0, Health.WEAKER: 1, Health.MISSING: 2}


def examine() -> list[Item]:
    """Return every item that concerns the walls."""
    swap = _swap(Path("/proc/swaps").read_text(), Path("/sys/class/block"))
    return [
        _kernel(),
        _uids(),
        _bubblewrap(),
        _first(),
        _namespaces(),
        _seccomp(),
        _landlock(),
        _cgroups(),
        _fuse(),
        swap,
        _cores(Path("/proc/sys/kernel/core_pattern").read_text()),
        _crashes(Path("/proc/sys/debug/exception-trace")),
        _terminal(Path("/proc/sys/dev/tty/legacy_tiocsti")),
        *_scratch(swap),
        *(_other_walls(name) for name in walls_oci.RUNTIMES),
    ]


def exit_code(items: Sequence[Item]) -> int:
    """Return 0 if all is good, 1 if something is weaker, 2 if something is missing."""
    return max(EXIT_CODES[item.health] for item in items)


def main(arguments: Sequence[str]) -> int:
    """Print the report; return the exit code of the worst item."""
    items = examine()
    if "--json" in arguments:
        sys.stdout.write(json.dumps([asdict(item) for item in items], indent=2) + "\n")
    else:
        for item in items:
            sys.stdout.write(f"{item.name:<19}{item.health.value:<9}{item.says}\n")
    return exit_code(items)


def kernel_version(release: str) -> tuple[int, ...]:
    """Return major and minor of a kernel's release."""
    return tuple(int(part) for part in release.partition("-")[0].split(".")[:2] if part.isdigit())


def _kernel() -> Item:
    release = platform.release()
    if kernel_version(release) < OLDEST_KERNEL:
        return Item("kernel", Health.MISSING, f"Linux {release}: the walls need 5.12 or newer.")
    return Item("kernel", Health.GOOD, f"Linux {release} on {platform.machine()}.")


def _uids() -> Item:
    if os.geteuid() == 0:
        return Item("task users", Health.GOOD, "Each task runs under a kernel uid of its own.")
    says = (
        "Not root: tasks run under your own uid, so process limits count all that you run, and only namespaces keep"
        " tasks from your other processes."
    )
    return Item("task users", Health.WEAKER, says)


def _bubblewrap() -> Item:
    try:
        found = bubblewrap.find_bubblewrap()
    except (OSError, bubblewrap.NoBubblewrap) as error:
        return Item("bubblewrap", Health.MISSING, str(error))
    version = ".".join(map(str, found.version))
    if found.version >= bubblewrap.OLDEST:
        return Item("bubblewrap", Health.GOOD, f"{version} at {found.path}: not open to CVE-2026-87766, not setuid.")
    says = f"{version}, the pinned wheel: mount points that cross links of an image (CVE-2026-87766) are refused."
    return Item("bubblewrap", Health.GOOD, says)


def _first() -> Item:
    try:
        done = subprocess.run([str(plan.find_first())], capture_output=True, check=False, env={}, timeout=10)
    except (OSError, plan.WallsError) as error:
        return Item("first process", Health.MISSING, str(error))
    if done.returncode != plan.FAILED:  # without words it does nothing, and says so
        return Item("first process", Health.MISSING, f"{plan.PROGRAM} does not run here; compile it on this machine.")
    return Item("first process", Health.GOOD, f"{plan.PROGRAM} starts executors.")


def _namespaces() -> Item:
    # A trial tells more than a list of files: distributions forbid user namespaces in several ways.
    try:
        program = bubblewrap.find_bubblewrap().path
        options = [f"--unshare-{name}" for name in walls_bubblewrap.NAMESPACES]
        options += ["--disable-userns", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", "/bin/true"]
        done = subprocess.run([str(program), *options], capture_output=True, check=False, env={}, timeout=30)
    except (OSError, bubblewrap.NoBubblewrap, subprocess.TimeoutExpired):
        return Item("namespaces", Health.MISSING, "They could not be tried without bubblewrap.")
    if done.returncode:
        says = "A trial failed: allow user namespaces (user.max_user_namespaces, AppArmor's userns restriction)."
        return Item("namespaces", Health.MISSING, says)
    return Item("namespaces", Health.GOOD, f"A trial stood: mount, {', '.join(walls_bubblewrap.NAMESPACES)}.")


def _seccomp() -> Item:
    if not Path(_HARDER).exists():
        return Item("seccomp", Health.MISSING, "This kernel cannot filter system calls.")
    try:
        size = len(seccomp.program()) // 8
    except KeyError:
        says = f"There is no list of system calls for {platform.machine()}: x86_64 and aarch64 only."
        return Item("seccomp", Health.MISSING, says)
    return Item("seccomp", Health.GOOD, f"An allow-list of {size} instructions; foreign ABIs are killed.")


def _landlock() -> Item:
    version = landlock.version()
    if version >= landlock.SCOPE_SINCE:
        says = f"Version {version}: a second layer against TCP, abstract sockets and signals to the outside."
        return Item("landlock", Health.GOOD, says)
    if version >= landlock.NETWORK_SINCE:
        says = f"Version {version}: a second layer against TCP only; Linux 6.12 adds abstract sockets and signals."
        return Item("landlock", Health.WEAKER, says)
    return Item("landlock", Health.WEAKER, "No second layer beside namespaces and filter (Linux 6.7 has it).")


def _cgroups() -> Item:
    found = cgroups.hierarchies()
    lacking = [name for name in cgroups.CONTROLLERS if not found.limits(name)]
    kinds = [name for name, there in (("version 1", found.v1), ("version 2", found.v2)) if there]
    if not lacking:
        kill = "all at once" if found.v2 else "one by one"
        says = f"{' and '.join(kinds)}: memory, swap, CPU and processes are limited; tasks are killed {kill}."
        return Item("cgroups", Health.GOOD, says)
    says = (
        f"No limit of {', '.join(lacking)} by cgroup: resource limits hold for each process instead of the whole"
        " task, there is no CPU share, and peak memory is not known."
    )
    return Item("cgroups", Health.WEAKER, says)


def _fuse() -> Item:
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        says = "/dev/fuse cannot be opened, so no input can be read: modprobe fuse; without root, mode 0666."
        return Item("fuse", Health.MISSING, says)
    return Item("fuse", Health.GOOD, "Inputs are decrypted on the fly inside each task's own mount namespace.")


def _swap(swaps: str, blocks: Path) -> Item:
    devices = [line.split()[0] for line in swaps.splitlines()[1:]]
    clear = [device for device in devices if not _is_encrypted(blocks / Path(device).resolve().name)]
    if not devices:
        return Item("swap", Health.GOOD, "None: plaintext stays in memory.")
    if not clear:
        return Item("swap", Health.GOOD, "On dm-crypt only: what reaches it is encrypted.")
    if kernel_version(platform.release()) >= NO_SWAP_KERNEL and os.geteuid() == 0:
        says = "On and in clear: scratch is kept off it and limits count it, but turn it off to be sure."
        return Item("swap", Health.WEAKER, says)
    return Item("swap", Health.WEAKER, "On and in clear: turn it off or encrypt it, or plaintext may reach a disk.")


def _is_encrypted(block: Path) -> bool:
    try:
        return (block / "dm" / "uuid").read_text().startswith("CRYPT-")
    except OSError:
        return False


def _cores(pattern: str) -> Item:
    if pattern.startswith("|"):
        # core(5): a limit of 1 stops a handler behind a pipe, 0 would not.
        return Item("core dumps", Health.GOOD, "Piped to a handler here, but off for supervisors and tasks.")
    return Item("core dumps", Health.GOOD, "Written to files here, but off for supervisors and tasks.")


def _crashes(switch: Path) -> Item:
    try:
        told = switch.read_text().strip() != "0"
    except OSError:
        told = False  # this kernel has no such lines
    if not told:
        return Item("crashes", Health.GOOD, "The kernel's log says nothing of a program that crashes.")
    says = (
        "The kernel's log, which a node may keep on disk, names each program that crashes: a task chooses that name"
        " and addresses: some hundred bytes a second. Set debug.exception-trace=0 (sysctl)."
    )
    return Item("crashes", Health.WEAKER, says)


def _terminal(switch: Path) -> Item:
    try:
        legacy = switch.read_text().strip() == "1"
    except OSError:
        legacy = True  # before Linux 6.2 there is no switch, and it is on
    if legacy:
        says = "TIOCSTI is on in this kernel (dev.tty.legacy_tiocsti); filter and new session keep tasks from it."
        return Item("terminal", Health.GOOD, says)
    return Item("terminal", Health.GOOD, "TIOCSTI is off in this kernel.")


def _scratch(swap: Item) -> list[Item]:
    obstacles: dict[Driver, str | None] = {driver: scratch_trials.obstacle(driver) for driver in _DISKS}
    return [
        _memory(swap, keeps_off_swap=scratch_trials.keeps_off_swap()),
        *(_disk(driver, obstacles) for driver in obstacles),
        _device_mapper(Path("/proc/misc").read_text()),
    ]


def _memory(swap: Item, *, keeps_off_swap: bool) -> Item:
    if keeps_off_swap:
        says = "What tasks write lies in memory, and the kernel keeps that off swap."
        return Item("scratch tmpfs", Health.GOOD, says)
    says = "This kernel cannot keep what tasks write off swap (as root, Linux 6.4 can)"
    if swap.health is Health.GOOD:
        return Item("scratch tmpfs", Health.GOOD, f"{says}, and need not: there is none in clear.")
    return Item("scratch tmpfs", Health.WEAKER, f"{says}: turn swap off or encrypt it.")


def _disk(driver: Driver, obstacles: Mapping[Driver, str | None]) -> Item:
    obstacle, name = obstacles[driver], f"scratch {driver}"
    if obstacle is None:
        says = f"A trial stood: disk for tasks that need more than memory. {_DISKS[driver]}"
        return Item(name, Health.GOOD, says)
    other = next((other for other, lacks in obstacles.items() if lacks is None), None)
    if other is not None:
        return Item(name, Health.GOOD, f"{obstacle} It is not needed where {other} is chosen, which stands.")
    return Item(
        name, Health.WEAKER, f"{obstacle} Without encrypted disk, tasks that need more than memory are refused."
    )


def _device_mapper(devices: str) -> Item:
    has = "has" if "device-mapper" in devices else "lacks"
    says = f"Not offered by this version, so nothing is weaker without it; this kernel {has} device-mapper."
    return Item("scratch dm-crypt", Health.GOOD, says)


def _other_walls(name: str) -> Item:
    if walls_oci.find(name) is None:
        return Item(name, Health.GOOD, "Not installed: it cannot be chosen as walls; bubblewrap is the default.")
    if os.geteuid() != 0:
        return Item(name, Health.GOOD, f"{walls_oci.version(name)}: it needs root here, so bubblewrap is used.")
    return Item(name, Health.GOOD, f"{walls_oci.version(name)}: it can be chosen as walls (tes.walls).")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

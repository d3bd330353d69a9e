"""Puts the walls of an OCI runtime round one executor: crun's namespaces, or runsc's kernel of its own."""

import base64
import json
import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sandbox import cgroups, kernel, landlock, seccomp
from sandbox.fields import RUN, WORK
from sandbox.mounts import Stage, join_work
from sandbox.plan import WallsError
from sandbox.spec import Limits, Spec, WallsName
from sandbox.steps import (
    IN_SANDBOX_UID,
    NO_COMMAND,
    NO_FOLDER,
    NO_STREAM,
    RUN_SIZE,
    Means,
    Orders,
    Trace,
    Verdict,
    connect,
    environment,
    limit,
)

NAMESPACES = ("pid", "network", "ipc", "uts", "mount", "user", "cgroup")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CLOSED = ["nosuid", "nodev"]
_PROC = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
_NOBODY = 1 << 30  # added to a task's uid: an id of the host that is root inside, owns nothing and runs nothing
_HIDDEN = ("kcore", "keys", "key-users", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats")
_READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger")
_FAULTS = {  # a runtime's words for what is the task's own fault
    '"msg":"chdir `': NO_FOLDER,
    "creating working directory ": NO_FOLDER,
    "executable file `": NO_COMMAND,
    "open executable: ": NO_COMMAND,
    "creating process: failed to load ": NO_COMMAND,
    "error finding executable ": NO_COMMAND,
}
_LONGEST_LOG = 1 << 16


@dataclass(frozen=True)
class Runtime:
    """One of the programs; `options` stand before its command `run`."""

    name: WallsName
    options: tuple[str, ...]
    own_kernel: bool

    def check(self, spec: Spec) -> None:  # noqa: ARG002 - whatever it asks for
        """Raise `WallsError` unless the program is here and may do what it must."""
        if find(self.name) is None:
            raise WallsError(f"{self.name} is not installed on this node; install it, or use bubblewrap.")
        if os.geteuid() != 0:
            raise WallsError(f"{self.name} needs root on the node; use bubblewrap.")
        if self.own_kernel and not cgroups.hierarchies().limits("memory"):
            raise WallsError(f"{self.name} needs a memory cgroup on the node; use bubblewrap.")

    def enter(self, orders: Orders, means: Means) -> None:
        """Write the bundle, and add the steps by which a process becomes the runtime."""
        stage, plan = orders.stage, means.plan
        plan.add(*join_work(stage, orders.work), ("unshare", kernel.CLONE_NEWNS))
        plan.add(("mount", "proc", "/proc", "proc", _PROC, ""))  # of its own PID namespace: runtimes look there
        if not self.own_kernel:  # crun refuses a node that mounts both versions; its cgroups are ours anyway
            plan.add(("mount", "none", "/sys/fs/cgroup", "cgroup2", 0, ""))
        plan.add(*limit(orders.limits, largest_file=self._largest_file(orders.limits)), ("no-groups",))
        plan.add(("group", -1, stage.uid, -1), ("user", -1, stage.uid, -1))
        plan.add(*connect(orders, means.streams), ("user", -1, 0, -1), ("group", -1, 0, -1))
        bundle = Path(_bundle(stage))
        shutil.rmtree(bundle, ignore_errors=True)
        bundle.mkdir(mode=0o700)
        (bundle / "config.json").write_text(json.dumps(configuration(orders, filtered=not self.own_kernel)))
        places = ("--root", f"{bundle}/state", "--log", f"{bundle}/log", "--log-format", "json")
        if not self.own_kernel:
            landlock.restrict(plan, loopback=orders.loopback)
        command = [self.name, *places, *self.options, "run", "--bundle", str(bundle), "task"]
        plan.become(str(find(self.name)), command)

    def _largest_file(self, limits: Limits) -> int:
        # A kernel of its own keeps all of the task's memory in one file, and holds the task to the limit by itself.
        return resource.RLIM_INFINITY if self.own_kernel else limits.scratch_bytes

    def verdict(self, trace: Trace) -> Verdict:
        """Return how the command ended: a runtime that complains of nothing ends as the command did."""
        if not os.WIFEXITED(trace.outcome):
            return Verdict(None)
        code, said = os.WEXITSTATUS(trace.outcome), complaints(Path(_bundle(trace.stage), "log"))
        if said:
            return next((fault for words, fault in _FAULTS.items() if words in said), Verdict(None))
        streamless = code == NO_STREAM.exit_code and trace.said.startswith(str(NO_STREAM.reason).encode())
        return NO_STREAM if streamless else Verdict(code)


RUNTIMES = {
    "crun": Runtime("crun", ("--cgroup-manager=disabled",), own_kernel=False),
    "runsc": Runtime(
        "runsc", ("--ignore-cgroups", "--network=none", "--platform=ptrace", "--overlay=false"), own_kernel=True
    ),
}


@cache
def find(name: str) -> str | None:
    """Return where the program is."""
    return shutil.which(name, path=_PATH)


def version(name: str) -> str:
    """Return what the program says of itself, in one line."""
    done = subprocess.run([str(find(name)), "--version"], capture_output=True, text=True, check=False, timeout=10)
    return (done.stdout.splitlines() or ["unknown"])[0]


def configuration(orders: Orders, *, filtered: bool) -> dict[str, Any]:
    """Return the bundle's config.json (OCI runtime specification 1.0)."""
    stage, executor = orders.stage, orders.executor
    largest = orders.limits.scratch_bytes
    user = {"uid": IN_SANDBOX_UID, "gid": IN_SANDBOX_UID}
    ids = [_id(0, stage.uid + _NOBODY), _id(IN_SANDBOX_UID, stage.uid)]
    linux = {
        **({"seccomp": {"defaultAction": "SCMP_ACT_KILL_PROCESS"}} if filtered else {}),
        "namespaces": [{"type": name} for name in NAMESPACES],
        "uidMappings": ids,
        "gidMappings": ids,
        "maskedPaths": [f"/proc/{name}" for name in _HIDDEN],
        "readonlyPaths": [f"/proc/{name}" for name in _READ_ONLY],
    }
    none: list[str] = []
    return {
        "ociVersion": "1.0.2",
        "hostname": "task",
        "root": {"path": stage.image, "readonly": False},  # it is mounted so, unless the task may write there
        "process": {
            "terminal": False,
            "user": user,
            "args": list(executor.command),
            "env": [f"{name}={value}" for name, value in environment(executor).items()],
            "cwd": executor.workdir,
            "capabilities": dict.fromkeys(("bounding", "effective", "inheritable", "permitted", "ambient"), none),
            "noNewPrivileges": True,
            "rlimits": [{"type": "RLIMIT_FSIZE", "hard": largest, "soft": largest}],
        },
        "mounts": _mounts(stage, orders.work.path),
        "linux": linux,
        # Our own program, to the letter: a profile of names cannot say all that it says of arguments.
        # Where crun does not know the annotation, the profile kills at the first call.
        "annotations": {"run.oci.seccomp_bpf_data": base64.b64encode(seccomp.program()).decode()} if filtered else {},
    }


def complaints(log: Path) -> str:
    """Return what the runtime wrote of errors."""
    try:
        lines = log.read_bytes()[:_LONGEST_LOG].decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(
        line for line in lines if '"level":"error"' in line.replace(" ", "") or '"level":"fatal"' in line
    )


def _mounts(stage: Stage, work: str) -> list[dict[str, Any]]:
    return [
        _mount("/proc", "proc", "proc", ["noexec", *_CLOSED]),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "noexec", "mode=755", "size=65536"]),
        _mount("/dev/shm", "bind", f"{stage.place}/scratch/shm", ["bind", "rw", *_CLOSED]),  # noqa: S108 - the task's own
        _mount("/tmp", "bind", f"{stage.place}/scratch/tmp", ["bind", "rw", *_CLOSED]),  # noqa: S108 - the task's own
        _mount(RUN, "tmpfs", "tmpfs", ["mode=755", f"size={RUN_SIZE}", "ro", *_CLOSED]),
        _mount(WORK, "bind", work, ["bind", "rw", *_CLOSED]),
        *(_mount(path, "bind", staged, ["bind", "ro", *_CLOSED]) for staged, path in stage.code),
        *(_mount(path, "bind", staged, ["bind", "rw", *_CLOSED]) for staged, path in stage.mounted),
    ]


def _mount(target: str, kind: str, source: str, options: Sequence[str]) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": list(options)}


def _id(inside: int, outside: int) -> dict[str, int]:
    return {"containerID": inside, "hostID": outside, "size": 1}


def _bundle(stage: Stage) -> str:
    return f"{stage.place}/bundle"

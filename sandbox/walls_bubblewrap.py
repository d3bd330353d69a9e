"""Puts bubblewrap's walls round one executor: the default, and the only ones that stand without root."""

import json
import os

from sandbox import landlock, seccomp
from sandbox.fields import RUN, WORK
from sandbox.mounts import Stage, join_work
from sandbox.plan import memory, words_to_read
from sandbox.spec import Executor, Spec
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

_LONGEST_STATUS = 1 << 16
_FAULTS = {b"bwrap: Can't chdir to ": NO_FOLDER, b"bwrap: execvp ": NO_COMMAND}
NAMESPACES = ("user", "pid", "net", "ipc", "uts", "cgroup")  # bubblewrap always makes one of mounts


def arguments(stage: Stage, work: str, executor: Executor, *, filter_fd: int, status_fd: int) -> list[str]:
    """Return bubblewrap's options for one executor; the command itself follows after `--`."""
    binds = [option for staged, path in stage.code for option in ("--ro-bind", staged, path)]
    volumes = [option for staged, path in stage.mounted for option in ("--bind", staged, path)]
    return [
        *(f"--unshare-{namespace}" for namespace in NAMESPACES),
        "--disable-userns",
        "--assert-userns-disabled",
        *("--uid", str(IN_SANDBOX_UID), "--gid", str(IN_SANDBOX_UID), "--hostname", "task"),
        *("--cap-drop", "ALL", "--die-with-parent", "--new-session"),
        *("--bind" if stage.writable_root else "--ro-bind", stage.image, "/"),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--bind", f"{stage.place}/scratch/shm", "/dev/shm", "--remount-ro", "/dev"),  # noqa: S108 - the task's own
        *("--bind", f"{stage.place}/scratch/tmp", "/tmp"),  # noqa: S108 - the task's own
        *("--size", str(RUN_SIZE), "--tmpfs", RUN, "--bind", work, WORK, *binds, "--remount-ro", RUN),
        *volumes,
        *(option for name, value in environment(executor).items() for option in ("--setenv", name, value)),
        *("--chdir", executor.workdir, "--seccomp", str(filter_fd), "--json-status-fd", str(status_fd)),
    ]


def check(spec: Spec) -> None:
    """Everything that a spec can ask for is possible."""


def enter(orders: Orders, means: Means) -> None:
    """Add the steps: give everything up, and become bubblewrap."""
    stage, work, plan = orders.stage, orders.work, means.plan
    plan.add(*join_work(stage, work), *limit(orders.limits, largest_file=orders.limits.scratch_bytes))
    if os.geteuid() == 0:
        ids = (stage.uid,) * 3
        plan.add(("no-groups",), ("group", *ids), ("user", *ids))
    plan.add(*connect(orders, means.streams))
    landlock.restrict(plan, loopback=orders.loopback)
    filter_fd = plan.take(memory(means.witness.listen(plan) if means.witness else seccomp.program()))
    options = arguments(stage, work.path, orders.executor, filter_fd=filter_fd, status_fd=means.status)
    options_fd = plan.take(words_to_read(options))
    # Options by descriptor and an empty environment: /proc/1 of the task tells nothing of the host.
    command = ["bwrap", "--args", str(options_fd), "--", *orders.executor.command]
    plan.become(stage.program, command, keep=(filter_fd, options_fd, means.status))


def verdict(trace: Trace) -> Verdict:
    """Return how the command ended."""
    # "exit-code" is written only when the walls stood and the command was started.
    said = os.pread(trace.status, _LONGEST_STATUS, 0)
    codes = [json.loads(line).get("exit-code") for line in said.splitlines()]
    found = next((code for code in codes if isinstance(code, int)), None)
    if found is not None or not os.WIFEXITED(trace.outcome):
        return Verdict(found)
    if os.WEXITSTATUS(trace.outcome) == NO_STREAM.exit_code:
        return NO_STREAM
    return next((fault for words, fault in _FAULTS.items() if trace.said.startswith(words)), Verdict(None))

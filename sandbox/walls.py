"""Says with which walls bubblewrap starts one executor."""

from collections.abc import Mapping

from sandbox.fields import RUN, WORK
from sandbox.mounts import Stage
from sandbox.spec import Executor

IN_SANDBOX_UID = 1000
_DEFAULTS = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",  # noqa: S108 - the task's own
    "LANG": "C.UTF-8",
}
_RUN_SIZE = 1 << 20
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
        *("--size", str(_RUN_SIZE), "--tmpfs", RUN, "--bind", work, WORK, *binds, "--remount-ro", RUN),
        *volumes,
        *(option for name, value in _environment(executor).items() for option in ("--setenv", name, value)),
        *("--chdir", executor.workdir, "--seccomp", str(filter_fd), "--json-status-fd", str(status_fd)),
    ]


def _environment(executor: Executor) -> Mapping[str, str]:
    return {**_DEFAULTS, **dict(executor.env)}

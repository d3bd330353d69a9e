"""Starts an engine blind: a stub tree, no network, and one socket to its run's gateway."""

import asyncio
import os
import resource
import signal
from dataclasses import dataclass
from pathlib import Path

import yaml

from sandbox import bubblewrap, seccomp
from strongroom.settings import Settings

ENGINE_FD = 3


@dataclass(frozen=True)
class Folders:
    """Where a run's engine lives on this host."""

    work: Path
    workflow: Path
    config: Path
    socket: Path


def write_config(path: Path, config: dict[str, object]) -> None:
    """Write the run's checked parameters as the YAML that the engine reads."""
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(config, sort_keys=True))
    fresh.chmod(0o640)
    fresh.rename(path)


def snakemake_command(entry: str, *, jobs: int) -> list[str]:
    """Return Snakemake's words; all that a user or a workflow could set is set here (engines.md 4.2)."""
    return [
        *("/opt/engine/bin/python", "-P", "-m", "snakemake"),
        *("-s", f"/run/workflow/{entry}", "-d", "/run/work", "--configfile", "/run/config.yaml"),
        *("--executor", "strongroom", "--strongroom-socket", "/run/tes.sock", "--logger", "strongroom"),
        *("--jobs", str(jobs), "--scheduler", "greedy", "--latency-wait", "0"),
        # --jobs is the limit; Snakemake's own, of 100 in a second, leaves timers that hold up its end by a second.
        *("--max-jobs-per-timespan", "1000/0s"),
        *("--profile", "none", "--workflow-profile", "none", "--nolock"),
        *("--rerun-incomplete", "--rerun-triggers", "mtime"),
    ]


def snakemake_walls(folders: Folders, settings: Settings, *, events_fd: int) -> list[str]:
    """Return bubblewrap's words round a Snakemake engine."""
    words = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "engine"]
    for folder in ("usr", "lib", "lib64", "bin", "sbin"):
        if Path("/", folder).is_symlink():
            words += ["--symlink", str(Path("/", folder).readlink()), f"/{folder}"]
        elif Path("/", folder).is_dir():
            words += ["--ro-bind", f"/{folder}", f"/{folder}"]
    words += ["--proc", "/proc", "--dev", "/dev", "--size", str(64 << 20), "--tmpfs", "/tmp", "--tmpfs", "/run"]  # noqa: S108
    words += ["--ro-bind", str(settings.wes.snakemake), "/opt/engine"]
    words += ["--ro-bind", str(settings.wes.plugins), "/opt/plugins"]
    words += ["--bind", str(folders.work), "/run/work", "--ro-bind", str(folders.workflow), "/run/workflow"]
    words += ["--ro-bind", str(folders.config), "/run/config.yaml", "--ro-bind", str(folders.socket), "/run/tes.sock"]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108
        "USER": "engine",
        "LANG": "C.UTF-8",
        "PYTHONPATH": "/opt/plugins",
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_CACHE_HOME": "/tmp/cache",  # noqa: S108
        "STRONGROOM_EVENTS_FD": str(events_fd),
    }
    for name, value in environment.items():
        words += ["--setenv", name, value]
    return [*words, "--chdir", "/run/work"]


@dataclass
class Engine:
    """A running engine: its process, and the stream of its events."""

    process: asyncio.subprocess.Process
    events: asyncio.StreamReader

    def kill(self) -> None:
        """End the engine and all that it started: its pid namespace dies with it."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


async def start(folders: Folders, settings: Settings, *, entry: str, log: Path) -> Engine:
    """Start Snakemake inside its walls; what it prints goes to `log`, which stays inside."""
    read_end, write_end = os.pipe()
    filter_fd = _memory(seccomp.program())
    jobs = settings.wes.jobs or max(2, 2 * int(settings.tes.cores))
    words = snakemake_walls(folders, settings, events_fd=write_end)
    options_fd = _memory(b"".join(word.encode() + b"\0" for word in [*words, "--seccomp", str(filter_fd)]))
    # Options by descriptor and an empty environment: /proc/1 of the engine tells nothing of the host.
    command = ["bwrap", "--args", str(options_fd), "--", *snakemake_command(entry, jobs=jobs)]
    memory = int(settings.wes.engine_memory_gb * (1 << 30))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))

    try:
        with open(log, "ab", opener=lambda p, flags: os.open(p, flags, 0o600)) as printed:
            process = await asyncio.create_subprocess_exec(
                *command,
                executable=str(bubblewrap.find_bubblewrap().path),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                env={},
                pass_fds=(write_end, filter_fd, options_fd),
                start_new_session=True,
                preexec_fn=limit,
            )
    finally:
        os.close(write_end)
        os.close(filter_fd)
        os.close(options_fd)
    return Engine(process, await _reader(read_end))


async def _reader(fd: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=1 << 20)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(fd, "rb"))
    return reader


def _memory(content: bytes) -> int:
    fd = os.memfd_create("walls")
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd

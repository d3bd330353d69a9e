"""Starts an engine blind: a stub tree, no network, and one socket to its run's gateway."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sandbox import bubblewrap
from sandbox.plan import memory as memory_file
from sandbox.plan import words_to_read
from strongroom.errors import BadRequest
from strongroom.settings import Settings
from wes import engine_calls, engine_limits
from wes.manifest import Manifest
from wes.rules import Held, Job

ENGINES = ("nextflow", "snakemake")
# What the walls or its own code did to an engine would be done to the next one too.
OWN_FAULTS = frozenset({signal.SIGSYS, signal.SIGXCPU, signal.SIGXFSZ})
HOME = "/tmp"  # noqa: S108 (inside the walls)
SCRATCH = 64 << 20  # bytes
_DATES = 'while [ "$1" != -- ]; do touch -m -d "$1" "$2" || exit 1; shift 2; done; shift; exec "$@"'


@dataclass(frozen=True)
class Folders:
    """Where a run's engine lives on this host; `config` is a folder of its own for what the engine reads."""

    work: Path
    workflow: Path
    config: Path
    socket: Path


@dataclass(frozen=True)
class Seen:
    """A file whose content an engine sees: it is in memory alone, over the stub at the same path (T17)."""

    path: str  # relative to /run/work
    mtime_ns: int
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Launch:
    """What is started for one run."""

    run: str
    manifest: Manifest
    jobs: int
    memory: int  # bytes
    cores: float = 1.0
    options: Mapping[str, str] = field(default_factory=dict)  # checked by wes.options
    seen: tuple[Seen, ...] = ()


class JobOf(Protocol):
    """Decides what an engine may ask its gateway for."""

    def __call__(
        self, asked: Mapping[str, Any], *, run: str, images: Mapping[str, str], files: Mapping[str, Held]
    ) -> Job:
        """Return the job that is asked for, or raise what is wrong with it."""


class Engine(Protocol):
    """An engine that runs a vetted workflow (ADR 0007).

    1. `command` holds all that a user or a workflow could set, and nothing that either wrote.
    2. `write_config` may be called at each launch; what it writes is read-only inside.
    3. `mounts` are read-only, and hold no secret; the environment is `environment` and nothing else.
    4. `job_of` refuses what is not plainly the run's own, and commands that the vetters did not sign (T18).
    5. A launch after a crash with the same `run` asks for the same jobs again.
    """

    name: str
    types: tuple[str, ...]  # workflow_type as WES clients write it; the first is ours
    version: str
    keeps_tree: bool  # whether a later launch finds its way in the tree that an earlier one left

    def write_config(self, folders: Folders, config: Mapping[str, Any], launch: Launch) -> None:
        """Write what the engine reads of its run's checked parameters."""

    def mounts(self, folders: Folders, settings: Settings) -> list[tuple[Path, str]]:
        """Return what the engine sees besides the system, its tree, the workflow and its socket."""

    def environment(self, launch: Launch) -> dict[str, str]:
        """Return the engine's variables."""

    def command(self, launch: Launch, folders: Folders) -> list[str]:
        """Return the engine's words."""

    def limits(self, launch: Launch) -> tuple[str, ...]:
        """Return how a process of the engine is limited, in prlimit's words."""

    def job_of(self, manifest: Manifest, settings: Settings, config: Mapping[str, Any]) -> JobOf:
        """Return what decides about the jobs of a workflow's engine; `config` is its run's checked parameters."""


def open_engine(name: str) -> Engine:
    """Return the engine of this name; its module loads only when a workflow names it."""
    match name:
        case "snakemake":
            from wes.engines.snakemake import Snakemake

            return Snakemake()
        case "nextflow":
            from wes.engines.nextflow import Nextflow

            return Nextflow()
        case _:
            raise BadRequest("manifest.yaml: engine.name is snakemake or nextflow.")


def walls(engine: Engine, launch: Launch, folders: Folders, settings: Settings, *, events_fd: int) -> list[str]:
    """Return bubblewrap's words round an engine."""
    seen = [*engine.mounts(folders, settings), (folders.workflow, "/run/workflow"), (folders.socket, "/run/tes.sock")]
    environment = {**engine.environment(launch), "STRONGROOM_EVENTS_FD": str(events_fd)}
    return walls_round(folders.work, seen, environment)


def walls_round(work: Path, seen: Sequence[tuple[Path, str]], environment: Mapping[str, str]) -> list[str]:
    """Return bubblewrap's words round who works in `work`, sees these read-only, and has no network."""
    words = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "engine"]
    for folder in ("usr", "lib", "lib64", "bin", "sbin"):
        if Path("/", folder).is_symlink():
            words += ["--symlink", str(Path("/", folder).readlink()), f"/{folder}"]
        elif Path("/", folder).is_dir():
            words += ["--ro-bind", f"/{folder}", f"/{folder}"]
    words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/run"]
    for folder in (HOME, "/dev/shm"):  # noqa: S108 (inside the walls)
        words += ["--size", str(SCRATCH), "--tmpfs", folder]
    for source, place in seen:
        words += ["--ro-bind", str(source), place]
    words += ["--bind", str(work), "/run/work"]
    for folder in ("/run", "/dev", "/"):  # else each is half of this host's memory to fill (T30)
        words += ["--remount-ro", folder]
    fixed = {"PATH": "/usr/bin:/bin", "HOME": HOME, "USER": "engine", "LANG": "C.UTF-8"}
    for name, value in {**fixed, **environment}.items():
        words += ["--setenv", name, value]
    return [*words, "--chdir", "/run/work"]


def launch_of(run: str, manifest: Manifest, settings: Settings) -> Launch:
    """Return what is started for a run of this workflow."""
    jobs = settings.wes.jobs or max(4, 4 * int(settings.tes.cores))
    memory = int(settings.wes.engine_memory_gb * (1 << 30))
    return Launch(run, manifest, jobs, memory, settings.tes.cores)


@dataclass
class Running:
    """A running engine: its process, and the stream of its events."""

    process: asyncio.subprocess.Process
    events: asyncio.StreamReader

    def kill(self) -> None:
        """End the engine and all that it started: its pid namespace dies with it."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def killed_by(code: int) -> str | None:
    """Return the signal that ended an engine, or its walls, with this exit code; None if it ended itself."""
    # bubblewrap says 128 + N of what it holds, and is itself -N to us who wait for it.
    number = -code if code < 0 else code - 128
    try:
        found = signal.Signals(number)
    except ValueError:
        return None
    return None if found in OWN_FAULTS else found.name


async def start(engine: Engine, launch: Launch, folders: Folders, settings: Settings, *, log: Path) -> Running:
    """Start an engine inside its walls; what it prints goes to `log`, which stays inside."""
    read_end, write_end = os.pipe()
    filter_fd = memory_file(engine_calls.program())
    words = walls(engine, launch, folders, settings, events_fd=write_end)
    bounds = engine_limits.bounds_of(settings)
    engine_limits.cut(log, bounds)
    clear_fds = [memory_file(one.content) for one in launch.seen]
    for fd, one in zip(clear_fds, launch.seen, strict=True):
        words += ["--perms", "0600", "--bind-data", str(fd), f"/run/work/{one.path}"]
    options_fd = words_to_read([*words, "--seccomp", str(filter_fd)])
    # Options by descriptor and an empty environment: /proc/1 of the engine tells nothing of the host.
    bwrap = str(bubblewrap.find_bubblewrap().path)
    # Inside, as the kernel counts in each user namespace: outside, all of this user's processes would count (T30).
    inside = [
        *limited(f"--nproc={settings.wes.engine_processes}"),
        *_dated(launch.seen),
        *engine.command(launch, folders),
    ]
    outside = limited(*engine.limits(launch), f"--fsize={bounds.largest}")
    command = [*outside, bwrap, "--args", str(options_fd), "--", *inside]
    try:
        with open(log, "ab", opener=lambda p, flags: os.open(p, flags, 0o600)) as printed:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                env={},
                pass_fds=(write_end, filter_fd, options_fd, *clear_fds),
                start_new_session=True,
            )
    finally:
        for fd in (write_end, filter_fd, options_fd, *clear_fds):
            os.close(fd)
    return Running(process, await _reader(read_end))


def limited(*limits: str) -> tuple[str, ...]:
    """Return the words before a command that limit it: no code of ours runs between fork and exec, beside threads."""
    return ("/usr/bin/prlimit", "--core=1", *limits, "--")  # of one byte: with 0 a pipe would still get the core


def _dated(seen: Sequence[Seen]) -> list[str]:
    """Return what gives these files the times of their stubs: engines compare times, and bubblewrap's are of now."""
    if not seen:
        return []
    times = [(f"@{one.mtime_ns // 10**9}.{one.mtime_ns % 10**9:09}", f"/run/work/{one.path}") for one in seen]
    return ["/bin/sh", "-c", _DATES, "sh", *(word for time in times for word in time), "--"]


def write_fresh(path: Path, text: str) -> None:
    """Put a file that an engine reads in place at once."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.chmod(0o640)
    fresh.rename(path)


async def _reader(fd: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=1 << 20)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(fd, "rb"))
    return reader

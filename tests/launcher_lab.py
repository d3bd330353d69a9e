"""Runs the launcher for real, as the first process of a namespace, with this host's programs as its image."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SOURCES = sorted((Path(__file__).parent.parent / "images" / "launcher").glob("*.c"))
WEAKER = Path(__file__).parent / "weaker_launcher.c"
UID = 65532
WITHOUT_LANDLOCK = "--unsafe-without-landlock"
DONE, WRONG_USE, OURS = 0, 64, 70
PYTHON = "/usr/bin/python3.11"


@cache
def built(*without: str) -> Path:
    """Compile the launcher with the Makefile's flags and without these walls (functions of walls.c)."""
    program = Path(_programs().name) / "-".join(("launcher", *without))
    wraps = [f"-Wl,--wrap={wall}" for wall in without]
    flags = ["-static", "-s", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, *wraps, "-o", program, *SOURCES, *([WEAKER] if without else [])], check=True)
    return program


@cache
def _programs() -> "tempfile.TemporaryDirectory[str]":
    folder = tempfile.TemporaryDirectory(prefix="strongroom-launcher-")
    Path(folder.name).chmod(0o755)
    return folder


def order(*command: str, env: Sequence[str] = ("PATH=/usr/bin:/bin",), **fields: Any) -> bytes:
    """Write an order as docs/launcher.md has it."""
    numbers = {"deadline": in_seconds(60), "log_bytes": 100_000, "file_bytes": 1 << 30, "ignore_error": 0}
    given = {"workdir": "/", **numbers, **fields}
    lines = [f"{name}={value}" for name, value in given.items() if value is not None]
    lines += [f"env={one}" for one in env] + [f"arg={one}" for one in command]
    return "".join(f"{line}\0" for line in ("strongroom order 1", *lines, "end")).encode()


def in_seconds(seconds: float) -> int:
    """Return a deadline as an order has it."""
    return time.monotonic_ns() // 1_000_000 + int(seconds * 1000)


def python(code: str) -> tuple[str, ...]:
    """A command that runs this Python."""
    return (PYTHON, "-c", code)


def shell(code: str) -> tuple[str, ...]:
    """A command that runs this in a shell."""
    return ("/bin/sh", "-c", code)


@dataclass(frozen=True)
class Ended:
    """What the launcher left: its own exit code, `ended` by line, the captured streams."""

    code: int
    lines: dict[str, str]
    stdout: str
    stderr: str


class Room:
    """The volumes of one task's pod in memory, a folder on a disk, and the log of its containers."""

    def __init__(self) -> None:
        self.memory = Path(tempfile.mkdtemp(prefix="strongroom-launcher-", dir="/dev/shm"))
        self.disk = Path(tempfile.mkdtemp(prefix="strongroom-launcher-", dir="/var/tmp"))
        for folder in (self.memory, self.disk):
            folder.chmod(0o755)
            os.chown(folder, UID, UID)
        self.work = self.folder("work")
        self.log = self.disk / "container.log"
        self.log.touch(mode=0o666)
        self.log.chmod(0o666)  # as the kubelet's file for a termination message is
        self._running: list[subprocess.Popen[bytes]] = []

    def close(self) -> None:
        """End what still runs, and remove everything."""
        for process in self._running:
            process.kill()
            process.wait()
        for folder in (self.memory, self.disk):
            shutil.rmtree(folder)

    def folder(self, name: str) -> Path:
        """Make a folder in memory, and return it; a second call finds it."""
        path = self.memory / name
        path.mkdir(exist_ok=True)
        os.chown(path, UID, UID)
        return path

    def start(
        self,
        name: str,
        *,
        launcher: Path | None = None,
        options: Sequence[str] = (),
        volumes: Sequence[Path] = (),
        seconds: int = 60,
    ) -> subprocess.Popen[bytes]:
        """Start a launcher as a container does; it waits for its order in the folder of this name."""
        apart = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
        as_nobody = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--bounding-set=-all"]
        words = [*options, str(seconds), str(self.folder(name)), *map(str, volumes or [self.work])]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*apart, *as_nobody, "--no-new-privs", str(launcher or built()), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"STRONGROOM_SECRET": "of the pod", "PATH": os.environ["PATH"]},
            )
        self._running.append(process)
        return process

    def give(self, name: str, content: bytes) -> None:
        """Give an order, whole at once."""
        part = self.folder(name) / "order.part"
        part.write_bytes(content)
        part.chmod(0o644)
        part.rename(self.folder(name) / "order")

    def signal(self, process: "subprocess.Popen[bytes]", number: int) -> None:
        """Send a signal to the launcher from outside its namespace, once it is there."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not (found := children.read_text().split()) or not self._listens(found[0], number):
            time.sleep(0.01)
        os.kill(int(found[0]), number)

    @staticmethod
    def _listens(pid: str, number: int) -> bool:
        status = Path(f"/proc/{pid}/status").read_text()
        if not status.startswith("Name:\tlauncher"):
            return False  # unshare(1) blocks signals for a moment too, and then forgets them
        blocked = next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
        return bool(int(blocked, 16) >> (number - 1) & 1)

    def ended(self, name: str, process: subprocess.Popen[bytes]) -> Ended:
        """Wait for the end of a launcher."""
        code = process.wait(timeout=120)
        files = {key: self._text(name, key) for key in ("ended", "stdout", "stderr")}
        lines = dict(line.split("=", 1) for line in files["ended"].splitlines()[:-1])
        return Ended(code, lines, files["stdout"], files["stderr"])

    def run(self, *command: str, launcher: Path | None = None, options: Sequence[str] = (), **fields: Any) -> Ended:
        """Run one executor to its end."""
        name = f"control-{len(self._running)}"
        process = self.start(name, launcher=launcher, options=options)
        self.give(name, order(*command, **fields))
        return self.ended(name, process)

    def _text(self, name: str, file: str) -> str:
        path = self.folder(name) / file
        return path.read_text() if path.exists() else ""

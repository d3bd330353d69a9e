"""Measures from start to exit: a task of nothing in the full walls against bare bubblewrap, and 200 at once."""

import base64
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import Figure, against, take_turns
from sandbox import crypt4gh, wire
from sandbox.bubblewrap import find_bubblewrap
from sandbox.zygote import start

ROUNDS = 60
MANY = 200
MIB = 1 << 20
RUNTIMES = ("runc", "crun")
STAGED = (64 << 10, 1 << 20, 4 << 20, 16 << 20)


class Walls:
    """A warm zygote, a tiny image and a key pair."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.image, self.zygote = folder, folder / "image", start()
        for name in ("bin", "run", "tmp", "proc", "dev"):
            (self.image / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", self.image / "bin" / "busybox")
        for name in ("true", "sh", "sleep", "cat"):
            (self.image / "bin" / name).symlink_to("busybox")
        (folder / "bodies").mkdir()
        secret = crypt4gh.new_private_key()
        self.public_key = crypt4gh.public_key_of(secret)
        (folder / "key").write_text(secret.hex())
        (folder / "key").chmod(0o600)

    def given(self, size: int) -> dict[str, Any]:
        """Return an input of so many bytes."""
        file, plain = self.folder / f"{size}.c4gh", self.folder / "plain"
        plain.write_bytes(os.urandom(size))
        with open(plain, "rb", buffering=0) as source, open(file, "wb") as body:
            body.seek(crypt4gh.HEADER_LENGTH)
            sealed = crypt4gh.seal_stream(source.readinto, body.write, self.public_key)
            body.seek(0)
            body.write(sealed.header)
        plain.unlink()
        return {"path": "/run/work/in", "file": str(file), "mtime": 0}

    def spec(self, *command: str, inputs: Sequence[dict[str, Any]] = (), uid: int = 100_777, stage: int = 0) -> bytes:
        """Return a spec of one command."""
        memory = {"memory_bytes": 64 * MIB, "scratch_bytes": 16 * MIB, "output_bytes": MIB, "log_bytes": MIB}
        numbers = {"cpu_cores": 2, "pids": 64, "wall_seconds": 100, "output_files": 10, "stage_bytes": stage}
        streams = {"stdin": None, "stdout": None, "stderr": None}
        spec = {
            "version": 1,
            "kind": "task",
            "attempt": os.urandom(8).hex(),
            "rootfs": str(self.image),
            "uid": uid,
            "inputs": list(inputs),
            "outputs": [],
            "code_mounts": [],
            "executors": [{"command": list(command), "workdir": "/run/work", "env": {}, **streams}],
            "limits": {**memory, **numbers},
            "bodies": str(self.folder / "bodies"),
            "answer": None,
            "keys": {
                "type": "key_file",
                "private_key": str(self.folder / "key"),
                "recipient": base64.b64encode(self.public_key).decode(),
            },
        }
        return json.dumps(spec).encode()

    def once(self, *command: str, inputs: Sequence[dict[str, Any]] = (), stage: int = 0) -> float:
        """Return the milliseconds of one attempt, from its spec to its result."""
        return self.run(self.spec(*command, inputs=inputs, stage=stage))

    def run(self, raw: bytes) -> float:
        """Return the milliseconds of one attempt, from its spec to its result."""
        began = time.perf_counter()
        _, channel = self.zygote.launch(raw)
        with channel:
            message = until(channel, "result")
        if message["cause"] != "exited":
            raise SystemExit(f"A task did not run: {message['reason']}")
        return 1000 * (time.perf_counter() - began)


def until(channel: socket.socket, kind: str) -> dict[str, Any]:
    """Return the next message of this kind."""
    channel.settimeout(60)
    while (message := wire.recv(channel)) is not None:
        if message["type"] == kind:
            return message
        if message["type"] == "result":
            raise SystemExit(f"A task did not run: {message['reason']}")
    raise SystemExit("A supervisor died.")


def measure(folder: Path) -> list[Figure]:
    """Start tasks below `folder`."""
    walls = Walls(folder)
    try:
        return [*_true(walls), *_staged(walls), *_many(walls)]
    finally:
        walls.zygote.close()


def _true(walls: Walls) -> list[Figure]:
    rivals: dict[str, Callable[[], float]] = {
        "ours": lambda: walls.run(walls.spec("/bin/true")),
        "bwrap": lambda: _spawned(_bubblewrap(walls.image)),
    }
    for name in RUNTIMES:
        if shutil.which(name) and (command := _runtime(name, walls)) is not None:
            rivals[name] = partial(_spawned, command)
    medians = take_turns(rivals, ROUNDS)
    aims = {"bwrap": "≤ 3"}
    others = [name for name in rivals if name != "ours"]
    return [against(f"`true`, warm : {o}", medians, ("ours", o), unit="ms", aim=aims.get(o, "< 1")) for o in others]


def _bubblewrap(image: Path) -> list[str]:
    program = str(find_bubblewrap().path)
    mounts = ["--ro-bind", str(image), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108
    return [program, "--unshare-all", "--die-with-parent", "--new-session", *mounts, "--", "/bin/true"]


def _spawned(command: list[str]) -> float:
    began = time.perf_counter()
    _, status = os.waitpid(os.posix_spawnp(command[0], command, os.environ), 0)
    if status:
        raise SystemExit(f"{command[0]} failed.")
    return 1000 * (time.perf_counter() - began)


def _runtime(name: str, walls: Walls) -> list[str] | None:
    """Return the command that runs `true` in this runtime, or None when it refuses this host."""
    bundle = walls.folder / name
    bundle.mkdir()
    subprocess.run([name, "spec"], cwd=bundle, check=True)
    config = json.loads((bundle / "config.json").read_text())
    config["process"] |= {"args": ["/bin/true"], "terminal": False}
    config["root"] = {"path": str(walls.image), "readonly": True}
    (bundle / "config.json").write_text(json.dumps(config))
    command = [name, "run", "--bundle", str(bundle), f"bench-{os.getpid()}"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    return command if done.returncode == 0 else None


def _staged(walls: Walls) -> list[Figure]:
    """Compare one input read whole by `cat`: laid into memory first, or served as it is read."""
    figures, read = [], ("/bin/sh", "-c", "cat in > /dev/null")
    for size in STAGED:
        given = [walls.given(size)]
        rivals = {
            "staged": partial(walls.once, *read, inputs=given, stage=size),
            "viewed": partial(walls.once, *read, inputs=given),
        }
        name = f"input of {size >> 10} KiB, staged : viewed"
        figures.append(against(name, take_turns(rivals, 15), ("staged", "viewed"), unit="ms"))
    return figures


def _many(walls: Walls) -> list[Figure]:
    given = [walls.given(200_000)]
    before = _meminfo("MemAvailable")
    began = time.perf_counter()
    script = ("/bin/sh", "-c", "cat in > /dev/null; sleep 90")
    running = [walls.zygote.launch(walls.spec(*script, inputs=given, uid=200_000 + n)) for n in range(MANY)]
    for _, channel in running:
        until(channel, "started")
    up = time.perf_counter() - began
    time.sleep(1)
    own = sorted(_private(pid) for pid, _ in running)[MANY // 2]
    used = (before - _meminfo("MemAvailable")) / MANY
    for _, channel in running:
        wire.send(channel, {"type": "cancel"})
    causes = [until(channel, "result")["cause"] for _, channel in running]
    for _, channel in running:
        channel.close()
    if causes != ["canceled"] * MANY:
        raise SystemExit("Not all sandboxes lived at once.")
    all_of_it, name = used * MANY, f"memory of {MANY} at once"
    return [
        Figure("a supervisor's own memory : 40 MiB", own / MIB, 40, "MiB", own / (40 * MIB), "≤ 1"),
        Figure(f"{name} : 24 GiB", all_of_it / MIB, 24 * 1024, "MiB", all_of_it / (24 << 30), "≤ 1"),
        Figure(f"{MANY} at once, start of each : 1 s", up / MANY, 1, "s", up / MANY),
    ]


def _private(pid: int) -> int:
    """Return the bytes that this process alone holds."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Private_"))


def _meminfo(name: str) -> int:
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(facts[name].split()[0]) << 10

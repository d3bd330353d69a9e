"""A room for engine tests: a workflow, the tree of stubs, the plaintext tree of tasks, and their gateway."""

import json
import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine_gateway import EngineGateway

from strongroom.settings import Settings

REPO = Path(__file__).parents[3]
PYTHON = Settings().wes.snakemake / "bin/python"
FLAGS = [
    *("--executor", "strongroom", "--logger", "strongroom", "--scheduler", "greedy", "--jobs", "2", "--cores", "4"),
    *("--profile", "none", "--workflow-profile", "none", "--rerun-incomplete", "--rerun-triggers", "mtime"),
    *("--nolock", "--latency-wait", "0", "--nocolor", "--max-jobs-per-timespan", "1000/0s"),
]


@dataclass(frozen=True)
class Outcome:
    code: int
    text: str
    events: list[dict[str, Any]]
    seconds: float


@dataclass(frozen=True)
class Room:
    """A workflow's folder, the engine's tree of stubs, the tasks' plaintext tree, and their gateway."""

    flow: Path
    view: Path
    plain: Path
    socket: Path
    gateway: EngineGateway
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def give(self, name: str, text: str) -> None:
        for tree, content in ((self.plain, text.encode()), (self.view, bytes(len(text.encode())))):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(content)

    def start(self, snakefile: str, *flags: str, entry: str = "Snakefile") -> tuple[subprocess.Popen[str], int]:
        (self.flow / entry).parent.mkdir(exist_ok=True)
        (self.flow / entry).write_text('container: "genomics"\n' + snakefile)
        reading, writing = os.pipe()
        command = [str(PYTHON), "-m", "strongroom_engine", "-s", str(self.flow / entry), "-d", str(self.view)]
        process = subprocess.Popen(
            [*command, "--strongroom-socket", str(self.socket), *FLAGS, *flags],
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.view),
                "USER": "engine",
                "PYTHONPATH": str(REPO / "engines/snakemake"),
                "PYTHONSAFEPATH": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
                "STRONGROOM_EVENTS_FD": str(writing),
            },
            pass_fds=(writing,),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        os.close(writing)
        self.processes.append(process)
        return process, reading

    def run(self, snakefile: str, *flags: str, entry: str = "Snakefile") -> Outcome:
        started = time.monotonic()
        process, reading = self.start(snakefile, *flags, entry=entry)
        events: list[dict[str, Any]] = []
        with open(reading) as lines:
            listener = threading.Thread(target=lambda: events.extend(json.loads(line) for line in lines))
            listener.start()
            text, _ = process.communicate(timeout=120)
            listener.join()
        return Outcome(process.returncode, text, events, time.monotonic() - started)

"""Measures reads through the decrypted view against pyfuse3 and against decrypting whole into memory first."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import environment
from bench.ciphers import Work
from bench.measure import Figure, against, take_turns
from sandbox.crypt4gh import BATCH, SEGMENT, Reader
from sandbox.inputs import buffers
from strongroom.settings import SOURCE

ROUNDS = 3
MB = 1e6


def measure(folder: Path) -> list[Figure]:
    """Serve a file of `folder`, which is memory; each round mounts afresh."""
    work = Work(folder)
    (folder / "inputs").mkdir()
    python = environment.python()
    rivals: dict[str, Callable[[], float]] = {}
    for kind in ("sequential", "random"):
        rivals[f"ours {kind}"] = partial(_served, work, [sys.executable, "-m", "bench.view"], kind)
        rivals[f"pyfuse3 {kind}"] = partial(_served, work, [python, "-m", "bench.pyfuse3_view"], kind)
        rivals[f"memory {kind}"] = partial(_decrypted_first, work, kind)
    speeds = take_turns(rivals, ROUNDS)
    figures = []
    for kind, unit in (("sequential", "MB/cpu-s"), ("random", "4 KiB reads/cpu-s")):
        ours = f"ours {kind}"
        aim = "≥ 700 MB/cpu-s" if kind == "sequential" else ""
        figures.append(against(f"view, {kind} : pyfuse3", speeds, (ours, f"pyfuse3 {kind}"), unit=unit, aim=aim))
        figures.append(against(f"view, {kind} : decrypt to tmpfs", speeds, (ours, f"memory {kind}"), unit=unit))
    return figures


def _served(work: Work, command: list[str], kind: str) -> float:
    # unshare(1): the mount is in a namespace of its own, and dies with it.
    words = [*command, str(work.body), str(work.size), work.data_key.hex(), str(work.folder)]
    server = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "--", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=SOURCE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        if server.stdout.readline() != "ready\n":
            raise SystemExit(f"{command[-1]} does not serve.")
        enter = ["nsenter", f"--mount=/proc/{server.pid}/ns/mnt", "--"]
        spent = _read([*enter, sys.executable], kind, f"{work.folder}/inputs/file")
        server.stdin.write("\n")
        server.stdin.flush()
        return _speed(spent, kind, spent["cpu"] + float(server.stdout.readline()))
    finally:
        server.kill()
        server.wait()
        server.stdin.close()
        server.stdout.close()


def _decrypted_first(work: Work, kind: str) -> float:
    reader, (scratch, target) = Reader(work.data_key, work.size), buffers(BATCH)
    plain = work.folder / "decrypted"
    began = time.process_time()
    source = os.open(work.body, os.O_RDONLY)
    with open(plain, "wb", buffering=0) as file:
        for first in range(0, work.size // SEGMENT, BATCH):
            got = reader.read_into(source, first, count=BATCH, scratch=scratch, target=target)
            file.write(target[:got])
    os.close(source)
    used = time.process_time() - began
    spent = _read([sys.executable], kind, str(plain))
    plain.unlink()
    return _speed(spent, kind, spent["cpu"] + used)


def _read(start: list[str], kind: str, path: str) -> dict[str, float]:
    command = [*start, str(Path(__file__).parent / "client.py"), kind, path]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return dict(json.loads(done.stdout))


def _speed(spent: dict[str, float], kind: str, cpu: float) -> float:
    return (spent["size"] / MB if kind == "sequential" else spent["reads"]) / cpu

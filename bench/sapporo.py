"""Starts sapporo, a WES that many sites run, with a runner that does nothing: ours is measured beside it."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from bench import environment
from demo.stage import free_port

# What sapporo asks of a runner: the state, the exit code and the end of a run, in files of its folder.
_RUNNER = """#!/bin/sh
cd "$1" || exit 1
echo COMPLETE > state.txt
echo 0 > exit_code.txt
date -u +%Y-%m-%dT%H:%M:%SZ > end_time.txt
"""
FORM = {
    "workflow_url": "https://workflows.example/Snakefile",
    "workflow_type": "SMK",
    "workflow_type_version": "1.0",
    "workflow_engine": "snakemake",
    "workflow_params": "{}",
    "tags": "{}",
}


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """Yield the base of its WES API; its runs lie below `folder`."""
    runs, runner, port = folder / "sapporo", folder / "run.sh", free_port()
    runs.mkdir()
    runner.write_text(_RUNNER)
    runner.chmod(0o755)
    program = str(Path(environment.python()).parent / "sapporo")
    words = ["--host", "127.0.0.1", "--port", str(port), "--run-dir", str(runs), "--run-sh", str(runner)]
    with open(folder / "sapporo.log", "wb") as said:
        process = subprocess.Popen([program, *words], stdout=said, stderr=said)
    base = f"http://127.0.0.1:{port}"
    try:
        _wait(base, process)
        yield base
    finally:
        process.terminate()
        process.wait(30)


def _wait(base: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"{base}/service-info").raise_for_status()
            return
        time.sleep(0.2)
    raise SystemExit("sapporo does not start; see sapporo.log in the folder of this benchmark")

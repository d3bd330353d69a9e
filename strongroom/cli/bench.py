"""`strongroom bench`: measures the price of the walls on this machine."""

import os
import subprocess
import sys

import typer

from strongroom.errors import NotFound
from strongroom.settings import SOURCE


def bench() -> None:
    """Measure sandbox, tasks and clusters against bare tools, and a hundred tiny jobs against bare Snakemake."""
    codes = [start("bench.costs"), start("demo.bench")]
    raise typer.Exit(max(codes))


def play(name: str, *words: str) -> None:
    """Run one of the demo's programs and end as it ends."""
    raise typer.Exit(start(f"demo.{name}", *words))


def start(module: str, *words: str) -> int:
    """Run a program that lives beside the source, in a process of its own; return its exit code."""
    if not (SOURCE / f"{module.replace('.', '/')}.py").exists():
        raise NotFound("This needs a checkout of Strongroom's source, because its data and images are made there.")
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=SOURCE, env=_environment(), check=False).returncode


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONSAFEPATH": "1"}

"""`strongroom bench`: measures the price of the walls on this machine."""

import os
import subprocess
import sys

import typer

from strongroom.errors import NotFound
from strongroom.settings import SOURCE


def bench() -> None:
    """Run a hundred tiny jobs through the whole of Strongroom and through bare Snakemake, in turns."""
    play("bench")


def play(name: str, *words: str) -> None:
    """Run one of the programs that live beside the source, in a process of its own."""
    if not (SOURCE / "demo" / f"{name}.py").exists():
        raise NotFound("This needs a checkout of Strongroom's source, because its data and images are made there.")
    code = subprocess.run([sys.executable, "-m", f"demo.{name}", *words], cwd=SOURCE, env=_environment(), check=False)
    raise typer.Exit(code.returncode)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONSAFEPATH": "1"}

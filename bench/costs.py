"""Prints what walls, keys and clusters cost: ratios, medians of one run on this machine; JSON on standard output."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import ciphers, engines, pods, runs, slurm, starts, tes, views
from bench.measure import Figure

MEMORY = "/dev/shm"  # noqa: S108 - files of random bytes, in memory so that no disk is measured
PARTS: tuple[tuple[str, Callable[[Path], list[Figure]], str | None], ...] = (
    ("start to exit", starts.measure, None),
    ("ciphers", ciphers.measure, MEMORY),
    ("decrypted view", views.measure, MEMORY),
    ("tasks", tes.measure, None),
    ("runs", runs.measure, None),
    ("nextflow", engines.measure, None),
    ("slurm", slurm.measure, None),
    ("kubernetes", pods.measure, None),
)
console = Console(stderr=True, width=110)


def main() -> None:
    """Measure all parts, or those that are named."""
    figures = []
    for name, measure, below in PARTS:
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        console.print(f"measuring: {name}")
        folder = Path(tempfile.mkdtemp(prefix="bench-", dir=below))
        folder.chmod(0o755)
        try:
            figures += measure(folder)
        finally:
            shutil.rmtree(folder)
    table = Table(title="medians of one run", box=None)
    for name in ("ours : other", "ours", "other", "unit", "ratio", "aim"):
        table.add_column(name, no_wrap=True)
    for one in figures:
        table.add_row(one.name, f"{one.ours:,.4g}", f"{one.other:,.4g}", one.unit, f"{one.ratio:.2f}", one.aim)
    console.print(table)
    load, cores = os.getloadavg()[0], os.cpu_count()
    console.print(f"load {load:.1f} on {cores} cores; with more load than cores, only figures a CPU second say much")
    json.dump({"figures": [asdict(one) for one in figures], "load": load, "cores": cores}, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

"""Measures the price of the walls: a hundred tiny jobs through the whole of Strongroom against bare Snakemake."""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from demo.people import genomics_image
from demo.stage import Stage, fresh_home
from strongroom.cli.run import TERMINAL, WES, send
from strongroom.projects import Role
from strongroom.settings import SOURCE

ROUNDS = 3
JOBS = 100
FOLDER = Path(__file__).parent / "tiny" / "1.0.0"
console = Console(stderr=True)


def main() -> None:
    """Take turns, so that both meet the same machine; print medians and the ratio."""
    ours, bare = [], []
    with Stage(fresh_home("bench")) as stage:
        stage.import_image("genomics", genomics_image())
        stage.vet(FOLDER, "vera", "viktor")
        token = stage.token("ruth", Role.RESEARCHER, "bench")
        for n in range(ROUNDS + 1):
            one, other = through_strongroom(stage, token), through_bare_snakemake(stage)
            if n:  # the first round warms caches
                ours.append(one)
                bare.append(other)
            console.print(f"round {n}: Strongroom {one:.2f} s, bare snakemake -j2 {other:.2f} s")
    ratios = [a / b for a, b in zip(ours, bare, strict=True)]
    table = Table("", "median s", "ms a job")
    for name, times in (("Strongroom, full walls", ours), ("bare snakemake -j2", bare)):
        table.add_row(name, f"{statistics.median(times):.2f}", f"{1000 * statistics.median(times) / JOBS:.0f}")
    console.print(table)
    console.print(f"ratio, median of pairs: {statistics.median(ratios):.2f}")
    json.dump({"jobs": JOBS, "strongroom": ours, "bare": bare, "ratio": statistics.median(ratios)}, sys.stdout)
    sys.stdout.write("\n")


def through_strongroom(stage: Stage, token: str, url: str = "tiny/1.0.0", *, engine: str = "snakemake") -> float:
    """Return the seconds from POST /runs to COMPLETE."""
    with stage.client(token) as client:
        begun = time.monotonic()
        run = send(client, url, "bench", {"inputs": {}, "jobs": JOBS}, engine=engine)
        while (state := client.get(f"{WES}/runs/{run}/status")["state"]) not in TERMINAL:
            time.sleep(0.1)
        spent = time.monotonic() - begun
    if state != "COMPLETE":
        raise SystemExit(f"the run ended as {state}; see {stage.home}/runs/{run}/engine.log")
    return spent


def through_bare_snakemake(stage: Stage) -> float:
    """Return the seconds that the same workflow takes with nothing round it."""
    folder = Path(tempfile.mkdtemp())
    python = stage.settings.wes.snakemake / "bin" / "python"
    words = ["-m", "snakemake", "-s", str(FOLDER / "Snakefile"), "-d", str(folder), "-j", "2", "--quiet"]
    begun = time.monotonic()
    subprocess.run(
        [python, *words, "--config", f"jobs={JOBS}"], check=True, capture_output=True, cwd=SOURCE, timeout=600
    )
    spent = time.monotonic() - begun
    shutil.rmtree(folder)
    return spent


if __name__ == "__main__":
    main()

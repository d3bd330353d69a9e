"""Measures five hundred `true` tasks on a real SLURM through the whole of Strongroom, against bare jobs."""

import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.measure import Figure, against, take_turns
from bench.tes import AT_ONCE, TINY, TRUE_TASKS, Client
from demo.people import genomics_image
from demo.stage import Stage
from strongroom.projects import Role
from strongroom.settings import SOURCE

PROJECT = "bench"
ROUNDS = 3
SMALL = {"TES__LOG_BYTES": "65536", "TES__TASK_MEMORY_GB": "0.03", "TES__SCRATCH_GB": "0.03"}


def measure(_folder: Path) -> list[Figure]:
    """Start a cluster of the tests' and return seconds for all, with bare sbatch beside them."""
    sys.path.append(str(SOURCE / "tests"))
    from services.slurm import Slurm
    from slurm_site import environment, start_agents

    home = Path(tempfile.mkdtemp(prefix="strongroom-"))
    with Slurm() as cluster:
        told = environment(cluster, project=PROJECT) | {f"STRONGROOM_{name}": value for name, value in SMALL.items()}
        try:
            with Stage(home, environment=told) as stage:
                stage.import_image("genomics", genomics_image())
                stage.token("ruth", Role.RESEARCHER, PROJECT)
                stage.vet(TINY, "vera", "viktor")
                start_agents(stage, cluster)
                client = Client(stage)
                client.create(AT_ONCE)
                client.all_ended()
                medians = take_turns({"ours": client.five_hundred, "bare": lambda: _bare(cluster.env())}, ROUNDS)
        finally:
            cluster.stop_agents()
            shutil.rmtree(home, ignore_errors=True)
    return [
        against(f"{TRUE_TASKS} true tasks on SLURM : bare sbatch", medians, ("ours", "bare"), unit="s", aim="<= 1.25")
    ]


def _bare(env: dict[str, str]) -> float:
    """Return the seconds from the first sbatch, four at a time as ours, to the end of the last job."""
    argv = [
        "sbatch",
        "--parsable",
        "--mem=62M",
        "-J",
        "bare",
        "-o",
        "/dev/null",
        "-D",
        "/",
        "--wrap",
        "exec /bin/true",
    ]
    begun = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: _run(argv, env), range(TRUE_TASKS)))
    while _run(["squeue", "--noheader", "--name=bare", "--format=%i"], env):
        time.sleep(0.1)
    return time.monotonic() - begun


def _run(argv: list[str], env: dict[str, str]) -> str:
    return subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout.strip()

"""Measures a hundred tiny tasks of Nextflow through the whole of Strongroom against Nextflow's own local executor."""

import tempfile
import time
from pathlib import Path

from bench.measure import Figure, against, take_turns
from demo import bare
from demo.bench import JOBS, through_strongroom
from demo.people import genomics_image
from demo.stage import Stage, fresh_home
from strongroom.projects import Role
from strongroom.settings import SOURCE

FOLDER = SOURCE / "demo" / "tiny-nf" / "1.0.0"
ROUNDS = 3


def measure(folder: Path) -> list[Figure]:
    """Let both take turns, so that they meet the same machine; a hundred tiny rules of Snakemake: `demo.bench`."""
    with Stage(fresh_home("bench-nextflow")) as stage:
        stage.import_image("genomics", genomics_image())
        url = stage.vet(FOLDER, "vera", "viktor")
        token = stage.token("ruth", Role.RESEARCHER, "bench")
        rivals = {
            "ours": lambda: through_strongroom(stage, token, url, engine="nextflow"),
            "local": lambda: _local(folder),
        }
        medians = take_turns(rivals, ROUNDS)
    name = f"{JOBS} tiny tasks, POST to COMPLETE : Nextflow, local"
    return [against(name, medians, ("ours", "local"), unit="s", aim="<= 1.2")]


def _local(folder: Path) -> float:
    work = Path(tempfile.mkdtemp(dir=folder))
    bare.rootfs("genomics")  # unpacked once; that is not what is measured
    begun = time.monotonic()
    bare.nextflow(FOLDER, "main.nf", work, {"inputs": {}, "jobs": JOBS})
    return time.monotonic() - begun

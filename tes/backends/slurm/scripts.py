"""Writes the job of one attempt: what SLURM is told, and a script that becomes the stub."""

import math
import shlex
from collections.abc import Mapping
from typing import Any, Final

from strongroom.clusters import Slurm
from tes.backends import Launch
from tes.backends.slurm.client import Job
from tes.backends.slurm.options import Options, options

PREFIX: Final = "tes-"
MARGIN: Final = 2  # minutes beyond the task's own: walls go up, inputs are checked, outputs are sealed
LEAST_MB: Final = 16
DEFAULT: Final = "#!/bin/sh\n"


def name_of(attempt: str) -> str:
    """Return the name of an attempt's job."""
    return PREFIX + attempt


def job(launch: Launch, *, user: str, site: Slurm) -> Job:
    """Return the job of this attempt; raises `ValueError` or `OSError` for a template that is none."""
    wishes, _ = options(launch.plan.get("backend_parameters", {}), site.options)
    return Job(
        name=name_of(launch.attempt),
        user=user,
        script=_script(launch.attempt, site),
        cpus=max(1, math.ceil(launch.plan["cores"])),
        memory_mb=max(LEAST_MB, math.ceil(_memory(launch.plan) / (1 << 20))),
        options=_within(wishes, math.ceil(launch.plan["seconds"] / 60) + MARGIN, carries=site.carry_minutes),
        comment=f"attempt {launch.attempt}",
    )


def _script(attempt: str, site: Slurm) -> str:
    start = site.template.read_text() if site.template else DEFAULT
    # `exec`: a shell between slurmstepd and the stub would outlive its own death, and the task with it.
    words = shlex.join([str(site.joiner), str(site.agent / "join.sock"), attempt])
    return f"{start.rstrip()}\nexec {words}\n"


def _memory(plan: Mapping[str, Any]) -> int:
    """Return bytes: scratch is memory unless it lies on an encrypted disk."""
    return int(plan["memory"]) + (0 if plan.get("scratch_on_disk") else int(plan["scratch"]))


def _within(wishes: Options, minutes: int, *, carries: int) -> Options:
    """Return the wishes with a time limit: the task's and what its job carries; less if it asked for less."""
    if wishes.minutes is not None:
        return Options(**{**vars(wishes), "minutes": min(minutes, wishes.minutes)})
    return Options(**{**vars(wishes), "minutes": minutes + carries})

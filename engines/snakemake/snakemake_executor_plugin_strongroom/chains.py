"""Leads the jobs of a group one level after the other: each is a task of its own, with its own rule and image."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from snakemake.io import is_flagged

from snakemake_executor_plugin_strongroom.paths import absolute

if TYPE_CHECKING:
    from snakemake.jobs import GroupJob, Job
    from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo


class Chain:
    """What of a group is still to be done; the scheduler hears of the group as one job."""

    def __init__(self, info: "SubmittedJobInfo", group: "GroupJob") -> None:
        self.info = info
        self._levels: list[list[Job]] = [list(level) for level in group.toposorted]
        self._out: set[Job] = set()
        self._failed = False
        self._lock = threading.Lock()

    def next(self) -> "list[Job]":
        """Take the next level that has jobs with a body."""
        with self._lock:
            while self._levels and not self._failed:
                self._out = {job for job in self._levels.pop(0) if not job.is_norun}
                if self._out:
                    return sorted(self._out, key=lambda job: job.jobid)
            return []

    def ended(self, job: "Job") -> bool:
        """Note that a job is done; say whether its level is."""
        make_touched(job)
        with self._lock:
            self._out.discard(job)
            return not self._out and not self._failed

    def fail(self) -> bool:
        """Note that a job failed; say whether it is the group's first."""
        with self._lock:
            first, self._failed = not self._failed, True
            return first

    def is_done(self) -> bool:
        """Say whether all levels are behind us."""
        with self._lock:
            return not self._levels and not self._out and not self._failed


@dataclass(frozen=True, eq=False)
class Part:
    """One job of a group."""

    chain: Chain
    job: "Job" = field(repr=False)


def make_ready(job: "Job") -> None:
    """Make the folders of a job's files, as Snakemake does for jobs that are no group's."""
    _make_folders([*job.output, *job.log, *([job.benchmark] if job.benchmark else [])])


def make_touched(job: "Job") -> None:
    """Make the touch() outputs of a job: Snakemake does it at the end of the whole group only."""
    for file in job.output:
        if is_flagged(file, "touch"):
            path = absolute(file)
            if is_flagged(file, "directory"):
                path.mkdir(parents=True, exist_ok=True)
                path /= ".snakemake_timestamp"
            path.touch()


def _make_folders(files: Iterable[str]) -> None:
    for file in files:
        absolute(file).parent.mkdir(parents=True, exist_ok=True)

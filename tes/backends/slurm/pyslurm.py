"""Reads the states of jobs through the site's own pyslurm, and leaves the rest to SLURM's commands."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tes.backends.slurm.cli import Cli
from tes.backends.slurm.client import Job, JobState, SlurmUnavailable, unavailable


@dataclass(frozen=True)
class PySlurm:
    """A `SlurmClient` that asks libslurm in this process for states, and `driver` for all else."""

    driver: Cli

    def __post_init__(self) -> None:
        """Refuse to start with a pyslurm that is missing or of another SLURM."""
        _check_fits(self.driver.version())

    def submit(self, job: Job) -> int:
        """Leave it to the driver."""
        return self.driver.submit(job)

    def find(self, users: Mapping[str, str], *, since: datetime) -> list[JobState]:
        """Leave it to the driver."""
        return self.driver.find(users, since=since)

    def states(self, ids: Collection[int]) -> dict[int, JobState]:
        """Load slurmctld's jobs once, and ask the driver about those that it has forgotten."""
        import pyslurm

        try:
            loaded = pyslurm.Jobs.load()
            known = ((job_id, loaded.get(job_id)) for job_id in ids)
            found = {job_id: _state(job) for job_id, job in known if job is not None}
        except pyslurm.RPCError as error:
            raise unavailable(f"pyslurm: {error}") from error
        forgotten = set(ids) - set(found)
        return {**found, **self.driver.states(forgotten)} if forgotten else found

    def cancel(self, job_id: int, *, user: str) -> None:
        """Leave it to the driver."""
        self.driver.cancel(job_id, user=user)

    def ping(self) -> None:
        """Leave it to the driver."""
        self.driver.ping()


def _check_fits(version: str) -> None:
    cure = f"install pyslurm {version}.*, built on this host against its own SLURM, or leave it out"
    try:
        import pyslurm
    except ImportError as error:
        raise SlurmUnavailable(f"pyslurm cannot be loaded: {cure}.", detail=str(error)) from error
    major, minor = (int(part) for part in str(pyslurm.__version__).split(".")[:2])
    if f"{major}.{minor}" != version:
        raise SlurmUnavailable(f"pyslurm {major}.{minor} is not for SLURM {version}: {cure}.")


def _state(job: Any) -> JobState:
    return JobState(
        id=int(job.id),
        name=str(job.name or ""),
        state=str(job.state),
        reason=str(job.state_reason or "None"),
        exit_code=job.exit_code,
        signal=int(job.exit_code_signal or 0),
        nodes=str(job.allocated_nodes or ""),
        user=str(job.user_name or ""),
    )

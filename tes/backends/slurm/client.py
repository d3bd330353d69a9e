"""The contract of a SLURM driver: what is asked of a cluster, and how its silence differs from its no."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from strongroom.errors import StrongroomError, Unavailable
from tes.backends.slurm.options import Options

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
COMMENT: Final = re.compile(r"[A-Za-z0-9 .:_-]{0,100}")
# Batch systems read options out of a script's comments; ours come from `Options` alone.
DIRECTIVE: Final = re.compile(r"^#\s*(SBATCH|PBS|BSUB)", re.MULTILINE)


class SlurmUnavailable(Unavailable):
    """SLURM did not answer: nothing is known, a job may or may not be in; ask again later (503)."""


class SlurmRefused(StrongroomError):
    """SLURM answered, and the answer is no: asking again changes nothing (400)."""


@dataclass(frozen=True)
class Job:
    """One batch job on one node: never requeued, one of a name and user at a time, its output thrown away."""

    name: str
    user: str
    script: str
    cpus: int
    memory_mb: int
    options: Options = field(default_factory=Options)
    comment: str = ""

    def __post_init__(self) -> None:
        """Refuse what SLURM or its commands could read as something else."""
        if not (NAME.fullmatch(self.name) and USER.fullmatch(self.user) and COMMENT.fullmatch(self.comment)):
            raise ValueError("a job's name, user or comment has characters that it may not have")
        if not self.script.startswith("#!/") or "\0" in self.script or DIRECTIVE.search(self.script):
            raise ValueError("a job's script starts with #!/ and holds no options of a batch system")
        if self.cpus < 1 or self.memory_mb < 1:
            raise ValueError("a job needs a core and some memory")


@dataclass(frozen=True)
class JobState:
    """What SLURM says of a job, in its own words; `exit_code` is None where it does not say, `signal` 0 for none."""

    id: int
    name: str
    state: str
    reason: str
    exit_code: int | None
    signal: int
    nodes: str
    user: str


class SlurmClient(Protocol):
    """Obligations: (1) a call raises `SlurmUnavailable` when the answer is not known, and `SlurmRefused` only when
    SLURM said no; (2) `submit` asks once, so that only its caller decides to ask again; (3) an answer comes from
    slurmctld first and from accounting where slurmctld has forgotten; (4) what other users name their jobs
    cannot change an answer about ours."""

    def submit(self, job: Job) -> int:
        """Hand a job in and return its id."""

    def find(self, users: Mapping[str, str], *, since: datetime) -> list[JobState]:
        """Return the jobs of these names, each of the user that its name maps to, submitted since then.

        Accounting may need seconds to know of one.
        """

    def states(self, ids: Collection[int]) -> dict[int, JobState]:
        """Return what is known of these jobs; one that nobody remembers is missing."""

    def cancel(self, job_id: int, *, user: str) -> None:
        """Kill a job as its user; one that is over or unknown is no error, and what is killed still has to end."""

    def ping(self) -> None:
        """Return when slurmctld answers."""


# Words of answers that are no refusal: the same request may be taken later, or was taken already.
_BUSY: Final = re.compile(
    r"required (node|partition) not available|temporarily|standby|try again|timed? ?out|contact|presently disabled"
    r"|connect|transport|communicat"
    r"|authenticat|credential|busy|zero bytes|unexpected message|maximum job count|transition|unspecified|i/o error",
    re.IGNORECASE,
)


def refusal(said: str) -> StrongroomError:
    """Return the error for slurmctld's own words about a request that it did not take."""
    words = "".join(letter for letter in said if letter.isprintable())[:200].strip().rstrip(".")
    if not words or _BUSY.search(words):
        return unavailable(words)
    return SlurmRefused(f"SLURM does not take this job: {words}.")


def unavailable(detail: str) -> SlurmUnavailable:
    """Return the error for an answer that did not come, or that cannot be read."""
    return SlurmUnavailable("SLURM does not answer; what was asked is tried again.", detail=detail[:500])


def wanted(found: Iterable[JobState], users: Mapping[str, str]) -> list[JobState]:
    """Return the records of these names and their users, of jobs that were taken at all."""
    return [job for job in found if users.get(job.name) == job.user and not _was_refused(job)]


def _was_refused(found: JobState) -> bool:
    # SLURM's accounting keeps a FAILED record, without nodes, of each submission that slurmctld refused.
    return found.state == "FAILED" and found.nodes in {"", "None assigned"}


def status(raw: int) -> tuple[int, int]:
    """Return exit code and signal of a raw wait status."""
    return (raw >> 8) & 0xFF, raw & 0x7F

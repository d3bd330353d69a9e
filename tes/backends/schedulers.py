"""The contract of a scheduler: what clusters differ in, and what the record and a cluster's word come to."""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from strongroom.errors import StrongroomError, Unavailable
from tes.backends import Launch
from tes.reports import Report, report
from tes.tasks import Cause, TaskState

GRACE: Final = 20.0  # seconds for a result to arrive once the scheduler says that the attempt is over
UNSEEN: Final = 60.0  # seconds after which an attempt that the scheduler knows nothing of is lost


class SchedulerUnavailable(Unavailable):
    """The scheduler did not answer: nothing is known, an attempt may or may not be in; ask again later (503)."""


class SchedulerRefused(StrongroomError):
    """The scheduler answered, and the answer is no: asking again changes nothing (400)."""


@dataclass(frozen=True)
class Seen:
    """What a scheduler says of an attempt: the state it means, or the cause once it is over; its own word; and why.

    `stuck` is a sentence for the researcher when the attempt waits for something that will not come by itself.
    """

    means: TaskState | Cause
    word: str
    stuck: str | None = None


@dataclass(frozen=True)
class Proof:
    """How somebody proves to be where an attempt runs (T1): the node of a client certificate, the user, a token."""

    node: str | None
    user: str | None = None
    token: str | None = None


@dataclass(frozen=True)
class Carried:
    """Where a job took another attempt on: its node, and the attempt whose name the job has."""

    node: str
    job_of: str


class Scheduler(Protocol):
    """Obligations: (1) `place` may be told twice of one attempt, and has it once: it looks before it hands in again;
    (2) a call raises `SchedulerUnavailable` when the answer is not known, `SchedulerRefused` only for a no; (3)
    `look` answers for all attempts in one question, and leaves out what it knows nothing of; (4) `prove` returns for
    nobody but who is where the scheduler put this very attempt, and `carry` lets none run anywhere else; (5) each
    call may come from any thread."""

    name: str

    def place(self, launch: Launch) -> None:
        """Hand an attempt in."""

    def look(self, attempts: Collection[str]) -> Mapping[str, Seen]:
        """Return what is known of these."""

    def stop(self, attempt: str) -> None:
        """Have it killed; one that is over or unknown is no error."""

    def forget(self, attempt: str) -> None:
        """Remove what is left of an attempt whose report was written down."""

    def prove(self, attempt: str, proof: Proof) -> str:
        """Return the node that an attempt runs on if `proof` is from there; raises `NotAllowed` (T1)."""

    def shape(self, launch: Launch) -> Hashable | None:
        """Return what attempts have in common that one job may run one after the other; None: each has its own."""

    def carry(self, done: str, launch: Launch, proof: Proof) -> Carried | None:
        """Have the job of an attempt that is over run another of its shape, where `proof` is from; None: no more.

        Raises `NotAllowed` for who is not where that job runs (T1).
        """

    def pause(self) -> None:
        """Return when it is time to look again."""

    def everything(self) -> Collection[str]:
        """Return all attempts of ours that are in the cluster."""


@dataclass(frozen=True)
class Standing:
    """What is known of an attempt that has no report yet; times in seconds."""

    cancel_asked: bool
    begun: bool  # its node has fetched the spec
    result: Report | None  # the supervisor's own words, when they wait for the scheduler's
    seen: Seen | None  # None: the scheduler knows nothing of it
    seen_for: float  # since it began to say this
    stuck_most: float  # longest that an attempt may wait for what will not come by itself


def judged(standing: Standing) -> Report | None:
    """Return the report of an attempt that is over, or None while it may still speak for itself (pure)."""
    seen = standing.seen
    match seen:
        case None if standing.cancel_asked or standing.seen_for > UNSEEN:
            return _ending(standing, Cause.CANCELED if standing.cancel_asked else Cause.LOST)
        case Seen(means=Cause() as cause) if _has_waited(standing):
            return _ending(standing, cause)
        case Seen(stuck=str() as reason) if standing.seen_for > standing.stuck_most:
            return report(Cause.SYSTEM, reason)
        case _:
            return None


def believed(words: Report, *, cancel_asked: bool) -> bool:
    """Say whether a result ends an attempt by itself: who is killed from outside cannot know by whom."""
    return words["cause"] != Cause.CANCELED or cancel_asked


def _has_waited(standing: Standing) -> bool:
    # Who never fetched a spec has nothing to tell; who told that it was killed has told it.
    return not standing.begun or standing.result is not None or standing.seen_for > GRACE


_REASONS: Final = {
    Cause.DEADLINE: "The task ran longer than it may.",
    Cause.OUT_OF_MEMORY: "The task used more memory than it may.",
    Cause.CANCELED: "The task was canceled.",
    Cause.PREEMPTED: "The cluster took the task's node for others.",
    Cause.LOST: "The cluster lost the task.",
    Cause.SYSTEM: "The cluster could not run the task; ask the operator.",
}


def _ending(standing: Standing, cause: Cause) -> Report:
    if standing.cancel_asked:
        cause = Cause.CANCELED
    elif cause not in _REASONS:
        cause = Cause.LOST  # it ended well, they say, but nobody said how: only its own words would count (T22)
    return report(cause, standing.seen.stuck if standing.seen and standing.seen.stuck else _REASONS[cause])

"""Runs attempts as jobs of a SLURM cluster, each a stub that has the agent of its node run the attempt."""

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from strongroom.clusters import Slurm
from strongroom.errors import NotAllowed
from strongroom.settings import Settings
from tes.backends import Launch
from tes.backends.schedulers import Carried, Proof, SchedulerRefused, SchedulerUnavailable, Seen
from tes.backends.slurm import scripts
from tes.backends.slurm.client import Job, JobState, SlurmClient, SlurmRefused, SlurmUnavailable
from tes.backends.slurm.hostlists import NotAHostlist, expand
from tes.backends.slurm.probe import open_client
from tes.backends.slurm.states import ENDED, meaning, warning
from tes.backends.slurm.together import Together
from tes.pledges import Owner

LOOK_BACK: Final = timedelta(days=30)  # no attempt is older
SEARCH_AGAIN: Final = 5.0  # seconds between searches by name for what was not found
log = structlog.get_logger()
Owners = Callable[[Collection[str]], Mapping[str, Owner]]
FRESH: Final = 2  # pauses between two questions after which an answer is too old to prove anything


@dataclass
class Known:
    """What is remembered of an attempt: whose jobs it has, and when it was handed in or searched for last."""

    user: str
    job_of: str  # the attempt whose name its job has: itself, unless another's job took it on
    ids: frozenset[int] = frozenset()
    tried: float | None = None  # time.monotonic()
    searched: float = field(default=float("-inf"))
    begun: float | None = None  # time.monotonic(): when its job began, if this life of ours saw it
    stopped: bool = False
    passed_on: bool = False  # the job is another attempt's by now


class Jobs:
    """A `Scheduler`: `owners` tells the project of each of these attempts, which names the user of its jobs.

    `settles`: seconds after which a job whose answer was lost is in, or is not.
    """

    name = "slurm"

    def __init__(self, client: SlurmClient, site: Slurm, owners: Owners, *, settles: float = 10.0) -> None:
        self._client = client
        self._site = site
        self._owners = owners
        self._settles = settles
        self._lock = threading.Lock()
        self._known: dict[str, Known] = {}
        self._states = Together(self._ask_states)
        self._answered: tuple[float, Mapping[int, JobState]] = (float("-inf"), {})

    def place(self, launch: Launch) -> None:
        """Submit the attempt's job; after a lost answer only if SLURM has none of its name when it has settled."""
        known = self._remember(launch.attempt, Owner(launch.order["project"], launch.attempt))
        with _as_scheduler():
            job = _made(launch, user=known.user, site=self._site)
            if known.tried is not None:
                self._search({launch.attempt: known})
                if known.ids:
                    return
                if time.monotonic() - known.tried < self._settles:
                    raise SchedulerUnavailable("It is not known yet whether SLURM has taken this job.")
            known.tried = time.monotonic()
            known.ids |= {self._client.submit(job)}

    def look(self, attempts: Collection[str]) -> Mapping[str, Seen]:
        """Ask about the jobs of all attempts at once, and by name, at once too, for those whose ids are not known."""
        with _as_scheduler():
            self._search(self._lost_from_sight(attempts))
            states = self._states.ask()
        return {
            attempt: seen
            for attempt in attempts
            if (known := self._known.get(attempt)) is not None and (seen := _seen(known, states)) is not None
        }

    def stop(self, attempt: str) -> None:
        """Cancel every job of the attempt as its user."""
        known = self._found(attempt)
        if known is None:
            return
        with self._lock:
            if known.passed_on:
                return  # it is over, and this would kill another
            known.stopped = True
        with _as_scheduler():
            for job_id in known.ids:
                self._client.cancel(job_id, user=known.user)

    def forget(self, attempt: str) -> None:
        """Remember it no more; its job has ended, or ends when its stub is told that the attempt is over."""
        with self._lock:
            self._known.pop(attempt, None)

    def prove(self, attempt: str, proof: Proof) -> str:
        """Return the node of the certificate if slurmctld says that it runs this very attempt's job now (T1)."""
        known = self._found(attempt) if proof.node is not None else None  # T30: a stranger asks slurmctld nothing
        if known is not None and proof.node is not None and proof.user == known.user:
            with _as_scheduler():
                states = self._states.ask()
            if _runs(known, proof.node, states):
                known.begun = known.begun or time.monotonic()
                return proof.node
        raise NotAllowed("SLURM does not run this attempt there, or not for that user.")

    def shape(self, launch: Launch) -> Hashable | None:
        """Return user, size and wishes of its job; a task that asks for a time of its own has a job of its own."""
        user = self._site.users.get(launch.order["project"])
        if not self._site.carry_minutes or user is None or "time" in launch.plan.get("backend_parameters", {}):
            return None
        job = _made(launch, user=user, site=self._site)
        return job.user, job.cpus, job.memory_mb, job.options

    def carry(self, done: str, launch: Launch, proof: Proof) -> Carried | None:
        """Have a job take another attempt on while it is young, if slurmctld said just now that it runs there."""
        known = self._known.get(done)
        if known is None or known.begun is None or time.monotonic() - known.begun > 60 * self._site.carry_minutes:
            return None
        with _as_scheduler():
            states = self._states_of_late()
        if not any(job_id in states and states[job_id].state == "RUNNING" for job_id in known.ids):
            return None  # it is being ended
        if proof.node is None or proof.user != known.user or not _runs(known, proof.node, states):
            raise NotAllowed("SLURM does not run this job there, or not for that user.")
        with self._lock:
            if known.stopped:
                return None
            known.passed_on = True
            self._known[launch.attempt] = Known(known.user, known.job_of, known.ids, begun=known.begun)
        return Carried(proof.node, known.job_of)

    def pause(self) -> None:
        """Sleep for as long as the site's settings say."""
        time.sleep(self._site.pause_seconds)

    def everything(self) -> Collection[str]:
        """Return nothing: a job of an attempt that is over ends by itself, told so when its stub begins."""
        return ()

    # How it remembers

    def _remember(self, attempt: str, owner: Owner) -> Known:
        user = self._site.users.get(owner.project)
        if user is None:
            raise SchedulerRefused("No user of the cluster is set for this project; ask the operator.")
        with self._lock:
            return self._known.setdefault(attempt, Known(user, owner.job_of))

    def _found(self, attempt: str) -> Known | None:
        with _as_scheduler():
            self._search(self._lost_from_sight([attempt], at_once=True))
        return self._known.get(attempt)

    def _lost_from_sight(self, attempts: Collection[str], *, at_once: bool = False) -> dict[str, Known]:
        """Return those without a job's id whose turn it is to be searched for."""
        strange = [attempt for attempt in attempts if attempt not in self._known]
        for attempt, owner in (self._owners(strange) if strange else {}).items():
            with contextlib.suppress(SchedulerRefused):
                self._remember(attempt, owner)
        moment = time.monotonic()
        known = ((attempt, self._known.get(attempt)) for attempt in attempts)
        return {
            attempt: one
            for attempt, one in known
            if one is not None and not one.ids and (at_once or moment - one.searched > SEARCH_AGAIN)
        }

    def _search(self, wanted: Mapping[str, Known]) -> None:
        if not wanted:
            return
        named = {scripts.name_of(one.job_of): one for one in wanted.values()}
        users = {name: one.user for name, one in named.items()}
        for job in self._client.find(users, since=datetime.now(UTC) - LOOK_BACK):
            named[job.name].ids |= {job.id}
        for one in wanted.values():
            one.searched = time.monotonic()

    def _ask_states(self) -> Mapping[int, JobState]:
        with self._lock:
            ids = {job_id for known in self._known.values() for job_id in known.ids}
        moment = time.monotonic()
        states = self._client.states(ids)
        self._answered = (moment, states)
        return states

    def _states_of_late(self) -> Mapping[int, JobState]:
        asked, states = self._answered
        return states if time.monotonic() - asked < FRESH * self._site.pause_seconds else self._states.ask()


def open_jobs(settings: Settings, owners: Owners) -> Jobs:
    """Return the scheduler of this site's SLURM."""
    site = settings.slurm
    client = open_client(
        site.driver, rest_url=site.rest_url, rest_user=site.rest_user, tokens=site.tokens, conf=site.conf
    )
    log.info("slurm.open", driver=type(client).__name__, projects=len(site.users))
    return Jobs(client, site, owners)


def _made(launch: Launch, *, user: str, site: Slurm) -> Job:
    try:
        return scripts.job(launch, user=user, site=site)
    except (OSError, ValueError) as error:
        log.error("slurm.no_job", attempt=launch.attempt, detail=str(error))
        raise SchedulerRefused("The template of the site's job script cannot be used; ask the operator.") from error


def _seen(known: Known, states: Mapping[int, JobState]) -> Seen | None:
    jobs = [states[job_id] for job_id in sorted(known.ids) if job_id in states]
    if not jobs:
        return None
    job = _telling(jobs)
    return Seen(meaning(job, cancel_asked=known.stopped), job.state, warning(job))


def _telling(jobs: Iterable[JobState]) -> JobState:
    """Return the one of an attempt's jobs that speaks for it: one that is not over, else the first that failed."""
    # A second one, handed in because an answer was lost, ends with 0 as it finds the attempt taken.
    return min(jobs, key=lambda job: (job.state in ENDED, job.state == "COMPLETED", job.id))


def _runs(known: Known, node: str, states: Mapping[int, JobState]) -> bool:
    return any(_runs_on(node, states.get(job_id)) for job_id in known.ids)


def _runs_on(node: str, job: JobState | None) -> bool:
    try:
        return job is not None and job.state == "RUNNING" and node in expand(job.nodes)
    except NotAHostlist:
        return False


@contextlib.contextmanager
def _as_scheduler() -> Iterator[None]:
    try:
        yield
    except SlurmUnavailable as error:
        raise SchedulerUnavailable(error.sentence, detail=error.detail) from error
    except SlurmRefused as error:
        raise SchedulerRefused(error.sentence, detail=error.detail) from error

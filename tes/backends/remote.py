"""Runs attempts on a cluster: what schedulers have in common, from the first submit to the one report."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from sandbox.signing import NotSigned
from strongroom.errors import Conflict, NotAllowed, NotFound
from tes import claims
from tes.backends import Launch, Tell
from tes.backends.held import Held
from tes.backends.schedulers import (
    Carried,
    Proof,
    Scheduler,
    SchedulerRefused,
    SchedulerUnavailable,
    Seen,
    Standing,
    believed,
    judged,
)
from tes.pledges import Pledges
from tes.reports import Report, own_words, report
from tes.tasks import Cause

PLACING = 4  # attempts handed in at the same time
STOP_AGAIN = 5.0  # seconds
ORPHANS_EVERY = 60.0  # seconds
LONGEST_WAIT = 30.0  # seconds between questions to a scheduler that does not answer
log = structlog.get_logger()


@dataclass
class Live:
    """An attempt without a report."""

    launch: Launch
    tell: Tell
    placed: bool = False
    begun: bool = False
    started: bool = False
    seen: Seen | None = None
    seen_since: float = field(default_factory=time.monotonic)
    cancel_asked: bool = False
    stopped: float = 0.0
    result: Report | None = None
    alarms: Counter[str | None] = field(default_factory=Counter)  # by the node that wanted it and may not
    shape: Hashable | None = None  # of its job, where one job may run several attempts


class Remote:
    """A `Backend`: attempts live on a scheduler's nodes, and their own words come through the door for nodes."""

    keeps = True

    def __init__(self, scheduler: Scheduler, pledges: Pledges, signer: Path, *, stuck_seconds: float) -> None:
        self.name = scheduler.name
        self._scheduler = scheduler
        self._pledges = pledges
        self._signer = signer
        self._stuck = stuck_seconds
        self._lock = threading.Lock()
        self._live: dict[str, Live] = {}
        self._held = Held()
        self._pool = ThreadPoolExecutor(PLACING, thread_name_prefix="place")

    # What the dispatcher asks

    def submit(self, launch: Launch, tell: Tell) -> None:
        """Hand the attempt to the scheduler, from a thread of a pool, or hold it until there is room."""
        self._take_in(self._add(Live(launch, tell)))

    def resume(self, launch: Launch, tell: Tell) -> None:
        """Take up an attempt: whether it is in, only the scheduler knows; one that was held is held again."""
        if self._shape(launch) is not None and not self._pledges.is_handed_in(launch.attempt):
            self._take_in(self._add(Live(launch, tell)))
        else:
            # Never placed again: what it does not know of within a minute is lost, and its task gets another attempt.
            begun = self._pledges.is_begun(launch.attempt)
            self._add(Live(launch, tell, placed=True, begun=begun))

    def cancel(self, attempt: str) -> None:
        """Have the scheduler kill it, again every few seconds until it is gone."""
        live = self._live.get(attempt)
        if live is None:
            return
        live.cancel_asked = True
        with self._lock:
            held = self._held.holds(attempt)
            if held:
                self._held.remove(attempt)
        if held:  # nobody but us ever heard of it
            self._pool.submit(self._end, live, report(Cause.CANCELED, "The task was canceled."))
        elif time.monotonic() - live.stopped > STOP_AGAIN:
            live.stopped = time.monotonic()
            self._pool.submit(self._tried, self._scheduler.stop, attempt)

    def status(self, attempt: str) -> str | None:
        """Return the scheduler's own word, `unknown` before the first, or None for an attempt that is not here."""
        live = self._live.get(attempt)
        return None if live is None else live.seen.word if live.seen else "unknown"

    def sweep(self) -> None:
        """Begin to look; every minute, what belongs to no attempt of ours is stopped."""
        threading.Thread(target=self._watch, name="scheduler", daemon=True).start()

    # What nodes ask, through their door

    def begin(self, attempt: str, proof: Proof) -> Mapping[str, Any]:
        """Return the spec and a pass to who proves to be where the attempt runs, once (T1)."""
        live = self._known(attempt)
        try:
            node = self._scheduler.prove(attempt, proof)
        except NotAllowed:
            self._alarm(live, proof)
            raise
        return self._begun(live, Carried(node, attempt))

    def claim(self, attempt: str, claim: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the work order for a claim; it is remembered first, so that its result is known after a restart."""
        live = self._known(attempt)
        try:
            self._pledges.claim(attempt, claim)
        except Conflict:
            # T1: one of the two is not who it says, and nobody knows which.
            log.error("claim.refused", attempt=attempt, alarm=True)
            self._pledges.refuse(attempt, None)
            self._pool.submit(self._tried, self._scheduler.stop, attempt)
            self._end(live, report(Cause.SYSTEM, "The attempt was claimed twice, so it was stopped."))
            raise
        return claims.order(self._signer, live.launch, claim)

    def walls_up(self, attempt: str) -> None:
        """Note that the task runs."""
        _begin_to_run(self._known(attempt))

    def result(
        self, attempt: str, result: Mapping[str, Any], *, more: Proof | None = None
    ) -> Mapping[str, Any] | None:
        """Take the signed result of an attempt; of one that is over already it is not wanted any more.

        To whom its job still runs for (`more`), return what `begin` would of another attempt, if one waits for it.
        """
        live = self._live.get(attempt)
        if live is None:
            return None
        try:
            words = own_words(result, self._pledges.signing_key(attempt), spec=live.launch.spec)
        except NotSigned as error:
            log.error("result.forged", attempt=attempt, alarm=True)
            raise NotAllowed("This is not signed with the key that the attempt claimed with.") from error
        if words["cause"] != Cause.SYSTEM:
            _begin_to_run(live)  # a node does not say so of what is over soon
        if not believed(words, cancel_asked=live.cancel_asked):
            live.result = words
            return None
        if not self._over(live, words):
            return None
        try:
            return self._carried_on(live, more) if more is not None else None
        finally:
            self._forget(live)

    # How it works

    def _shape(self, launch: Launch) -> Hashable | None:
        try:
            return self._scheduler.shape(launch)
        except SchedulerRefused:
            return None  # it will say so when it is handed in

    def _take_in(self, live: Live) -> None:
        live.shape = self._shape(live.launch)
        if live.shape is None:
            self._pool.submit(self._place, live)
            return
        with self._lock:
            self._held.add(live.launch.attempt, live.shape, time.monotonic())
        self._let_in()

    def _let_in(self) -> None:
        """Hand in what is held no longer."""
        with self._lock:
            going = [self._live[one] for one in self._held.let_in(time.monotonic()) if one in self._live]
        for live in going:
            self._pool.submit(self._place, live)

    def _begun(self, live: Live, where: Carried) -> Mapping[str, Any]:
        attempt = live.launch.attempt
        taken = self._pledges.begin(attempt, where.node, job_of=where.job_of)
        live.begun = True
        return {"attempt": attempt, "spec": live.launch.spec.decode(), "pass": taken, "plan": live.launch.plan}

    def _carried_on(self, live: Live, proof: Proof) -> Mapping[str, Any] | None:
        """Return another attempt for the job of one that is over, oldest first; None lets the job end."""
        with self._lock:
            attempt = self._held.take(live.shape) if live.shape is not None and not live.cancel_asked else None
            following = self._live.get(attempt) if attempt is not None else None
        if following is None or attempt is None:
            return None
        try:
            where = self._scheduler.carry(live.launch.attempt, following.launch, proof)
            if where is not None:
                following.placed, following.seen_since = True, time.monotonic()
                return self._begun(following, where)
        except NotAllowed:
            self._alarm(following, proof)
        except (NotFound, SchedulerUnavailable) as error:
            log.warning("job.not_carried_on", attempt=attempt, detail=error.detail)
        with self._lock:
            if attempt in self._live:
                self._held.put_back(attempt)
        return None

    def _add(self, live: Live) -> Live:
        with self._lock:
            self._live[live.launch.attempt] = live
        return live

    def _known(self, attempt: str) -> Live:
        live = self._live.get(attempt)
        if live is None:
            raise NotFound("There is no such attempt, or it is over.")
        return live

    def _alarm(self, live: Live, proof: Proof) -> None:
        # T1: a second claimant, or one from elsewhere: what it wanted is killed.
        attempt = live.launch.attempt
        with self._lock:
            live.alarms[proof.node] += 1
            times = live.alarms[proof.node]
        if times & (times - 1):
            return  # T30: who repeats itself is counted, and written down the first, second, fourth, eighth… time
        log.error("begin.refused", attempt=attempt, node=proof.node, user=proof.user, times=times, alarm=True)
        self._pledges.refuse(attempt, proof.node, times=times)

    def _place(self, live: Live) -> None:
        attempt, wait = live.launch.attempt, 0.5
        while not live.placed and attempt in self._live:
            try:
                if live.cancel_asked:
                    self._scheduler.stop(attempt)
                else:
                    if live.shape is not None:
                        self._pledges.hand_in(attempt)
                    self._scheduler.place(live.launch)
                live.seen_since = time.monotonic()
                live.placed = True
            except SchedulerRefused as error:
                self._end(live, report(Cause.SYSTEM, error.sentence))
            except SchedulerUnavailable as error:
                log.warning("scheduler.silent", scheduler=self.name, detail=error.detail)
                time.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)
            except Exception:
                log.exception("attempt.not_placed", attempt=attempt)
                self._end(live, report(Cause.SYSTEM, "The task could not be handed to the cluster."))

    def _watch(self) -> None:
        orphans, wait = time.monotonic() + ORPHANS_EVERY, 0.0
        while True:
            try:
                self._let_in()
                self._look()
                if time.monotonic() > orphans:
                    orphans = time.monotonic() + ORPHANS_EVERY
                    # Asked first and compared then: an attempt is ours before it is the cluster's.
                    for attempt in set(self._scheduler.everything()) - set(self._live):
                        log.warning("orphan.stopped", scheduler=self.name, attempt=attempt)
                        self._scheduler.stop(attempt)
                wait = 0.0
            except SchedulerUnavailable as error:
                # No answer is no state: every attempt keeps the one that it had.
                log.warning("scheduler.silent", scheduler=self.name, detail=error.detail)
                wait = min(2 * wait + 0.5, LONGEST_WAIT)
            except Exception:
                log.exception("scheduler.failure")
                wait = 1.0
            time.sleep(wait)
            self._scheduler.pause()

    def _look(self) -> None:
        placed = {name: live for name, live in list(self._live.items()) if live.placed}
        if not placed:
            return
        found, moment = self._scheduler.look(placed.keys()), time.monotonic()
        for attempt, live in placed.items():
            seen = found.get(attempt)
            if seen != live.seen:
                live.seen, live.seen_since = seen, moment
            standing = Standing(
                cancel_asked=live.cancel_asked,
                begun=live.begun,
                result=live.result,
                seen=seen,
                seen_for=moment - live.seen_since,
                stuck_most=self._stuck,
            )
            said = judged(standing)
            if said is not None:
                word = seen.word if seen else None
                log.warning("attempt.judged", attempt=attempt, cause=said["cause"], word=word, begun=live.begun)
                if seen is not None and not isinstance(seen.means, Cause):
                    self._tried(self._scheduler.stop, attempt)  # it would run, one day, for nobody
                self._end(live, said)

    def _end(self, live: Live, said: Report) -> None:
        if self._over(live, said):
            self._forget(live)

    def _over(self, live: Live, said: Report) -> bool:
        """Tell the one report, and return when it is written down; say whether this was it."""
        with self._lock:
            if self._live.pop(live.launch.attempt, None) is None:
                return False
        live.tell.ended(said)
        return True

    def _forget(self, live: Live) -> None:
        attempt = live.launch.attempt
        with self._lock:
            self._held.remove(attempt)
        self._let_in()
        self._pool.submit(self._tried, self._scheduler.forget, attempt)

    def _tried(self, act: Callable[[str], None], attempt: str) -> None:
        try:
            act(attempt)
        except SchedulerUnavailable as error:
            log.warning("scheduler.silent", scheduler=self.name, detail=error.detail)
        except Exception:
            log.exception("scheduler.failure", attempt=attempt)


def _begin_to_run(live: Live) -> None:
    if not live.started:
        live.started = True
        live.tell.started()

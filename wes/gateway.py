"""The trust border of one run: its engine's only way out, a Unix socket that speaks a small part of TES (T19)."""

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
import structlog
from starlette.concurrency import run_in_threadpool

from airlock.contract import Contract
from strongroom import audit
from strongroom.audit import Entry, Event
from strongroom.database import reading, transaction
from strongroom.errors import StrongroomError, Unavailable
from strongroom.settings import Settings
from wes import publishing, remote_jobs, settlement
from wes.bound import CommandRefused
from wes.engine_limits import MOST_REFUSALS, REFUSED, refused_before
from wes.engines import JobOf
from wes.glimpses import NONE, Glimpses, Left
from wes.remote import RemoteRule, check_job
from wes.rules import WORK, Held, Job
from wes.store import RunTask, files_of, tasks_of
from wes.tes_door import TesDoor

ACTOR = "wes.gateway"
MOST_JOBS = 100_000
NO_CONTRACT = Contract(())
MOST_FILES = 1_000_000
NOTED_AFTER = 0.5  # seconds
ENDED = frozenset({"COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED", "PREEMPTED"})
log = structlog.get_logger()


class RefusedEnough(StrongroomError):
    """This run's engine was refused as often as a run may be; it ends (403)."""

    status = 403


@dataclass
class Gateway:
    """One run's gateway: it knows its run because the socket is the run's own, never by what the engine says."""

    run: str
    project: str
    coarse: bool
    images: dict[str, str]
    engine: sa.Engine
    tree: int  # directory file descriptor of the stub tree
    tes: TesDoor
    settings: Settings
    job_of: JobOf  # what its engine may ask for (T18, T19)
    remote: Mapping[str, RemoteRule] = field(default_factory=dict)  # rules whose tasks run at another site
    contract: Contract = NO_CONTRACT
    keeps_tree: bool = True  # else a launch sees stubs only of what it asked for
    asked: set[str] = field(default_factory=set)  # tasks that this launch of the engine asked for
    own: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)  # by task: its folder, and names there
    free: set[str] = field(default_factory=set)  # rules whose free commands are written down already
    laid: Mapping[str, str] = field(default_factory=dict)  # files of the vetted folder in the work folder
    glimpses: Glimpses = NONE
    files: dict[str, Held] = field(default_factory=dict)
    jobs: dict[str, RunTask] = field(default_factory=dict)  # by TES id
    tried: dict[str, list[RunTask]] = field(default_factory=lambda: defaultdict(list))  # the same, by key
    of_rule: Counter[str] = field(default_factory=Counter)  # how many there are
    early: dict[str, dict[str, Any]] = field(default_factory=dict)  # ends of tasks that are no jobs here yet
    moved: list[dict[str, Any]] = field(default_factory=list)  # what the engine is told, in order
    noted: dict[str, float] = field(default_factory=dict)  # jobs that moved, since when; not written down yet
    left: dict[str, Left] = field(default_factory=dict)  # what lists told, for engines that start again
    waiting: asyncio.Condition = field(default_factory=asyncio.Condition)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    abreast: asyncio.Event = field(default_factory=asyncio.Event)  # of what became of jobs of earlier launches
    refusals: int = 0
    refused_enough: asyncio.Event = field(default_factory=asyncio.Event)  # its run ends

    def restore(self) -> None:
        """Read what an earlier launch of the engine left: files, jobs, and how often it was refused."""
        with reading(self.engine) as session:
            self.refusals = refused_before(session, self.run)
            if self.refusals >= MOST_REFUSALS:
                self.refused_enough.set()
            laid = {path: Held(None, is_input=False, content=text) for path, text in self.laid.items()}
            self.files = laid | {
                path: Held(row.object, is_input=row.rule is None, directory=row.directory)
                for path, row in files_of(session, self.run).items()
            }
            for row in tasks_of(session, self.run):
                self._remember(row)
        if not self.is_busy():
            self.abreast.set()

    async def create(self, asked: dict[str, Any]) -> str:
        """Create the job that the engine asks for, or return the one that it asked for before."""
        if len(self.jobs) >= MOST_JOBS:
            raise StrongroomError("This run has asked for too many jobs.")
        job = self.job_of(asked, run=self.run, images=self.images, files=self.files)
        if (away := self.remote.get(job.rule)) is not None:
            check_job(job, away)
        # A job that was canceled while nobody listened is tried anew, and one that is done is not.
        await self.abreast.wait()
        async with self.lock:
            row = self._known(job) or await self._create(job)
            self.asked.add(row.task)
            if job.own is not None:
                self.own[row.task] = job.own
            if job.passed:
                self.files |= await run_in_threadpool(
                    settlement.pass_on, self.engine, self.tree, self.run, job.passed
                )
        if (change := self.early.pop(row.task, None)) is not None:
            await self._settle(change)
        elif row.state == "COMPLETE":
            await run_in_threadpool(self._show_again, row.task)
            await self.tell(row.task, "COMPLETE", row.exit_code)
        return row.task

    async def cancel(self, task: str) -> None:
        """Cancel a job of this run."""
        if task in self.jobs and self.jobs[task].rule in self.remote:
            await run_in_threadpool(self._cancel_remote, task)
        elif task in self.jobs:
            await self.tes.ask_again("POST", f"/tasks/{task}:cancel")

    async def run_own(self, task: dict[str, Any], *, key: str, patience: float) -> dict[str, Any] | None:
        """Have TES run a task of ours beside the engine's jobs; return its end, None if it has none in time."""
        headers = {"Idempotency-Key": key, "Strongroom-Run": self.run, "Strongroom-Coarse": "no"}
        made = await self.tes.ask_again("POST", "/tasks", json=task, headers=headers)
        end = asyncio.get_running_loop().time() + patience
        while asyncio.get_running_loop().time() < end:
            # It is no job here, so `follow` leaves what it hears of it there.
            change = self.early.get(made["id"])
            if change is not None and change["state"] in ENDED:
                return change
            await asyncio.sleep(0.05)
        return None

    async def publish(self, asked: dict[str, Any]) -> None:
        """Give a file of this run the path by which its contract knows it."""
        if len(self.files) >= MOST_FILES:
            raise StrongroomError("This run has published too many files.")
        try:
            found = publishing.published(asked, files=self.files, contract=self.contract)
        except StrongroomError as error:
            raise publishing.NotPublished(error, self._maker(asked.get("source"))) from error
        async with self.lock:
            self.files |= await run_in_threadpool(publishing.record, self.engine, self.run, found)

    async def refuse(self, error: StrongroomError) -> None:
        """Count a refusal and write it down; the last that a run may have says so, and its run ends (T30)."""
        if error.status >= 500:
            return  # it is not the engine's doing
        self.refusals += 1
        if self.refusals < MOST_REFUSALS:
            await run_in_threadpool(self._write_refusal, error)
            return
        if self.refusals == MOST_REFUSALS:
            await run_in_threadpool(self._write_refusal, RefusedEnough(REFUSED))
        self.refused_enough.set()

    def _maker(self, source: object) -> str | None:
        mine = (task for task, (folder, _) in self.own.items() if f"{source}/".startswith(f"{WORK}{folder}/"))
        return next((self.jobs[task].rule for task in mine if task in self.jobs), None)

    async def tell(self, task: str, state: str, exit_code: int | None) -> None:
        """Tell the engine that a task moved; exit codes are mapped to few values (T4)."""
        async with self.waiting:
            self.moved.append({"id": task, "state": state, "exit_code": settlement.told_exit_code(state, exit_code)})
            self.waiting.notify_all()

    async def changes(self, since: int, wait: float) -> dict[str, Any]:
        """Return what moved after `since`, waiting up to `wait` seconds."""
        async with self.waiting:
            if len(self.moved) <= since and wait > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.waiting.wait(), min(wait, 30.0))
            return {"seq": len(self.moved), "tasks": self.moved[since:]}

    async def follow(self) -> None:
        """Follow the run's tasks for ever, at other sites too; each that ended is settled before the engine hears."""
        since = 0
        while True:
            wait = NOTED_AFTER if self.noted else 1 if self.remote else 10
            try:
                asked = {"run": self.run, "since": since, "wait": wait}
                answer = await self.tes.ask("GET", "/changes", params=asked)
            except Unavailable:
                await asyncio.sleep(0.2)
                continue
            away = await run_in_threadpool(self._remote_changes) if self.remote else []
            for change in [*answer["tasks"], *away]:
                await self._settle(change)
            await self._write_notes()
            since = answer["seq"]
            self.abreast.set()

    def made(self) -> dict[str, str]:
        """Return the files that tasks made, each with what stands for it in the tree: itself or its folder."""
        return {
            path: held.directory or path
            for path, held in self.files.items()
            if not held.is_input and held.object is not None
        }

    def known(self) -> int:
        """Return how many files and jobs this run has."""
        return len(self.files) + len(self.jobs)

    def is_busy(self) -> bool:
        """Say whether a job of this run has not ended."""
        return any(row.state not in ENDED for row in self.jobs.values())

    async def _settle(self, change: dict[str, Any]) -> None:
        async with self.lock:
            row = self.jobs.get(change["id"])
            if row is None:
                # Made before we died, or before an answer of TES was lost: it counts once the engine asks again.
                self.early[change["id"]] = change
                return
        if self.glimpses.lists:
            self.left |= {one.path: one for one in settlement.left_by(row, change)}
        if row.state in ENDED:
            return
        if change["state"] in ENDED:
            wanted = self._wants(row)
            tree = self.tree if wanted else None
            made = await run_in_threadpool(settlement.settle, self.engine, tree, row, change, self.glimpses)
            self.files.update(made)
            if not wanted and self._wants(row):  # asked for meanwhile
                await run_in_threadpool(self._show_again, row.task)
            await self.tell(row.task, row.state, row.exit_code)
        elif change["state"] != row.state:
            settlement.copy(row, change)
            self.noted.setdefault(row.task, asyncio.get_running_loop().time())

    async def _write_notes(self) -> None:
        """Write down the jobs that moved a while ago and have not ended: most end before, and are written once."""
        moment = asyncio.get_running_loop().time()
        self.noted = {task: since for task, since in self.noted.items() if self.jobs[task].state not in ENDED}
        due = [task for task, since in self.noted.items() if moment - since >= NOTED_AFTER]
        for task in due:
            del self.noted[task]
        if due:
            await run_in_threadpool(settlement.note, self.engine, [self.jobs[task] for task in due])

    def _wants(self, row: RunTask) -> bool:
        return self.keeps_tree or row.task in self.asked

    def _remember(self, row: RunTask) -> None:
        if row.task not in self.jobs:
            self.jobs[row.task] = row
            self.tried[row.key].append(row)
            self.of_rule[row.rule] += 1

    def _known(self, job: Job) -> RunTask | None:
        tried = self.tried.get(job.key, ())
        return next((row for row in tried if row.state not in ENDED or row.state == "COMPLETE"), None)

    async def _create(self, job: Job) -> RunTask:
        if job.free and job.rule not in self.free:
            await run_in_threadpool(self._write_free, job)
        repeat, index = len(self.tried.get(job.key, ())), self.of_rule[job.rule] + 1
        task = {**job.task, "name": f"{job.rule}-{index}"}
        headers = {
            "Idempotency-Key": f"{job.key}-{repeat}",
            "Strongroom-Run": self.run,
            "Strongroom-Coarse": "yes" if self.coarse else "no",
        }
        if job.rule in self.remote:
            made = await run_in_threadpool(self._create_remote, job, f"{job.key}-{repeat}", task["name"])
        else:
            made = await self.tes.ask_again("POST", "/tasks", json=task, headers=headers)
        row = await run_in_threadpool(
            settlement.record, self.engine, self.run, job, task=made["id"], repeat=repeat, index=index
        )
        self._remember(row)
        for path in job.touches:
            self.files.setdefault(path, Held(None, is_input=False))
        return row

    def _create_remote(self, job: Job, key: str, name: str) -> dict[str, Any]:
        with transaction(self.engine) as session:
            away = self.remote[job.rule]
            task = remote_jobs.create(session, self.run, job.rule, away, key=key, name=name, settings=self.settings)
        return {"id": task}

    def _cancel_remote(self, task: str) -> None:
        with transaction(self.engine) as session:
            remote_jobs.cancel(session, run=self.run, task=task)

    def _remote_changes(self) -> list[dict[str, Any]]:
        with reading(self.engine) as session:
            return remote_jobs.changes(session, self.run)

    def _show_again(self, task: str) -> None:
        with reading(self.engine) as session:
            rows = [row for row in files_of(session, self.run).values() if row.task == task]
        settlement.show(self.tree, rows, self.glimpses, self.left)

    def _write_refusal(self, error: StrongroomError) -> None:
        with transaction(self.engine) as session:
            facts = {"reason": error.sentence}
            if isinstance(error, CommandRefused | publishing.NotPublished) and error.rule:
                facts["rule"] = error.rule
            audit.append(session, Entry(Event.RUN_TASK_REFUSED, ACTOR, self.run, self.project, facts))

    def _write_free(self, job: Job) -> None:
        # T18: a command that no signed template binds is there for vetters, stewards and DAC to see.
        with transaction(self.engine) as session:
            audit.append(session, Entry(Event.RUN_FREE_COMMAND, ACTOR, self.run, self.project, {"rule": job.rule}))
        self.free.add(job.rule)

"""Leads one run from its queue to its end: the stub tree, the engine, the gateway, and the airlock at the last."""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import Iterable

import structlog
import uvloop
from sqlalchemy import orm

from airlock import intake
from airlock.contract import Contract
from archive import datasets, decisions
from strongroom import audit, queue
from strongroom.audit import Entry, Event
from strongroom.bells import Bell
from strongroom.database import reading, transaction
from strongroom.projects import Project
from strongroom.queue import Context
from wes import catalogue, clear, ends, engine_limits, engine_log, engines, leases, printed, settlement
from wes.catalogue import Vetted
from wes.gateway import MOST_JOBS, Gateway
from wes.gateway_door import door
from wes.laid import laid_files
from wes.lifetimes import OVER, end_begun, is_over
from wes.options import is_whole
from wes.runs import RunState
from wes.store import Run, files_of, find, move
from wes.stubs import Obstructed, missing, opened, write_stub
from wes.tes_door import SOCKET, TesDoor
from wes.vetting import NotVetted

ACTOR = "wes.supervisor"
SETTLE_SECONDS = 5
KILLED = "The engine was killed again and again. What is done is kept: the run can be resumed."
log = structlog.get_logger()


@queue.job("wes.supervise")
def supervise(context: Context, run_id: str) -> None:
    """Supervise a run if nobody else does; safe to call at any time and any number of times."""
    with transaction(context.engine) as session:
        run = find(session, run_id)
        if run is None or not leases.take(session, run, wes=context.settings.wes):
            return
        state, over = RunState(run.state), is_over(session, run_id)
    if state is RunState.CANCELING:
        uvloop.run(ends.cancel(context, run_id))
        return
    if over:
        uvloop.run(end_begun(context, run_id))
        return
    relaunches = 0
    while _launch(context, run_id, relaunches=relaunches):
        relaunches += 1


def _launch(context: Context, run_id: str, *, relaunches: int) -> bool:
    """See one launch of a run's engine to its end; say whether it is to be launched again."""
    with reading(context.engine) as session:
        run = find(session, run_id)
        assert run is not None
    try:
        vetted = catalogue.load_for_a_run(context.settings, run.workflow, run.version)
        if vetted.statement.digest != run.digest:
            raise NotVetted(detail="the version's content is another one than at submit")
    except NotVetted as error:
        # Verified at submit and again at launch (T23).
        log.error("run.not_vetted", run=run_id, detail=error.detail)
        uvloop.run(ends.cancel_tasks(context, run_id))
        ends.end(context, run_id, RunState.SYSTEM_ERROR, reason="The workflow is not vetted any more.")
        return False
    try:
        seen = clear.seen(context, run_id, vetted.manifest.glimpses.clear)
    except clear.ClearRefused as error:
        log.error("run.clear_refused", run=run_id, detail=error.detail)
        uvloop.run(ends.cancel_tasks(context, run_id))
        ends.end(context, run_id, RunState.SYSTEM_ERROR, reason=error.sentence[:300])
        return False
    return uvloop.run(_Supervision(context, run_id, vetted, seen, relaunches=relaunches).lead())


@queue.sweep
def abandoned(context: Context) -> Iterable[tuple[str, str]]:
    """Find runs that wait though their message is lost, or whose supervisor died."""
    with reading(context.engine) as session:
        return [("wes.supervise", run) for run in leases.waiting(session, wes=context.settings.wes)]


class _Supervision:
    """One launch of one run's engine."""

    def __init__(
        self, context: Context, run_id: str, vetted: Vetted, seen: tuple[engines.Seen, ...], *, relaunches: int
    ) -> None:
        self.context, self.run_id, self.vetted, self.seen = context, run_id, vetted, seen
        self.settings = context.settings
        self.home = self.settings.home / "runs" / run_id
        self.sockets = self.settings.sockets
        self.engine = engines.open_engine(vetted.manifest.engine)
        self.launch = engines.launch_of(run_id, vetted.manifest, self.settings)
        self.canceled = self.lost = False
        self.stopped: tuple[RunState, str] | None = None  # by us, as what and why
        self.relaunches = relaunches
        self.laid = laid_files(vetted.folder, vetted.manifest.work)
        self.options: dict[str, str] = {}
        self.removed: frozenset[str] = frozenset()
        self.log: intake.OfferedFile | None = None  # what the engine printed, sealed

    async def lead(self) -> bool:
        """Bring the run to an end, or leave it to the next launch; say whether that is for us to do at once."""
        folders = engines.Folders(self.home / "work", self.vetted.folder, self.home, self.home / "tes.sock")
        run = await asyncio.to_thread(self._prepare, folders)
        with opened(folders.work) as tree:
            border = Gateway(
                run=run.id,
                project=run.project,
                coarse=run.coarse,
                images=dict(self.vetted.statement.images),
                engine=self.context.engine,
                tree=tree,
                tes=TesDoor(self.sockets / SOCKET),
                settings=self.settings,
                remote=self.vetted.manifest.remote,
                job_of=self.engine.job_of(self.vetted.manifest, self.settings, run.config),
                contract=self.vetted.manifest.contract,
                laid=self.laid,
                glimpses=self.vetted.manifest.glimpses,
                keeps_tree=self.engine.keeps_tree,
            )
            await asyncio.to_thread(border.restore)
            code = await self._run_engine(border, folders)
            again = self._killed_by(code)
            if self.engine.keeps_tree:  # else the tree is no witness of what was removed
                self.removed = await asyncio.to_thread(missing, tree, border.made())
        await border.tes.aclose()
        if self.lost:
            return False
        if again is not None:
            return await asyncio.to_thread(self._write_relaunch, again)
        if self.canceled:
            await ends.cancel(self.context, self.run_id)
        else:
            await asyncio.to_thread(self._finish, code, border)
        return False

    def _killed_by(self, code: int) -> str | None:
        """Return the signal of an end that neither we nor the engine meant, while it may be launched again."""
        if self.canceled or self.lost or self.stopped or self.relaunches >= self.settings.wes.engine_relaunches:
            return None
        return engines.killed_by(code)

    def _write_relaunch(self, signal: str) -> bool:
        """Write down that the engine is launched again, if this run is ours still; say whether it is."""
        with transaction(self.context.engine) as session:
            run = find(session, self.run_id)
            if run is None or not leases.renew(run):
                return False
            facts = {"signal": signal, "times": self.relaunches + 1}
            audit.append(session, Entry(Event.RUN_ENGINE_RELAUNCHED, ACTOR, run.id, run.project, facts))
            return True

    def _prepare(self, folders: engines.Folders) -> Run:
        if not self.engine.keeps_tree:
            engine_limits.remove(folders.work)
        folders.work.mkdir(mode=0o750, parents=True, exist_ok=True)
        with transaction(self.context.engine) as session:
            run = find(session, self.run_id)
            assert run is not None
            run.launches += 1
            self.options = run.request["workflow_engine_parameters"]
            files = files_of(session, run.id)
            entries = [
                move(run, to, actor=ACTOR)
                for at, to in ((RunState.QUEUED, RunState.INITIALIZING), (RunState.INITIALIZING, RunState.RUNNING))
                if run.state == at.value
            ]
            if entries:
                audit.append(session, *entries)
        self.launch = dataclasses.replace(self.launch, options=self.options, seen=self.seen)
        self.engine.write_config(folders, run.config, self.launch)
        if run.launches == 1 or not self.engine.keeps_tree:
            with opened(folders.work) as tree:
                born = int(run.created.timestamp()) * 1_000_000_000
                for path, text in self.laid.items():
                    write_stub(tree, path, size=0, mtime_ns=born, content=text.encode())
                for path, file in files.items():
                    if file.rule is None:
                        write_stub(tree, path, size=file.stub_size, mtime_ns=file.mtime_ns)
        with opened(folders.work) as tree:
            for one in self.seen:
                # Over these bubblewrap lays content: no link that an earlier launch left there leads it elsewhere.
                write_stub(tree, one.path, size=files[one.path].stub_size, mtime_ns=one.mtime_ns)
        return run

    async def _run_engine(self, border: Gateway, folders: engines.Folders) -> int:
        server = door(border, folders.socket)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.005)
        log = self.home / "engine.log"
        running = await engines.start(self.engine, self.launch, folders, self.settings, log=log)
        following = asyncio.create_task(border.follow())
        listening = asyncio.create_task(self._listen(running.events))
        watching = asyncio.create_task(self._watch(running))
        limiting = asyncio.create_task(self._limit(running, border))
        others = [following, listening, watching, limiting]
        try:
            code = await self._engine_end(running, following)
            limiting.cancel()  # its process may be another's by now
            if engine_limits.is_full(log, engine_limits.bounds_of(self.settings)):  # it may die of that at once
                self.stopped = self.stopped or (RunState.EXECUTOR_ERROR, engine_limits.PRINTED)
            if self._killed_by(code) is not None:
                # The stream ends with the last process that held it: no two engines are in one tree.
                await asyncio.wait({listening}, timeout=SETTLE_SECONDS)
                return code
            if self.canceled or self.lost:
                return code
            code = await self._leave_nothing(code, border, following)
            if code == 0 and await asyncio.to_thread(self._log_is_promised, border):
                await self._seal_log(border, watching)
            return code
        finally:
            running.kill()
            for other in others:
                other.cancel()
            serving.cancel()
            await asyncio.gather(*others, serving, return_exceptions=True)
            server.leave()

    async def _limit(self, running: engines.Running, border: Gateway) -> None:
        """Kill an engine that goes beyond what it may have; its run ends (T30)."""
        bounds, refused = engine_limits.bounds_of(self.settings), border.refused_enough
        place = engine_limits.Place(running.process.pid, self.home / "work", self.home / "engine.log")
        reason = await engine_limits.beyond(place, bounds, known=border.known, refused=refused)
        self.stopped = self.stopped or (RunState.EXECUTOR_ERROR, reason)
        running.kill()

    async def _engine_end(self, running: engines.Running, following: "asyncio.Task[None]") -> int:
        """Return the engine's exit code; one that stands in the way of its own stubs is ended as failed."""
        ending = asyncio.create_task(running.process.wait())
        await asyncio.wait({ending, following}, return_when=asyncio.FIRST_COMPLETED)
        running.kill()
        code = await ending
        if not following.done():
            return code
        try:
            following.result()
        except Obstructed as error:
            log.error("run.obstructed", run=self.run_id, detail=error.detail)
        return 1  # it was us who killed it

    async def _leave_nothing(self, code: int, border: Gateway, following: "asyncio.Task[None]") -> int:
        """Cancel what the engine left: no task outlives its run, and a run with such tasks is not whole (T16)."""
        whole = not border.is_busy()
        await ends.cancel_tasks(self.context, self.run_id)
        end = asyncio.get_running_loop().time() + SETTLE_SECONDS
        while border.is_busy() and not following.done() and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.05)
        return code if whole else code or 1

    async def _seal_log(self, border: Gateway, watching: "asyncio.Task[None]") -> None:
        """Have the engine's log sealed, unless the run is canceled or lost meanwhile."""
        sealing = asyncio.create_task(engine_log.sealed(border, self.home / "engine.log"))
        await asyncio.wait({sealing, watching}, return_when=asyncio.FIRST_COMPLETED)
        if sealing.done():
            self.log = sealing.result()
        sealing.cancel()
        if self.log is None and not self.lost:  # no task outlives its run
            await ends.cancel_tasks(self.context, self.run_id)

    def _log_is_promised(self, border: Gateway) -> bool:
        """Say whether the engine's log goes to the airlock: of a whole run whose engine saw nothing of data."""
        with reading(self.context.engine) as session:
            run = find(session, self.run_id)
            return (
                run is not None
                and not (run.coarse or run.quiet)
                and run.data_dependent is None
                and is_whole(self.options)
                and engine_log.is_promised(self.vetted.manifest.contract)
                and (self.engine.keeps_tree or not engine_log.saw_names(files_of(session, run.id), border.own))
            )

    async def _listen(self, events: asyncio.StreamReader) -> None:
        """Read what the engine says of its plan; it is hostile text, so only one bounded number is taken, once."""
        planned = False
        while line := await events.readline():
            with contextlib.suppress(ValueError, TypeError, AttributeError):
                total = None if planned else json.loads(line).get("total")
                if isinstance(total, int) and 0 < total <= MOST_JOBS:
                    planned = True
                    await asyncio.to_thread(self._planned, total)

    def _planned(self, total: int) -> None:
        with transaction(self.context.engine) as session:
            run = find(session, self.run_id)
            if run is not None and run.planned_tasks is None:
                run.planned_tasks = total

    async def _watch(self, running: engines.Running) -> None:
        """Hold the lease; kill the engine when the run is canceled or the lease is gone."""
        bell = Bell(self.sockets / f"run-{self.run_id}.bell")
        rung = asyncio.Event()
        loop = asyncio.get_running_loop()

        def ring() -> None:
            bell.quiet()
            rung.set()

        loop.add_reader(bell.fileno(), ring)
        try:
            while await asyncio.to_thread(self._renew):
                if self.stopped is not None and running.process.returncode is None:
                    running.kill()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(rung.wait(), 2)
                rung.clear()
            running.kill()
        finally:
            loop.remove_reader(bell.fileno())
            bell.close()
            (self.sockets / f"run-{self.run_id}.bell").unlink(missing_ok=True)

    def _renew(self) -> bool:
        with transaction(self.context.engine) as session:
            run = find(session, self.run_id)
            self.canceled = run is not None and run.state == RunState.CANCELING.value
            self.lost = run is None or not leases.renew(run)
            if is_over(session, self.run_id):
                self.stopped = self.stopped or (RunState.SYSTEM_ERROR, OVER)
            return not self.canceled and not self.lost

    def _finish(self, code: int, border: Gateway) -> None:
        if self.stopped is not None:
            state, reason = self.stopped
            ends.end(self.context, self.run_id, state, reason=reason)
            return
        if code == 0:
            self._complete()
            return
        if engines.killed_by(code) is not None:
            ends.end(self.context, self.run_id, RunState.SYSTEM_ERROR, reason=KILLED)
            return
        # Of each job its last task counts: the engine, or the owner's resume, may have tried it again.
        last = {row.key: row for row in sorted(border.jobs.values(), key=lambda row: row.repeat)}
        broken = any(row.state == "SYSTEM_ERROR" for row in last.values())
        state = RunState.SYSTEM_ERROR if broken else RunState.EXECUTOR_ERROR
        reason = "A task could not be run by the platform." if broken else "A task or the workflow itself failed."
        ends.end(self.context, self.run_id, state, reason=reason)

    def _complete(self) -> None:
        with transaction(self.context.engine) as session:
            run = find(session, self.run_id)
            state = None if run is None else RunState(run.state)
            if run is not None and state is RunState.RUNNING:
                self._write_complete(session, run)
        if state is RunState.CANCELING:  # since its engine ended well; none of its tasks is left
            ends.end(self.context, self.run_id, RunState.CANCELED, reason=None)
        if state is not RunState.RUNNING:
            return
        with reading(self.context.engine) as session:
            intake.wake(session, self.run_id)

    def _write_complete(self, session: orm.Session, run: Run) -> None:
        moved = move(run, RunState.COMPLETE, actor=ACTOR)
        audit.append(session, moved, *decisions.close(session, run.id, "complete"))
        gone = settlement.sweep(session, run, self.removed)
        if gone is not None:
            audit.append(session, gone)
        if not run.quiet:  # T6: nothing of it may leave, and an airlock that knows it would tell how it ended
            self._offer(session, run)

    def _offer(self, session: orm.Session, run: Run) -> None:
        """Hand the run's files to the airlock: it takes what the contract names, and leaves the rest inside (T16)."""
        offered = [
            intake.OfferedFile(path=path, object=file.object, rule=file.rule, task=file.task)
            for path, file in files_of(session, run.id).items()
            if file.object is not None and file.rule is not None and file.task is not None
        ]
        # T16: of a run that was told to stop early, or to make a part, nothing leaves.
        contract = self.vetted.manifest.contract if is_whole(self.options) else Contract(())
        offered += printed.offered(session, run, contract, taken=files_of(session, run.id), log=self.log)
        project = session.get(Project, run.project)
        assert project is not None
        intake.offer(
            session,
            run=run.id,
            project=run.project,
            person=run.person,
            workflow=run.workflow,
            datasets=run.datasets,
            lineage=datasets.lineage(session, run.datasets),
            coarse=run.coarse,
            contract=contract,
            policy=intake.policy_of(session, project, self.settings, datasets=run.datasets),
            files=offered,
        )

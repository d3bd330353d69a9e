"""Leads one run from its queue to its end: the stub tree, the engine, the gateway, and the airlock at the last."""

import asyncio
import contextlib
import json
from collections.abc import Iterable

import httpx
import structlog
from sqlalchemy import orm

from airlock import intake
from archive import decisions
from strongroom import audit, queue
from strongroom.bells import Bell
from strongroom.database import reading, transaction
from strongroom.projects import Project
from strongroom.queue import Context
from wes import catalogue, engine, gateway, leases, remote_jobs
from wes.catalogue import Vetted
from wes.runs import TERMINAL, RunState
from wes.store import Run, files_of, find, move
from wes.stubs import Obstructed, opened, write_stub
from wes.vetting import NotVetted

ACTOR = "wes.supervisor"
TES_SOCKET = "api.sock"
SETTLE_SECONDS = 5
log = structlog.get_logger()


@queue.job("wes.supervise")
def supervise(context: Context, run_id: str) -> None:
    """Supervise a run if nobody else does; safe to call at any time and any number of times."""
    with transaction(context.engine) as session:
        run = find(session, run_id)
        if run is None or not leases.take(session, run, most=context.settings.wes.runs_at_once):
            return
        state = RunState(run.state)
    if state is RunState.CANCELING:
        asyncio.run(_cancel(context, run_id))
        return
    try:
        vetted = catalogue.load(context.settings, run.workflow, run.version)
        if vetted.statement.digest != run.digest:
            raise NotVetted(detail="the version's content is another one than at submit")
    except NotVetted as error:
        # Verified at submit and again at launch (T23).
        log.error("run.not_vetted", run=run_id, detail=error.detail)
        asyncio.run(_cancel_tasks(context, run_id))
        _end(context, run_id, RunState.SYSTEM_ERROR, reason="The workflow is not vetted any more.")
        return
    asyncio.run(_Supervision(context, run_id, vetted).lead())


@queue.sweep
def abandoned(context: Context) -> Iterable[tuple[str, str]]:
    """Find runs that wait though their message is lost, or whose supervisor died."""
    with reading(context.engine) as session:
        free = context.settings.wes.runs_at_once - leases.held(session)
        return [("wes.supervise", run) for run in leases.waiting(session)[: max(free, 0)]]


class _Supervision:
    """One launch of one run's engine."""

    def __init__(self, context: Context, run_id: str, vetted: Vetted) -> None:
        self.context, self.run_id, self.vetted = context, run_id, vetted
        self.settings = context.settings
        self.home = self.settings.home / "runs" / run_id
        self.sockets = self.settings.sockets
        self.canceled = self.lost = False

    async def lead(self) -> None:
        """Bring the run to an end, or leave it to the next supervisor if ours is killed."""
        run = await asyncio.to_thread(self._prepare)
        folders = engine.Folders(
            self.home / "work", self.vetted.folder, self.home / "config.yaml", self.home / "tes.sock"
        )
        with opened(folders.work) as tree:
            border = gateway.Gateway(
                run=run.id,
                project=run.project,
                coarse=run.coarse,
                images=dict(self.vetted.statement.images),
                engine=self.context.engine,
                tree=tree,
                tes=gateway.tes_client(self.sockets / TES_SOCKET),
                settings=self.settings,
                remote=self.vetted.manifest.remote,
            )
            await asyncio.to_thread(border.restore)
            code = await self._run_engine(border, folders)
        await border.tes.aclose()
        if self.lost:
            return
        if self.canceled:
            await _cancel(self.context, self.run_id)
            return
        await asyncio.to_thread(self._finish, code, border)

    def _prepare(self) -> Run:
        work = self.home / "work"
        work.mkdir(mode=0o750, parents=True, exist_ok=True)
        with transaction(self.context.engine) as session:
            run = find(session, self.run_id)
            assert run is not None
            run.launches += 1
            files = files_of(session, run.id)
            entries = [
                move(run, to, actor=ACTOR)
                for at, to in ((RunState.QUEUED, RunState.INITIALIZING), (RunState.INITIALIZING, RunState.RUNNING))
                if run.state == at.value
            ]
            if entries:
                audit.append(session, *entries)
        engine.write_config(self.home / "config.yaml", run.config)
        if run.launches == 1:
            with opened(work) as tree:
                for path, file in files.items():
                    write_stub(tree, path, size=file.stub_size, mtime_ns=file.mtime_ns)
        return run

    async def _run_engine(self, border: gateway.Gateway, folders: engine.Folders) -> int:
        server = gateway.server(border, folders.socket)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.005)
        running = await engine.start(
            folders, self.settings, entry=self.vetted.manifest.entry, log=self.home / "engine.log"
        )
        following = asyncio.create_task(border.follow())
        others = [
            following,
            asyncio.create_task(self._listen(running.events)),
            asyncio.create_task(self._watch(running)),
        ]
        try:
            code = await self._engine_end(running, following)
            return code if self.canceled or self.lost else await self._leave_nothing(code, border, following)
        finally:
            running.kill()
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            server.should_exit = server.force_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await serving

    async def _engine_end(self, running: engine.Engine, following: "asyncio.Task[None]") -> int:
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
        return code or 1

    async def _leave_nothing(self, code: int, border: gateway.Gateway, following: "asyncio.Task[None]") -> int:
        """Cancel what the engine left: no task outlives its run, and a run with such tasks is not whole (T16)."""
        whole = not border.is_busy()
        await _cancel_tasks(self.context, self.run_id)
        end = asyncio.get_running_loop().time() + SETTLE_SECONDS
        while border.is_busy() and not following.done() and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.05)
        return code if whole else code or 1

    async def _listen(self, events: asyncio.StreamReader) -> None:
        """Read what the engine says of its plan; it is hostile text, so only one bounded number is taken."""
        while line := await events.readline():
            with contextlib.suppress(ValueError, TypeError, AttributeError):
                total = json.loads(line).get("total")
                if isinstance(total, int) and 0 < total <= gateway.MOST_JOBS:
                    await asyncio.to_thread(self._planned, total)

    def _planned(self, total: int) -> None:
        with transaction(self.context.engine) as session:
            run = find(session, self.run_id)
            if run is not None and run.planned_tasks is None:
                run.planned_tasks = total

    async def _watch(self, running: engine.Engine) -> None:
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
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(rung.wait(), 2)
                rung.clear()
            running.kill()
        finally:
            loop.remove_reader(bell.fileno())
            bell.socket.close()
            (self.sockets / f"run-{self.run_id}.bell").unlink(missing_ok=True)

    def _renew(self) -> bool:
        with transaction(self.context.engine) as session:
            run = find(session, self.run_id)
            self.canceled = run is not None and run.state == RunState.CANCELING.value
            self.lost = run is None or not leases.renew(run)
            return not self.canceled and not self.lost

    def _finish(self, code: int, border: gateway.Gateway) -> None:
        if code == 0:
            self._complete()
            return
        broken = any(row.state == "SYSTEM_ERROR" for row in border.jobs.values())
        state = RunState.SYSTEM_ERROR if broken else RunState.EXECUTOR_ERROR
        reason = "A task could not be run by the platform." if broken else "A task or the workflow itself failed."
        _end(self.context, self.run_id, state, reason=reason)

    def _complete(self) -> None:
        with transaction(self.context.engine) as session:
            run = find(session, self.run_id)
            if run is None or RunState(run.state) is not RunState.RUNNING:
                return
            moved = move(run, RunState.COMPLETE, actor=ACTOR)
            audit.append(session, moved, *decisions.close(session, run.id, "complete"))
            self._offer(session, run)
        with reading(self.context.engine) as session:
            intake.wake(session, self.run_id)

    def _offer(self, session: orm.Session, run: Run) -> None:
        """Hand the run's files to the airlock: it takes what the contract names, and leaves the rest inside (T16)."""
        offered = [
            intake.OfferedFile(path=path, object=file.object, rule=file.rule, task=file.task)
            for path, file in files_of(session, run.id).items()
            if file.object is not None and file.rule is not None and file.task is not None
        ]
        project = session.get(Project, run.project)
        assert project is not None
        intake.offer(
            session,
            run=run.id,
            project=run.project,
            person=run.person,
            datasets=run.datasets,
            coarse=run.coarse,
            contract=self.vetted.manifest.contract,
            policy=intake.policy_of(project, self.settings),
            files=offered,
        )


async def _cancel(context: Context, run_id: str) -> None:
    """End a canceled run: CANCELED only when all of its tasks are gone."""
    await _cancel_tasks(context, run_id)
    await asyncio.to_thread(_end, context, run_id, RunState.CANCELED, reason=None)


async def _cancel_tasks(context: Context, run_id: str) -> None:
    """Return when no task of the run is alive."""
    async with gateway.tes_client(context.settings.sockets / TES_SOCKET) as tes:
        while True:
            with contextlib.suppress(httpx.HTTPError, OSError, ValueError, KeyError):
                away = await asyncio.to_thread(_cancel_remote, context, run_id)
                answer = await tes.post(f"{gateway.BASE}/runs/{run_id}:cancel")
                if answer.json()["live"] + away == 0:
                    return
            await asyncio.sleep(0.1)


def _cancel_remote(context: Context, run_id: str) -> int:
    """Have the run's jobs at other sites canceled; return how many have not ended."""
    with transaction(context.engine) as session:
        return remote_jobs.cancel(session, run=run_id)


def _end(context: Context, run_id: str, state: RunState, *, reason: str | None) -> None:
    with transaction(context.engine) as session:
        run = find(session, run_id)
        if run is None or RunState(run.state) in TERMINAL:
            return
        if RunState(run.state) is RunState.CANCELING:
            state, reason = RunState.CANCELED, None
        entries = [
            move(run, state, actor=ACTOR, reason=reason),
            *decisions.close(session, run_id, state.value.lower()),
        ]
        audit.append(session, *entries)

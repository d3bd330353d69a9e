"""What becomes of a run's tasks reaches its engine once, whoever died in between: a real TES, a real gateway."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

import tes.api
from archive import decisions
from strongroom import http
from strongroom.audit import append
from strongroom.database import Base, now, open_database, transaction
from strongroom.http import PEER
from strongroom.settings import Settings
from tes.store import Attempt, find, move
from tes.tasks import TaskState
from wes import gateway, rules
from wes.store import Run
from wes.stubs import opened

sys.path.append(str(Path(__file__).parents[2]))
from in_process_tes import InProcess

RUN = "a" * 32
IMAGES = {"genomics": "sha256:" + "b" * 64}
JOB: dict[str, Any] = {
    "name": "qc",
    "tags": {"rule": "qc"},
    "executors": [{"image": "genomics", "command": ["true"], "workdir": "/run/work"}],
    "inputs": [],
    "outputs": [{"path": "/run/work/qc.txt", "type": "FILE"}],
}
OBJECT = "c" * 32


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'd.db'}")
    Base.metadata.create_all(made)
    with transaction(made) as session:
        session.add(_run())
        append(session, *_decision(session))
    yield made
    made.dispose()


def _run() -> Run:
    return Run(
        id=RUN,
        state="RUNNING",
        project="cohort",
        person="ruth",
        coarse=False,
        workflow="count",
        version="1.0.0",
        digest="sha256:d",
        contract_schema=1,
        policy_version=1,
        request={},
        config={},
        datasets=[],
        created=now(),
        launches=1,
        resumed=0,
        name="count/1.0.0",
        tags={},
    )


def _decision(session: orm.Session) -> Any:
    return decisions.record(
        session,
        run=RUN,
        person="ruth",
        project="cohort",
        workflow="count",
        version="1.0.0",
        workflow_digest="sha256:d",
        envelope={},
        images=IMAGES,
        datasets=[],
        policy_version=1,
        seconds=3600,
    )


@asynccontextmanager
async def border(engine: sa.Engine, folder: Path, *, keeps_tree: bool = True) -> AsyncIterator[gateway.Gateway]:
    """A gateway that follows its run's tasks, as a supervisor starts it."""
    settings = Settings(home=folder)
    settings.sockets.mkdir(exist_ok=True)
    app = http.new_app("TES", settings, engine=engine, issuers=[])
    app.include_router(tes.api.router)

    async def as_a_service(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": {PEER: 0}}, receive, send)

    (folder / "tree").mkdir(exist_ok=True)
    with opened(folder / "tree") as tree:
        async with (
            tes.api.watch_bell(app),
            contextlib.aclosing(InProcess(as_a_service)) as client,
        ):
            made = gateway.Gateway(
                RUN,
                "cohort",
                coarse=False,
                images=IMAGES,
                engine=engine,
                tree=tree,
                tes=client,
                settings=settings,
                job_of=rules.job_of,
                keeps_tree=keeps_tree,
            )
            await asyncio.to_thread(made.restore)
            following = asyncio.create_task(made.follow())
            try:
                yield made
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)


def complete(engine: sa.Engine, task: str) -> None:
    """Do what the dispatcher does when an attempt ended well."""
    with transaction(engine) as session:
        row = find(session, task)
        assert row is not None
        for state in (TaskState.INITIALIZING, TaskState.RUNNING, TaskState.COMPLETE):
            append(session, move(session, row, state, actor="test"))
        output = {"path": "/run/work/qc.txt", "object": OBJECT, "size": 5, "role": "output"}
        session.add(
            Attempt(
                id="d" * 32,
                task=task,
                number=1,
                decision=RUN,
                project="cohort",
                backend="local",
                started=now(),
                ended=now(),
                report={"cause": "exited", "exit_code": 0, "outputs": [output]},
            )
        )


def tried_twice(engine: sa.Engine, task: str) -> None:
    """Do what the dispatcher does when a node was lost and the second attempt failed by itself."""
    with transaction(engine) as session:
        row = find(session, task)
        assert row is not None
        for state in (TaskState.INITIALIZING, TaskState.RUNNING, TaskState.EXECUTOR_ERROR):
            append(session, move(session, row, state, actor="test"))
        for number, exit_code in ((2, 130), (1, None)):  # whichever is written down first
            session.add(
                Attempt(
                    id=f"{number:032x}",
                    task=task,
                    number=number,
                    decision=RUN,
                    project="cohort",
                    backend="local",
                    started=now(),
                    ended=now(),
                    report={"cause": "lost" if exit_code is None else "exited", "exit_code": exit_code},
                )
            )


async def told(made: gateway.Gateway) -> list[str]:
    """Wait until the engine would hear of something; return the states."""
    for _ in range(100):
        if made.moved:
            return [change["state"] for change in made.moved]
        await asyncio.sleep(0.05)
    raise AssertionError("the engine waits for ever")


def test_a_task_that_ended_is_told_once_with_its_stub_there(engine: sa.Engine, tmp_path: Path) -> None:
    async def story() -> None:
        async with border(engine, tmp_path) as made:
            task = await made.create(JOB)
            await asyncio.to_thread(complete, engine, task)
            assert await told(made) == ["COMPLETE"]
            assert (tmp_path / "tree" / "qc.txt").stat().st_size == 8
            assert made.files["qc.txt"].object == OBJECT

    asyncio.run(story())


def test_a_task_whose_row_was_lost_and_that_ended_meanwhile_is_told_too(engine: sa.Engine, tmp_path: Path) -> None:
    # Killed between TES's commit and our own row; the task ends before the new engine asks for it.
    async def story() -> None:
        async with border(engine, tmp_path) as first:
            task = await first.create(JOB)
        with transaction(engine) as session:
            session.execute(sa.text("delete from run_tasks"))
        await asyncio.to_thread(complete, engine, task)
        async with border(engine, tmp_path) as second:
            for _ in range(100):
                if second.early:
                    break
                await asyncio.sleep(0.05)
            assert second.moved == []
            assert await second.create(JOB) == task
            assert await told(second) == ["COMPLETE"]
            assert (tmp_path / "tree" / "qc.txt").exists()
            assert second.early == {}

    asyncio.run(story())


def test_a_task_whose_row_was_lost_is_found_though_another_was_asked_for_first(
    engine: sa.Engine, tmp_path: Path
) -> None:
    # The next engine asks in another order, so that the lost task would be numbered, and named, anew.
    other = JOB | {"outputs": [{"path": "/run/work/other.txt", "type": "FILE"}]}

    async def story() -> None:
        async with border(engine, tmp_path) as first:
            task = await first.create(JOB)
        with transaction(engine) as session:
            session.execute(sa.text("delete from run_tasks"))
        async with border(engine, tmp_path) as second:
            assert await second.create(other) != task
            assert await second.create(JOB) == task
            assert len({row.name for row in second.jobs.values()}) == 2

    asyncio.run(story())


def test_a_job_that_failed_is_a_new_task_when_it_is_asked_for_again(engine: sa.Engine, tmp_path: Path) -> None:
    async def story() -> None:
        async with border(engine, tmp_path) as first:
            task = await first.create(JOB)
            assert await first.create(JOB) == task
            await asyncio.to_thread(tried_twice, engine, task)
            assert await told(first) == ["EXECUTOR_ERROR"]
            assert first.moved[0]["exit_code"] == 130, "of two attempts the last one counts"
        async with border(engine, tmp_path) as second:  # it knows what the first was asked for
            again = await second.create(JOB)
            assert again != task
            assert await second.create(JOB) == again
            assert [(row.name, row.repeat) for row in second.jobs.values()] == [("qc-1", 0), ("qc-2", 1)]

    asyncio.run(story())


def test_a_job_that_was_canceled_while_nobody_listened_is_a_new_task(engine: sa.Engine, tmp_path: Path) -> None:
    # A run that is canceled leaves such rows, and a resumed one asks for their jobs before it could hear of them.
    async def story() -> None:
        async with border(engine, tmp_path) as first:
            task = await first.create(JOB)
        with transaction(engine) as session:
            row = find(session, task)
            assert row is not None
            append(session, move(session, row, TaskState.CANCELED, actor="test"))
        async with border(engine, tmp_path) as second:
            assert second.jobs[task].state == "QUEUED"
            again = await second.create(JOB)
            assert again != task
            await asyncio.to_thread(complete, engine, again)
            while "COMPLETE" not in await told(second):
                await asyncio.sleep(0.05)
            assert [(one["id"], one["state"]) for one in second.moved] == [(task, "CANCELED"), (again, "COMPLETE")]

    asyncio.run(story())


def test_an_engine_with_a_fresh_tree_sees_stubs_only_of_what_it_asked_for(engine: sa.Engine, tmp_path: Path) -> None:
    # Nextflow takes a folder that is there already for another task's, and would do this one again elsewhere.
    async def story() -> None:
        async with border(engine, tmp_path) as first:
            task = await first.create(JOB)
        await asyncio.to_thread(complete, engine, task)
        async with border(engine, tmp_path, keeps_tree=False) as second:
            assert await told(second) == ["COMPLETE"]
            assert not (tmp_path / "tree" / "qc.txt").exists()
            assert await second.create(JOB) == task
            assert (tmp_path / "tree" / "qc.txt").stat().st_size == 8

    asyncio.run(story())

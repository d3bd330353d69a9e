"""Which of what tasks printed is offered to the airlock."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airlock.contract import parse_contract
from strongroom.database import Base, now, open_database, reading, transaction
from wes.printed import MOST_LOGS, offered
from wes.store import Run, RunTask, find

sys.path.append(str(Path(__file__).parent))
from runs_scene import a_run, add

ONE = f"{1:032x}"
LOG = {"format": "log", "release": "airlock", "rule": "count", "max_rows": 20, "stream": "stdout"}
CONTRACT = parse_contract([{"match": "results/*.log", **{k: v for k, v in LOG.items() if k != "stream"}}, LOG])
BOTH = {"stdout": "o" * 32, "stderr": "e" * 32}


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    engine = open_database("sqlite://")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def a_task(index: int, **changes: Any) -> RunTask:
    facts: dict[str, Any] = {"rule": "count", "state": "COMPLETE", "printed": BOTH, "repeat": 0, "directories": []}
    return RunTask(run=ONE, key=f"k{index}", index=index, task=f"{index:032x}", created=now(), **facts | changes)


def found(engine: sa.Engine, *tasks: RunTask, run: Run | None = None, **how: Any) -> list[str]:
    with transaction(engine) as session:
        add(session, run or a_run(1))
        session.add_all(tasks)
    with reading(engine) as session:
        one = find(session, ONE)
        assert one is not None
        files = list(offered(session, one, how.get("contract", CONTRACT), taken=how.get("taken", ())))
    assert all((file.stream, file.object, file.rule) == ("stdout", "o" * 32, "count") for file in files)
    return [file.path for file in files]


def test_promised_streams_of_complete_tasks_are_offered(engine: sa.Engine) -> None:
    others = [a_task(2, rule="other"), a_task(3, state="EXECUTOR_ERROR"), a_task(4, printed={"stderr": "e" * 32})]
    assert found(engine, a_task(1), *others, a_task(5)) == [f"logs/tasks/count-{n}.stdout.txt" for n in (1, 5)]


@pytest.mark.parametrize(
    ("run", "how"),
    [
        ({"coarse": True}, {}),
        ({}, {"contract": parse_contract([])}),
        ({}, {"taken": {"logs/tasks/count-1.stdout.txt"}}),  # a file of the run has this path
    ],
)
def test_nothing_else_is(engine: sa.Engine, run: dict[str, Any], how: dict[str, Any]) -> None:
    assert found(engine, a_task(1), run=a_run(1, **run), **how) == []


def test_so_many_and_no_more(engine: sa.Engine) -> None:
    assert len(found(engine, *(a_task(n) for n in range(1, MOST_LOGS + 20)))) == MOST_LOGS

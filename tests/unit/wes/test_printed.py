"""Which of what tasks printed is offered to the airlock."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airlock.contract import ContractRefused, parse_contract
from airlock.intake import OfferedFile, releasing_rule
from airlock.policy import project_policy
from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.settings import Settings
from wes import engine_log
from wes.engine_log import is_promised
from wes.printed import MOST_LOGS, offered
from wes.store import Run, RunFile, RunTask, find

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
        files = list(
            offered(session, one, how.get("contract", CONTRACT), taken=how.get("taken", ()), log=how.get("log"))
        )
    of_tasks = [file for file in files if file.stream != "engine"]
    assert all((file.stream, file.object, file.rule) == ("stdout", "o" * 32, "count") for file in of_tasks)
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


ENGINE = OfferedFile(path="logs/engine.txt", object="l" * 32, rule="", task="f" * 32, stream="engine")
PROMISED = [{"format": "log", "release": "airlock", "max_rows": 20, "stream": "engine"}, LOG]


def test_an_engines_log_is_offered_where_it_is_promised_and_is_no_file(engine: sa.Engine) -> None:
    promised = parse_contract(PROMISED)
    both = ["logs/engine.txt", "logs/tasks/count-1.stdout.txt"]
    assert found(engine, a_task(1), contract=promised, log=ENGINE) == both
    assert is_promised(promised)
    assert not is_promised(CONTRACT)
    policy = project_policy(version=1, min_count=5)
    assert releasing_rule(promised, ENGINE, policy=policy) is not None
    # What a task passes on is of no rule either, but is a file, and so no stream.
    file = replace(ENGINE, stream="")
    assert releasing_rule(promised, file, policy=policy) is None
    assert releasing_rule(CONTRACT, ENGINE, policy=policy) is None
    assert releasing_rule(promised, replace(ENGINE, rule="count"), policy=policy) is None


@pytest.mark.parametrize("how", [{"coarse": True}, {"contract": CONTRACT}, {"taken": {"logs/engine.txt"}}])
def test_an_engines_log_stays_inside_else(engine: sa.Engine, how: dict[str, Any]) -> None:
    run = a_run(1, coarse=how.pop("coarse", False))
    assert found(engine, run=run, **({"contract": parse_contract(PROMISED)} | how), log=ENGINE) == []


@pytest.mark.parametrize("wrong", [{"rule": "count"}, {"match": "logs/engine.txt"}, {"format": "tsv"}])
def test_an_engines_log_has_neither_rule_nor_file_and_is_a_log(wrong: dict[str, Any]) -> None:
    with pytest.raises(ContractRefused):
        parse_contract([PROMISED[0] | wrong])


@pytest.mark.parametrize(
    ("text", "last"), [(b"a\nb", "a\nb"), (b"a\0\xff\n", "a\n"), (b"x" * 60 + b"\nyy\n", "yy\n")]
)
def test_the_end_of_a_long_log_is_sealed_by_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes, last: str
) -> None:
    monkeypatch.setattr(engine_log, "MOST_BYTES", 50)
    (tmp_path / "log").write_bytes(text)
    assert engine_log._last(tmp_path / "log") == last


FOLDER, OWN = "work/ab/cd", ("work/ab/cd", frozenset({"work/ab/cd/a.txt"}))


@pytest.mark.parametrize(
    ("files", "saw"),
    [
        ({"inputs/x.txt": (None, None)}, False),
        ({f"{FOLDER}/a.txt": ("t", "COPY"), "results/of-one.txt": ("t", "COPY")}, False),  # published by the engine
        ({"work/ef/01/given.txt": ("t", "COPY")}, False),  # passed on by another task
        ({f"{FOLDER}/b.txt": ("t", "COPY")}, True),
        ({f"{FOLDER}/a.txt/b.txt": ("t", "COPY")}, True),  # it was a folder
        ({"work/ef/01/a.txt": ("of an earlier launch", "COPY")}, True),
    ],
)
def test_t4_a_name_that_a_task_chose_is_seen(files: dict[str, tuple[str | None, str | None]], saw: bool) -> None:
    rows = {path: RunFile(path=path, task=task, rule=rule) for path, (task, rule) in files.items()}
    assert engine_log.saw_names(rows, {"t": OWN}) is saw


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("Launching `/run/workflow/main.nf` in /run/work/work", True),
        ("1 0 254:0 /srv/strongroom/runs/0a/work /run/work rw", False),
        ("1 0 254:0 /strongroom/runs/0a/work /run/work rw", False),  # a disk of its own, at /srv
        (f"Linux version {os.uname().release} (builder)", False),
        ("see /run/workflow/strongroom and /srv/strongrooms", True),
    ],
)
def test_lines_about_the_host_are_left_out(line: str, left: bool) -> None:
    found = engine_log.of_host(Settings(home=Path("/srv/strongroom")))
    kept = ["first", *([line] if left else []), "last"]
    assert engine_log._without(f"first\n{line}\nlast\n", found).splitlines() == kept


def test_so_many_and_no_more(engine: sa.Engine) -> None:
    assert len(found(engine, *(a_task(n) for n in range(1, MOST_LOGS + 20)))) == MOST_LOGS

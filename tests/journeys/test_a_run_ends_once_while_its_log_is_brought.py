"""Between its engine's end and its log's entry a run is canceled, or its worker killed: it ends once, never half."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile import events, eventually, held_still, processes, rows, vetted
from site_of_tests import Site

from strongroom.cli.run import WES

# The engine ends well when the test lets it: it waits for a file in its own tree.
WAITS = """
rule all:
    input: "a.txt"
rule one:
    output: "a.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "echo > {output}"
onsuccess:
    import os, time
    open("waits", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.02)
"""
OUTPUTS = [
    {"stream": "engine", "format": "log", "release": "airlock", "max_rows": 200, "lines": ["rule [a-z]{1,8}:"]},
    {"release": "inside"},
]
ENGINE_LOG = "logs/engine.txt"
ENDS = ("COMPLETE", "CANCELED", "EXECUTOR_ERROR", "SYSTEM_ERROR")
SEALING = "select id, state from tasks where run = ? and name = 'engine-log'"


@pytest.fixture(scope="module")
def waits(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    return vetted(site, tmp_path_factory.mktemp("waits") / "w", "waits", WAITS, outputs=OUTPUTS)


def at_its_end(site: Site, url: str) -> tuple[str, Path]:
    """Submit a run; return it, and what lets its engine end, once all its jobs are done."""
    run = site.submit(url, {})
    work = site.stage.home / "runs" / run / "work"
    eventually((work / "waits").exists, "the engine never came to its end", within=120)
    return run, work / "go"


def cancel(site: Site, run: str) -> None:
    with site.stage.client(site.cast.researcher) as client:
        client.post(f"{WES}/runs/{run}/cancel")


def kill(site: Site, run: str) -> None:
    for pid in processes(site, "worker"):
        os.kill(pid, signal.SIGKILL)


def kill_and_cancel(site: Site, run: str) -> None:
    kill(site, run)
    cancel(site, run)


def cancel_and_kill(site: Site, run: str) -> None:
    cancel(site, run)
    kill(site, run)


def assert_ended_once(site: Site, run: str) -> str:
    """Wait for a run's end, and hold it to all or nothing; return its state."""
    state = site.ended(run)
    moves = [event["facts"]["to"] for event in events(site, "run.state", run)]
    assert [one for one in moves if one in ENDS] == [state], moves
    assert state in ("COMPLETE", "CANCELED"), (moves, site.engine_log(run))
    living = "select name, state from tasks where run = ? and state not in ('COMPLETE', 'CANCELED')"
    assert [row for row in rows(site, living, run) if row[1] not in ENDS] == []
    offered = rows(site, "select count(*) from airlock_runs where run = ?", run)
    assert offered == [(1 if state == "COMPLETE" else 0,)]
    # Not as its checks see it: who killed a worker may have killed one of these, which is tried again after minutes.
    brought = [path for (path,) in rows(site, "select path from airlock_files where run = ?", run)]
    assert brought in ([ENGINE_LOG], []) if state == "COMPLETE" else brought == []
    return state


@pytest.mark.parametrize(
    ("act", "ends"),
    [(cancel, "CANCELED"), (kill, "COMPLETE"), (kill_and_cancel, "CANCELED"), (cancel_and_kill, "CANCELED")],
)
def test_a_run_ends_once_whatever_comes_while_its_log_waits_to_be_sealed(
    site: Site, waits: str, act: Callable[[Site, str], None], ends: str
) -> None:
    run, go = at_its_end(site, waits)
    with held_still(site, "dispatcher"):  # the task that seals the log is there, and does not begin
        go.touch()
        eventually(lambda: rows(site, SEALING, run), "the log is not brought", within=60)
        act(site, run)
    assert assert_ended_once(site, run) == ends
    if ends == "COMPLETE":
        assert [file["verdict"] for file in site.held(run).values()] == ["pass"]


@pytest.mark.parametrize("act", [cancel, kill, cancel_and_kill])
def test_a_run_ends_once_at_any_moment_of_it(site: Site, waits: str, act: Callable[[Site, str], None]) -> None:
    run, go = at_its_end(site, waits)
    go.touch()
    eventually(lambda: rows(site, SEALING, run), "the log is not brought", within=60)
    time.sleep(random.random())
    act(site, run)
    assert_ended_once(site, run)

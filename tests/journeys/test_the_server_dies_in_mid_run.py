"""Nothing is lost: kill -9 of everything in mid-run, start again, and the run completes with nothing done twice."""

import os
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

from site_of_tests import Site

from strongroom.cli.run import WES

JOBS = "select task, state from run_tasks where run = ?"
FILES = "select path, count(*) from run_files where run = ? and rule is not null group by path"


def test_a_run_completes_after_kill_9_of_the_server_and_nothing_is_done_twice(site: Site) -> None:
    run = site.submit("cohort-frequencies/1.0.0", {"inputs": {"calls": "hapmap"}})
    _wait_for_tasks(site, run, 20)
    before = _complete(site, run)
    site.stage.kill()
    site.stage.start()
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    after = _rows(site, JOBS, run)
    states = Counter(state for _, state in after)
    assert states["COMPLETE"] == 73, states
    # No COMPLETE task was done again: what was complete is the same task as before, and each rule has its number.
    complete = {task for task, state in after if state == "COMPLETE"}
    assert before <= complete
    registered = _rows(site, FILES, run)
    assert [path for path, count in registered if count != 1] == []
    assert site.stage.run("audit", "verify").returncode == 0


def test_a_worker_that_is_killed_is_replaced_and_the_run_goes_on(site: Site) -> None:
    run = site.submit("cohort-frequencies/1.0.0", {"inputs": {"calls": "hapmap"}})
    _wait_for_tasks(site, run, 10)
    killed = _children_named(site, "worker")
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    assert site.ended(run) == "COMPLETE", site.engine_log(run)


def test_a_dispatcher_that_is_killed_gives_its_tasks_another_attempt(site: Site) -> None:
    run = site.submit("cohort-frequencies/1.0.0", {"inputs": {"calls": "hapmap"}})
    _wait_for_tasks(site, run, 10)
    for pid in _children_named(site, "dispatcher"):
        os.kill(pid, signal.SIGKILL)
    assert site.ended(run) == "COMPLETE", site.engine_log(run)


def test_a_zygote_that_is_killed_is_replaced_and_the_run_goes_on(site: Site) -> None:
    run = site.submit("cohort-frequencies/1.0.0", {"inputs": {"calls": "hapmap"}})
    _wait_for_tasks(site, run, 10)
    (dispatcher,) = _children_named(site, "dispatcher")
    (zygote,) = _children_of(dispatcher, "sandbox.zygote")
    os.kill(zygote, signal.SIGKILL)
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    assert _children_named(site, "dispatcher") == [dispatcher]
    assert _children_of(dispatcher, "sandbox.zygote") != [zygote]


def _wait_for_tasks(site: Site, run: str, count: int) -> None:
    end = time.monotonic() + 60
    with site.stage.client(site.cast.researcher) as client:
        while client.get(f"{WES}/runs/{run}")["outputs"]["progress"]["tasks_done"] < count:
            assert time.monotonic() < end
            time.sleep(0.05)


def _complete(site: Site, run: str) -> set[str]:
    rows = _rows(site, JOBS, run)
    return {task for task, state in rows if state == "COMPLETE"}


def _rows(site: Site, query: str, run: str) -> list[Any]:
    base = sqlite3.connect(f"file:{site.stage.home}/database/strongroom.db?mode=ro", uri=True)
    try:
        return base.execute(query, (run,)).fetchall()
    finally:
        base.close()


def _children_named(site: Site, name: str) -> list[int]:
    assert site.stage.process is not None
    return _children_of(site.stage.process.pid, name)


def _children_of(parent: int, name: str) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            words = (status.parent / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(fields[1]) == parent and name.encode() in words:
            found.append(int(status.parent.name))
    return found

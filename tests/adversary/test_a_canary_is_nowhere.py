"""What is inside a dataset is nowhere outside a task's walls: not during a run, not after it, not after kill -9."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from canaries import (
    SLOT,
    SPREADS,
    Canary,
    assert_nowhere,
    born,
    family,
    in_memory,
    in_processes,
    let_end,
    new_canary,
    on_disk,
    spreading,
)
from hostile import children, eventually, processes, rows, vetted
from site_of_tests import Site

from strongroom.cli.run import WES


@pytest.fixture
def canary(site: Site) -> Canary:
    """A new one."""
    return new_canary(site)


@pytest.fixture(scope="module")
def spreads(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    return vetted(site, tmp_path_factory.mktemp("w") / "w", "spreads", SPREADS, inputs=SLOT)


def supervisors(site: Site) -> list[int]:
    """Return the processes that the zygote forked and that have a task: one that waits has a first process alone."""
    (dispatcher,) = processes(site, "dispatcher")
    return [pid for zygote in children(dispatcher) for pid in children(zygote) if len(family(pid)) > 2]


def test_the_search_can_find_it(site: Site, canary: Canary) -> None:
    planted = [site.stage.home / "runs" / f"planted-{number}" for number in range(len(canary.forms))]
    for path, form in zip(planted, canary.forms, strict=True):
        path.write_bytes(b"before " + form + b" after")
    assert on_disk(site, canary) == [str(path) for path in planted]
    for path in planted:
        path.unlink()
    for name, environment in (("sleep", {"SECRET": canary.text}), (canary.text, {})):
        planted_one = subprocess.Popen([name, "60"], executable="/bin/sleep", env=environment)
        try:
            assert eventually(lambda: in_processes(canary), "the search finds no process")
        finally:
            planted_one.kill()
            planted_one.wait()
    assert in_memory(os.getpid(), canary)
    assert_nowhere(site, canary)


def test_a_canary_in_the_data_is_nowhere_during_a_run_and_after_it(site: Site, spreads: str, canary: Canary) -> None:
    run = site.submit(spreads, {"inputs": {"notes": canary.dataset}})
    eventually(lambda: spreading(canary), "the task never read its input")
    assert_nowhere(site, canary)
    assert spreading(canary)  # it was there all the time
    ours = [pid for name in ("api", "worker", "broker", "signer", "dispatcher") for pid in processes(site, name)]
    assert len(ours) >= 5
    assert [pid for pid in ours if in_memory(pid, canary)] == []  # not even in what our own services think
    let_end(canary)
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    assert_nowhere(site, canary)
    with site.stage.client(site.cast.researcher) as client:
        told = [client.http.get(f"{WES}/runs/{run}").text, client.http.get(f"{WES}/runs/{run}/tasks").text]
        tasks = client.get("/ga4gh/tes/v1/tasks", view="FULL")
    assert canary.text not in str([told, tasks])
    assert eventually(lambda: not supervisors(site), "a supervisor is left")
    assert spreading(canary) == []


def test_t1_kill_9_of_a_supervisor_leaves_nothing_and_the_task_is_done_again(
    site: Site, spreads: str, canary: Canary
) -> None:
    run = site.submit(spreads, {"inputs": {"notes": canary.dataset}})
    eventually(lambda: spreading(canary), "the task never read its input")
    (supervisor,) = supervisors(site)
    dead = {pid: born(pid) for pid in family(supervisor)}
    assert len(dead) >= 3
    os.kill(supervisor, signal.SIGKILL)
    # Its mounts are in a namespace that goes with the last process that is in it.
    eventually(lambda: not [pid for pid in dead if born(pid) == dead[pid]], "a process of the dead attempt lives")
    assert in_processes(canary) == []
    assert "fuse.view" not in Path("/proc/mounts").read_text()
    let_end(canary)
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    ((task,),) = rows(site, "select id from tasks where run = ?", run)
    reports = rows(site, "select json_extract(report, '$.cause') from attempts where task = ? order by number", task)
    assert reports == [("lost",), ("exited",)]
    assert_nowhere(site, canary)
    assert eventually(lambda: not supervisors(site), "a supervisor is left")
    kept = rows(site, "select count(*) from claims where attempt in (select id from attempts where task = ?)", task)
    assert kept == [(2,)]  # each attempt was claimed once, by itself

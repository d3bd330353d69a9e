"""Whatever is killed on a SLURM cluster in mid-task, the attempt ends once, rightly, and leaves no process."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from backend_house import Told, eventually, processes_of
from backend_slurm import SlurmPlace, open_rest_place
from sandbox_lab import shell
from services.slurm import USERS

from tes.backends.slurm import scripts

SPREADS = "trap '' TERM HUP INT; (setsid sleep 77 &); (sleep 78 & sleep 79)"
AT_ONCE = 1.5  # seconds


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmPlace]:
    with open_rest_place(request, tmp_path_factory.mktemp("kills")) as one:
        yield one


@pytest.fixture(scope="module", autouse=True)
def overdue(place: SlurmPlace) -> list[Told]:
    """An attempt whose job reaches SLURM's own time limit, a minute at least: started first, looked at last."""
    return [on_n1(place, "sleep 300", seconds=600, time="1", constraint="n2")]


def on_n1(place: SlurmPlace, script: str, *, seconds: int = 60, **options: str) -> Told:
    """Start an attempt on n1, unless its options say otherwise, and wait until its task runs."""
    told = place.submit(
        shell(script), plan={"seconds": seconds, "backend_parameters": {"constraint": "n1", **options}}
    )
    eventually(lambda: told.over.is_set() or (told.started.is_set() and processes_of(told.launch)), "it does not run")
    assert not told.over.is_set(), told.reports
    return told


def job(place: SlurmPlace, told: Told) -> str:
    """Return the id of its job."""
    return str(place.jobs_of(told.attempt)[0].id)


def all_dead(told: Told, within: float) -> None:
    eventually(lambda: not processes_of(told.launch), "a process of it lives on", within=within)


def ends_lost(told: Told) -> None:
    assert told.ends(40) == ("lost", None)
    assert told.alive_at_end == []
    assert len(told.reports) == 1


def supervisors_of(place: SlurmPlace) -> set[int]:
    """Return the supervisors of n1's agent, those that wait too."""
    (zygote,) = children(place.cluster.pid("agent-n1"))
    return set(children(zygote))


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def stub_of(told: Told) -> int:
    """Return the process that the job is."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if words[0].endswith("/joiner") and told.attempt in words:
            return int(folder.name)
    raise AssertionError("there is no stub")


def test_a_supervisor(place: SlurmPlace) -> None:
    told = on_n1(place, SPREADS)
    (supervisor,) = {pid for pid in supervisors_of(place) if uid_of(told) in uids_below(pid)}
    os.kill(supervisor, signal.SIGKILL)
    all_dead(told, AT_ONCE)
    ends_lost(told)


def uid_of(told: Told) -> int:
    return int(json.loads(told.launch.spec)["uid"])


def uids_below(pid: int) -> set[int]:
    """Return whose the processes are that descend from this one."""
    return {uid for child in children(pid) for uid in (os.stat(f"/proc/{child}").st_uid, *uids_below(child))}


def test_an_agent(place: SlurmPlace) -> None:
    told = on_n1(place, SPREADS)
    place.cluster.kill("agent-n1")
    all_dead(told, AT_ONCE)
    eventually(lambda: place.jobs_of(told.attempt)[0].state == "FAILED", "its job goes on")
    place.cluster.restart("agent-n1")
    ends_lost(told)
    assert on_n1(place, "sleep 1; exit 3").ends() == ("exited", 3)


def test_an_agent_with_a_result_that_nobody_has_heard_yet(place: SlurmPlace, overdue: list[Told]) -> None:
    told = on_n1(place, "sleep 1; exit 3")
    place.die()
    kept = place.cluster.spool_of("n1") / f"{told.attempt}.json"
    eventually(kept.exists, "there is no result")
    place.cluster.kill("agent-n1")
    place.cluster.restart("agent-n1")
    assert kept.exists()
    after, overdue[0] = place.another_life(told, overdue[0], dead=True)
    assert after.ends() == ("exited", 3)
    eventually(lambda: not kept.exists(), "it is told again and again")


def test_a_job_s_stub(place: SlurmPlace) -> None:
    told = on_n1(place, SPREADS)
    os.kill(stub_of(told), signal.SIGKILL)
    all_dead(told, AT_ONCE)
    ends_lost(told)


def test_a_slurmstepd(place: SlurmPlace) -> None:
    told = on_n1(place, SPREADS)
    stat = Path(f"/proc/{stub_of(told)}/stat").read_text()
    os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)
    all_dead(told, AT_ONCE)
    place.backend.cancel(told.attempt)  # SLURM itself would take it for running until its node asks again
    assert told.ends()[0] == "canceled"


def test_a_job_by_somebody_else_s_scancel(place: SlurmPlace) -> None:
    told = on_n1(place, SPREADS)
    place.cluster.run("scancel", job(place, told))
    all_dead(told, 5)
    assert told.ends() == ("system", None)  # the platform failed: nobody asked us


def test_a_job_at_slurms_own_hands_for_another(place: SlurmPlace) -> None:
    told = on_n1(place, SPREADS)
    argv = ["sbatch", "--parsable", "-p", "urgent", "-w", "n1", "--exclusive", "-o", "/dev/null", "-D", "/"]
    other = place.cluster.run(*argv, "--uid", USERS[1], "--wrap", "exec sleep 5").strip()
    all_dead(told, 20)
    assert told.ends() == ("preempted", None)
    place.cluster.run("scancel", other)


def test_a_slurmd(place: SlurmPlace) -> None:
    told = on_n1(place, "sleep 3; exit 3")
    place.cluster.kill("slurmd-n1")
    time.sleep(0.5)
    place.cluster.restart("slurmd-n1")
    assert told.ends() == ("exited", 3)
    place.all_is_over(told.attempt)


def test_a_node_that_is_declared_dead(place: SlurmPlace) -> None:
    told = on_n1(place, SPREADS)
    failed = job(place, told)
    place.cluster.run("scontrol", "update", "nodename=n1", "state=down", "reason=tests")
    try:
        all_dead(told, 20)
        ends_lost(told)
        place.cluster.settle()
        words = place.cluster.run("sacct", "-X", "-n", "-j", failed, "-o", "State%30")
        assert words.split() == ["NODE_FAIL"]
    finally:
        if "DOWN" in place.cluster.run("sinfo", "-h", "-n", "n1", "-o", "%T").upper():  # it may be back by itself
            place.cluster.run("scontrol", "update", "nodename=n1", "state=resume")
    assert on_n1(place, "sleep 1; exit 3").ends() == ("exited", 3)


def test_a_slurmctld(place: SlurmPlace) -> None:
    told = on_n1(place, "sleep 4; exit 3")
    place.cluster.settle()
    place.cluster.kill("slurmctld")
    waits = place.submit(shell("exit 4"))  # handed in while nobody is there
    time.sleep(1)
    place.cluster.restart("slurmctld")
    assert told.ends() == ("exited", 3)
    assert waits.ends() == ("exited", 4)
    assert place.copies(waits.attempt) == 1
    assert place.house.claims.count(told.attempt) == place.house.claims.count(waits.attempt) == 1


def test_a_slurmrestd(place: SlurmPlace) -> None:
    told = on_n1(place, "sleep 2; exit 3")
    place.cluster.kill("slurmrestd")
    waits = place.submit(shell("exit 4"))
    time.sleep(1)
    place.cluster.restart("slurmrestd")
    assert told.ends() == ("exited", 3)
    assert waits.ends() == ("exited", 4)


def test_a_node_that_takes_no_jobs_is_told_of_and_waited_for(place: SlurmPlace) -> None:
    told = place.submit(shell("exit 0"), plan={"backend_parameters": {"partition": "down"}})
    assert told.end()["cause"] == "system"  # after `stuck_seconds`
    assert "partition" in told.end()["reason"]
    eventually(lambda: place.jobs_of(told.attempt)[0].state == "CANCELLED", "its job stays")


def test_a_job_that_reaches_slurms_time_limit(place: SlurmPlace, overdue: list[Told]) -> None:
    assert overdue[0].ends(120) == ("deadline", None)
    assert overdue[0].alive_at_end == []


def test_a_wish_that_slurm_does_not_know(place: SlurmPlace) -> None:
    told = place.submit(shell("exit 0"), plan={"backend_parameters": {"partition": "nowhere"}})
    assert told.end()["cause"] == "system"
    assert "partition" in told.end()["reason"]


def test_nothing_of_ours_is_left(place: SlurmPlace) -> None:
    left = place.cluster.run("squeue", "-h", "-o", "%j").split()
    assert not [name for name in left if name.startswith(scripts.PREFIX)]
    assert not [path for node in place.cluster.nodes for path in place.cluster.spool_of(node).iterdir()]

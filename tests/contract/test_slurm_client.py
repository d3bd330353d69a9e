"""What every SLURM driver does, against a real cluster: jobs go in once, and what became of them is told truly."""

import pwd
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from services.slurm import USERS, Slurm

from tes.backends.slurm.cli import Cli
from tes.backends.slurm.client import Job, JobState, SlurmClient, SlurmRefused, SlurmUnavailable
from tes.backends.slurm.options import Options
from tes.backends.slurm.probe import open_client
from tes.backends.slurm.rest import Rest
from tes.backends.slurm.states import ENDED, meaning, warning
from tes.tasks import Cause, TaskState

USER, OTHER = USERS
DRIVERS = ("cli", "rest")
_numbers = count(1)


@pytest.fixture(scope="module")
def tokens(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    for user in USERS:
        (folder / user).write_text(slurm.token(user, 3600))
    return folder


@pytest.fixture(scope="module")
def clients(slurm: Slurm, tokens: Path) -> Iterator[dict[str, SlurmClient]]:
    rest = Rest(f"unix:{slurm.rest_socket}", user=USER, tokens=tokens, seconds=20)
    with closing(rest):
        yield {"cli": Cli(slurm.conf), "rest": rest}


@pytest.fixture(scope="module", autouse=True)
def overdue(clients: dict[str, SlurmClient]) -> dict[str, int]:
    """Jobs that outlive the shortest time limit there is, one minute: started first, looked at last."""
    options = Options(minutes=1)
    return {name: client.submit(a_job("exec sleep 600", options=options)) for name, client in clients.items()}


@pytest.fixture(params=DRIVERS)
def client(request: pytest.FixtureRequest, clients: dict[str, SlurmClient]) -> SlurmClient:
    return clients[request.param]


def a_job(command: str = "exit 0", *, user: str = USER, options: Options | None = None, name: str = "") -> Job:
    script = f"#!/bin/sh\n{command}\n"
    return Job(
        name=name or f"tes-{time.time_ns()}-{next(_numbers)}",
        user=user,
        script=script,
        cpus=1,
        memory_mb=20,
        options=options or Options(),
        comment="attempt 1",
    )


def until(client: SlurmClient, job_id: int, wanted: Callable[[JobState], bool], seconds: float = 30) -> JobState:
    """Return what the driver says of a job as soon as it is what is wanted."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        last = client.states([job_id]).get(job_id)
        if last is not None and wanted(last):
            return last
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s; the last was {last}")


def over(job: JobState) -> bool:
    return job.state in ENDED


def test_a_job_goes_in_runs_and_is_done(client: SlurmClient) -> None:
    job = a_job("sleep 1")
    job_id = client.submit(job)
    running = until(client, job_id, lambda state: state.state == "RUNNING")
    assert (running.id, running.name, running.user) == (job_id, job.name, USER)
    assert running.nodes in {"n1", "n2"}
    done = until(client, job_id, over)
    assert (done.state, done.exit_code, done.signal) == ("COMPLETED", 0, 0)
    assert meaning(done, cancel_asked=False) == Cause.EXITED
    assert client.states([]) == client.states([4_000_000]) == {}


@pytest.mark.parametrize(
    ("command", "state", "exit_code", "signal", "cause"),
    [
        ("exit 3", "FAILED", 3, 0, Cause.EXITED),
        ("kill -SEGV $$", "FAILED", 0, 11, Cause.SIGNAL),
        ("kill -KILL $$", "FAILED", 0, 9, Cause.SIGNAL),
    ],
)
def test_how_a_job_failed_is_told(
    client: SlurmClient, command: str, state: str, exit_code: int, signal: int, cause: Cause
) -> None:
    done = until(client, client.submit(a_job(command)), over)
    assert (done.state, done.exit_code or 0, done.signal) == (state, exit_code, signal)
    assert meaning(done, cancel_asked=False) == cause


def test_a_job_carries_what_was_asked_and_runs_as_its_user_with_nothing_else(
    client: SlurmClient, slurm: Slurm
) -> None:
    seen = slurm.home / "run" / f"seen-{next(_numbers)}"
    seen.touch()
    seen.chmod(0o666)
    options = Options(partition="main", account="science", qos="normal", constraint="n2", gres="token:1", minutes=7)
    job_id = client.submit(a_job(f"(id -un; pwd; env) > {seen}; exec sleep 30", options=options, user=OTHER))
    until(client, job_id, lambda state: state.state == "RUNNING" and bool(seen.read_text()))
    shown = slurm.run("scontrol", "--oneliner", "show", "job", str(job_id)).split()
    for said in (
        f"UserId={OTHER}({pwd.getpwnam(OTHER).pw_uid})",
        "Partition=main", "Account=science", "QOS=normal", "Features=n2",
        "NodeList=n2", "TresPerNode=gres:token:1", "TimeLimit=00:07:00", "MinMemoryNode=20M", "Requeue=0",
        "StdOut=/dev/null", "StdErr=/dev/null", "StdIn=/dev/null", "WorkDir=/", "NumCPUs=1",
    ):  # fmt: skip
        assert said in shown
    who, where, *env = seen.read_text().split("\n")
    assert (who, where) == (OTHER, "/")
    names = {line.partition("=")[0] for line in env if line and not line.startswith(("SLURM_", "SLURMD_"))}
    assert names <= {"PATH", "PWD", "HOSTNAME", "ENVIRONMENT", "TMPDIR", "LC_ALL", "TZ", "HOME", "USER", "LOGNAME"}
    client.cancel(job_id, user=OTHER)
    until(client, job_id, over)


def test_a_running_job_can_be_cancelled_twice(client: SlurmClient) -> None:
    job_id = client.submit(a_job("exec sleep 60"))
    until(client, job_id, lambda state: state.state == "RUNNING")
    client.cancel(job_id, user=USER)
    done = until(client, job_id, over)
    assert done.state == "CANCELLED"
    assert meaning(done, cancel_asked=True) == Cause.CANCELED
    assert meaning(done, cancel_asked=False) == Cause.SYSTEM
    client.cancel(job_id, user=USER)
    client.cancel(4_000_000, user=USER)


def test_a_job_that_waits_says_why_and_can_be_cancelled(client: SlurmClient) -> None:
    job_id = client.submit(a_job(options=Options(partition="down")))
    waits = until(client, job_id, lambda state: state.reason == "PartitionDown")
    assert meaning(waits, cancel_asked=False) == TaskState.QUEUED
    assert warning(waits)
    client.cancel(job_id, user=USER)
    assert until(client, job_id, over).state == "CANCELLED"


def test_a_job_that_is_held_says_so(client: SlurmClient, slurm: Slurm) -> None:
    job_id = client.submit(a_job(options=Options(partition="down")))
    slurm.run("scontrol", "hold", str(job_id))
    held = until(client, job_id, lambda state: state.reason == "JobHeldAdmin")
    assert (held.state, meaning(held, cancel_asked=False)) == ("PENDING", TaskState.QUEUED)
    assert warning(held)
    client.cancel(job_id, user=USER)


def test_after_a_lost_answer_a_job_is_found_by_its_name(client: SlurmClient) -> None:
    before = datetime.now(UTC) - timedelta(seconds=10)
    job = a_job("exec sleep 30")
    assert client.find({job.name: USER}, since=before) == []
    job_id = client.submit(job)
    (found,) = client.find({job.name: USER}, since=before)
    assert (found.id, found.name, found.user) == (job_id, job.name, USER)
    assert client.find({job.name: OTHER}, since=before) == []
    client.cancel(job_id, user=USER)


def test_a_second_job_of_the_same_name_waits_for_the_first(client: SlurmClient) -> None:
    job = a_job("exec sleep 60")
    first = client.submit(job)
    until(client, first, lambda state: state.state == "RUNNING")
    second = client.submit(job)
    assert until(client, second, lambda state: state.reason == "Dependency").state == "PENDING"
    before = datetime.now(UTC) - timedelta(seconds=60)
    assert {found.id for found in client.find({job.name: USER}, since=before)} == {first, second}
    client.cancel(second, user=USER)
    client.cancel(first, user=USER)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(partition="nowhere"), "partition"),
        (Options(constraint="nothing"), "feature"),
        (Options(gres="nothing:1"), "generic resource|parsing"),
        (Options(account="nobody"), "account"),
        (Options(qos="nothing"), "qos"),
    ],
)
def test_a_refusal_says_why_and_leaves_no_job(client: SlurmClient, options: Options, said: str) -> None:
    job = a_job(options=options)
    with pytest.raises(SlurmRefused, match=said):
        client.submit(job)
    assert client.find({job.name: USER}, since=datetime.now(UTC) - timedelta(seconds=60)) == []


def test_a_refused_job_is_not_found_in_accounting_either(clients: dict[str, SlurmClient], slurm: Slurm) -> None:
    # SLURM's accounting keeps a record of it, failed, under the name that is looked for.
    job = replace(a_job(), memory_mb=999_000)
    for client in clients.values():
        with pytest.raises(SlurmRefused):
            client.submit(job)
    end = time.monotonic() + 30
    while job.name not in slurm.run("sacct", "-anXP", "-o", "jobname,state", f"--name={job.name}"):
        assert time.monotonic() < end
        time.sleep(0.5)
    for client in clients.values():
        assert client.find({job.name: USER}, since=datetime.now(UTC) - timedelta(seconds=90)) == []


def test_many_jobs_are_asked_about_at_once(client: SlurmClient) -> None:
    ids = [client.submit(a_job(options=Options(partition="down"))) for _ in range(30)]
    states = client.states([*ids, 4_000_000])
    assert set(states) == set(ids)
    assert {state.state for state in states.values()} == {"PENDING"}
    for job_id in ids:
        client.cancel(job_id, user=USER)


def test_another_users_job_is_not_cancelled(client: SlurmClient) -> None:
    job_id = client.submit(a_job("exec sleep 60"))
    with pytest.raises(SlurmRefused):  # of 22.05; later slurmrestds answer as if it had been done
        client.cancel(job_id, user=OTHER)
    until(client, job_id, lambda state: state.state == "RUNNING")
    client.cancel(job_id, user=USER)


def test_what_other_users_name_their_jobs_changes_no_answer(clients: dict[str, SlurmClient], slurm: Slurm) -> None:
    mine = clients["cli"].submit(a_job("exec sleep 60"))
    forged = f"x\n{mine}|COMPLETED|y"
    argv = ["sbatch", "--parsable", "--uid", OTHER, "-J", forged, "-o", "/dev/null", "-D", "/", "--wrap", "sleep 60"]
    theirs = int(slurm.run(*argv))
    fooled = slurm.run("squeue", "-h", "-t", "all", "-o", "%i|%T|%j").split("\n")
    assert f"{mine}|COMPLETED|y" in fooled  # what plain columns would have been told
    for client in clients.values():
        until(client, mine, lambda state: state.state == "RUNNING")
        assert client.states([mine, theirs])[mine].state == "RUNNING"
    clients["cli"].cancel(mine, user=USER)
    clients["cli"].cancel(theirs, user=OTHER)


def test_a_cluster_that_does_not_answer_is_no_answer(
    slurm: Slurm, tokens: Path, clients: dict[str, SlurmClient]
) -> None:
    rest = Rest(slurm.rest_url, user=USER, tokens=tokens, seconds=3)
    quick: dict[str, SlurmClient] = {"cli": Cli(slurm.conf, seconds=2), "rest": rest}
    # Only who has to wait in vain waits for a short time; what must succeed may be slow.
    ids = {name: client.submit(a_job("exec sleep 120")) for name, client in clients.items()}
    for name, client in clients.items():
        until(client, ids[name], lambda state: state.state == "RUNNING")
    slurm.settle()
    slurm.kill("slurmctld")
    try:
        for name, client in quick.items():
            with pytest.raises(SlurmUnavailable):
                client.states([ids[name]])
            with pytest.raises(SlurmUnavailable):
                client.submit(a_job())
            with pytest.raises(SlurmUnavailable):
                client.find({"tes-1": USER}, since=datetime.now(UTC))
            with pytest.raises(SlurmUnavailable):
                client.ping()
    finally:
        slurm.restart("slurmctld")
    for name, client in clients.items():
        client.ping()
        assert client.states([ids[name]])[ids[name]].state == "RUNNING"
        client.cancel(ids[name], user=USER)
    rest.close()


def test_a_renewed_token_counts_at_once(slurm: Slurm, tmp_path: Path) -> None:
    rest = Rest(slurm.rest_url, user=USER, tokens=tmp_path)
    with pytest.raises(SlurmUnavailable):
        rest.ping()
    (tmp_path / USER).write_text(slurm.token(USER, 1))
    time.sleep(2.1)
    with pytest.raises(SlurmUnavailable):
        rest.submit(a_job())
    (tmp_path / USER).write_text(slurm.token(USER, 600) + "\n")
    assert rest.submit(a_job()) > 0
    rest.close()


def test_a_token_is_good_for_its_own_user_only(slurm: Slurm, tmp_path: Path) -> None:
    (tmp_path / USER).write_text(slurm.token(USER, 600))
    (tmp_path / OTHER).write_text(slurm.token(USER, 600))
    rest = Rest(slurm.rest_url, user=USER, tokens=tmp_path)
    rest.ping()
    with pytest.raises(SlurmUnavailable):
        rest.submit(a_job(user=OTHER))
    rest.close()


def test_a_slurmrestd_that_died_is_no_answer_and_its_successor_is_asked(slurm: Slurm, tokens: Path) -> None:
    rest = Rest(slurm.rest_url, user=USER, tokens=tokens)
    rest.ping()
    slurm.kill("slurmrestd")
    try:
        with pytest.raises(SlurmUnavailable):
            rest.ping()
        found = open_client("probe", rest_url=slurm.rest_url, rest_user=USER, tokens=tokens, conf=slurm.conf)
        assert isinstance(found, Cli)
    finally:
        slurm.restart("slurmrestd")
    rest.ping()
    found = open_client("probe", rest_url=slurm.rest_url, rest_user=USER, tokens=tokens, conf=slurm.conf)
    assert isinstance(found, Rest)
    found.close()
    rest.close()


def test_a_time_limit_ends_a_job(clients: dict[str, SlurmClient], overdue: dict[str, int]) -> None:
    for name, client in clients.items():
        done = until(client, overdue[name], over, seconds=150)
        assert done.state == "TIMEOUT"
        assert meaning(done, cancel_asked=False) == Cause.DEADLINE


def test_what_slurmctld_has_forgotten_accounting_knows(clients: dict[str, SlurmClient], slurm: Slurm) -> None:
    before = datetime.now(UTC) - timedelta(seconds=10)
    job = a_job("exit 3")
    job_id = clients["cli"].submit(job)
    until(clients["cli"], job_id, over)
    end = time.monotonic() + 60
    while "FAILED" not in slurm.run("sacct", "-anXP", "-o", "state", f"--name={job.name}"):
        assert time.monotonic() < end
        time.sleep(0.5)
    slurm.settle()
    slurm.kill("slurmctld")
    slurm.restart("slurmctld", "-c")
    assert str(job_id) not in slurm.run("squeue", "-h", "-t", "all", "-o", "%i").split()
    for client in clients.values():
        known = client.states([job_id])[job_id]
        assert (known.name, known.state, known.user) == (job.name, "FAILED", USER)
        assert known.exit_code in {3, None}
        assert [found.id for found in client.find({job.name: USER}, since=before)] == [job_id]
    assert clients["cli"].states([job_id])[job_id].exit_code == 3

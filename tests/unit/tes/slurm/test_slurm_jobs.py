"""How attempts become jobs, and what is believed of a cluster's answers; the cluster stands in memory here."""

import dataclasses
import time
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from strongroom.clusters import Slurm
from strongroom.errors import NotAllowed
from tes.backends import Launch
from tes.backends.schedulers import Carried, Proof, SchedulerRefused, SchedulerUnavailable, Seen
from tes.backends.slurm import scripts
from tes.backends.slurm.client import Job, JobState, SlurmRefused, SlurmUnavailable
from tes.backends.slurm.jobs import Jobs
from tes.pledges import Owner
from tes.tasks import Cause, TaskState

ATTEMPT, OTHER = "a" * 32, "b" * 32
SITE = Slurm(users={"cohort": "job1", "other": "job2"}, options=("partition", "time"))
MIB = 1 << 20


class Cluster:
    """A `SlurmClient` in memory that counts how often it is asked."""

    def __init__(self) -> None:
        self.jobs: dict[int, JobState] = {}
        self.calls: list[str] = []
        self.fails: Exception | None = None
        self.loses: bool = False
        self.cancelled: list[tuple[int, str]] = []

    def submit(self, job: Job) -> int:
        self._called("submit")
        number = len(self.jobs) + 1
        self.add(number, job.name, job.user)
        if self.loses:
            raise SlurmUnavailable("Socket timed out")
        return number

    def add(self, number: int, name: str, user: str, state: str = "RUNNING", nodes: str = "n[1-2]") -> None:
        self.jobs[number] = JobState(number, name, state, "None", 0, 0, nodes, user)

    def become(self, number: int, **changes: Any) -> None:
        self.jobs[number] = dataclasses.replace(self.jobs[number], **changes)

    def find(self, users: Mapping[str, str], *, since: datetime) -> list[JobState]:
        self._called("find")
        return [job for job in self.jobs.values() if users.get(job.name) == job.user]

    def states(self, ids: Collection[int]) -> dict[int, JobState]:
        self._called("states")
        return {job_id: self.jobs[job_id] for job_id in ids if job_id in self.jobs}

    def cancel(self, job_id: int, *, user: str) -> None:
        self._called("cancel")
        self.cancelled.append((job_id, user))

    def ping(self) -> None:
        self._called("ping")

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if self.fails is not None:
            raise self.fails


@pytest.fixture
def slurmctld() -> Cluster:
    return Cluster()


def a_launch(attempt: str = ATTEMPT, project: str = "cohort", **plan: Any) -> Launch:
    size = {"cores": 1.5, "memory": 64 * MIB, "scratch": 32 * MIB, "seconds": 90}
    return Launch(attempt, b"{}", {"project": project}, {**size, **plan})


def jobs_on(slurmctld: Cluster, *, settles: float = 0.0, projects: Mapping[str, str] | None = None) -> Jobs:
    known = projects or {}
    return Jobs(
        slurmctld, SITE, lambda wanted: {a: Owner(known[a], a) for a in wanted if a in known}, settles=settles
    )


@pytest.mark.parametrize(
    ("plan", "asked"),
    [
        ({}, {"cpus": 2, "memory_mb": 96, "minutes": 9}),
        ({"scratch_on_disk": True, "memory": 1}, {"cpus": 2, "memory_mb": 16, "minutes": 9}),
        ({"cores": 0.2, "seconds": 3600}, {"cpus": 1, "memory_mb": 96, "minutes": 67}),
        ({"backend_parameters": {"time": "1"}}, {"cpus": 2, "memory_mb": 96, "minutes": 1}),
        ({"backend_parameters": {"time": "9-00:00:00"}}, {"cpus": 2, "memory_mb": 96, "minutes": 4}),
        ({"backend_parameters": {"qos": "not-allowed"}}, {"cpus": 2, "memory_mb": 96, "minutes": 9}),
    ],
)
def test_a_job_asks_for_what_its_task_needs(plan: dict[str, Any], asked: dict[str, int]) -> None:
    job = scripts.job(a_launch(**plan), user="job1", site=SITE)
    assert {"cpus": job.cpus, "memory_mb": job.memory_mb, "minutes": job.options.minutes} == asked
    assert (job.name, job.comment, job.options.qos) == (f"tes-{ATTEMPT}", f"attempt {ATTEMPT}", None)


def test_a_script_is_two_lines_and_becomes_the_stub(tmp_path: Path) -> None:
    stub = f"exec /usr/local/lib/strongroom/joiner /run/strongroom/join.sock {ATTEMPT}\n"
    assert scripts.job(a_launch(), user="job1", site=SITE).script == f"#!/bin/sh\n{stub}"
    template = tmp_path / "template"
    template.write_text("#!/bin/bash\nmodule load tools\n\n")
    site = SITE.model_copy(update={"template": template})
    assert scripts.job(a_launch(), user="job1", site=site).script == f"#!/bin/bash\nmodule load tools\n{stub}"


@pytest.mark.parametrize("text", ["no interpreter", "#!/bin/sh\n#SBATCH --uid=0\n", None])
def test_a_template_that_is_none_is_told_to_the_operator(
    slurmctld: Cluster, tmp_path: Path, text: str | None
) -> None:
    template = tmp_path / "template"
    if text is not None:
        template.write_text(text)
    jobs = Jobs(slurmctld, SITE.model_copy(update={"template": template}), lambda _: {})
    with pytest.raises(SchedulerRefused, match="template"):
        jobs.place(a_launch())
    assert slurmctld.jobs == {}


@pytest.mark.parametrize("users", [{"a": "same", "b": "same"}, {"a": "root"}, {"a": "-x"}, {"a": ""}])
def test_t22_projects_do_not_share_users(users: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="user of its own"):
        Slurm(users=users)


def test_a_project_without_a_user_gets_no_job(slurmctld: Cluster) -> None:
    with pytest.raises(SchedulerRefused, match="No user"):
        jobs_on(slurmctld).place(a_launch(project="nobody"))
    assert slurmctld.calls == []


def test_all_attempts_are_asked_about_at_once(slurmctld: Cluster) -> None:
    jobs = jobs_on(slurmctld)
    attempts = [f"{number:032x}" for number in range(50)]
    for attempt in attempts:
        jobs.place(a_launch(attempt))
    slurmctld.calls.clear()
    assert set(jobs.look(attempts).values()) == {Seen(TaskState.RUNNING, "RUNNING")}
    assert slurmctld.calls == ["states"]


def test_after_a_restart_all_are_found_by_name_in_one_question(slurmctld: Cluster) -> None:
    attempts = [f"{number:032x}" for number in range(50)]
    for number, attempt in enumerate(attempts, 1):
        slurmctld.add(number, f"tes-{attempt}", "job1")
    slurmctld.add(99, f"tes-{attempts[0]}", "job2", state="COMPLETED")  # somebody else's, of that name
    jobs = jobs_on(slurmctld, projects=dict.fromkeys(attempts, "cohort"))
    found = jobs.look([*attempts, ATTEMPT])
    assert found == dict.fromkeys(attempts, Seen(TaskState.RUNNING, "RUNNING"))
    assert slurmctld.calls == ["find", "states"]
    jobs.look([*attempts, ATTEMPT])
    assert slurmctld.calls == ["find", "states", "states"]


def test_a_lost_answer_is_looked_for_and_not_asked_again(slurmctld: Cluster) -> None:
    jobs = jobs_on(slurmctld)
    slurmctld.loses = True
    with pytest.raises(SchedulerUnavailable):
        jobs.place(a_launch())
    jobs.place(a_launch())
    assert len(slurmctld.jobs) == 1
    assert jobs.look([ATTEMPT])[ATTEMPT].word == "RUNNING"


def test_a_lost_question_is_asked_again_once_it_has_settled(slurmctld: Cluster) -> None:
    for settles, placed in ((60.0, 0), (0.0, 1)):
        jobs = jobs_on(slurmctld, settles=settles)
        slurmctld.fails = SlurmUnavailable("Unable to contact slurm controller")
        with pytest.raises(SchedulerUnavailable):
            jobs.place(a_launch())
        slurmctld.fails = None
        if placed:
            jobs.place(a_launch())
        else:
            with pytest.raises(SchedulerUnavailable, match="not known yet"):
                jobs.place(a_launch())
        assert len(slurmctld.jobs) == placed


def test_a_refusal_is_one(slurmctld: Cluster) -> None:
    slurmctld.fails = SlurmRefused("SLURM does not take this job: no.")
    with pytest.raises(SchedulerRefused, match="does not take"):
        jobs_on(slurmctld).place(a_launch())


def test_the_job_that_is_not_over_speaks_for_its_attempt(slurmctld: Cluster) -> None:
    jobs = jobs_on(slurmctld)
    jobs.place(a_launch())
    slurmctld.add(2, f"tes-{ATTEMPT}", "job1", state="PENDING")
    jobs._known[ATTEMPT].ids |= {2}
    for states, word in (
        (("COMPLETED", "PENDING"), "PENDING"),
        (("FAILED", "COMPLETED"), "FAILED"),
        (("COMPLETED", "FAILED"), "FAILED"),
        (("COMPLETED", "COMPLETED"), "COMPLETED"),
    ):
        for number, state in enumerate(states, 1):
            slurmctld.become(number, state=state)
        assert jobs.look([ATTEMPT])[ATTEMPT].word == word


def test_cancelled_is_canceled_only_if_we_asked(slurmctld: Cluster) -> None:
    jobs = jobs_on(slurmctld)
    for attempt in (ATTEMPT, OTHER):
        jobs.place(a_launch(attempt))
    jobs.stop(ATTEMPT)
    jobs.stop("c" * 32)
    assert slurmctld.cancelled == [(1, "job1")]
    for number in (1, 2):
        slurmctld.become(number, state="CANCELLED")
    found = jobs.look([ATTEMPT, OTHER])
    assert (found[ATTEMPT].means, found[OTHER].means) == (Cause.CANCELED, Cause.SYSTEM)


@pytest.mark.parametrize(
    ("proof", "state", "nodes", "proved"),
    [
        (Proof("n2", "job1"), "RUNNING", "n[1-2]", True),
        (Proof("n3", "job1"), "RUNNING", "n[1-2]", False),
        (Proof("n", "job1"), "RUNNING", "n[1-2]", False),
        (Proof(None, "job1"), "RUNNING", "n[1-2]", False),
        (Proof("", "job1"), "RUNNING", "", False),
        (Proof("n2", "job2"), "RUNNING", "n[1-2]", False),
        (Proof("n2", None), "RUNNING", "n[1-2]", False),
        (Proof("n2", "root"), "RUNNING", "n[1-2]", False),
        (Proof("n2", "job1", "token"), "PENDING", "n[1-2]", False),
        (Proof("n2", "job1"), "COMPLETING", "n[1-2]", False),
        (Proof("n2", "job1"), "COMPLETED", "n[1-2]", False),
        (Proof("n2", "job1"), "SUSPENDED", "n[1-2]", False),
        (Proof("n2", "job1"), "A_WORD_OF_TOMORROW", "n[1-2]", False),
        (Proof("n2", "job1"), "RUNNING", "n[1-2", False),
    ],
)
def test_t1_an_attempt_is_proved_where_slurm_runs_it_now(
    slurmctld: Cluster, proof: Proof, state: str, nodes: str, proved: bool
) -> None:
    jobs = jobs_on(slurmctld)
    jobs.place(a_launch())
    slurmctld.become(1, state=state, nodes=nodes)
    if proved:
        assert jobs.prove(ATTEMPT, proof) == proof.node
    else:
        with pytest.raises(NotAllowed):
            jobs.prove(ATTEMPT, proof)
    with pytest.raises(NotAllowed):
        jobs.prove(OTHER, Proof("n2", "job1"))


def test_what_is_forgotten_is_asked_about_no_more(slurmctld: Cluster) -> None:
    jobs = jobs_on(slurmctld)
    jobs.place(a_launch())
    jobs.forget(ATTEMPT)
    jobs.forget(ATTEMPT)
    assert jobs.look([]) == {}
    assert jobs.everything() == ()
    assert jobs._known == {}


def test_what_one_job_may_run_has_one_shape(slurmctld: Cluster) -> None:
    jobs = jobs_on(slurmctld)
    same = jobs.shape(a_launch())
    assert same == jobs.shape(a_launch(OTHER, cores=2, inputs=["x"]))
    others = [a_launch(project="other"), a_launch(cores=3), a_launch(memory=128 * MIB), a_launch(seconds=900)]
    others.append(a_launch(backend_parameters={"partition": "long"}))
    assert len({same, *map(jobs.shape, others)}) == 1 + len(others)
    assert jobs.shape(a_launch(backend_parameters={"time": "1"})) is None
    assert jobs.shape(a_launch(project="unknown")) is None
    alone = Jobs(slurmctld, SITE.model_copy(update={"carry_minutes": 0}), lambda _: {})
    assert alone.shape(a_launch()) is None


def running(slurmctld: Cluster) -> Jobs:
    jobs = jobs_on(slurmctld)
    jobs.place(a_launch())
    jobs.prove(ATTEMPT, Proof("n2", "job1"))
    return jobs


@pytest.mark.parametrize("proof", [Proof("n3", "job1"), Proof("n2", "job2"), Proof(None, "job1"), Proof("n2")])
def test_t1_a_job_carries_on_at_its_own_place_only(slurmctld: Cluster, proof: Proof) -> None:
    jobs = running(slurmctld)
    with pytest.raises(NotAllowed):
        jobs.carry(ATTEMPT, a_launch(OTHER), proof)
    assert jobs.carry(ATTEMPT, a_launch(OTHER), Proof("n2", "job1")) == Carried("n2", ATTEMPT)


def test_t1_a_job_that_is_over_carries_nothing_on(slurmctld: Cluster) -> None:
    jobs = running(slurmctld)
    slurmctld.become(1, state="COMPLETED")
    jobs._answered = (float("-inf"), {})  # what SLURM said a while ago proves nothing
    assert jobs.carry(ATTEMPT, a_launch(OTHER), Proof("n2", "job1")) is None


def test_a_job_that_grew_old_or_was_stopped_or_never_seen_carries_nothing_on(slurmctld: Cluster) -> None:
    jobs, place = running(slurmctld), Proof("n2", "job1")
    assert jobs.carry(OTHER, a_launch("c" * 32), place) is None
    jobs._known[ATTEMPT].begun = time.monotonic() - 60 * SITE.carry_minutes - 1
    assert jobs.carry(ATTEMPT, a_launch(OTHER), place) is None
    jobs._known[ATTEMPT].begun = time.monotonic()
    jobs.stop(ATTEMPT)
    assert jobs.carry(ATTEMPT, a_launch(OTHER), place) is None


def test_a_late_cancel_does_not_reach_who_has_the_job_now(slurmctld: Cluster) -> None:
    jobs = running(slurmctld)
    jobs.carry(ATTEMPT, a_launch(OTHER), Proof("n2", "job1"))
    jobs.stop(ATTEMPT)
    assert slurmctld.cancelled == []
    jobs.forget(ATTEMPT)
    assert jobs.look([OTHER])[OTHER].word == "RUNNING"
    jobs.stop(OTHER)
    assert slurmctld.cancelled == [(1, "job1")]


def test_after_a_restart_a_carried_attempt_is_found_by_the_name_of_its_job(slurmctld: Cluster) -> None:
    running(slurmctld)
    again = Jobs(slurmctld, SITE, lambda wanted: {one: Owner("cohort", ATTEMPT) for one in wanted})
    assert again.look([OTHER])[OTHER].word == "RUNNING"

"""On a real SLURM one job runs several attempts of its project and shape, one after the other (ADR 0051)."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from backend_house import Told, eventually, processes_of
from backend_slurm import OTHER_PROJECT, SlurmPlace, open_place
from sandbox_lab import shell

from strongroom.audit import AuditEvent
from strongroom.database import reading
from tes.backends import held
from tes.store import Attempt

HERE = {"backend_parameters": {"constraint": "n1"}}


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmPlace]:
    with open_place(request, tmp_path_factory.mktemp("carry")) as one:
        yield one


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "FIRST", 1)
    monkeypatch.setattr(held, "ROUND", 600.0)


def jobs(place: SlurmPlace, all_told: list[Told]) -> list[str]:
    """Return the attempt whose name the job of each has."""
    with reading(place.house.engine) as session:
        return [session.get_one(Attempt, told.attempt).begun["job_of"] for told in all_told]  # type: ignore[index]


def test_attempts_of_one_shape_have_one_job_and_each_its_own_end(place: SlurmPlace) -> None:
    given = place.house.broker.stored("in.txt", b"abc\n")
    outputs = [{"path": "/run/work/out.txt", "type": "FILE"}]
    all_told = [
        place.submit(shell(f"cat in.txt > out.txt; exit {n % 3}"), inputs=[given], outputs=outputs, plan=HERE)
        for n in range(9)
    ]
    assert [told.ends() for told in all_told] == [("exited", n % 3) for n in range(9)]
    assert set(jobs(place, all_told)) == {all_told[0].attempt}
    assert all(told.started.is_set() and len(told.reports) == 1 for told in all_told)
    assert all(place.house.claims.count(told.attempt) == 1 for told in all_told)
    assert all(place.house.opened(told.end()) == {"out.txt": b"abc\n"} for told in all_told)
    place.all_is_over(all_told[0].attempt)
    assert [place.copies(told.attempt) for told in all_told] == [1] + [0] * 8


def test_other_projects_sizes_and_wishes_have_jobs_of_their_own(place: SlurmPlace) -> None:
    others = [{}, {"cores": 2}, {"seconds": 300}, {"backend_parameters": {**HERE["backend_parameters"], "time": "5"}}]
    all_told = [place.submit(shell("sleep 0.5"), plan={**HERE, **one}) for one in others]
    all_told.append(place.submit(shell("sleep 0.5"), plan=HERE, project=OTHER_PROJECT))
    assert [told.ends() for told in all_told] == [("exited", 0)] * 5
    assert jobs(place, all_told) == [told.attempt for told in all_told]


def test_the_end_of_one_by_cancel_is_not_the_end_of_the_next(place: SlurmPlace) -> None:
    first, second, third = [place.submit(shell(script), plan=HERE) for script in ("sleep 60", "exit 3", "exit 4")]
    eventually(lambda: processes_of(first.launch), "the task does not run")
    place.backend.cancel(second.attempt)
    assert second.ends() == ("canceled", None)
    place.backend.cancel(first.attempt)
    assert first.ends() == ("canceled", None)
    assert first.alive_at_end == []
    assert third.ends() == ("exited", 4)
    assert jobs(place, [third]) == [third.attempt]  # its own: the canceled one's job is gone
    assert place.house.claims.count(second.attempt) == 0


def test_a_carried_attempt_is_canceled_with_its_job(place: SlurmPlace) -> None:
    first, second = [place.submit(shell(script), plan=HERE) for script in ("sleep 1", "sleep 60")]
    assert first.ends() == ("exited", 0)
    eventually(lambda: processes_of(second.launch), "the task does not run")
    assert jobs(place, [second]) == [first.attempt]
    place.backend.cancel(second.attempt)
    assert second.ends() == ("canceled", None)
    assert second.alive_at_end == []
    place.all_is_over(first.attempt)


def test_a_dispatcher_that_dies_finds_a_carried_attempt_by_its_job(place: SlurmPlace) -> None:
    scripts = ("sleep 1", "sleep 5; exit 3", "exit 4")
    first, second, third = [place.submit(shell(script), plan=HERE) for script in scripts]
    assert first.ends() == ("exited", 0)
    eventually(lambda: processes_of(second.launch), "the task does not run")
    after, waiting = place.another_life(second, third)
    eventually(lambda: place.backend.status(second.attempt) == "RUNNING", "its job is not found")
    assert (after.ends(), waiting.ends()) == (("exited", 3), ("exited", 4))
    assert all(place.house.claims.count(told.attempt) == 1 for told in (first, second, third))


@pytest.mark.parametrize("killed", ["agent-n1", "slurmctld"])
def test_whoever_is_killed_each_attempt_ends_once(place: SlurmPlace, killed: str) -> None:
    first, second, third = [place.submit(shell(script), plan=HERE) for script in ("sleep 1", "sleep 12", "exit 4")]
    assert first.ends() == ("exited", 0)
    eventually(lambda: processes_of(second.launch), "the task does not run")
    place.cluster.settle()
    place.cluster.kill(killed)
    place.cluster.restart(killed)
    assert second.ends(60) == (("lost", None) if killed == "agent-n1" else ("exited", 0))
    assert third.ends() == ("exited", 4)
    assert all(len(told.reports) == 1 for told in (first, second, third))
    eventually(lambda: not processes_of(second.launch), "a process of it lives on")


def test_nobody_was_refused_anything(place: SlurmPlace) -> None:
    with reading(place.house.engine) as session:
        assert session.scalars(sa.select(AuditEvent).where(AuditEvent.event == "claim.refused")).all() == []

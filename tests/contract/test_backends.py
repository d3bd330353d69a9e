"""What every backend does: an attempt starts once, ends with one report, and leaves no process behind."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from backend_house import eventually, processes_of
from sandbox_lab import python, shell

# Each is a context manager of a place like `backend_local.LocalPlace`, by module and name.
PLACES = {
    "local": ("backend_local", "open_place"),
    "kubernetes": ("backend_kubernetes", "open_place"),
    "slurm": ("backend_slurm", "open_place"),
    "slurm-rest": ("backend_slurm", "open_rest_place"),
}


@pytest.fixture(params=PLACES, scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    module, name = PLACES[request.param]
    folder: Path = tmp_path_factory.mktemp(request.param)
    with getattr(import_module(module), name)(request, folder) as one:
        yield one


def test_an_attempt_runs_and_its_outputs_are_sealed(place: Any) -> None:
    given = place.house.broker.stored("in.txt", b"abc\n" * 1000)
    outputs = [{"path": "/run/work/out.txt", "type": "FILE"}]
    told = place.submit(shell("cat in.txt in.txt > out.txt; echo said"), inputs=[given], outputs=outputs)
    report = told.end()
    assert (report["cause"], report["exit_code"]) == ("exited", 0), report
    assert told.started.is_set()
    assert place.house.opened(report) == {"out.txt": b"abc\n" * 2000, "stdout.0": b"said\n"}
    assert processes_of(told.launch) == []
    place.all_is_over(told.attempt)


@pytest.mark.parametrize(
    ("script", "cause", "exit_code"),
    [
        ("exit 0", "exited", 0),
        ("exit 1", "exited", 1),
        ("exit 137", "exited", 137),
        ("kill -KILL $$", "exited", 137),
        ("dd if=/dev/zero of=/run/work/x bs=1M count=40 2>/dev/null", "disk_full", None),
    ],
)
def test_how_an_attempt_ended_is_told(place: Any, script: str, cause: str, exit_code: int | None) -> None:
    told = place.submit(shell(script))
    assert told.end()["cause"] == cause
    if exit_code is not None:
        assert told.end()["exit_code"] == exit_code
    assert told.started.is_set()


def test_what_a_task_prints_is_sealed(place: Any) -> None:
    report = place.submit(shell("echo out; echo err >&2")).end()
    assert {output["role"] for output in report["outputs"]} == {"stdout", "stderr"}
    assert place.house.opened(report) == {"stdout.0": b"out\n", "stderr.0": b"err\n"}


def test_a_task_that_needs_more_memory_than_it_may_is_out_of_memory(place: Any) -> None:
    grows = python("x = []\nwhile True: x.append(bytearray(1 << 20))")
    assert place.submit(grows).ends()[0] == "out_of_memory"


def test_a_task_that_runs_longer_than_it_may_is_ended(place: Any) -> None:
    told = place.submit(shell("(setsid sleep 60 &); sleep 60"), plan={"seconds": 2})
    assert told.ends() == ("deadline", None)
    assert told.alive_at_end == []


def test_an_attempt_that_is_cancelled_before_it_starts_never_starts(place: Any) -> None:
    told = place.submit(shell("sleep 30"))
    place.backend.cancel(told.attempt)
    eventually(lambda: place.backend.cancel(told.attempt) or told.over.is_set(), "it goes on")
    assert told.ends()[0] == "canceled"
    assert told.alive_at_end == []


def test_every_process_is_dead_before_a_cancelled_attempt_is_over(place: Any) -> None:
    told = place.submit(shell("trap '' TERM HUP INT; (setsid sleep 77 &); (sleep 78 & sleep 79)"))
    eventually(lambda: len(processes_of(told.launch)) >= 3, "the task does not run")
    place.backend.cancel(told.attempt)
    place.backend.cancel(told.attempt)
    assert told.ends() == ("canceled", None)
    assert told.alive_at_end == []
    assert len(told.reports) == 1


def test_an_attempt_that_is_over_or_unknown_can_be_cancelled(place: Any) -> None:
    told = place.submit(shell("exit 0"))
    told.end()
    place.backend.cancel(told.attempt)
    place.backend.cancel("0" * 32)
    assert place.backend.status("0" * 32) is None
    eventually(lambda: place.backend.status(told.attempt) is None, "its status stays")


def test_the_status_of_a_running_attempt_is_the_schedulers_own_word(place: Any) -> None:
    told = place.submit(shell("sleep 30"))
    assert told.started.wait(30)
    eventually(lambda: place.backend.status(told.attempt) in {"running", "RUNNING", "Running"}, "no word of it")
    place.backend.cancel(told.attempt)
    told.end()


def test_an_attempt_without_keys_ends_with_the_reason(place: Any) -> None:
    def spoil(grant: dict[str, Any]) -> None:
        grant["spec_sha256"] = "0" * 64

    keep, place.house.broker.change = place.house.broker.change, spoil
    try:
        report = place.submit(shell("exit 0")).end()
    finally:
        place.house.broker.change = keep
    assert report["cause"] == "system"
    assert "grant" in report["reason"]


def test_an_attempt_of_an_earlier_life_is_taken_up_or_lost_and_none_starts_again(place: Any) -> None:
    told = place.submit(shell("sleep 4; exit 3"))
    eventually(lambda: processes_of(told.launch), "the task does not run")
    (after,) = place.another_life(told)
    assert after.ends() == (("exited", 3) if place.backend.keeps else ("lost", None))
    assert place.house.claims.count(told.attempt) == 1
    eventually(lambda: not processes_of(told.launch), "it goes on without anybody")


def test_many_attempts_each_end_once(place: Any) -> None:
    all_told = [place.submit(shell(f"exit {number % 3}")) for number in range(12)]
    assert [told.ends() for told in all_told] == [("exited", number % 3) for number in range(12)]
    assert all(place.house.claims.count(told.attempt) == 1 for told in all_told)
    assert all(len(told.reports) == 1 for told in all_told)


def test_an_attempt_is_handed_in_once_though_the_answer_is_lost(place: Any) -> None:
    with place.answers_are_lost():
        told = place.submit(shell("sleep 1; exit 3"))
        assert told.ends() == ("exited", 3)
    assert place.house.claims.count(told.attempt) == 1
    assert place.copies(told.attempt) == 1


def test_an_attempt_that_a_scheduler_starts_twice_runs_once(place: Any) -> None:
    told = place.submit(shell("sleep 2; exit 3"))
    eventually(lambda: processes_of(told.launch), "the task does not run")
    place.start_again(told.launch)
    assert told.ends() == ("exited", 3)
    place.all_is_over(told.attempt)
    assert place.house.claims.count(told.attempt) == 1

"""Attempts on a cluster, with a scheduler made of words: one report each, whatever fails on the way."""

import time
from pathlib import Path

import pytest
from words_room import HERE, Room, until

from sandbox.signing import AttemptKey
from strongroom.errors import Conflict, NotAllowed, NotFound
from tes.backends.schedulers import Proof, SchedulerRefused, SchedulerUnavailable, Seen
from tes.reports import report
from tes.tasks import Cause


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


WELL = {"type": "result", "cause": "exited", "exit_code": 0}


def test_a_signed_result_ends_an_attempt_once(room: Room) -> None:
    attempt = room.submitted()
    own = room.claimed(attempt)
    for _ in range(2):
        room.remote.result(attempt, own.signed(WELL))
    until(lambda: room.words.forgotten == [attempt])
    assert room.reports == [{"cause": "exited", "exit_code": 0}]
    assert room.remote.status(attempt) is None


def test_t22_a_result_of_another_key_is_refused(room: Room) -> None:
    attempt = room.submitted()
    room.claimed(attempt)
    for forged in (AttemptKey().signed(WELL), WELL):
        with pytest.raises(NotAllowed):
            room.remote.result(attempt, forged)
    assert not room.reports


def test_t1_only_who_is_there_begins_and_only_once(room: Room) -> None:
    attempt = room.submitted()
    with pytest.raises(NotAllowed):
        room.remote.begin(attempt, Proof("n2"))
    taken = room.remote.begin(attempt, HERE)
    room.pledges.check_pass(attempt, taken["pass"])
    with pytest.raises(Conflict):
        room.remote.begin(attempt, HERE)
    for wrong in ("", "0" * 64, None):
        with pytest.raises(NotAllowed):
            room.pledges.check_pass(attempt, wrong)


def test_t1_a_second_claim_stops_the_attempt(room: Room) -> None:
    attempt = room.submitted()
    room.claimed(attempt)
    with pytest.raises(Conflict):
        room.remote.claim(attempt, {"signing_key": "another"})
    until(lambda: room.words.stopped == [attempt])
    assert [said["cause"] for said in room.reports] == ["system"]
    with pytest.raises(NotFound):
        room.remote.walls_up(attempt)


def test_a_lost_answer_is_asked_again_and_a_no_is_final(room: Room) -> None:
    room.words.fail = [SchedulerUnavailable("silent"), SchedulerUnavailable("silent")]
    room.submitted()
    room.words.fail = [SchedulerRefused("No such partition.")]
    room.remote.submit(room.launch("b" * 32), room.tell())
    assert room.ended.wait(10)
    assert room.reports == [report(Cause.SYSTEM, "No such partition.")]


def test_a_silent_scheduler_changes_nothing(room: Room) -> None:
    attempt = room.submitted()
    room.words.silent = True
    time.sleep(0.1)
    assert not room.reports
    assert room.remote.status(attempt) is not None
    room.words.said[attempt] = Seen(Cause.PREEMPTED, "PREEMPTED")
    room.words.silent = False
    assert room.ended.wait(10)
    assert room.reports[0]["cause"] == Cause.PREEMPTED


def test_who_was_killed_by_the_platform_gets_the_platforms_word(room: Room) -> None:
    attempt = room.submitted()
    own = room.claimed(attempt)
    room.remote.result(attempt, own.signed({"type": "result", "cause": "canceled", "exit_code": None}))
    assert not room.reports
    room.words.said[attempt] = Seen(Cause.DEADLINE, "TIMEOUT")
    assert room.ended.wait(10)
    assert room.reports[0]["cause"] == Cause.DEADLINE


def test_a_canceled_attempt_is_over_when_nothing_is_left_of_it(room: Room) -> None:
    attempt = room.submitted()
    room.remote.cancel(attempt)
    room.remote.cancel("unknown")
    assert room.ended.wait(10)
    assert room.words.stopped == [attempt]
    assert room.reports[0]["cause"] == Cause.CANCELED


def test_another_life_of_the_dispatcher_hears_the_same_words(room: Room) -> None:
    launch = room.launch()
    room.remote.submit(launch, room.tell())
    until(lambda: room.words.placed == [launch.attempt])
    own = room.claimed(launch.attempt)
    again = room.another()
    again.resume(launch, room.tell())
    again.result(launch.attempt, own.signed(WELL))
    assert room.reports == [{"cause": "exited", "exit_code": 0}]
    assert room.words.placed == [launch.attempt]

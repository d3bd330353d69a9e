"""A job takes on what waits for it, and nobody gets more than is theirs; the cluster is made of words."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from words_room import HERE, Room, until

from strongroom.audit import AuditEvent
from strongroom.database import reading
from tes.backends import held
from tes.backends.schedulers import Proof, SchedulerUnavailable
from tes.tasks import Cause

WELL = {"type": "result", "cause": "exited", "exit_code": 0}
FIRST, SECOND, THIRD = "a" * 32, "b" * 32, "c" * 32


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setattr(held, "FIRST", 1)
    return Room(tmp_path)


def submit(room: Room, *attempts: str, shape: str = "small") -> None:
    for attempt in attempts:
        launch = room.launch(attempt)
        room.remote.submit(replace(launch, plan={**launch.plan, "shape": shape}), room.tell())


def ended(room: Room, attempt: str, *, more: Proof | None = HERE) -> Any:
    return room.remote.result(attempt, room.claimed(attempt).signed(WELL), more=more)


def refused(room: Room, attempt: str) -> int:
    query = sa.select(sa.func.count()).where(AuditEvent.subject == attempt, AuditEvent.event == "claim.refused")
    with reading(room.engine) as session:
        return session.scalar(query) or 0


def test_the_oldest_of_the_shape_follows_with_a_pass_of_its_own(room: Room) -> None:
    submit(room, FIRST, SECOND, THIRD)
    until(lambda: room.words.placed == [FIRST])
    following = ended(room, FIRST)
    assert (following["attempt"], following["spec"]) == (SECOND, "{}")
    room.pledges.check_pass(SECOND, following["pass"])
    assert room.words.carried == [(FIRST, SECOND)]
    assert room.pledges.owners([SECOND])[SECOND].job_of == FIRST
    assert room.words.placed == [FIRST]
    assert room.remote.status(THIRD) == "unknown"


def test_who_does_not_ask_for_more_leaves_it_to_another_job(room: Room) -> None:
    submit(room, FIRST, SECOND)
    until(lambda: room.words.placed == [FIRST])
    assert ended(room, FIRST, more=None) is None
    until(lambda: room.words.placed == [FIRST, SECOND])


def test_a_job_does_not_take_on_another_shape(room: Room) -> None:
    submit(room, FIRST)
    submit(room, SECOND, THIRD, shape="large")
    until(lambda: room.words.placed == [FIRST, SECOND])
    assert ended(room, FIRST) is None


def test_t1_more_is_for_the_place_of_the_job_alone(room: Room) -> None:
    submit(room, FIRST, SECOND)
    until(lambda: room.words.placed == [FIRST])
    assert ended(room, FIRST, more=Proof("n2")) is None
    assert room.reports[0]["cause"] == "exited"  # what it told of its own stands
    assert refused(room, SECOND) == 1
    until(lambda: room.words.placed == [FIRST, SECOND])
    assert not room.pledges.is_begun(SECOND)


def test_t1_a_result_that_is_told_twice_takes_on_nothing_twice(room: Room) -> None:
    submit(room, FIRST, SECOND, THIRD)
    until(lambda: room.words.placed == [FIRST])
    signed = room.claimed(FIRST).signed(WELL)
    assert room.remote.result(FIRST, signed, more=HERE) is not None
    assert room.remote.result(FIRST, signed, more=HERE) is None
    assert room.words.carried == [(FIRST, SECOND)]


def test_a_job_whose_time_is_over_or_a_silent_cluster_takes_on_nothing(room: Room) -> None:
    submit(room, FIRST, SECOND, THIRD)
    until(lambda: room.words.placed == [FIRST])
    room.words.carries = False
    assert ended(room, FIRST) is None
    until(lambda: room.words.placed == [FIRST, SECOND])
    room.words.fail = [SchedulerUnavailable("silent")]
    assert ended(room, SECOND) is None
    until(lambda: room.words.placed == [FIRST, SECOND, THIRD])


def test_what_waits_with_us_is_canceled_at_once_and_taken_on_by_nobody(room: Room) -> None:
    submit(room, FIRST, SECOND)
    until(lambda: room.words.placed == [FIRST])
    room.remote.cancel(SECOND)
    until(lambda: [said["cause"] for said in room.reports] == [Cause.CANCELED])
    assert ended(room, FIRST) is None
    assert (room.words.stopped, room.words.placed) == ([], [FIRST])


def test_after_a_restart_what_waited_waits_and_what_was_handed_in_does_not_go_again(room: Room) -> None:
    submit(room, FIRST, SECOND)
    until(lambda: room.words.placed == [FIRST])
    launches = {name: room.remote._known(name).launch for name in (FIRST, SECOND)}
    room.remote._live.clear()
    room.remote = room.another()
    for launch in launches.values():
        room.remote.resume(launch, room.tell())
    until(lambda: SECOND in room.words.placed)
    assert room.words.placed == [FIRST, SECOND]

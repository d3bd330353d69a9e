"""The states of a task: a missing row is a refusal."""

import pytest

from strongroom.states import IllegalStep, step
from tes.tasks import STEPS, TERMINAL, Cause, TaskState, after, outcome

S = TaskState


def test_every_state_has_a_row() -> None:
    assert set(STEPS) == set(TaskState)


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_an_ended_task_never_moves_again(state: TaskState) -> None:
    for to in TaskState:
        with pytest.raises(IllegalStep):
            step(STEPS, state, to)


def test_a_task_that_is_being_canceled_can_only_become_canceled() -> None:
    assert STEPS[S.CANCELING] == {S.CANCELED}


@pytest.mark.parametrize(
    ("cause", "code", "state"),
    [
        (Cause.EXITED, 0, S.COMPLETE),
        (Cause.EXITED, 3, S.EXECUTOR_ERROR),
        (Cause.DEADLINE, None, S.EXECUTOR_ERROR),
        (Cause.OUT_OF_MEMORY, None, S.EXECUTOR_ERROR),
        (Cause.DISK_FULL, None, S.EXECUTOR_ERROR),
        (Cause.SIGNAL, None, S.EXECUTOR_ERROR),
        (Cause.CANCELED, None, S.CANCELED),
        (Cause.SYSTEM, None, S.SYSTEM_ERROR),
        (Cause.LOST, None, S.SYSTEM_ERROR),
    ],
)
def test_what_ended_an_attempt_decides_the_state(cause: Cause, code: int | None, state: TaskState) -> None:
    assert outcome(cause, code) is state


@pytest.mark.parametrize("state", [S.INITIALIZING, S.RUNNING, S.CANCELING])
@pytest.mark.parametrize("cause", list(Cause))
@pytest.mark.parametrize("again", [True, False])
def test_every_end_of_an_attempt_is_a_legal_walk(state: TaskState, cause: Cause, again: bool) -> None:
    at = state
    for to in after(state, cause, 0, again=again):
        at = step(STEPS, at, to)
    assert at in TERMINAL or at is S.QUEUED


def test_a_lost_attempt_is_tried_again_until_there_are_too_many() -> None:
    assert after(S.RUNNING, Cause.LOST, None, again=True) == (S.QUEUED,)
    assert after(S.RUNNING, Cause.LOST, None, again=False) == (S.SYSTEM_ERROR,)


def test_a_canceled_task_stays_canceled_whatever_its_attempt_says() -> None:
    for cause in Cause:
        assert after(S.CANCELING, cause, 0, again=True) == (S.CANCELED,)
        assert after(S.CANCELED, cause, 0, again=True) == ()

"""What a task is, and how it may move: the states of TES 1.1 as a table."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from strongroom.states import Steps


class TaskState(StrEnum):
    """TES 1.1 `tesState`, as it is."""

    UNKNOWN = "UNKNOWN"
    QUEUED = "QUEUED"
    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETE = "COMPLETE"
    EXECUTOR_ERROR = "EXECUTOR_ERROR"
    SYSTEM_ERROR = "SYSTEM_ERROR"
    CANCELED = "CANCELED"
    CANCELING = "CANCELING"
    PREEMPTED = "PREEMPTED"


S = TaskState
STEPS: Final[Steps[TaskState]] = {
    S.QUEUED: frozenset({S.INITIALIZING, S.CANCELED, S.SYSTEM_ERROR}),
    # Back to QUEUED: the platform lost the attempt, and the task gets another one.
    S.INITIALIZING: frozenset({S.RUNNING, S.SYSTEM_ERROR, S.CANCELING, S.PREEMPTED, S.QUEUED}),
    S.RUNNING: frozenset({S.COMPLETE, S.EXECUTOR_ERROR, S.SYSTEM_ERROR, S.CANCELING, S.PREEMPTED, S.QUEUED}),
    # TES 1.1: a canceled task stays canceled; CANCELING lasts while a process of the task lives.
    S.CANCELING: frozenset({S.CANCELED}),
    S.COMPLETE: frozenset(),
    S.EXECUTOR_ERROR: frozenset(),
    S.SYSTEM_ERROR: frozenset(),
    S.CANCELED: frozenset(),
    S.PREEMPTED: frozenset(),
    S.PAUSED: frozenset(),
    S.UNKNOWN: frozenset(),
}
TERMINAL: Final = frozenset({S.COMPLETE, S.EXECUTOR_ERROR, S.SYSTEM_ERROR, S.CANCELED, S.PREEMPTED})


class Cause(StrEnum):
    """Why an attempt ended, as the sandbox reports it; the last two are ours: no report came."""

    EXITED = "exited"
    DEADLINE = "deadline"
    OUT_OF_MEMORY = "out_of_memory"
    SIGNAL = "signal"
    DISK_FULL = "disk_full"
    CANCELED = "canceled"
    SYSTEM = "system"
    LOST = "lost"
    PREEMPTED = "preempted"


AGAIN: Final = frozenset({Cause.LOST, Cause.PREEMPTED})  # the platform's doing: the task gets another attempt


def outcome(cause: Cause, exit_code: int | None) -> TaskState:
    """Return the state that a task reaches when its attempt ended like this."""
    match cause:
        case Cause.EXITED:
            return S.COMPLETE if exit_code == 0 else S.EXECUTOR_ERROR
        case Cause.DEADLINE | Cause.OUT_OF_MEMORY | Cause.SIGNAL | Cause.DISK_FULL:
            return S.EXECUTOR_ERROR
        case Cause.CANCELED:
            return S.CANCELED
        case Cause.PREEMPTED:
            return S.PREEMPTED
        case Cause.SYSTEM | Cause.LOST:
            return S.SYSTEM_ERROR


def after(state: TaskState, cause: Cause, exit_code: int | None, *, again: bool) -> Sequence[TaskState]:
    """Return the moves of a task in `state` whose attempt ended with `cause`."""
    if state in TERMINAL or state is S.QUEUED:
        return ()
    if state is S.CANCELING:
        return (S.CANCELED,)
    if cause in AGAIN and again:
        return (S.QUEUED,)
    end = outcome(cause, exit_code)
    if end is S.CANCELED:
        return (S.CANCELING, S.CANCELED)
    if state is S.INITIALIZING and end is not S.SYSTEM_ERROR:
        return (S.RUNNING, end)
    return (end,)

"""What a run is, and how it may move: the states of WES 1.1 as a table."""

from enum import StrEnum
from typing import Final

from strongroom.states import Steps


class RunState(StrEnum):
    """WES 1.1 `State`, as it is."""

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


S = RunState
STEPS: Final[Steps[RunState]] = {
    # To CANCELING only while a supervisor holds it already.
    S.QUEUED: frozenset({S.INITIALIZING, S.CANCELED, S.CANCELING, S.SYSTEM_ERROR}),
    S.INITIALIZING: frozenset({S.RUNNING, S.SYSTEM_ERROR, S.CANCELING}),
    S.RUNNING: frozenset({S.COMPLETE, S.EXECUTOR_ERROR, S.SYSTEM_ERROR, S.CANCELING}),
    # CANCELING lasts until the engine and every task are gone.
    S.CANCELING: frozenset({S.CANCELED}),
    S.COMPLETE: frozenset(),
    # Only its owner's resume leads on from here (ADR 0028); what is COMPLETE stays as it is.
    S.EXECUTOR_ERROR: frozenset({S.QUEUED}),
    S.SYSTEM_ERROR: frozenset({S.QUEUED}),
    S.CANCELED: frozenset({S.QUEUED}),
    S.PREEMPTED: frozenset({S.QUEUED}),
    S.PAUSED: frozenset(),
    S.UNKNOWN: frozenset(),
}
TERMINAL: Final = frozenset({S.COMPLETE, S.EXECUTOR_ERROR, S.SYSTEM_ERROR, S.CANCELED, S.PREEMPTED})
RESUMABLE: Final = TERMINAL - {S.COMPLETE}
LIVE: Final = tuple(state.value for state in RunState if state not in TERMINAL)

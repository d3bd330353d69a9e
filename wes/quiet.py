"""Decides what is told of a run about few persons: that it works, and some time after its end that it is finished."""

from datetime import datetime, timedelta

from wes.runs import RunState

FIRST = timedelta(minutes=15)
FINISHED = "This run is about few persons: it is finished, and how it ended is not told."


def told_at(started: datetime, ended: datetime) -> datetime:
    """Return when the end of such a run is told: 15, 30, 60, 120, … minutes after its start.

    When a run ends may hang on data as much as how it does (T6).
    """
    after = FIRST
    while started + after < ended:
        after *= 2
    return started + after


def told_end(told: datetime | None, moment: datetime) -> datetime | None:
    """Return the end that is told at `moment` of a run whose end is told from `told` on; None: it has not ended."""
    return told if told is not None and told <= moment else None


def told_state(told: datetime | None, moment: datetime) -> RunState:
    """Return the state that is told of such a run once it has begun: the same whether it succeeds, fails or stops."""
    return RunState.RUNNING if told_end(told, moment) is None else RunState.COMPLETE

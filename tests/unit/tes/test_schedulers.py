"""When an attempt on a cluster is over, and what that means, row by row."""

from typing import Any

import pytest

from tes.backends.schedulers import GRACE, UNSEEN, Seen, Standing, believed, judged
from tes.reports import report
from tes.tasks import Cause, TaskState

S, STUCK = TaskState, 100.0
WAITING = Seen(S.QUEUED, "PENDING")
HELD = Seen(S.QUEUED, "PENDING", stuck="The cluster has no such node.")
RUNNING = Seen(S.RUNNING, "RUNNING")


def over(cause: Cause) -> Seen:
    return Seen(cause, "OVER")


def standing(seen: Seen | None, seen_for: float = 0.0, **more: Any) -> Standing:
    facts = {"cancel_asked": False, "begun": True, "result": None, **more}
    return Standing(seen=seen, seen_for=seen_for, stuck_most=STUCK, **facts)


ROWS = {
    "waits its turn for ever": (standing(WAITING, 1e9), None),
    "waits for what may still come": (standing(HELD, STUCK), None),
    "waits for what does not come": (standing(HELD, STUCK + 1), Cause.SYSTEM),
    "runs": (standing(RUNNING, 1e9), None),
    "is unknown for a moment": (standing(None, UNSEEN), None),
    "is unknown for long": (standing(None, UNSEEN + 1), Cause.LOST),
    "is unknown, and was to be canceled": (standing(None, 0, cancel_asked=True), Cause.CANCELED),
    "is over and may still be heard": (standing(over(Cause.EXITED), GRACE), None),
    "ended well without a word": (standing(over(Cause.EXITED), GRACE + 1), Cause.LOST),
    "never began": (standing(over(Cause.SYSTEM), 0, begun=False), Cause.SYSTEM),
    "ended well and never began": (standing(over(Cause.EXITED), 0, begun=False), Cause.LOST),
    "was preempted": (standing(over(Cause.PREEMPTED), GRACE + 1), Cause.PREEMPTED),
    "was over time, and told that it was killed": (
        standing(over(Cause.DEADLINE), 0, result=report(Cause.CANCELED)),
        Cause.DEADLINE,
    ),
    "was killed as asked": (standing(over(Cause.CANCELED), GRACE + 1, cancel_asked=True), Cause.CANCELED),
    "was over memory while it was canceled": (
        standing(over(Cause.OUT_OF_MEMORY), 0, begun=False, cancel_asked=True),
        Cause.CANCELED,
    ),
}


@pytest.mark.parametrize(("known", "cause"), ROWS.values(), ids=ROWS.keys())
def test_what_is_known_and_the_clusters_word_make_the_end(known: Standing, cause: Cause | None) -> None:
    said = judged(known)
    assert (Cause(said["cause"]) if said else None) == cause
    assert said is None or said["reason"]


def test_no_scheduler_can_say_that_a_task_succeeded() -> None:
    # T22: only words signed by the attempt say so.
    for cause in Cause:
        said = judged(standing(over(cause), GRACE + 1))
        assert said is not None
        assert said["cause"] != Cause.EXITED


def test_who_was_killed_is_believed_only_if_we_asked_for_it() -> None:
    assert not believed(report(Cause.CANCELED), cancel_asked=False)
    assert believed(report(Cause.CANCELED), cancel_asked=True)
    assert believed(report(Cause.EXITED, exit_code=0), cancel_asked=True)

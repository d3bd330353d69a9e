"""What SLURM's words mean, as a truth table."""

import pytest

from tes.backends.slurm.client import JobState
from tes.backends.slurm.states import ENDED, UNFINISHED, meaning, warning
from tes.tasks import Cause, TaskState

S = TaskState


def a_state(state: str, reason: str = "None", exit_code: int | None = 0, signal: int = 0) -> JobState:
    return JobState(7, "tes-7-1", state, reason, exit_code, signal, "n1", "alice")


@pytest.mark.parametrize(
    ("state", "reason", "exit_code", "signal", "means"),
    [
        ("PENDING", "Priority", 0, 0, S.QUEUED),
        ("PENDING", "BeginTime", 0, 0, S.QUEUED),
        ("PENDING", "JobHeldUser", 0, 0, S.QUEUED),
        ("REQUEUED", "None", 0, 0, S.QUEUED),
        ("REQUEUE_HOLD", "None", 0, 0, S.QUEUED),
        ("CONFIGURING", "None", 0, 0, S.INITIALIZING),
        ("RUNNING", "None", 0, 0, S.RUNNING),
        ("SUSPENDED", "None", 0, 0, S.PAUSED),
        # Not over, though the reason and the exit code say how it will end.
        ("COMPLETING", "TimeLimit", 0, 15, S.RUNNING),
        ("COMPLETED", "None", 0, 0, Cause.EXITED),
        ("FAILED", "NonZeroExitCode", 3, 0, Cause.EXITED),
        # The reason misleads: a signal killed the job.
        ("FAILED", "JobLaunchFailure", 0, 11, Cause.SIGNAL),
        ("FAILED", "RaisedSignal:9(Killed)", None, 9, Cause.SIGNAL),
        # And here the job never started.
        ("FAILED", "JobLaunchFailure", 0, 53, Cause.SYSTEM),
        ("FAILED", "None", 0, 0, Cause.SYSTEM),
        ("FAILED", "None", None, 0, Cause.SYSTEM),
        ("OUT_OF_MEMORY", "OutOfMemory", 0, 125, Cause.OUT_OF_MEMORY),
        ("TIMEOUT", "TimeLimit", 0, 0, Cause.DEADLINE),
        ("DEADLINE", "DeadLine", 0, 0, Cause.DEADLINE),
        ("CANCELLED", "None", 0, 15, Cause.SYSTEM),
        ("NODE_FAIL", "NodeDown", 0, 0, Cause.LOST),
        ("BOOT_FAIL", "None", 0, 0, Cause.LOST),
        ("PREEMPTED", "None", 0, 0, Cause.PREEMPTED),
        ("REVOKED", "None", 0, 0, Cause.LOST),
        ("A_WORD_OF_TOMORROW", "None", 0, 0, S.UNKNOWN),
        ("", "None", 0, 0, S.UNKNOWN),
    ],
)
def test_what_a_state_means(
    state: str, reason: str, exit_code: int | None, signal: int, means: TaskState | Cause
) -> None:
    assert meaning(a_state(state, reason, exit_code, signal), cancel_asked=False) == means


@pytest.mark.parametrize("state", [*UNFINISHED, *ENDED])
def test_that_we_asked_for_it_matters_to_a_cancelled_job_alone(state: str) -> None:
    told = [meaning(a_state(state), cancel_asked=asked) for asked in (False, True)]
    assert told == [Cause.SYSTEM, Cause.CANCELED] if state == "CANCELLED" else told[0] == told[1]


def test_a_state_is_either_over_or_not() -> None:
    assert not set(UNFINISHED) & set(ENDED)


@pytest.mark.parametrize(
    ("reason", "warned"),
    [
        ("Priority", False),
        ("Resources", False),
        ("Dependency", False),
        ("None", False),
        ("", False),
        ("PartitionConfig", True),
        ("BadConstraints", True),
        ("AssocGrpCpuLimit", True),
        ("QOSMaxJobsPerUserLimit", True),
        ("JobHeldAdmin", True),
        ("PartitionDown", True),
        ("ReqNodeNotAvail, UnavailableNodes:n[1-2]", True),
    ],
)
def test_a_job_that_waits_for_somebody_to_act_is_warned_of(reason: str, warned: bool) -> None:
    assert (warning(a_state("PENDING", reason)) is not None) is warned
    assert warning(a_state("RUNNING", reason)) is None

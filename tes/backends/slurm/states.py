"""What SLURM's words about a job mean for the attempt that it carries."""

from typing import Final

from tes.backends.slurm.client import JobState
from tes.tasks import Cause, TaskState

S = TaskState
# The words on the left are SLURM's own (squeue, "JOB STATE CODES"); a job with one of these is not over.
UNFINISHED: Final = {
    "PENDING": S.QUEUED,
    "REQUEUED": S.QUEUED,
    "REQUEUE_FED": S.QUEUED,
    "REQUEUE_HOLD": S.QUEUED,
    "RESV_DEL_HOLD": S.QUEUED,
    "SPECIAL_EXIT": S.QUEUED,
    "CONFIGURING": S.INITIALIZING,
    # The job runs; its task does when the supervisor says so.
    "RUNNING": S.RUNNING,
    "RESIZING": S.RUNNING,
    "SIGNALING": S.RUNNING,
    # Not over, though the reason may already tell the end.
    "COMPLETING": S.RUNNING,
    "STAGE_OUT": S.RUNNING,
    "SUSPENDED": S.PAUSED,
    "STOPPED": S.PAUSED,
}
# And with one of these it is; the supervisor's own result says more, where it left one.
ENDED: Final = {
    "COMPLETED": Cause.EXITED,
    "FAILED": Cause.EXITED,
    "TIMEOUT": Cause.DEADLINE,
    "DEADLINE": Cause.DEADLINE,
    "OUT_OF_MEMORY": Cause.OUT_OF_MEMORY,
    "CANCELLED": Cause.CANCELED,
    # The platform took the attempt away: the task may have another one.
    "PREEMPTED": Cause.PREEMPTED,
    "NODE_FAIL": Cause.LOST,
    "BOOT_FAIL": Cause.LOST,
    "REVOKED": Cause.LOST,
    "LAUNCH_FAILED": Cause.SYSTEM,
    "RECONFIG_FAIL": Cause.SYSTEM,
}
NOT_STARTED: Final = 53  # the "signal" with which slurmd says that it could not set a job up
# Reasons with which a pending job waits until somebody acts; the words on the left begin SLURM's own.
STUCK: Final = {
    "Assoc": "SLURM's limits for this account hold the job back; ask the operator.",
    "QOS": "SLURM's limits for this quality of service hold the job back; ask the operator.",
    "InvalidQOS": "SLURM's account may not use this quality of service; ask the operator.",
    "InvalidAccount": "SLURM does not know this account; ask the operator.",
    "PartitionConfig": "No part of the cluster's partition is as large as this task asks; ask for less.",
    "PartitionNodeLimit": "The task asks for more than its partition may give; ask for less.",
    "PartitionTimeLimit": "The task asks for more time than its partition gives; ask for less.",
    "PartitionDown": "The cluster's partition is down; ask the operator.",
    "PartitionInactive": "The cluster's partition takes no jobs to run; ask the operator.",
    "BadConstraints": "No node of the cluster is what this task asks for; ask for less.",
    "ReqNodeNotAvail": "The nodes that this task needs are not there; ask the operator.",
    "DependencyNeverSatisfied": "The job waits for something that will not come; ask the operator.",
    "JobHeld": "Somebody holds the job back in SLURM; ask the operator.",
}


def meaning(job: JobState, *, cancel_asked: bool) -> TaskState | Cause:
    """Return the state that a job means while it is not over, its cause once it is, UNKNOWN for a strange word."""
    if job.state in UNFINISHED:
        return UNFINISHED[job.state]
    cause = ENDED.get(job.state)
    match cause:
        case None:
            return S.UNKNOWN
        case Cause.CANCELED if not cancel_asked:
            return Cause.SYSTEM  # somebody else's scancel is not the researcher's
        case Cause.EXITED if job.state == "FAILED":
            return _failed(job)
        case _:
            return cause


def warning(job: JobState) -> str | None:
    """Return what to tell about a job that waits for somebody to act, or None when it only waits for its turn."""
    if job.state in {"REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"}:
        return STUCK["JobHeld"]
    if UNFINISHED.get(job.state) != S.QUEUED:
        return None
    return next((said for start, said in STUCK.items() if job.reason.startswith(start)), None)


def _failed(job: JobState) -> Cause:
    """Judge by the exit code's signal: the reason says JobLaunchFailure of every job that a signal killed."""
    if job.signal == NOT_STARTED:
        return Cause.SYSTEM
    if job.signal:
        return Cause.SIGNAL
    # A failure with exit code 0, or without one, is none of the task's.
    return Cause.EXITED if job.exit_code else Cause.SYSTEM

"""What a pod's state means, word by word."""

from typing import Any

import pytest

from tes.backends.kubernetes.states import NO_NODE, SILENT, is_busy, seen_of
from tes.backends.schedulers import Seen
from tes.tasks import Cause, TaskState

S = TaskState


def pod(phase: str | None = "Running", *, node: str | None = "n1", **status: Any) -> dict[str, Any]:
    return {"spec": {"nodeName": node} if node else {}, "status": {"phase": phase, **status}}


def ended(name: str, code: int, reason: str) -> dict[str, Any]:
    return {"containerStatuses": [{"name": name, "state": {"terminated": {"exitCode": code, "reason": reason}}}]}


def waits(reason: str) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "executor-0", "state": {"waiting": {"reason": reason}}}]}


def condition(kind: str, status: str, reason: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "reason": reason}]}


UNSCHEDULABLE = condition("PodScheduled", "False", "Unschedulable")


@pytest.mark.parametrize(
    ("given", "means", "word"),
    [
        (pod("Pending", node=None), S.QUEUED, "Pending"),
        (pod(None, node=None), S.QUEUED, "Pending"),
        (pod("Pending"), S.INITIALIZING, "Pending"),
        (pod("Running"), S.RUNNING, "Running"),
        (pod("Succeeded"), Cause.EXITED, "Succeeded"),
        (pod("Failed"), Cause.LOST, "Failed"),
        (pod("Unknown"), Cause.LOST, "Unknown"),
        (pod("Something new"), Cause.LOST, "Something new"),
        (pod("Failed", reason="DeadlineExceeded"), Cause.DEADLINE, "DeadlineExceeded"),
        (pod("Failed", reason="Evicted"), Cause.PREEMPTED, "Evicted"),
        (pod("Failed", reason="NodeLost"), Cause.LOST, "NodeLost"),
        (pod("Failed", reason="OutOfcpu"), Cause.LOST, "OutOfcpu"),
        (pod("Failed", reason="Something new"), Cause.LOST, "Something new"),
        (pod(**ended("executor-1", 137, "OOMKilled")), Cause.OUT_OF_MEMORY, "OOMKilled"),
        (pod(**ended("executor-1", 0, "OOMKilled")), S.RUNNING, "Running"),  # its launcher lived, and tells it
        (pod(**ended("executor-1", 0, "Completed")), S.RUNNING, "Running"),
        (pod(**ended("executor-1", 70, "Error")), S.RUNNING, "Running"),  # its launcher told `system`
        (pod(**ended("executor-1", 64, "Error")), Cause.SYSTEM, "executor-1: Error"),
        (pod(**ended("executor-1", 128, "StartError")), Cause.LOST, "StartError"),
        (pod(**ended("stage", 1, "Error")), Cause.LOST, "stage: Error"),
        (pod(**ended("stage", 137, "OOMKilled")), Cause.LOST, "stage: OOMKilled"),
        (pod(**ended("seal", 1, "Error")), Cause.LOST, "seal: Error"),
        (
            pod(**condition("DisruptionTarget", "True", "PreemptionByScheduler")),
            Cause.PREEMPTED,
            "PreemptionByScheduler",
        ),
        (
            pod(**condition("DisruptionTarget", "True", "EvictionByEvictionAPI")),
            Cause.PREEMPTED,
            "EvictionByEvictionAPI",
        ),
        (
            pod(**condition("DisruptionTarget", "True", "DeletionByTaintManager")),
            Cause.LOST,
            "DeletionByTaintManager",
        ),
        (pod(**condition("DisruptionTarget", "True", "Something new")), Cause.LOST, "Something new"),
        (pod(**condition("DisruptionTarget", "False", "PreemptionByScheduler")), S.RUNNING, "Running"),
    ],
)
def test_a_pods_words_mean(given: dict[str, Any], means: TaskState | Cause, word: str) -> None:
    seen = seen_of(given, busy=False)
    assert (seen.means, seen.word) == (means, word)


@pytest.mark.parametrize("reason", ["InvalidImageName", "ErrImageNeverPull", "ImageInspectError"])
def test_what_never_comes_ends_an_attempt(reason: str) -> None:
    seen = seen_of(pod("Pending", **waits(reason)), busy=True)
    assert (seen.means, seen.word) == (Cause.SYSTEM, reason)
    assert seen.stuck


@pytest.mark.parametrize(
    "reason", ["ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError", "CreateContainerError"]
)
def test_what_may_still_come_is_waited_for(reason: str) -> None:
    seen = seen_of(pod("Pending", **waits(reason)), busy=True)
    assert (seen.means, seen.word) == (S.INITIALIZING, reason)
    assert seen.stuck


def test_a_container_that_is_made_now_is_no_reason_to_wonder() -> None:
    assert seen_of(pod("Pending", **waits("ContainerCreating")), busy=False) == Seen(S.INITIALIZING, "Pending")


def test_a_pod_without_a_node_is_stuck_only_while_none_of_ours_will_make_room() -> None:
    waiting = pod("Pending", node=None, **UNSCHEDULABLE)
    assert seen_of(waiting, busy=True) == Seen(S.QUEUED, "Unschedulable")
    assert seen_of(waiting, busy=False) == Seen(S.QUEUED, "Unschedulable", NO_NODE)


def test_a_node_that_is_silent_may_come_back() -> None:
    for silent in (
        pod(**condition("Ready", "False", "NodeNotReady")),
        pod("Running", reason="NodeLost"),
    ):
        seen = seen_of(silent, busy=False)
        assert (seen.means, seen.stuck) == (S.RUNNING, SILENT)


@pytest.mark.parametrize(
    ("phase", "node", "busy"),
    [("Running", "n1", True), ("Pending", "n1", True), ("Pending", None, False), ("Failed", "n1", False)],
)
def test_who_keeps_a_place_on_a_node_is_busy(phase: str, node: str | None, busy: bool) -> None:
    assert is_busy(pod(phase, node=node)) is busy

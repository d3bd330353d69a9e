"""Says what a pod's state means: the cluster's own words on the left (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tes.backends.schedulers import Seen
from tes.tasks import Cause, TaskState

Pod = Mapping[str, Any]

# `phase`; what a pod that has ended well means is said by the attempt itself, or nobody knows (T22)
PHASES: Final[Mapping[str, TaskState | Cause]] = {
    "Pending": TaskState.INITIALIZING,
    "Running": TaskState.RUNNING,
    "Succeeded": Cause.EXITED,
    "Failed": Cause.LOST,
    "Unknown": Cause.LOST,
}
# `status.reason` of a pod that has failed
POD_REASONS: Final[Mapping[str, Cause]] = {
    "DeadlineExceeded": Cause.DEADLINE,
    "Evicted": Cause.PREEMPTED,
    "Preempting": Cause.PREEMPTED,
    "Terminated": Cause.PREEMPTED,  # the node was shut down
    "NodeShutdown": Cause.PREEMPTED,
    "NodeLost": Cause.LOST,
    "NodeAffinity": Cause.LOST,
    "UnexpectedAdmissionError": Cause.LOST,
    "OutOfcpu": Cause.LOST,  # the scheduler was faster than the node
    "OutOfmemory": Cause.LOST,
    "OutOfpods": Cause.LOST,
}
# `reason` of the condition DisruptionTarget
DISRUPTIONS: Final[Mapping[str, Cause]] = {
    "PreemptionByScheduler": Cause.PREEMPTED,
    "EvictionByEvictionAPI": Cause.PREEMPTED,
    "TerminationByKubelet": Cause.PREEMPTED,
    "DeletionByTaintManager": Cause.LOST,
    "DeletionByPodGC": Cause.LOST,
}
_NOT_STARTED: Final = "A container could not be started; its image may lack what it needs."
# `state.waiting.reason` of a container: what comes again by itself or never, and what never comes
STUCK: Final[Mapping[str, str]] = {
    "ErrImagePull": "An image could not be fetched; ask the operator.",
    "ImagePullBackOff": "An image could not be fetched; ask the operator.",
    "RegistryUnavailable": "The registry of images does not answer; ask the operator.",
    "CreateContainerConfigError": "The cluster lacks something that task pods need; ask the operator.",
    "CreateContainerError": _NOT_STARTED,  # the kubelet tries again
    "RunContainerError": _NOT_STARTED,
}
NEVER: Final[Mapping[str, str]] = {
    "InvalidImageName": "An image's name cannot be read; ask the operator.",
    "ErrImageNeverPull": "An image is not on the node; ask the operator.",
    "ImageInspectError": "An image cannot be read; ask the operator.",
}
NO_NODE: Final = "No node of the cluster has room for this task."
SILENT: Final = "The task's node does not answer."
OURS: Final = ("stage", "seal")


def seen_of(pod: Pod, *, busy: bool) -> Seen:
    """Return what the cluster says of a pod; while pods of ours are `busy`, room will come by itself."""
    status = pod.get("status") or {}
    phase = str(status.get("phase") or "Pending")
    for found in (_disrupted(status), _failed(status), _broken(status), _waiting(pod, status, busy=busy)):
        if found is not None:
            return found
    return Seen(PHASES.get(phase, Cause.LOST), phase)


def is_busy(pod: Pod) -> bool:
    """Say whether a pod has a place on a node that others wait for."""
    phase = (pod.get("status") or {}).get("phase")
    return bool((pod.get("spec") or {}).get("nodeName")) and phase not in ("Succeeded", "Failed")


def _disrupted(status: Pod) -> Seen | None:
    """Say who took the pod's node, where somebody did."""
    for condition in _conditions(status, "DisruptionTarget", "True"):
        reason = str(condition.get("reason"))
        return Seen(DISRUPTIONS.get(reason, Cause.LOST), reason)
    return None


def _failed(status: Pod) -> Seen | None:
    reason = status.get("reason")
    if status.get("phase") == "Failed" and reason:
        return Seen(POD_REASONS.get(reason, Cause.LOST), str(reason))
    return None


def _broken(status: Pod) -> Seen | None:
    """Say what ended a container before it could speak: the others would wait for it for ever."""
    for name, ended in _containers(status, "terminated"):
        reason, code = str(ended.get("reason")), ended.get("exitCode")
        if reason == "OOMKilled" and code and name not in OURS:
            return Seen(Cause.OUT_OF_MEMORY, reason)
        if reason in ("ContainerCannotRun", "StartError"):
            return Seen(Cause.LOST, reason, _NOT_STARTED)  # or the kubelet died while it started this one
        if code and name in OURS:
            return Seen(Cause.LOST, f"{name}: {reason}")
        if code == 64 and name not in OURS:  # the launcher saw that its pod is not what it must be
            return Seen(Cause.SYSTEM, f"{name}: {reason}", "The cluster's walls are not what they must be.")
    return None


def _waiting(pod: Pod, status: Pod, *, busy: bool) -> Seen | None:
    for _, waits in _containers(status, "waiting"):
        reason = str(waits.get("reason"))
        if reason in NEVER:
            return Seen(Cause.SYSTEM, reason, NEVER[reason])
        if reason in STUCK:
            return Seen(TaskState.INITIALIZING, reason, STUCK[reason])
    for condition in _conditions(status, "PodScheduled", "False"):
        if condition.get("reason") == "Unschedulable":
            return Seen(TaskState.QUEUED, "Unschedulable", None if busy else NO_NODE)
    if status.get("phase") == "Running" and status.get("reason") == "NodeLost":
        return Seen(TaskState.RUNNING, "NodeLost", SILENT)
    for condition in _conditions(status, "Ready", "False"):
        if condition.get("reason") == "NodeNotReady":
            return Seen(TaskState.RUNNING, "NodeNotReady", SILENT)
    if not (pod.get("spec") or {}).get("nodeName"):
        return Seen(TaskState.QUEUED, str(status.get("phase") or "Pending"))
    return None


def _conditions(status: Pod, kind: str, value: str) -> Iterator[Pod]:
    for condition in status.get("conditions") or ():
        if condition.get("type") == kind and condition.get("status") == value:
            yield condition


def _containers(status: Pod, state: str) -> Iterator[tuple[str, Pod]]:
    for container in status.get("containerStatuses") or ():
        found = (container.get("state") or {}).get(state)
        if found is not None:
            yield str(container.get("name")), found

"""Whatever is killed in mid-task, an attempt in a pod ends once, and in the right state."""

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
from backend_house import Told, eventually, follow, processes_of
from backend_kubernetes import KubernetesPlace
from sandbox_lab import shell
from services.kubernetes import DAEMONS


def running(pods: KubernetesPlace, script: str, **changes: Any) -> Told:
    """Start an attempt and wait until its command runs."""
    told = pods.submit(shell(script), **changes)
    eventually(lambda: "sleep" in str(processes_of(told.launch)), "the task does not run", within=60)
    # The kubelet starts containers one by one; one that it leaves half started is lost, and so is the attempt.
    eventually(lambda: f'pod seal {{"attempt": "{told.attempt}"' in everything_that_runs(), "seal does not run")
    return told


def back(pods: KubernetesPlace, name: str) -> None:
    """Start a killed daemon again, and wait for the API."""
    pods.cluster.restart(name)
    pods.cluster.until(pods.cluster.is_ready, "the API server is back")


@pytest.mark.parametrize("name", DAEMONS)
def test_a_daemon_that_is_killed_in_mid_task_changes_nothing(pods: KubernetesPlace, name: str) -> None:
    told = running(pods, "sleep 6; echo done > out; exit 3", outputs=[{"path": "/run/work/out", "type": "FILE"}])
    pods.cluster.kill(name)
    time.sleep(2)
    back(pods, name)
    assert told.ends(120) == ("exited", 3)
    assert pods.house.opened(told.end()) == {"out": b"done\n"}
    assert pods.house.claims.count(told.attempt) == 1
    after = pods.submit(shell("exit 4"))
    assert after.ends(120) == ("exited", 4)
    assert len(told.reports) == 1


@pytest.mark.parametrize("name", ["kubelet", "kube-apiserver"])
def test_a_task_that_ends_while_a_daemon_is_dead_is_known_as_it_ended(pods: KubernetesPlace, name: str) -> None:
    told = running(pods, "sleep 3; exit 3")
    pods.cluster.kill(name)
    try:
        assert told.ends(60) == ("exited", 3)  # `seal` tells it itself
    finally:
        back(pods, name)


def test_who_is_cancelled_while_the_kubelet_is_dead_is_over_when_all_is_dead(pods: KubernetesPlace) -> None:
    told = running(pods, "trap '' TERM; sleep 300")
    pods.cluster.kill("kubelet")
    pods.backend.cancel(told.attempt)
    time.sleep(3)
    assert not told.over.is_set()
    back(pods, "kubelet")
    assert told.ends(120) == ("canceled", None)
    assert told.alive_at_end == []


def test_a_dispatcher_that_dies_before_a_pod_has_begun_finds_it_again(pods: KubernetesPlace) -> None:
    told = pods.submit(shell("sleep 1; exit 3"))
    eventually(lambda: told.attempt in str(pods.pods()), "there is no pod")
    (after,) = pods.another_life(told)
    assert after.ends(120) == ("exited", 3)
    assert pods.house.claims.count(told.attempt) == 1


def test_a_task_that_ends_while_the_dispatcher_is_dead_is_known_as_it_ended(pods: KubernetesPlace) -> None:
    outputs = [{"path": "/run/work/out", "type": "FILE"}]
    told = running(pods, "sleep 1; echo done > out; exit 3", outputs=outputs)
    pods.die()
    eventually(lambda: not processes_of(told.launch), "it goes on")
    time.sleep(3)
    pods.begin_life()
    after = follow(pods.backend, told.launch, resumed=True)
    pods.open_door()
    assert after.ends(120) == ("exited", 3)
    assert pods.house.opened(after.end()) == {"out": b"done\n"}


def test_a_pod_that_somebody_deletes_is_lost_and_nothing_of_it_lives(pods: KubernetesPlace) -> None:
    told = running(pods, "sleep 300")
    path = f"/api/v1/namespaces/{pods.namespace}/pods"
    (name,) = [pod["metadata"]["name"] for pod in pods.pods() if told.attempt in pod["metadata"]["name"]]
    pods.cluster.ask("DELETE", f"{path}/{name}")
    assert told.ends(120) == ("lost", None)
    assert told.alive_at_end == []


def test_a_pod_that_begins_while_the_api_is_dead_begins_when_it_is_back(pods: KubernetesPlace) -> None:
    told = pods.submit(shell("exit 3"))
    eventually(lambda: "sandbox.pod stage" in everything_that_runs(), "stage does not run", within=60)
    pods.cluster.kill("kube-apiserver")
    time.sleep(2)
    back(pods, "kube-apiserver")
    assert told.ends(120) == ("exited", 3)
    assert pods.house.claims.count(told.attempt) == 1


def everything_that_runs() -> str:
    """Return all command lines of this host."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_text(errors="replace").replace("\0", " "))
    return "\n".join(found)

"""The cluster of the tests stands apart from this machine, bears the death of its parts, and leaves nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from services.kubernetes import DAEMONS, Cluster
from services.kubernetes_place import KERNEL_SETTINGS, Place
from task_pods import RESTRICTED, import_busybox

TESTS = Path(__file__).parent.parent
OWNER = """
from services.kubernetes import Cluster
cluster = Cluster()
cluster.start()
print(cluster.place.number, flush=True)
input()
"""


def machine() -> dict[str, str]:
    """Return what the kubelet would change on this machine if it could."""
    return {name: Path("/proc/sys", name).read_text() for name in KERNEL_SETTINGS}


def left_of(place: Place) -> list[str]:
    """Return the processes, mounts, links and routes of a cluster that this machine still has."""
    processes = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(place.folder) in _text(path)]
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(place.folder) in line]
    network = subprocess.run(["ip", "address"], check=True, capture_output=True, text=True).stdout
    routes = subprocess.run(["ip", "route"], check=True, capture_output=True, text=True).stdout
    words = [line for line in (network + routes).splitlines() if place.link in line]
    return [*map(str, processes), *mounts, *words]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


@pytest.mark.parametrize("name", DAEMONS)
def test_a_killed_daemon_comes_back_and_pods_do_not_notice(cluster: Cluster, name: str) -> None:
    namespace = cluster.make_namespace(f"killed-{name}")
    image = import_busybox(cluster)
    sleeper = {"name": "sleeper", "image": image, "imagePullPolicy": "Never", "command": ["sleep", "1000"]}
    pod = {"restartPolicy": "Never", "containers": [{**sleeper, "securityContext": RESTRICTED}]}
    cluster.ask("POST", f"{namespace}/pods", {"metadata": {"name": "before"}, "spec": pod})
    cluster.until(lambda: is_running(cluster, namespace, "before"), "the first pod runs")
    cluster.kill(name)
    cluster.restart(name)
    cluster.until(cluster.is_ready, "the API server is back")
    cluster.until(lambda: create(cluster, namespace, "after", pod), "a second pod is accepted")
    cluster.until(lambda: is_running(cluster, namespace, "after"), "the second pod runs")
    assert is_running(cluster, namespace, "before")
    cluster.ask("DELETE", namespace)


def create(cluster: Cluster, namespace: str, name: str, spec: dict[str, object]) -> bool:
    """Make a pod; say no while the API server is not itself again."""
    answer = cluster.api.post(f"{namespace}/pods", json={"metadata": {"name": name}, "spec": spec})
    return answer.is_success


def is_running(cluster: Cluster, namespace: str, pod: str) -> bool:
    """Say whether all of a pod runs, and never ran before."""
    status = cluster.ask("GET", f"{namespace}/pods/{pod}")["status"]
    started = [one for one in status.get("containerStatuses", []) if "running" in one["state"]]
    return bool(started) and all(one["restartCount"] == 0 for one in started)


def test_nothing_is_left_when_its_owner_is_killed_and_the_next_one_starts(cluster: Cluster) -> None:
    before = machine()
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    )
    assert owner.stdout is not None
    place = Place.numbered(int(owner.stdout.readline()))
    assert left_of(place)
    assert (place.folder / "settings" / "kernel.panic").read_text() == "10"  # the kubelet thinks that it did
    assert machine() == before
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    while left_of(place):
        time.sleep(0.1)
    with Cluster() as next_one:
        assert next_one.place == place
        assert next_one.place != cluster.place
    assert not left_of(place)
    assert not place.folder.exists()
    assert not any(folder.exists() for folder in place.cgroups())

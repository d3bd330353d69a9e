"""Measures an attempt in a pod, create → result known, beside a bare pod, create → Succeeded, by the same client."""

import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from bench.measure import Figure, against, take_turns

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from backend_house import eventually  # noqa: E402
from backend_kubernetes import KubernetesPlace, place_in  # noqa: E402
from sandbox_lab import shell  # noqa: E402
from services.kubernetes import Cluster  # noqa: E402
from task_pods import RESTRICTED  # noqa: E402

from tes.backends.kubernetes.api import Api  # noqa: E402

PAIRS = 12


def bare(place: KubernetesPlace, number: int) -> float:
    """Return the seconds of a pod of one container that does nothing."""
    settings = place.house.settings.kubernetes
    api, path, name = Api(settings), f"/api/v1/namespaces/{settings.namespace}/pods", f"bare-{number}"
    container = {
        "name": "bare",
        "image": settings.node_image,
        "command": ["/bin/true"],
        "securityContext": RESTRICTED,
        "resources": {"limits": {"cpu": "1", "memory": "64Mi"}},
    }
    pod = {
        "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "dnsPolicy": "Default", "containers": [container]},
    }
    begun = time.monotonic()
    api.ask("POST", path, pod)
    for event in api.events(path, seconds=120, fieldSelector=f"metadata.name={name}"):
        if event["object"]["status"].get("phase") == "Succeeded":
            break
    took = time.monotonic() - begun
    api.ask("DELETE", f"{path}/{name}")
    return took


def attempt(place: KubernetesPlace, _number: int) -> float:
    """Return the seconds of an attempt that does nothing."""
    begun = time.monotonic()
    assert place.submit(shell("true")).ends() == ("exited", 0)
    return time.monotonic() - begun


def measure(_folder: Path) -> list[Figure]:
    """Return the figure, from a cluster of the tests' that lives as long as this takes."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-bench-"))
    with Cluster() as cluster, place_in(cluster, folder) as place:

        def alone(run: Callable[[KubernetesPlace, int], float], number: int) -> float:
            took = run(place, number)
            eventually(lambda: not place.pods(), "a pod stays", within=60)
            return took

        numbers = count()
        rivals = {"attempt": lambda: alone(attempt, 0), "bare pod": lambda: alone(bare, next(numbers))}
        medians = take_turns(rivals, PAIRS)
    return [against("attempt in a pod : bare pod", medians, ("attempt", "bare pod"), unit="s", aim="<= 1")]

"""Measures an attempt in a pod, create → result known, beside a bare pod, create → Succeeded, by the same client."""

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

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


def line(name: str, took: Sequence[float]) -> str:
    """Return a row of the table."""
    return f"| {name} | {min(took):.2f} | {statistics.median(took):.2f} | {max(took):.2f} |"


def main() -> None:
    """Measure in turn, so that what else runs on this machine falls on both."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-bench-"))
    took: dict[str, list[float]] = {"bare pod": [], "attempt": []}
    with Cluster() as cluster, place_in(cluster, folder) as place:
        for number in range(PAIRS + 1):  # the first of each warms up
            for name, run in (("bare pod", bare), ("attempt", attempt)):
                took[name].append(run(place, number))
                eventually(lambda: not place.pods(), "a pod stays", within=60)
    said = ["| seconds | least | median | most |", "|---|---|---|---|"]
    said += [line(name, seconds[1:]) for name, seconds in took.items()]
    sys.stdout.write("\n".join(said) + "\n")


if __name__ == "__main__":
    main()

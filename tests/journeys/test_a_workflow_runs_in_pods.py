"""A vetted workflow runs in pods of a real Kubernetes, and its released results are those of this host."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_nextflow
from backend_kubernetes import REPOSITORY, import_layout
from launcher_lab import built
from services.kubernetes import Cluster
from site_of_tests import Site

from demo import people
from demo.stage import free_port

NAMESPACE = "journey"
CALLING_TASKS = 8


@pytest.fixture(scope="module")
def site_with_pods(sources: tuple[list[Path], list[Path]], cluster: Cluster) -> Iterator[Site]:
    """A whole Strongroom whose tasks run in the cluster."""
    node_image = import_layout(cluster, people.node_image())
    import_layout(cluster, people.genomics_image())
    home = Path(tempfile.mkdtemp(prefix="strongroom-"))
    settings = {
        "TES__BACKEND": "kubernetes",
        "NODES__HOST": cluster.place.host,
        "NODES__PORT": str(free_port()),
        "KUBERNETES__KUBECONFIG": str(cluster.kubeconfig),
        "KUBERNETES__NAMESPACE": NAMESPACE,
        "KUBERNETES__REPOSITORY": REPOSITORY,
        "KUBERNETES__NODE_IMAGE": f"{REPOSITORY}@{node_image}",
        "KUBERNETES__LAUNCHER": str(built()),
    }
    whole = Site(home, **{f"STRONGROOM_{name}": value for name, value in settings.items()})
    whole.patience = 1200  # each of its tasks is a pod, and this machine has few cores
    try:
        whole.open(*sources)
        yield whole
    finally:
        whole.stage.stop()
        shutil.rmtree(home, ignore_errors=True)


def released(site: Site, folder: Path) -> dict[str, bytes]:
    """Run the cohort's workflow, have it released, and return the files as the researcher opens them."""
    request = site.requested(site.frequencies())
    site.approved(request)
    return {name: path.read_bytes() for name, path in site.downloaded(request, folder).items()}


def test_one_persons_calls_are_the_same_in_pods_as_on_this_host(site: Site, site_with_pods: Site) -> None:
    there = site_with_pods.sizes(site_with_pods.calling())
    assert len(there) >= CALLING_TASKS
    assert there == site.sizes(site.calling())


def test_the_cohorts_frequencies_are_the_same_in_pods_as_on_this_host(
    site: Site, site_with_pods: Site, cluster: Cluster, tmp_path: Path
) -> None:
    here = released(site, tmp_path / "here")
    there = released(site_with_pods, tmp_path / "there")
    assert here
    assert there == here
    events = cluster.ask("GET", f"/api/v1/namespaces/{NAMESPACE}/events")["items"]
    assert {event["reason"] for event in events} >= {"Scheduled", "Started"}


def test_a_nextflow_runs_table_is_that_of_bare_nextflow_on_this_host(
    site_with_pods: Site, sources: tuple[list[Path], list[Path]], tmp_path: Path
) -> None:
    small_nextflow.assert_as_bare(site_with_pods, sources[0], tmp_path)

"""What all tests share: the folder of tests on the path, one real Strongroom and one real SLURM for those in need."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())  # standard output is for answers
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
pytest_plugins = ["services.kubernetes_fixture"]


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path]]:
    """The demo's real data in the clear: calls of 22 people, one person's reads with their reference."""
    from demo import data

    return data.fetch(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="session")
def site(sources: tuple[list[Path], list[Path]]) -> "Iterator[object]":
    """A whole running Strongroom with data, workflows and people; see `site.Site`."""
    from site_of_tests import Site

    home = Path(tempfile.mkdtemp(prefix="strongroom-"))
    whole = Site(home)
    try:
        whole.open(*sources)
        yield whole
    finally:
        whole.stage.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def pods(
    cluster: object, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[object]":
    """A namespace of the cluster where attempts are pods; see `backend_kubernetes.KubernetesPlace`."""
    from backend_kubernetes import open_place

    with open_place(request, tmp_path_factory.mktemp("pods")) as place:
        yield place


@pytest.fixture(scope="session")
def federated(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[object]":
    """A whole running Strongroom that serves two other networks; see `federation_scene.Federated`."""
    from federation_scene import Federated

    home = Path(tempfile.mkdtemp(prefix="strongroom-"))
    scene = Federated(home)
    try:
        scene.open(tmp_path_factory.mktemp("federated"))
        yield scene
    finally:
        scene.close()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def on_slurm(site_slurm: object, sources: tuple[list[Path], list[Path]]) -> "Iterator[object]":
    """A whole running Strongroom, with data, workflows and people, whose tasks run on the SLURM cluster."""
    from slurm_site import slurm_site, start_agents

    home = Path(tempfile.mkdtemp(prefix="strongroom-"))
    whole = slurm_site(home, site_slurm)
    try:
        whole.open(*sources)
        start_agents(whole.stage, site_slurm)
        yield whole
    finally:
        whole.stage.stop()
        site_slurm.stop_agents()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def site_slurm() -> "Iterator[object]":
    """The cluster of `on_slurm`: a node has one agent, and an agent one Strongroom."""
    from services.slurm import Slurm

    with Slurm() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def slurm() -> "Iterator[object]":
    """A whole running SLURM cluster; see `services.slurm.Slurm`."""
    from services.slurm import Slurm

    with Slurm() as cluster:
        yield cluster

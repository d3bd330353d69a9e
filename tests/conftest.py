"""What all tests share: the folder of tests on the path, one real Strongroom and one real SLURM for those in need."""

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())  # standard output is for answers
logging.getLogger().addHandler(logging.NullHandler())  # the end of what a run prints is its summary
for shape in ("COLUMNS", "LINES"):
    os.environ.pop(shape, None)  # a lane has them, and a console made meanwhile would keep that shape
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "adversary")]
pytest_plugins = ["lanes"]


def _who_tests() -> tuple[object, ...]:
    """Say what no test may change of the process that runs them all."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    namespaces = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("mnt", "user")]
    return os.getpid(), status["Uid"], status["Gid"], status["CapEff"], status["Seccomp"], *namespaces


STARTED_AS = _who_tests()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """End at once where a child of a test came back as if it were us, or a test took root or a namespace from us."""
    result = yield
    now = _who_tests()
    if now[0] != STARTED_AS[0]:
        os.write(2, f"\nA child of {item.nodeid} came back into pytest; it must end by os._exit.\n".encode())
        os._exit(70)
    if now != STARTED_AS:
        pytest.exit(f"{item.nodeid} changed the process of all tests: {STARTED_AS} became {now}.", returncode=70)
    return result


@pytest.fixture(autouse=True)
def _let_go_of_turns(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close the lock files of databases that end with their test: thousands of tests share one process."""
    yield
    database = sys.modules.get("strongroom.database")
    if database is None:
        return
    mine = str(request.node.funcargs.get("tmp_path", "no folder"))
    for path in [path for path in list(database._TURNS) if path.startswith(mine) or not Path(path).exists()]:
        database._TURNS.pop(path).close()


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
def cluster() -> "Iterator[object]":
    """One running Kubernetes; a test makes a namespace of its own. See `services.kubernetes.Cluster`."""
    from services.kubernetes import Cluster

    with Cluster() as one:
        yield one


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


@pytest.fixture(scope="session")
def s3_store() -> "Iterator[object]":
    """A real S3 store; see `services.s3_store.S3Store`."""
    from services.s3_store import S3Store

    with S3Store() as store:
        yield store

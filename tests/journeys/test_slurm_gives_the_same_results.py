"""The demo's workflow on a real SLURM cluster: the same results as on one host, whoever dies meanwhile."""

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from services.slurm import Slurm
from site_of_tests import Site
from slurm_site import slurm_site, start_agents


@pytest.fixture(scope="module")
def on_slurm(slurm: Slurm, sources: tuple[list[Path], list[Path]]) -> Iterator[Site]:
    home = Path(tempfile.mkdtemp(prefix="strongroom-"))
    site = slurm_site(home, slurm)
    try:
        site.open(*sources)
        start_agents(site, slurm)
        yield site
    finally:
        site.stage.stop()
        slurm.stop_agents()
        shutil.rmtree(home, ignore_errors=True)


def released(site: Site, run: str, folder: Path) -> dict[str, str]:
    """Have a run's results released and return their digests by name."""
    request = site.requested(run)
    site.approved(request)
    found = site.downloaded(request, folder)
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}


def test_the_results_are_those_of_one_host(site: Site, on_slurm: Site, slurm: Slurm, tmp_path: Path) -> None:
    there, here = on_slurm.frequencies(), site.frequencies()
    results = released(on_slurm, there, tmp_path / "there")
    assert results
    assert results == released(site, here, tmp_path / "here")
    names = slurm.run("sacct", "-anXP", "-o", "jobname,state").split()
    states = Counter(line.partition("|")[2] for line in names if line.startswith("tes-"))
    assert states["COMPLETED"] >= 73, states

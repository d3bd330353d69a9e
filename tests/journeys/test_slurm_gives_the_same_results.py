"""The demo's workflow on a real SLURM cluster: the same results as on one host."""

import hashlib
from collections import Counter
from pathlib import Path

import small_nextflow
from hostile import rows
from services.slurm import Slurm
from site_of_tests import Site

from tes.backends.slurm.scripts import name_of

CALLING_TASKS, TASKS = 8, 65


def released(site: Site, run: str, folder: Path) -> dict[str, str]:
    """Have a run's results released and return their digests by name."""
    request = site.requested(run)
    site.approved(request)
    found = site.downloaded(request, folder)
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}


def test_one_persons_calls_are_those_of_one_host(site: Site, on_slurm: Site) -> None:
    there = on_slurm.sizes(on_slurm.calling())
    assert len(there) >= CALLING_TASKS
    assert there == site.sizes(site.calling())


def test_the_results_are_those_of_one_host(site: Site, on_slurm: Site, site_slurm: Slurm, tmp_path: Path) -> None:
    there, here = on_slurm.frequencies(), site.frequencies()
    results = released(on_slurm, there, tmp_path / "there")
    assert results
    assert results == released(site, here, tmp_path / "here")
    query = "select a.id, a.backend from attempts a join tasks t on t.id = a.task where t.run = ?"
    attempts = dict(rows(on_slurm, query, there))
    assert len(attempts) >= TASKS
    assert set(attempts.values()) == {"slurm"}
    # Several attempts share a job, and no job of theirs failed; the cluster has had other tests' jobs as well.
    names = {name_of(attempt) for attempt in attempts}
    told = site_slurm.run("sacct", "-anXP", "-S", "now-1days", "-o", "jobname,state").splitlines()
    states = Counter(state for name, state in (line.split("|") for line in told) if name in names)
    assert 0 < states["COMPLETED"] <= len(attempts)
    assert set(states) <= {"COMPLETED", "RUNNING"}, states


def test_a_nextflow_runs_table_is_that_of_bare_nextflow_on_one_host(
    on_slurm: Site, sources: tuple[list[Path], list[Path]], tmp_path: Path
) -> None:
    small_nextflow.assert_as_bare(on_slurm, sources[0], tmp_path)

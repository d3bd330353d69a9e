"""A run that was canceled or failed goes on where it was: nothing COMPLETE is done again, whatever is killed."""

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from site_of_tests import Site

from strongroom.cli.run import WES

COHORT, PARAMS = "cohort-frequencies/1.0.0", {"inputs": {"calls": "hapmap"}}
TASKS = 73  # of the cohort's workflow, run to its end
HALF_BROKEN = """
container: "genomics"
rule all:
    input: "good.txt", "bad.txt"
rule good:
    output: "good.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "echo x > {output}"
rule bad:
    input: "good.txt"
    output: "bad.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "exit 3"
"""


@pytest.fixture(scope="module")
def half_broken(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A vetted workflow whose second task always fails."""
    folder = tmp_path_factory.mktemp("half-broken")
    (folder / "Snakefile").write_text(HALF_BROKEN)
    said = {"name": "half-broken", "version": "1.0.0", "title": "t", "entry": "Snakefile", "images": ["genomics"]}
    said["engine"] = {"name": "snakemake", "version": "9.27.1"}  # type: ignore[assignment]
    said["commands"] = "free"
    (folder / "manifest.yaml").write_text(yaml.safe_dump(said))
    return site.stage.vet(folder, "vera", "viktor")


def test_a_canceled_run_goes_on_and_nothing_complete_is_done_again(site: Site, tmp_path: Path) -> None:
    run = canceled(site, after=20)
    before = complete(site, run)
    assert 20 <= len(before) < TASKS
    site.stage.run("run", "resume", run, token=site.cast.researcher)
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    after = rows(site, "select key, task, state from run_tasks where run = ?", run)
    done = [(key, task) for key, task, state in after if state == "COMPLETE"]
    assert before <= {task for _, task in done}
    assert len({key for key, _ in done}) == len(done) == TASKS
    assert {state for _, _, state in after} <= {"COMPLETE", "CANCELED"}
    outputs = set(site.held(run))
    assert outputs == {"results/sites.vcf.gz", "results/quality.tsv", "results/spectrum.tsv", "results/spectrum.png"}
    # What was made in two parts is what is made at once.
    again = site.frequencies()
    assert site.sizes(again) == site.sizes(run)
    assert site.stage.run("audit", "verify").returncode == 0


def test_a_resumed_run_survives_kill_9_of_everything(site: Site) -> None:
    run = canceled(site, after=5)
    with site.stage.client(site.cast.researcher) as client:
        client.post(f"{WES}/runs/{run}/resume")
    wait_for_tasks(site, run, 15)
    before = complete(site, run)
    site.stage.kill()
    site.stage.start()
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    done = rows(site, "select key, task from run_tasks where run = ? and state = 'COMPLETE'", run)
    assert before <= {task for _, task in done}
    assert len({key for key, _ in done}) == len(done) == TASKS


def test_a_run_that_failed_tries_again_what_failed_and_only_that(site: Site, half_broken: str) -> None:
    run = site.submit(half_broken, {"inputs": {}})
    assert site.ended(run) == "EXECUTOR_ERROR"
    for times in (1, 2):
        with site.stage.client(site.cast.researcher) as client:
            assert client.post(f"{WES}/runs/{run}/resume") == {"run_id": run}
        assert site.ended(run) == "EXECUTOR_ERROR"
        tried = rows(site, "select rule, count(*) from run_tasks where run = ? group by rule order by rule", run)
        assert tried == [("bad", 1 + times), ("good", 1)]
    said = rows(site, "select resumed, reason, ended is not null from runs where id = ?", run)
    assert said == [(2, "A task or the workflow itself failed.", 1)]


def test_a_run_that_is_being_canceled_when_everything_is_killed_ends_canceled_with_nothing_alive(site: Site) -> None:
    run = site.submit(COHORT, PARAMS)
    wait_for_tasks(site, run, 5)
    with site.stage.client(site.cast.researcher) as client:
        client.post(f"{WES}/runs/{run}/cancel")
        site.stage.kill()
        site.stage.start()
        assert site.ended(run) == "CANCELED"
    live = "select count(*) from tasks where run = ? and state not in ('COMPLETE', 'CANCELED', 'EXECUTOR_ERROR')"
    assert rows(site, live, run) == [(0,)]
    assert not [words for words in commands() if f"/runs/{run}/" in words]
    assert rows(site, "select closed_as from decisions where run = ?", run) == [("canceled",)]


def canceled(site: Site, *, after: int) -> str:
    """Return a run that was canceled when so many of its tasks were complete."""
    run = site.submit(COHORT, PARAMS)
    wait_for_tasks(site, run, after)
    with site.stage.client(site.cast.researcher) as client:
        client.post(f"{WES}/runs/{run}/cancel")
    assert site.ended(run) == "CANCELED"
    return run


def wait_for_tasks(site: Site, run: str, count: int) -> None:
    end = time.monotonic() + 120
    while len(complete(site, run)) < count:
        assert time.monotonic() < end
        time.sleep(0.05)


def complete(site: Site, run: str) -> set[str]:
    return {task for (task,) in rows(site, "select task from run_tasks where run = ? and state = 'COMPLETE'", run)}


def rows(site: Site, query: str, run: str) -> list[Any]:
    base = sqlite3.connect(f"file:{site.stage.home}/database/strongroom.db?mode=ro", uri=True)
    try:
        return base.execute(query, (run,)).fetchall()
    finally:
        base.close()


def commands() -> list[str]:
    """Return the words of every process on this host."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found

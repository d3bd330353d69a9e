"""The second engine by the same doors: vetted Nextflow over WES, tasks in walls, the airlock, kill -9 in mid-run."""

import gzip
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
import small_nextflow
from canaries import SLOT, assert_nowhere, let_end, new_canary, spreading
from hostile import children, events, eventually, processes, rows
from nextflow_house import workflow
from site_of_tests import CALLING, CALLING_NF, Site

from demo import bare
from strongroom.cli.run import WES

TASKS = Counter(INDEX_REFERENCE=1, REGIONS=4, PAIR_READS=1, ALIGN=1, SORT=1, FLAGSTAT=1, CALL=4, CONCATENATE=1)
JOBS = "select task, rule, state from run_tasks where run = ?"
CALLING_PARAMETERS = {"min_mapping_quality": 20, "min_base_quality": 13, "ploidy": 2, "parts": 4}
SPREADS = """
process SPREAD {
    container 'genomics'
    memory 200.MB
    disk 50.MB
    publishDir 'results'
    input:
    path notes
    output:
    path 'copy.txt'
    script:
    \"\"\"
    export SECRET=\\$(head -n 1 ${notes}); cp ${notes} copy.txt; cp ${notes} /tmp/x; cp ${notes} /dev/shm/x
    cat ${notes}; cat ${notes} >&2; (exec -a \\$SECRET sleep 1800) & grep -c \\$SECRET copy.txt; wait
    \"\"\"
}
workflow { SPREAD(Channel.fromList(params.inputs.notes).map { file(it) }) }
"""


@pytest.fixture(scope="module")
def plainly(sources: tuple[list[Path], list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that bare Nextflow leaves of the catalogue's workflow on the same reads."""
    work = tmp_path_factory.mktemp("bare")
    inputs = {}
    for slot, file in zip(("reads", "reference"), sources[1], strict=True):
        inputs[slot] = [bare._stage(file, work, slot)]
    bare.nextflow(CALLING_NF, "main.nf", work, {**CALLING_PARAMETERS, "inputs": inputs})
    return work


def test_calls_stay_inside_are_as_bare_nextflows_and_become_a_dataset(site: Site, plainly: Path) -> None:
    run = site.calling_nf()
    assert Counter(rule for _, rule, _ in rows(site, JOBS, run)) == TASKS
    with site.stage.client(site.cast.researcher) as client:
        tasks = client.get(f"{WES}/runs/{run}/tasks")["task_logs"]
        assert client.get("/api/airlock/v1/outputs", run=run)["files"] == []
        assert client.http.post("/api/airlock/v1/requests", json={"run": run, "purpose": "x"}).status_code in (
            403,
            409,
        )
        asked = {"run": run, "dataset": "calls-by-nextflow", "title": "Calls"}
        made = client.post("/api/archive/v1/datasets/from-run", asked)
    assert {task["system_logs"][0] for task in tasks} == {"COMPLETE"}
    assert made["files"] == ["calls/ex1.vcf.gz", "calls/ex1.vcf.gz.csi"]
    assert events(site, "run.free_command", run) == []  # each of its commands is bound by a signed template
    # The walls keep what is inside; what can be seen from here is how long each file is, to the byte.
    sizes = sorted(size for (size,) in rows(site, SIZES, run))
    theirs = [p for p in (plainly / "work").rglob("*") if p.is_file() and not p.name.startswith(".")]
    assert sizes == sorted(path.stat().st_size for path in theirs if not path.is_symlink())


def test_both_engines_find_the_same_variants(
    sources: tuple[list[Path], list[Path]], plainly: Path, tmp_path: Path
) -> None:
    reads, reference = sources[1]
    bare.run(CALLING, {"reads": [reads], "reference": [reference]}, tmp_path)
    one, other = plainly / "calls" / "ex1.vcf.gz", tmp_path / "work" / "calls" / "ex1.vcf.gz"
    assert variants(one)
    assert variants(one) == variants(other)


def test_a_table_of_a_nextflow_run_leaves_by_two_stewards(
    site: Site, sources: tuple[list[Path], list[Path]], tmp_path: Path
) -> None:
    run = small_nextflow.run(site, tmp_path / "w")
    assert {event["facts"]["rule"] for event in events(site, "run.free_command", run)} == {
        "COUNT",
        "MEMBERS",
        "TABLE",
    }
    assert {path: file["verdict"] for path, file in site.held(run).items()} == {small_nextflow.TABLE: "pass"}
    released = small_nextflow.released(site, run, tmp_path / "released")
    assert released == small_nextflow.bare_table(sources[0], tmp_path / "w", tmp_path / "bare")


@pytest.mark.parametrize("killed", ["engine", "worker", "server"])
def test_a_run_that_is_killed_ends_once_and_nothing_complete_is_done_twice(site: Site, killed: str) -> None:
    run = site.submit("variant-calling-nf/1.0.0", {"inputs": bare.CALLING_INPUTS}, engine="nextflow")
    eventually(lambda: len(complete(site, run)) >= 4, "no task was done", within=90)
    if killed == "server":
        site.stage.kill()
        site.stage.start()
    else:
        for pid in processes(site, "worker") if killed == "worker" else engines_of(site):
            os.kill(pid, signal.SIGKILL)
    before = complete(site, run)
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    done = Counter(rule for _, rule, state in rows(site, JOBS, run) if state == "COMPLETE")
    assert done == TASKS
    assert before <= complete(site, run)
    states = [e["facts"]["to"] for e in events(site, "run.state", run)]
    assert states.count("COMPLETE") == 1
    ((launches,),) = rows(site, "select launches from runs where id = ?", run)
    assert launches == 2
    relaunched = [e["facts"] for e in events(site, "run.engine_relaunched", run)]
    assert relaunched == ([{"signal": "SIGKILL", "times": 1}] if killed == "engine" else [])


def test_a_canceled_run_leaves_neither_engine_nor_task(site: Site, tmp_path: Path) -> None:
    flow = workflow(tmp_path / "w", {"main.nf": SPREADS}, name="long-nf", inputs=SLOT, free_commands=["SPREAD"])
    canary = new_canary(site)
    run = site.submit(
        site.stage.vet(flow, "vera", "viktor"), {"inputs": {"notes": canary.dataset}}, engine="nextflow"
    )
    eventually(lambda: spreading(canary), "the task never ran", within=90)
    with site.stage.client(site.cast.researcher) as client:
        client.post(f"{WES}/runs/{run}/cancel")
    assert site.ended(run) == "CANCELED"
    assert engines_of(site) == []
    assert spreading(canary) == []
    assert [state for _, _, state in rows(site, JOBS, run)] != ["COMPLETE"]


def test_a_canary_is_nowhere_in_the_engines_tree_logs_and_home(site: Site, tmp_path: Path) -> None:
    flow = workflow(tmp_path / "w", {"main.nf": SPREADS}, name="spreads-nf", inputs=SLOT, free_commands=["SPREAD"])
    canary = new_canary(site)
    run = site.submit(
        site.stage.vet(flow, "vera", "viktor"), {"inputs": {"notes": canary.dataset}}, engine="nextflow"
    )
    eventually(lambda: spreading(canary), "the task never read its input", within=90)
    assert_nowhere(site, canary)  # the site's home holds the engine's tree and log, and /tmp is searched too
    let_end(canary)
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    assert_nowhere(site, canary)
    work = site.stage.home / "runs" / run / "work"
    copies = [path for path in work.rglob("*") if path.name == "copy.txt"]
    published, own = sorted(copies, key=lambda path: not path.is_symlink())
    assert str(published.readlink()) == f"/run/work/{own.relative_to(work)}"  # the tree as its engine sees it
    assert own.read_bytes().strip(b"\0") == b""


SIZES = """select o.size from run_files f join stored_objects o on o.id = f.object
    where f.run = ? and f.rule is not null and f.path like 'work/%'"""


def complete(site: Site, run: str) -> set[str]:
    """Return the tasks of a run that are complete."""
    return {task for task, _, state in rows(site, JOBS, run) if state == "COMPLETE"}


def engines_of(site: Site) -> list[int]:
    """Return the engines' own processes: Java, below bubblewrap, below the worker."""
    found: list[int] = []
    waiting = processes(site, "worker")
    while waiting:
        pid = waiting.pop()
        waiting += children(pid)
        try:
            if b"strongroom.Main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            time.sleep(0)
    return sorted(set(found))


def variants(file: Path) -> list[tuple[str, ...]]:
    """Return position, alleles and genotype of each variant."""
    with gzip.open(file, "rt") as text:
        lines = [line.rstrip("\n").split("\t") for line in text if not line.startswith("#")]
    return sorted((f[0], f[1], f[3], f[4], f[9].split(":")[0]) for f in lines)

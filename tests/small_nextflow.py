"""A small Nextflow workflow whose table leaves, for every place where tasks may run; one of its tasks fails once."""

from collections import Counter
from pathlib import Path

from hostile import rows
from nextflow_house import left, workflow
from site_of_tests import Site

from demo import bare

MAIN = """
process COUNT {
    container 'genomics'
    memory 100.MB
    disk 50.MB
    input:
    path calls
    output:
    path 'count.txt'
    script:
    \"\"\"
    for one in ${calls}; do bcftools view -H \\$one | wc -l; done > count.txt
    \"\"\"
}
process TABLE {
    container 'genomics'
    memory 100.MB
    disk 50.MB
    errorStrategy 'retry'
    maxRetries 1
    publishDir 'results'
    input:
    path 'count*.txt'
    output:
    path 'sites.tsv'
    script:
    \"\"\"
    [ ${task.attempt} -gt 1 ] || exit 3
    table.sh count*.txt > sites.tsv
    \"\"\"
}
process MEMBERS {
    container 'genomics'
    memory 100.MB
    disk 50.MB
    publishDir 'results'
    input:
    path calls
    output:
    path 'members.txt'
    script:
    \"\"\"
    for one in ${calls}; do bcftools query -l \\$one; done > members.txt
    \"\"\"
}
workflow {
    calls = Channel.fromList(params.inputs.calls ?: params.inputs.files).map { one -> file(one) }
    COUNT(calls.collate(40))
    MEMBERS(calls.collect())
    TABLE(COUNT.out.collect(sort: { one -> one.parent.name }))
}
"""
PROGRAM = """#!/bin/bash
printf 'metric\\tpeople\\ttotal\\n'
cat "$@" | awk '{ n += 1; all += $1 } END { print "sites\\t" n "\\t" all }'
"""
TABLE = "results/sites.tsv"
CONTRACT = {
    "match": TABLE, "release": "airlock", "rule": "TABLE", "format": "tsv", "unit": "person",
    "statbarn": "Frequencies", "keys": {"metric": ["sites"]}, "counts": ["people", "total"],
    "columns": ["metric", "people", "total"], "max_rows": 5,
}  # fmt: skip
MEMBERS = {"match": "results/members.txt", "release": "inside", "rule": "MEMBERS", "members": True}
CALLS = [{"name": "calls", "pattern": "*.vcf.gz", "min_files": 1, "max_files": 100}]


def run(site: Site, folder: Path) -> str:
    """Write the workflow, have it vetted, and run it to its end."""
    files = {"main.nf": MAIN, "bin/table.sh": PROGRAM}
    free = ["COUNT", "MEMBERS", "TABLE"]
    promised = [CONTRACT, MEMBERS]
    flow = workflow(folder, files, name="sites-nf", inputs=CALLS, outputs=promised, free_commands=free)
    run = site.submit(site.stage.vet(flow, "vera", "viktor"), {"inputs": {"calls": "hapmap"}}, engine="nextflow")
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    return run


def released(site: Site, run: str, folder: Path) -> bytes:
    """Have the table released, and return it as the researcher opens it."""
    request = site.requested(run)
    site.approved(request)
    return site.downloaded(request, folder)["sites.tsv"].read_bytes()


def bare_table(calls: list[Path], flow: Path, work: Path) -> bytes:
    """Return the table that bare Nextflow makes of the same calls on this host."""
    staged = [bare._stage(file, work, "calls") for file in calls]
    bare.nextflow(flow, "main.nf", work, {"inputs": {"calls": staged}})
    return left(work)[TABLE]


def assert_as_bare(site: Site, calls: list[Path], folder: Path) -> None:
    """Run it where a site's tasks run; its table is bare Nextflow's, and what failed was asked for once more."""
    done = run(site, folder / "w")
    states = Counter(rows(site, "select rule, state from run_tasks where run = ?", done))
    assert states["TABLE", "EXECUTOR_ERROR"] == states["TABLE", "COMPLETE"] == 1
    assert released(site, done, folder / "released") == bare_table(calls, folder / "w", folder / "bare")

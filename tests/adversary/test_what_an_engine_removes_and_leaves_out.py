"""What an engine removes is gone for the airlock too, and a run that was cut short offers nothing (T16)."""

from pathlib import Path
from typing import Any

from hostile import events, rows, vetted
from site_of_tests import Site

from demo.people import AIRLOCK, PROJECT
from strongroom.cli.run import WES, send

TABLE = r"printf 'metric\tpeople\ncalled\t20\n' > {output}"
RESOURCES = "    resources: mem_mb=100, disk_mb=50\n"
PROMISE = {
    "release": "airlock",
    "rule": "count",
    "format": "tsv",
    "statbarn": "Frequencies",
    "unit": "person",
    "keys": {"metric": ["called"]},
    "counts": ["people"],
    "columns": ["metric", "people"],
    "max_rows": 10,
}
OUTPUTS = [{"match": "results/table.tsv", **PROMISE}, {"release": "inside"}]
SLOT = [{"name": "calls", "pattern": "*.vcf.gz", "min_files": 1, "max_files": 100}]
REMOVES = f'''
import os
onsuccess:
    # A hostile engine's own: it removes an input, a file that a task made, and puts a link where another was.
    for path in [*config["inputs"]["calls"], "kept/removed.txt", "kept/linked.txt"]:
        os.unlink(path)
    os.symlink("/etc/hostname", "kept/linked.txt")
rule all:
    input: "last.txt"
rule count:
    input: config["inputs"]["calls"]
    output: temp("results/table.tsv"), directory(temp("scratch"))
{RESOURCES}    shell: r"""{TABLE.replace("{output}", "{output[0]}")}; mkdir scratch; echo > scratch/a"""
rule last:
    input: "results/table.tsv", "scratch"
    output: "last.txt", protected("kept/removed.txt"), "kept/linked.txt"
{RESOURCES}    shell: "cat {{input[0]}} | tee {{output}}"
'''
CUT = f'''
rule all:
    input: "last.txt"
rule count:
    output: "results/table.tsv"
{RESOURCES}    shell: r"""{TABLE}"""
rule flaky:
    input: "results/table.tsv"
    output: "flaky.txt"
    resources: mem_mb=100, disk_mb=lambda wildcards, attempt: attempt * 10
    shell: "test {{resources.disk_mb}} -gt 10; cp {{input}} {{output}}"
rule last:
    input: "flaky.txt", "more.txt"
    output: "last.txt"
{RESOURCES}    shell: "cat {{input}} > {{output}}"
'''


def _asked(site: Site, url: str, params: dict[str, Any], **engine: str) -> str:
    with site.stage.client(site.cast.researcher) as client:
        return send(
            client,
            url,
            PROJECT,
            params,
            options={name.replace("_", "-"): said for name, said in engine.items()},
        )


def _offered(site: Site, run: str) -> list[str]:
    with site.stage.client(site.cast.researcher) as client:
        return [file["path"] for file in client.get(f"{AIRLOCK}/outputs", run=run)["files"]]


def test_t16_what_an_engine_removed_is_offered_to_nobody_and_an_input_stays(site: Site, tmp_path: Path) -> None:
    url = vetted(site, tmp_path / "w", "removes", REMOVES, inputs=SLOT, outputs=OUTPUTS)
    run = site.submit(url, {"inputs": {"calls": "hapmap-coarse"}})
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    assert _offered(site, run) == []
    made = rows(site, "select path from run_files where run = ? and rule is not null order by path", run)
    assert made == [("last.txt",)]
    inputs = rows(site, "select count(*) from run_files where run = ? and rule is null", run)
    assert inputs == rows(site, "select count(*) from dataset_files where dataset = 'hapmap-coarse'")
    assert [event["facts"] for event in events(site, "run.files_removed", run)] == [{"files": 4}]


def test_t16_of_a_run_that_was_cut_short_nothing_reaches_the_airlock(site: Site, tmp_path: Path) -> None:
    files = {"more.txt": "of the folder\n"}
    said = {"outputs": OUTPUTS, "work": ["more.txt"], "targets": ["last"], "until": ["count"]}
    url = vetted(site, tmp_path / "w", "cut", CUT, files=files, **said)
    short, whole = _asked(site, url, {}, until="count"), _asked(site, url, {}, retries="1", keep_going="true")
    failing = _asked(site, url, {})
    assert site.ended(short) == "COMPLETE", site.engine_log(short)
    assert _offered(site, short) == []
    assert rows(site, "select rule from run_tasks where run = ?", short) == [("count",)]
    assert site.ended(whole) == "COMPLETE", site.engine_log(whole)
    assert _offered(site, whole) == ["results/table.tsv"]
    assert len(rows(site, "select id from tasks where run = ?", whole)) == 4  # the second attempt of one of three
    assert site.ended(failing) == "EXECUTOR_ERROR"
    with site.stage.client(site.cast.researcher) as client:
        request = client.get(f"{WES}/runs/{whole}")["request"]
    assert request["workflow_engine_parameters"] == {"retries": "1", "keep-going": "true"}

"""An engine sees names and lines that data chose only by a signed grant, and a task that tells more is stopped."""

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hostile import events, rows, share_sheets, vetted
from refusals import submit
from site_of_tests import Site

from strongroom.cli.run import WES

RESOURCES = "    resources: mem_mb=100, disk_mb=50\n"
SLOT = [{"name": "calls", "pattern": "*.vcf.gz", "min_files": 1, "max_files": 100}]
# A checkpoint whose names the task's own text decides: what the engine sees of them goes to seen.json.
SPLITS = """
import json, os
rule all:
    input: "last.txt"
checkpoint split:
    input: config["inputs"]["calls"]
    output: directory("parts")
@RESOURCES@    shell: "mkdir parts; cd parts; @MAKES@"
def parts(wildcards):
    folder = checkpoints.split.get().output[0]
    seen = sorted(name for _, _, names in os.walk(folder) for name in names if not name.startswith("."))
    with open("seen.json", "w") as file:
        json.dump(seen, file)
    return [f"one/{name}" for name in seen]
rule one:
    input: "parts"
    output: "one/{name}"
@RESOURCES@    shell: "cp parts/{wildcards.name} {output}"
rule last:
    input: parts
    output: "last.txt"
@RESOURCES@    shell: "cat /dev/null {input} > {output}"
"""
NAMES = [{"rule": "split", "characters": "a-z", "longest": 4, "most": 3}]
LISTS = [{"file": "found.txt", "rule": "find", "characters": "a-z0-9", "longest": 4, "most": 3}]
READS = """
import json
rule all:
    input: "last.txt"
checkpoint find:
    input: config["inputs"]["calls"]
    output: "found.txt", "other.txt"
@RESOURCES@    shell: "printf secret > other.txt; @MAKES@ > found.txt"
def found(wildcards):
    list_, other = checkpoints.find.get().output
    with open("seen.json", "w") as file:
        json.dump([open(list_, "rb").read().decode(), open(other, "rb").read().strip(bytes(1)).decode()], file)
    return [f"one/{line.strip()}" for line in open(list_)]
rule one:
    output: "one/{name}"
@RESOURCES@    shell: "echo {wildcards.name} > {output}"
rule last:
    input: found
    output: "last.txt"
@RESOURCES@    shell: "cat /dev/null {input} > {output}"
"""
TOO_MUCH = {
    "names-letters": (SPLITS, "echo 1 > a; echo 2 > b.SECRET", NAMES),
    "names-length": (SPLITS, "echo 1 > abcde", NAMES),
    "names-number": (SPLITS, "for n in a b c d; do echo > $n; done", NAMES),
    "names-folders": (SPLITS, "mkdir a; echo > a/b", NAMES),
    "lists-letters": (READS, "echo chr1 SECRET", LISTS),
    "lists-bytes": (READS, "printf 'chr1\\\\n\\\\377\\\\n'", LISTS),
    "lists-length": (READS, "echo chr10", LISTS),
    "lists-lines": (READS, "printf '1\\\\n2\\\\n3\\\\n4\\\\n'", LISTS),
    "lists-end": (READS, "printf 'a\\\\nb'", LISTS),
    "lists-size": (READS, "head -c 5000000 /dev/zero | tr '\\\\0' a", LISTS),
}


CANARY = "canary7f3a9b21"
SHEET = f"na1\t{CANARY}\nna2\t{CANARY}\n"
SHEETS = {
    "good": (SHEET, True),
    "unmarked": (SHEET, False),
    "letters": (SHEET.upper(), True),
    "lines": (SHEET * 3, True),
}
CLEAR = [{"input": "sheet", "file": "samples.tsv", "characters": "a-z0-9\t", "longest": 40, "most": 4}]
READS_SHEET = """
import json
text = open(config["inputs"]["sheet"][0]).read()
names = [line.split("\\t")[0] for line in text.splitlines() if "\\t" in line]
with open("seen.json", "w") as file:
    json.dump([names, text.count("canary"), text.strip(chr(0)) == ""], file)
rule all:
    input: "last.txt"
rule one:
    input: config["inputs"]["sheet"]
    output: "one/{name}"
@RESOURCES@    shell: "grep -c {wildcards.name} {input} > {output}"
rule last:
    input: [f"one/{name}" for name in names]
    output: "last.txt"
@RESOURCES@    shell: "cat /dev/null {input} > {output}"
"""


def _submitted(site: Site, folder: Path, name: str, text: str, makes: str, **manifest: Any) -> str:
    snakefile = text.replace("@RESOURCES@", RESOURCES).replace("@MAKES@", makes)
    url = vetted(site, folder / name, name, snakefile, inputs=SLOT, **manifest)
    one = rows(site, "select name from dataset_files where dataset = 'hapmap-coarse' order by name limit 1")[0][0]
    return site.submit(url, {"inputs": {"calls": {"dataset": "hapmap-coarse", "files": [one]}}})


def _seen(site: Site, run: str) -> Any:
    return json.loads((site.stage.home / "runs" / run / "work" / "seen.json").read_text())


@pytest.fixture(scope="module")
def granted(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Runs that stay within their grants, and one that has none."""
    folder = tmp_path_factory.mktemp("granted")
    three = "for n in a bb cccc; do echo $n > $n; done"
    runs = {
        "names": _submitted(site, folder, "names-good", SPLITS, three, names=NAMES),
        "lists": _submitted(site, folder, "lists-good", READS, r"printf 'chr1\\n2\\nx\\n'", lists=LISTS),
        "none": _submitted(site, folder, "names-none", SPLITS, three),
        "no-list": _submitted(site, folder, "lists-none", READS, "echo chr1"),
    }
    return {name: run for name, run in runs.items() if site.ended(run) or True}


@pytest.fixture(scope="module")
def too_much(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Runs whose tasks tell more than was granted, each in a way of its own."""
    folder = tmp_path_factory.mktemp("much")
    runs = {}
    for name, (text, makes, grant) in TOO_MUCH.items():
        runs[name] = _submitted(site, folder, name, text, makes, **{name.partition("-")[0]: grant})
    return runs


def test_t4_names_within_the_grant_lead_the_plan_and_the_run_counts_as_data_dependent(
    site: Site, granted: dict[str, str]
) -> None:
    run = granted["names"]
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    assert _seen(site, run) == ["a", "bb", "cccc"]
    assert [event["facts"] for event in events(site, "run.data_dependent", run)] == [{"task": "split-1"}]
    with site.stage.client(site.cast.researcher) as client:
        whole = client.get(f"{WES}/runs/{run}")
        tasks = client.get(f"{WES}/runs/{run}/tasks")["task_logs"]
    # Coarse data: neither the number of tasks that data called for nor a new total is told.
    assert whole["outputs"]["progress"] == {"tasks_done": 1, "tasks_planned": None}
    assert [task["name"] for task in tasks] == ["split-1"]
    made = [task for (task,) in rows(site, "select id from tasks where run = ?", run)]
    assert len(made) == 5
    with site.stage.client(site.cast.researcher) as client:  # nor by TES
        listed = {task["id"] for task in client.get("/ga4gh/tes/v1/tasks", page_size=2000)["tasks"]}
    assert listed & set(made) == {task["id"] for task in tasks}


def test_t17_an_engine_reads_the_lines_that_are_granted_and_nothing_else(site: Site, granted: dict[str, str]) -> None:
    run = granted["lists"]
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    assert _seen(site, run) == ["chr1\n2\nx\n", ""]
    assert events(site, "run.data_dependent", run)


@pytest.mark.parametrize("name", ["none", "no-list"])
def test_t4_without_a_grant_an_engine_sees_neither_names_nor_lines(
    site: Site, granted: dict[str, str], name: str
) -> None:
    run = granted[name]
    assert site.ended(run) == ("COMPLETE" if name == "none" else "EXECUTOR_ERROR"), site.engine_log(run)
    seen = _seen(site, run)
    assert seen == [] if name == "none" else (not seen[0].strip("\0") and seen[1] == "")
    assert events(site, "run.data_dependent", run) == []
    if name == "none":  # they are files of the run all the same
        assert len(rows(site, "select path from run_files where run = ? and directory = 'parts'", run)) == 3


@pytest.mark.parametrize("name", TOO_MUCH)
def test_t17_a_task_that_tells_more_than_was_granted_is_stopped(
    site: Site, too_much: dict[str, str], name: str
) -> None:
    run = too_much[name]
    assert site.ended(run) == "EXECUTOR_ERROR", site.engine_log(run)
    assert [event["facts"] for event in events(site, "run.glimpse_refused", run)] == [
        {"task": "split-1" if name.startswith("names") else "find-1"}
    ]
    assert events(site, "run.data_dependent", run) == []
    # The task itself ended well: it was not its own failure.
    assert rows(site, "select state from tasks where run = ?", run) == [("COMPLETE",)]
    assert rows(site, "select path from run_files where run = ? and rule is not null", run) == []
    work = site.stage.home / "runs" / run / "work"
    told = "\n".join(str(path) for path in work.rglob("*")) + site.engine_log(run)
    assert not (work / "seen.json").exists()
    assert "SECRET" not in told.replace("b.SECRET;", "").split("shell:")[0]


def test_t17_what_walls_say_of_an_output_that_was_not_granted_is_nothing(site: Site, granted: dict[str, str]) -> None:
    query = "select report from attempts join tasks on tasks.id = attempts.task where tasks.run = ?"
    told = [
        output.get("told")
        for (report,) in rows(site, query, granted["lists"])
        for output in json.loads(report)["outputs"]
    ]
    assert [one for one in told if one is not None] == [["chr1", "2", "x"]]


@pytest.fixture(scope="module")
def sheets(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two workflows, one that was vetted to read sample sheets; and for each sheet a dataset of coarse data."""
    folder = tmp_path_factory.mktemp("sheets")
    share_sheets(site, SHEETS, folder, prefix="sheet-")
    slot = [{"name": "sheet", "pattern": "*.tsv"}]
    text = READS_SHEET.replace("@RESOURCES@", RESOURCES)
    return {
        name: vetted(site, folder / "w" / name, name, text, inputs=slot, **said)
        for name, said in (("sheet-reader", {"clear": CLEAR}), ("sheet-blind", {}))
    }


def test_t17_an_engine_reads_a_sheet_that_its_owner_marked_and_vetters_signed(
    site: Site, sheets: dict[str, str]
) -> None:
    run = site.submit(sheets["sheet-reader"], {"inputs": {"sheet": "sheet-good"}})
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    assert _seen(site, run) == [["na1", "na2"], 2, False]
    assert len(rows(site, "select id from tasks where run = ?", run)) == 3  # each once, though the sheet is younger
    path = "inputs/sheet/samples.tsv"
    assert [one["facts"] for one in events(site, "run.clear_read", run)] == [
        {"file": path, "bytes": len(SHEET), "lines": 2}
    ]
    assert [one["facts"] for one in events(site, "run.data_dependent", run)] == [{"files": [path]}]
    assert [one["facts"]["file"] for one in events(site, "keys.cleared", run)] == ["samples.tsv"]
    with site.stage.client(site.cast.researcher) as client:  # the plan follows what was read
        assert client.get(f"{WES}/runs/{run}/tasks")["task_logs"] == []
        assert client.get(f"{WES}/runs/{run}")["outputs"]["progress"] == {"tasks_done": 0, "tasks_planned": None}
    home = site.stage.home
    kept = [file for place in (home / "runs" / run, home / "database", home / "logs") for file in place.rglob("*")]
    assert [file for file in kept if file.is_file() and CANARY.encode() in file.read_bytes()] == []


def test_t17_without_the_grant_a_marked_sheet_is_a_stub(site: Site, sheets: dict[str, str]) -> None:
    run = site.submit(sheets["sheet-blind"], {"inputs": {"sheet": "sheet-good"}})
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    assert _seen(site, run) == [[], 0, True]
    assert events(site, "run.clear_read", run) == events(site, "keys.cleared", run) == []


def test_t17_an_unmarked_sheet_is_refused_and_a_mark_in_the_database_helps_nobody(
    site: Site, sheets: dict[str, str]
) -> None:
    asked = {"inputs": {"sheet": "sheet-unmarked"}}
    answer = submit(site, sheets["sheet-reader"], workflow_params=asked)
    assert (answer.status_code, "did not mark as clear" in answer.json()["msg"]) == (403, True)
    forged = "update stored_objects set clear = 'samples.tsv' where owner = 'sheet-unmarked'"
    with contextlib.closing(sqlite3.connect(f"{site.stage.home}/database/strongroom.db", timeout=60)) as base, base:
        base.execute(forged)
    run = site.submit(sheets["sheet-reader"], asked)
    assert site.ended(run) == "SYSTEM_ERROR"
    _never_began(site, run)
    assert "broker's signature" in events(site, "keys.refused", run)[-1]["facts"]["reason"]


@pytest.mark.parametrize("name", ["letters", "lines"])
def test_t17_a_sheet_of_other_lines_than_vetters_signed_stops_its_run(
    site: Site, sheets: dict[str, str], name: str
) -> None:
    run = site.submit(sheets["sheet-reader"], {"inputs": {"sheet": f"sheet-{name}"}})
    assert site.ended(run) == "SYSTEM_ERROR"
    _never_began(site, run)
    assert [one["facts"] for one in events(site, "run.glimpse_refused", run)] == [
        {"file": "inputs/sheet/samples.tsv"}
    ]


def _never_began(site: Site, run: str) -> None:
    assert not (site.stage.home / "runs" / run / "work" / "seen.json").exists()
    assert events(site, "run.clear_read", run) == events(site, "run.data_dependent", run) == []
    assert rows(site, "select id from tasks where run = ?", run) == []

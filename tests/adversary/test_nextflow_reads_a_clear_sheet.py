"""Nextflow splits a sample sheet of a dataset into tasks by its owner's mark and the vetters' grant only (T17)."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import small_nextflow
from hostile import events, rows, share_sheets
from nextflow_house import left, workflow
from refusals import submit
from site_of_tests import Site

from demo import bare

CANARY = "canary5d20c7e4"
HEAD = "sample\tpeople\ttotal\tnote\n"
SHEET = HEAD + f"na1\t12\t40\t{CANARY}\nna2\t13\t50\t{CANARY}\n"
SHEETS = {
    "good": (SHEET, True),
    "unmarked": (SHEET, False),
    "letters": (SHEET.replace("na2", "NA2"), True),
    "lines": (SHEET + f"na3\t14\t60\t{CANARY}\nna4\t15\t70\t{CANARY}\n", True),
}
CLEAR = [{"input": "sheet", "file": "samples.tsv", "characters": "a-z0-9\t", "longest": 40, "most": 4}]
MAIN = """
process ROW {
    container 'genomics'
    memory 100.MB
    disk 50.MB
    input:
    tuple val(sample), val(people), val(total)
    output:
    path 'row.txt'
    script:
    \"\"\"
    row.sh ${sample} ${people} ${total} > row.txt
    \"\"\"
}
process TABLE {
    container 'genomics'
    memory 100.MB
    disk 50.MB
    publishDir 'results'
    input:
    path 'row*.txt'
    output:
    path 'sites.tsv'
    script:
    \"\"\"
    table.sh row*.txt > sites.tsv
    \"\"\"
}
workflow {
    sheets = Channel.fromList(params.inputs.sheet).map { one -> file(one) }
    lines = sheets.splitCsv(header: true, sep: '\\t')
    ROW(lines.map { line -> tuple(line.sample, line.people, line.total) })
    TABLE(ROW.out.collect())
}
"""
FILES = {
    "main.nf": MAIN,
    "bin/row.sh": "#!/bin/bash\nprintf '%s\\t%s\\t%s\\n' \"$@\"\n",
    "bin/table.sh": "#!/bin/bash\nprintf 'metric\\tpeople\\ttotal\\n'\n"
    'cat "$@" | awk \'{ n += $2; all += $3 } END { print "sites\\t" n "\\t" all }\'\n',
}
# Both are bound: what a row holds reaches a command as one plain word.
PROCESSES = {
    "ROW": "row.sh @{sample} @{people} @{total} > row.txt\n",
    "TABLE": "table.sh row*.txt > sites.tsv\n",
}
SLOT = [{"name": "sheet", "pattern": "*.tsv", "min_files": 1, "max_files": 1}]


@pytest.fixture(scope="module")
def sheets(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each sheet a dataset of coarse data; and two workflows, one that was vetted to read them."""
    folder = tmp_path_factory.mktemp("sheets")
    share_sheets(site, SHEETS, folder, prefix="sheet-nf-")
    said: dict[str, Any] = {"inputs": SLOT, "outputs": [small_nextflow.CONTRACT], "processes": PROCESSES}
    for name, more in (("sheet-nf", {"clear": CLEAR}), ("sheet-nf-blind", {})):
        flow = workflow(folder / name, FILES, name=name, **said, **more)
        site.stage.vet(flow, "vera", "viktor")
    return {"folder": folder, "flow": folder / "sheet-nf", "good": folder / "good" / "samples.tsv"}


def asked(sheet: str) -> dict[str, Any]:
    return {"inputs": {"sheet": f"sheet-nf-{sheet}"}}


def told(site: Site, run: str) -> list[Path]:
    """Return the files of the run's home, the database and the logs in which the sheet's own word stands."""
    home = site.stage.home
    places = (home / "runs" / run, home / "database", home / "logs")
    kept = [file for place in places for file in place.rglob("*") if file.is_file() and not file.is_symlink()]
    return [file for file in kept if CANARY.encode() in file.read_bytes()]


def never_began(site: Site, run: str) -> None:
    assert site.engine_log(run) == "no engine log"
    assert rows(site, "select id from tasks where run = ?", run) == []
    assert events(site, "run.clear_read", run) == events(site, "run.data_dependent", run) == []
    assert told(site, run) == []


def test_t17_rows_of_a_granted_sheet_become_tasks_as_in_bare_nextflow(
    site: Site, sheets: dict[str, Path], tmp_path: Path
) -> None:
    run = site.submit("sheet-nf/1.0.0", asked("good"), engine="nextflow")
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    states = Counter(rows(site, "select rule, state from run_tasks where run = ?", run))
    assert states == {("ROW", "COMPLETE"): 2, ("TABLE", "COMPLETE"): 1}
    facts = {"file": "inputs/sheet/samples.tsv", "bytes": len(SHEET), "lines": 3}
    assert [one["facts"] for one in events(site, "run.clear_read", run)] == [facts]
    assert [one["facts"] for one in events(site, "run.data_dependent", run)] == [{"files": [facts["file"]]}]
    assert [one["facts"]["file"] for one in events(site, "keys.cleared", run)] == ["samples.tsv"]
    assert events(site, "run.free_command", run) == []
    assert told(site, run) == []
    work = tmp_path / "bare"
    bare.nextflow(
        sheets["flow"], "main.nf", work, {"inputs": {"sheet": [bare._stage(sheets["good"], work, "sheet")]}}
    )
    theirs = left(work)[small_nextflow.TABLE]
    assert theirs == b"metric\tpeople\ttotal\nsites\t25\t90\n"
    assert small_nextflow.released(site, run, tmp_path / "released") == theirs


def test_t17_without_the_grant_nextflow_splits_a_stub_of_zeros(site: Site, sheets: dict[str, Path]) -> None:
    run = site.submit("sheet-nf-blind/1.0.0", asked("good"), engine="nextflow")
    site.ended(run)
    assert rows(site, "select id from tasks where run = ?", run) == []
    assert events(site, "run.clear_read", run) == events(site, "keys.cleared", run) == []
    assert told(site, run) == []
    assert site.held(run) == {}


def test_t17_an_unmarked_sheet_is_refused_for_nextflow_too(site: Site, sheets: dict[str, Path]) -> None:
    answer = submit(
        site,
        "sheet-nf/1.0.0",
        workflow_params=asked("unmarked"),
        workflow_type="NFL",
        workflow_type_version="25.04.4",
    )
    assert (answer.status_code, "did not mark as clear" in answer.json()["msg"]) == (403, True), answer.text


@pytest.mark.parametrize("name", ["letters", "lines"])
def test_t17_a_sheet_of_more_than_was_granted_never_reaches_nextflow(
    site: Site, sheets: dict[str, Path], name: str
) -> None:
    run = site.submit("sheet-nf/1.0.0", asked(name), engine="nextflow")
    assert site.ended(run) == "SYSTEM_ERROR"
    assert [one["facts"] for one in events(site, "run.glimpse_refused", run)] == [
        {"file": "inputs/sheet/samples.tsv"}
    ]
    never_began(site, run)

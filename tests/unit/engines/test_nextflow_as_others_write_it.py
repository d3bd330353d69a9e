"""Habits of others' Nextflow scripts run by their draft, without an edit, to the files of bare Nextflow."""

from pathlib import Path

import pytest
from nextflow_house import Both, beside_bare, check_published, written

from strongroom.settings import Settings
from wes.nextflow_drafts import draft, draft_commands
from wes.nextflow_outline import NextflowOutline
from wes.outlining import nextflow_outline

MAIN = """
nextflow.enable.moduleBinaries = true
include { TOOL } from './modules/tool'
process MADE {
    container 'genomics'
    output:
    path '*.q'
    script:
    'echo one > b.q; echo two > a.q'
}
process SORTED {
    container 'genomics'
    publishDir 'results/sorted'
    input:
    path x
    output:
    path './sorted.txt'
    script:
    def files = x.sort { it.name }
    \"\"\"
    cat $files ${x.sort()} ${x.unique()} > sorted.txt
    \"\"\"
}
process AGAIN {
    container 'genomics'
    publishDir 'results/again'
    input:
    path x
    output:
    path "${x.baseName}.again"
    script:
    "cat ${x} ${x} > ${x.baseName}.again"
}
process OPTIONAL {
    container 'genomics'
    publishDir 'results/optional'
    input:
    path x
    path extra
    output:
    path '*.txt'
    script:
    def more = extra.name == 'NO_FILE' ? 'none' : 'some'
    \"\"\"
    cat ${x} > ${extra}.${more}.txt
    \"\"\"
}
workflow {
    MADE()
    SORTED(MADE.out)
    AGAIN(SORTED.out)
    OPTIONAL(MADE.out, file('NO_FILE'))
    TOOL(Channel.of('word'))
}
"""
TOOL = """
process TOOL {
    container 'genomics'
    publishDir 'results/tool'
    input:
    val x
    output:
    path 'tool.txt'
    script:
    \"\"\"
    both.sh ${x} > tool.txt; own.sh ${x} >> tool.txt
    \"\"\"
}
"""
PROGRAMS = {
    "modules/tool/resources/usr/bin/own.sh": "#!/bin/bash\necho own $1\n",
    "modules/tool/resources/usr/bin/both.sh": "#!/bin/bash\necho of the module $1\n",
    "bin/both.sh": "#!/bin/bash\necho of the workflow $1\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {"main.nf": MAIN, "modules/tool/main.nf": TOOL, **PROGRAMS}
    return written(tmp_path_factory.mktemp("habits") / "habits" / "1.0.0", files)


@pytest.fixture(scope="module")
def seen(folder: Path) -> NextflowOutline:
    return nextflow_outline(Settings(), folder, entry="main.nf")


@pytest.fixture(scope="module")
def both(folder: Path, seen: NextflowOutline) -> Both:
    return beside_bare(folder, draft(seen, {}, folder=("habits", "1.0.0"), version="25.04.4"))


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("sorted", {"sorted.txt"}),
        ("again", {"sorted.again"}),
        ("optional", {"NO_FILE.none.txt"}),
        ("tool", {"tool.txt"}),
    ],
)
def test_it_publishes_what_it_does_by_bare_nextflow(both: Both, place: str, names: set[str]) -> None:
    check_published(both, place, names)


def test_lists_of_files_that_stay_words_have_holes_for_several(seen: NextflowOutline) -> None:
    drafted = draft_commands(seen)
    assert drafted["processes"]["SORTED"] == "cat @{files*} @{x*} @{x*} > sorted.txt\n"
    assert drafted["free_commands"] == []


def test_vetters_read_the_programs_of_modules(seen: NextflowOutline) -> None:
    assert {one.path for one in seen.programs} == {*PROGRAMS}

"""What few scripts use comes to the files of bare Nextflow, too: recursion, options of outputs, links as outputs."""

import pytest
from nextflow_house import Both, beside_bare, check_published, written

from strongroom.settings import Settings
from wes.nextflow_drafts import draft
from wes.outlining import nextflow_outline

MAIN = r"""nextflow.preview.recursion = true
params.start = "$projectDir/assets/a.txt"

process GROW {
    input:
    path 'input.txt'
    output:
    path 'result.txt'
    script:
    "cat input.txt > result.txt; echo round ${task.index} >> result.txt"
}

process ADD {
    publishDir 'results/recursed_workflow', saveAs: { "added-${task.index}.txt" }
    input:
    tuple val(n), path('in.txt')
    output:
    tuple val(n), path('out.txt')
    script:
    "cat in.txt > out.txt; echo more >> out.txt"
}

process TELL {
    publishDir 'results/recursed_process'
    input:
    path x
    output:
    path 'told.txt'
    script:
    "cat $x > told.txt"
}

process INCLUDES {
    publishDir 'results/include_inputs', mode: 'copy'
    input:
    path x
    output:
    path '*.{txt,none}', includeInputs: true
    script:
    "cat $x > of-${x.name}"
}

process EXCLUDES {
    publishDir 'results/without_inputs', mode: 'copy'
    input:
    path x
    output:
    path '*.txt'
    script:
    "cat $x > b.txt"
}

process HIDDEN {
    publishDir 'results/not_hidden', mode: 'copy'
    input:
    path x
    output:
    path '*.h', hidden: false
    script:
    "cat $x > b.h; cat $x > .a.h"
}

process LINKS {
    publishDir 'results/links', mode: 'copy'
    input:
    path x
    output:
    path 'renamed.txt', emit: renamed
    path 'd/**', followLinks: false
    path 'e/*', followLinks: true
    path 'folder', type: 'dir'
    script:
    '''
    ln -s a.txt renamed.txt; mkdir d e real; cat a.txt > real/r; cat a.txt > d/one; cat a.txt > e/two
    ln -s ../real/r e/linked; ln -s real folder
    '''
}

workflow STEP {
    take:
    pair
    main:
    ADD(pair)
    emit:
    ADD.out
}

workflow {
    start = file(params.start)
    GROW.recurse(start).times(3)
    TELL(GROW.out.last())
    EXCLUDES(start)
    HIDDEN(start)
    LINKS(start)
    INCLUDES(LINKS.out.renamed.mix(channel.of(start)))
    STEP.recurse(channel.value([1, start])).times(2)
}
"""
PUBLISHED = {
    "recursed_process": {"told.txt"},
    "recursed_workflow": {"added-1.txt", "added-2.txt"},
    "include_inputs": {"a.txt", "of-a.txt", "renamed.txt", "of-renamed.txt"},
    "without_inputs": {"b.txt"},
    "not_hidden": {"b.h"},
    "links": {"renamed.txt", "d/one", "e/two", "e/linked", "folder/r"},
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    files = {"main.nf": MAIN, "assets/a.txt": "start\n", "nextflow.config": "process.container = 'genomics'\n"}
    folder = written(tmp_path_factory.mktemp("rare") / "rare" / "1.0.0", files)
    seen = nextflow_outline(Settings(), folder, entry="main.nf")
    drafted = draft(seen, {}, folder=("rare", "1.0.0"), version="25.04.4")
    assert drafted["free_commands"] == []
    return beside_bare(folder, drafted)


@pytest.mark.parametrize("place", PUBLISHED)
def test_it_publishes_what_bare_nextflow_does(both: Both, place: str) -> None:
    check_published(both, place, PUBLISHED[place])


def test_the_engine_saw_no_byte_of_what_was_linked(both: Both) -> None:
    seen = {path: content for path, content in both[0].tree.items() if path.startswith(("work/", "results/"))}
    assert len(seen) > 10
    assert [path for path, content in seen.items() if content.strip(b"\0")] == []

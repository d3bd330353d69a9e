"""An input given as [] or '' shows nothing, and options that a configuration makes are bound by their letters."""

from pathlib import Path
from typing import Any

import pytest
from drafted_beside_bare import Drafted, drafted, results

TOOL = """process TOOL {
    publishDir 'results'
    tag "$meta.id"
    input:
    tuple val(meta), path(bam), path(bai)
    path fasta
    path extra
    val flag
    output:
    tuple val(meta), path("*.txt"), emit: txt
    script:
    def args = task.ext.args ?: ''
    def prefix = task.ext.prefix ?: "${meta.id}"
    def ref = fasta ? "--reference ${fasta}" : ''
    \"\"\"
    echo tool $args $ref $bai $extra $flag > ${prefix}.txt
    cat $bam >> ${prefix}.txt
    \"\"\"
}
"""
MAIN = """
include { TOOL; TOOL as TOOL_TWO } from './tool'
workflow SUB {
    take:
    ch
    extra
    main:
    TOOL_TWO(ch, file("$projectDir/data/ref.fa"), extra, false)
}
workflow {
    ch = Channel.of(['a', true], ['b', false]).map { id, single ->
        [[id: id, single_end: single], file("$projectDir/data/${id}.bam")]
    }
    no_bai = ch.map { meta, bam -> [meta, bam, []] }
    TOOL(no_bai, [], [], '')
    SUB(no_bai.map { meta, bam, bai -> [meta + [id: meta.id + '2'], bam, bai] }, [])
}
"""
CONFIG = """params.min = 3
params.skip = false
params.adapter = null
process.container = 'genomics'
process {
    withName: 'TOOL' {
        ext.args = { meta.single_end ? '--single --min 3' : '--paired' }
    }
    withName: 'TOOL_TWO' {
        ext.args = { [
            '--quiet',
            params.skip ? '' : "--min ${params.min}",
            params.adapter ? "--adapter ${params.adapter}" : ''
        ].join(' ').trim() }
        ext.prefix = { "${meta.id}.second" }
    }
}
"""
OPTIONS = """
process A {
    publishDir 'results'
    output:
    path 'a.txt'
    script:
    def args = task.ext.args ?: ''
    def args2 = task.ext.args2 ?: '--other'
    def args3 = task.ext.args3 ?: '-z'
    "echo $args $args2 $args3 '${task.ext.plain ?: ''}' $task.cpus > a.txt"
}
process B {
    publishDir 'results'
    ext args: '--b 1', prefix: 'bb'
    output:
    path '*.txt'
    script:
    "echo $task.ext.args > ${task.ext.prefix ?: 'x'}.txt"
}
process C {
    publishDir 'results'
    output:
    path '*.txt'
    script:
    def args = task.ext.args ?: ''
    "echo $args > c.txt"
}
process D {
    publishDir 'results'
    output:
    path '*.txt'
    script:
    def args = task.ext.args ?: ''
    "echo $args > d.txt"
}
workflow {
    A()
    B()
    C()
    D()
}
"""
OPTIONS_CONFIG = """process.container = 'genomics'
params.title = 'x1'
process {
    withName: 'A' {
        ext.args = ['--one', '--two 2'].join(' ')
        ext.args2 = "--t ${params.title}"
        ext.args3 = params.title == 'x1' ? '--x1 y' : '--n'
        ext.plain = 5
    }
    withName: 'C' { ext.args = { "--cpus ${task.cpus} -m ${params.title ?: 'none'}" } }
    withName: 'D' { ext.args = { [params.title, 'b'].collect { one -> "--d $one" }.join(' ') } }
}
"""
FILES = {"data/a.bam": "A\n", "data/b.bam": "B\n", "data/ref.fa": ">r\n"}


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Drafted:
    files = {"main.nf": MAIN, "tool.nf": TOOL, "nextflow.config": CONFIG, **FILES}
    return drafted(tmp_path_factory.mktemp("nothing"), files)


def test_an_input_that_is_always_nothing_is_no_hole_and_one_that_may_be_is_both(nothing: Drafted) -> None:
    forms: dict[str, Any] = nothing.manifest["processes"]
    assert nothing.manifest["free_commands"] == nothing.errors() == []
    words = {one.partition("echo tool ")[2].partition(" > ")[0] for one in forms["TOOL"]}
    assert words == {f"{args}  {bai}  " for args in ("--single --min 3", "--paired") for bai in ("@{bai*}", "")}
    # By its other name it has a reference, and `extra` is what the subworkflow is given: nothing.
    assert "echo tool --quiet --min @{min*} --reference @{fasta*} @{bai*}  @{flag} > @{prefix*}.txt" in {
        one.splitlines()[0] for one in forms["TOOL_TWO"]
    }


def test_it_publishes_what_it_does_by_bare_nextflow(nothing: Drafted) -> None:
    ours, bare = results(nothing.run())
    assert ours == bare
    assert ours["results/a2.second.txt"] == b"tool --quiet --min 3 --reference ref.fa false\nA\n"


def test_an_option_that_a_call_gives_is_known_by_its_letters(tmp_path: Path) -> None:
    code = """process A {
    publishDir 'results'
    input:
    val id
    val options
    output:
    path '*.txt'
    script:
    "echo $options > ${id}.txt"
}
workflow {
    A('a', '--fast -n 2')
}
"""
    found = drafted(tmp_path, {"main.nf": code})
    assert found.manifest["processes"] == {"A": "echo --fast -n 2 > @{id}.txt\n"}
    ours, bare = results(found.run())
    assert ours == bare == {"results/a.txt": b"--fast -n 2\n"}


def test_options_of_a_configuration_are_bound_where_it_chooses_between_texts(tmp_path: Path) -> None:
    found = drafted(tmp_path, {"main.nf": OPTIONS, "nextflow.config": OPTIONS_CONFIG})
    assert found.errors() == []
    assert found.manifest["free_commands"] == ["D"]
    assert [one.about.partition(":")[0] for one in found.found if one.code == "word-unclear"] == ["D"]
    ours, bare = results(found.run())
    assert ours == bare
    assert ours["results/a.txt"] == b"--one --two 2 --t x1 --x1 y 5 1\n"

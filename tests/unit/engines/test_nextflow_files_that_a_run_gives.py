"""A parameter that is null, empty or set nowhere, and looked up as a file, is a slot of the draft, and runs so."""

from pathlib import Path

import pytest
from drafted_beside_bare import drafted, results

SHOW = """process SHOW {
    publishDir 'results'
    input:
    tuple val(id), path(reads)
    path ref
    output:
    path "${id}.txt"
    script:
    def more = ref ? "cat $ref" : 'echo none'
    \"\"\"
    cat $reads > ${id}.txt
    $more >> ${id}.txt
    \"\"\"
}
"""
SHEET = """
params.input = null
params.fasta = null
workflow {
    if (!params.input) {
        error 'no input'
    }
    rows = Channel.fromPath(params.input, checkIfExists: true).splitCsv(header: true)
    SHOW(
        rows.map { row -> tuple(row.sample, [file(row.fastq_1), file(row.fastq_2)]) },
        params.fasta ? file(params.fasta, checkIfExists: true) : []
    )
}
"""
PAIRS = """
workflow {
    log.info "reads: ${params.reads}"
    SHOW(Channel.fromFilePairs(params.reads, checkIfExists: true), file(params.theFasta))
}
"""
TAKEN = """
params.reads = ''
params.fasta = false
params.gtf = null
params.limit = 0
workflow PREPARE {
    take:
    fasta
    gtf
    reads
    main:
    ch_gtf = gtf ? Channel.fromPath(gtf) : Channel.of('no gtf')
    ch_gtf.view()
    SHOW(Channel.fromPath(reads).map { one -> [one.baseName, one] }, Channel.value(file(fasta, checkIfExists: true)))
}
workflow {
    PREPARE(params.fasta, params.gtf, params.reads)
}
"""
READS = {f"inputs/reads/S{n}_R{k}_001.fq": f"read {n} {k}\n".encode() for n in (1, 2) for k in (1, 2)}
LINES = b"sample,fastq_1,fastq_2\nS1,inputs/input_files/S1_1.fq,inputs/input_files/S1_2.fq\n"


def test_a_sheet_and_the_files_that_it_names_are_slots(tmp_path: Path) -> None:
    found = drafted(tmp_path, {"main.nf": SHOW + SHEET})
    assert found.errors() == []
    assert {
        one["name"]: (one["pattern"], one["min_files"], one["max_files"]) for one in found.manifest["inputs"]
    } == {
        "fasta": ("*", 0, 1),
        "input": ("samples.csv", 0, 1),
        "input_files": ("*", 0, 10_000),
    }
    assert [one["input"] for one in found.manifest["clear"]] == ["input"]
    files = {"inputs/input_files/S1_1.fq": b"one\n", "inputs/input_files/S1_2.fq": b"two\n"}
    ours, bare = results(found.run({"inputs/input/samples.csv": LINES, **files}))
    assert ours == bare == {"results/S1.txt": b"one\ntwo\nnone\n"}


def test_pairs_are_found_by_a_pattern_and_what_no_script_sets_is_a_file(tmp_path: Path) -> None:
    found = drafted(tmp_path, {"main.nf": SHOW + PAIRS})
    assert found.errors() == []
    assert {one["name"]: one["min_files"] for one in found.manifest["inputs"]} == {"reads": 0, "the_fasta": 1}
    ours, bare = results(found.run({**READS, "inputs/the_fasta/x.fa": b">x\n"}))
    assert ours == bare
    assert ours["results/S2.txt"] == b"read 2 1\nread 2 2\n>x\n"


def test_what_a_workflow_takes_is_followed_to_where_it_is_looked_up(tmp_path: Path) -> None:
    found = drafted(tmp_path, {"main.nf": SHOW + TAKEN})
    assert found.errors() == []
    properties = found.manifest["parameters"]["properties"]
    assert properties["limit"]["default"] == 0
    assert {
        name: rule.get("x-strongroom-file", rule.get("x-strongroom-files")) for name, rule in properties.items()
    } == {
        "fasta": "fasta",
        "gtf": "gtf",
        "reads": "reads",
        "limit": None,
    }
    ours, bare = results(found.run({**READS, "inputs/fasta/x.fa": b">x\n"}))
    assert ours == bare
    assert len(ours) == 4


@pytest.mark.parametrize("code", ['file("${params.x}/b/a.txt")', "println(params.x)", "file('a').map { params.x }"])
def test_what_is_no_path_by_itself_has_no_slot(tmp_path: Path, code: str) -> None:
    found = drafted(tmp_path, {"main.nf": f"params.x = null\nworkflow {{\n    {code}\n}}\n"})
    assert found.manifest["inputs"] == []
    assert found.manifest["parameters"]["properties"]["x"]["default"] is None


def test_a_path_that_no_run_has_is_a_slot_and_so_is_one_given_to_a_process(tmp_path: Path) -> None:
    code = """
params.index = null
params.fasta = "/home/me/data/ref.fa"
params.sheet = 'data/greetings.csv'
params.reads = "$launchDir/data/*_R{1,2}_001.fq"
params.outdir = 'results'
process INDEX {
    publishDir params.outdir
    input:
    path index
    path fasta
    val names
    output:
    path 'index.txt'
    script:
    "cat $index $fasta > index.txt; echo ${names} >> index.txt"
}
workflow {
    names = Channel.fromPath(params.sheet).splitCsv().map { row -> row[0] }.collect()
    INDEX(params.index, params.fasta, names.map { all -> all.size() })
    SHOW(Channel.fromFilePairs(params.reads), [])
}
"""
    found = drafted(tmp_path, {"main.nf": SHOW + code})
    assert found.errors() == []
    assert {one["name"]: (one["pattern"], one["min_files"]) for one in found.manifest["inputs"]} == {
        "index": ("*", 1),
        "fasta": ("ref.fa", 1),
        "sheet": ("greetings.csv", 1),
        "reads": ("*", 1),
    }
    properties = found.manifest["parameters"]["properties"]
    assert properties["reads"]["default"] == "*_R{1,2}_001.fq"
    assert properties["outdir"]["default"] == "results"
    assert found.manifest["clear"][0]["file"] == "greetings.csv"
    given = {"inputs/index/i": b"i\n", "inputs/fasta/ref.fa": b">x\n", "inputs/sheet/greetings.csv": b"a,1\nb,2\n"}
    ours, bare = results(found.run({**READS, **given}))
    assert ours == bare
    assert ours["results/index.txt"] == b"i\n>x\n2\n"
    assert ours["results/S2.txt"] == b"read 2 1\nread 2 2\nnone\n"


def test_a_folder_that_a_parameter_names_is_a_slots_but_not_that_of_results(tmp_path: Path) -> None:
    code = """
params.dir = null
params.outdir = 'results'
params.made = 'made'
workflow {
    SHOW(Channel.fromPath("${params.dir}/*.fq"), file('a'))
    println file("${params.outdir}/x.txt").name + file("$params.made/y.txt").name
}
"""
    config = {"nextflow.config": 'process.container = "genomics"\nprocess.publishDir = [path: "${params.made}"]\n'}
    found = drafted(tmp_path, {"main.nf": SHOW + code, **config})
    assert [one["name"] for one in found.manifest["inputs"]] == ["dir"]
    assert found.manifest["parameters"]["properties"]["dir"]["enum"] == ["/run/work/inputs/dir"]

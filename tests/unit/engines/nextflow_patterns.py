"""Small workflows written as others write them: operators, options of nf-core's modules, directives, pipes."""

OPERATORS = """process ONE {
    publishDir 'results/one', mode: 'copy'
    input:
    tuple val(id), path(f)
    output:
    tuple val(id), path('*.txt'), emit: txt
    script:
    "cat $f > ${id}.one.txt"
}
process TWO {
    publishDir 'results/two', mode: 'copy'
    input:
    tuple val(id), path(a), path(b)
    output:
    path '*.txt'
    script:
    "cat $a $b > ${id}.two.txt"
}
process GRP {
    publishDir 'results/grp', mode: 'copy'
    input:
    tuple val(id), val(tags), path(fs)
    output:
    path '*.txt'
    script:
    "cat ${fs} > ${id}.grp.txt; echo ${tags.join(' ')} >> ${id}.grp.txt"
}
process CMB {
    publishDir 'results/cmb', mode: 'copy'
    input:
    tuple val(id), val(chr)
    output:
    path '*.txt'
    script:
    "echo $id $chr > ${id}.${chr}.txt"
}

workflow {
    reads = Channel.fromFilePairs("$projectDir/data/*_{1,2}.fq")
    flat = reads.transpose().map { id, f -> tuple(id, f.baseName, f) }
    ONE(flat.map { id, tag, f -> [tag, f] })
    sides = ONE.out.txt.branch { id, f ->
        first: id.endsWith('_1')
        second: true
    }
    one = sides.first.map { id, f -> [id.tokenize('_')[0], f] }
    two = sides.second.map { id, f -> [id.tokenize('_')[0], f] }
    TWO(one.join(two))
    GRP(flat.groupTuple(sort: true).map { id, tags, fs -> [id, tags, fs] })
    multi = reads.multiMap { id, fs ->
        ids: id
        files: fs
    }
    CMB(multi.ids.combine(Channel.of('chr1', 'chr2')))
}
"""
DIRECTIVES = """
params.run_b = true
process A {
    publishDir 'results/a', mode: 'copy', saveAs: { fn -> fn.endsWith('.log') ? null : "renamed_$fn" }
    maxForks 1
    errorStrategy { task.attempt < 3 ? 'retry' : 'ignore' }
    maxRetries 2
    memory { 100.MB * task.attempt }
    cpus { task.attempt > 1 ? 2 : 1 }
    time '1h'
    label 'small'
    input:
    each mode
    tuple val(id), path(f)
    output:
    tuple val(id), val(mode), path("${id}.${mode}.txt"), emit: res
    path '*.log', emit: logs
    when:
    params.run_b && id != 'b'
    script:
    if (mode == 'fast')
        \"\"\"
        cat $f > ${id}.${mode}.txt; echo fast > x.log
        \"\"\"
    else
        \"\"\"
        sort $f > ${id}.${mode}.txt; echo $mode > x.log
        \"\"\"
}
process B {
    label 'small'
    publishDir path: { "results/b/$id" }, mode: 'link', pattern: '*.txt'
    input:
    tuple val(id), val(mode), path(f)
    output:
    path "out.{txt,tsv}"
    script:
    def n = task.cpus > 1 ? "-j ${task.cpus}" : ''
    \"\"\"
    cat $f > out.txt; echo $n > out.tsv
    \"\"\"
}
workflow {
    ch = Channel.fromPath("$projectDir/data/*_1.fq").map { f -> tuple(f.simpleName.split('_')[0], f) }
    A(['fast', 'slow'], ch)
    B(A.out.res.filter { id, mode, f -> mode == 'fast' })
}
"""
DIRECTIVES_CONFIG = """process.container = 'genomics'
process { withLabel: small { memory = 120.MB; cpus = 1 } }
"""
PIPELINE = """
include { SORT } from './modules/sort/main'
include { SORT as SORT_AGAIN } from './modules/sort/main'
include { STATS } from './subworkflows/stats'
params.input = null
params.fasta = null
params.intervals = null
params.save = true
params.outdir = 'results'
workflow PIPE {
    take:
    ch_input
    main:
    ch_versions = Channel.empty()
    ch_fasta = params.fasta
        ? Channel.fromPath(params.fasta, checkIfExists: true).map { it -> [[id: it.baseName], it] }.collect()
        : Channel.value([[:], []])
    ch_intervals = params.intervals ? file(params.intervals, checkIfExists: true) : []
    SORT(ch_input, ch_fasta, ch_intervals)
    ch_versions = ch_versions.mix(SORT.out.versions.first())
    SORT_AGAIN(SORT.out.sorted, [[:], []], [])
    STATS(SORT.out.sorted.join(SORT_AGAIN.out.sorted, by: [0]))
    emit:
    versions = ch_versions
    stats = STATS.out.stats
}
workflow {
    main:
    ch = Channel.fromPath(params.input)
        .splitCsv(header: true, sep: ',')
        .map { row ->
            def meta = [id: row.sample, single_end: row.fastq_2 ? false : true]
            row.fastq_2
                ? [meta, [file(row.fastq_1, checkIfExists: true), file(row.fastq_2, checkIfExists: true)]]
                : [meta, [file(row.fastq_1, checkIfExists: true)]]
        }
    PIPE(ch)
}
"""
SORT = """process SORT {
    tag "$meta.id"
    label 'process_medium'
    container "${ workflow.containerEngine == 'singularity' && !task.ext.singularity_pull_docker_container ?
        'https://depot.galaxyproject.org/singularity/sort:1.0--0' :
        'genomics' }"
    input:
    tuple val(meta), path(reads)
    tuple val(meta2), path(fasta)
    path intervals
    output:
    tuple val(meta), path("*.sorted"), emit: sorted
    tuple val(meta), path("*.log"), optional: true, emit: log
    path "versions.yml", emit: versions
    when:
    task.ext.when == null || task.ext.when
    script:
    def args = task.ext.args ?: ''
    def args2 = task.ext.args2 ?: ''
    def prefix = task.ext.prefix ?: "${meta.id}"
    def reference = fasta ? "--ref ${fasta}" : ""
    def target = intervals ? "--target ${intervals}" : ""
    \"\"\"
    sort $args $reads > ${prefix}.sorted
    echo "$reference $target $args2" >> ${prefix}.sorted
    cat <<-END_VERSIONS > versions.yml
    "${task.process}":
        sort: 1
    END_VERSIONS
    \"\"\"
}
"""
STATS = """
process STAT {
    tag "${meta.id}"
    input:
    tuple val(meta), path(a), path(b)
    output:
    tuple val(meta), path("*.stat"), emit: stat
    script:
    def args = task.ext.args ?: ''
    def prefix = task.ext.prefix ?: "${meta.id}"
    \"\"\"
    cat $a $b | wc -l $args > ${prefix}.stat
    \"\"\"
}
workflow STATS {
    take:
    ch
    main:
    STAT(ch)
    emit:
    stats = STAT.out.stat
}
"""
PIPELINE_CONFIG = """process.container = 'genomics'
process {
    cpus   = { 1 * task.attempt }
    memory = { 100.MB * task.attempt }
    publishDir = [
        path: { "${params.outdir}/${task.process.tokenize(':')[-1].toLowerCase()}" },
        mode: 'copy',
        saveAs: { filename -> filename.equals('versions.yml') ? null : filename }
    ]
    withLabel: process_medium { cpus = 2 }
    withName: SORT { ext.args = '-r' }
    withName: 'PIPE:SORT_AGAIN' {
        ext.args = { meta.single_end ? '-u' : '' }
        ext.prefix = { "${meta.id}_again" }
        publishDir = [path: { "${params.outdir}/again" }, mode: 'copy', enabled: params.save, pattern: '*.sorted']
    }
    withName: '.*:STATS:STAT' { ext.prefix = { "${meta.id}.stats" } }
}
"""
NAMES = """
process SPLIT {
    publishDir 'results/split', mode: 'copy'
    input:
    path f
    output:
    path 'chunk_*'
    script:
    "split -l 1 $f chunk_"
}
process MANY {
    tag "${x}"
    publishDir 'results/many', mode: 'copy', overwrite: true
    input:
    val x
    val y
    each z
    output:
    tuple val(x), path("${x}_${y}_${z}.txt"), optional: true
    script:
    def opts = []
    if (x > 1) opts << '--big'
    \"\"\"
    echo ${opts.join(' ')} $x $y $z > ${x}_${y}_${z}.txt
    \"\"\"
}
process PY {
    publishDir 'results/py', mode: 'copy'
    input:
    tuple val(name), path(chunk)
    output:
    path "${name}.json"
    script:
    \"\"\"
    #!/usr/bin/env bash
    echo '{"name": "${name}", "file": "${chunk.name}", "base": "${chunk.baseName}"}' > ${name}.json
    \"\"\"
}
workflow {
    SPLIT(file("$projectDir/data/lines.txt"))
    MANY(Channel.of(1, 2), Channel.value('v'), [true, false])
    PY(SPLIT.out.flatten().map { c -> [c.name, c] })
    SPLIT.out.flatten().count().view { n -> "chunks: $n" }
    MANY.out.map { x, f -> x }.unique().toSortedList().view()
}
"""
PIPES = """
process A {
    publishDir 'results/a', mode: 'copy'
    input:
    val x
    output:
    path "${x}.txt", emit: txt
    script:
    "echo ${x.toUpperCase()} ${x.length()} ${x.size() > 3 ? 'long' : 'short'} > ${x}.txt"
}
process B {
    publishDir "results/b", mode: 'copy'
    input:
    path '*.in'
    output:
    path 'b.txt'
    shell:
    '''
    cat *.in | sort > b.txt
    echo !{task.process} >> b.txt
    '''
}
process Z {
    publishDir "${params.outdir ?: 'results'}/z"
    debug true
    input:
    val id
    output:
    path "z_*"
    script:
    def n = id.padLeft(8, '0')
    def k = params.k as int
    def list = (1..k).join(',')
    \"\"\"
    echo $n $list ${params.k * 2} > z_$id
    \"\"\"
}
params.outdir = 'results'
params.k = 3
workflow {
    Channel.of('one', 'three') | A | collect | B
    A.out.txt | map { f -> f.baseName } | Z
    Z.out | view { f -> f.name }
}
"""
READS = {f"data/{one}.fq": f"{one} reads\n" for one in ("a_1", "a_2", "b_1", "b_2")}
LINES = b"sample,fastq_1,fastq_2\nS1,inputs/input_files/a.fq,inputs/input_files/b.fq\nS2,inputs/input_files/a.fq,\n"
GIVEN = {
    "inputs/input/samples.csv": LINES,
    "inputs/input_files/a.fq": b"z\na\n",
    "inputs/input_files/b.fq": b"b\nb\n",
}
# Files, inputs, what is drafted free, and how many files are published.
PATTERNS: dict[str, tuple[dict[str, str], dict[str, bytes], list[str], int]] = {
    "operators": ({"main.nf": OPERATORS, **READS}, {}, [], 12),
    "directives": ({"main.nf": DIRECTIVES, "nextflow.config": DIRECTIVES_CONFIG, **READS}, {}, [], 3),
    "nf-core": (
        {
            "main.nf": PIPELINE,
            "modules/sort/main.nf": SORT,
            "subworkflows/stats.nf": STATS,
            "nextflow.config": PIPELINE_CONFIG,
        },
        GIVEN,
        [],
        6,
    ),
    "names": ({"main.nf": NAMES, "data/lines.txt": "1\n2\n3\n"}, {}, ["MANY"], 10),
    "pipes": ({"main.nf": PIPES}, {}, ["Z"], 5),
}

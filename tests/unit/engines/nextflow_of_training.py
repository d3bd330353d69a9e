"""First scripts as trainings have them: greetings with blanks, and a folder that a parameter names."""

HELLO = """#!/usr/bin/env nextflow

process sayHello {
    publishDir 'results', mode: 'copy'

    input:
    val greeting

    output:
    path "${greeting.tokenize(' ')[0]}-output.txt"

    script:
    \"\"\"
    echo '$greeting' > '${greeting.tokenize(' ')[0]}-output.txt'
    \"\"\"
}
process upper {
    publishDir 'results', mode: 'copy'
    input:
    path said
    output:
    path "UPPER-${said}"
    script:
    "tr '[a-z]' '[A-Z]' < $said > UPPER-${said}"
}

params.greeting = 'Salve mundo!'
greetings = ['Hello you!', 'Bonjour', params.greeting]

workflow {
    said = Channel.of(greetings).flatten()
    sayHello(said) | upper | view { one -> "made ${one.name}" }
}
"""
FOLDER = """params.dir = 'data'
params.sheet = null
params.outdir = 'results'
log.info "looks into ${params.dir}"

process SHOW {
    publishDir params.outdir, mode: 'copy'
    input:
    path x
    output:
    path "${x.baseName}.shown"
    script:
    "cat $x > ${x.baseName}.shown"
}
process ALSO {
    publishDir params.outdir, mode: 'copy'
    input:
    path x
    output:
    path 'also.txt'
    script:
    "cat $x > also.txt"
}
workflow {
    SHOW(Channel.fromPath("${params.dir}/*.fq"))
    ALSO(Channel.of(params.sheet))
    log.info "there will be ${params.outdir}/also.txt: ${file("${params.outdir}/also.txt").name}"
}
"""
IDIOMS = """#!/usr/bin/env nextflow
nextflow.enable.dsl=2
c_green = params.monochrome ? '' : "\\033[0;32m"
c_reset = params.monochrome ? '' : "\\033[0m"
params.monochrome = false
params.input = "$projectDir/data/samples.csv"
params.threads = 1
params.mode = 'a'
params.outdir = './results'
def outdir = params.outdir
def header() {
    return \"\"\"
    ${c_green}-----${c_reset}
    \"\"\".stripIndent()
}
log.info header_line()
def header_line() { "----" }
def summary = [:]
summary['Input'] = params.input
summary['Threads'] = params.threads
log.info summary.collect { k,v -> "${k.padRight(18)}: $v" }.join("\\n")
include { BAR } from "$projectDir/modules/bar"
include { BAR as BAZ } from "${baseDir}/modules/bar.nf"
Channel.fromPath(params.input)
    .splitCsv(header:true)
    .map { row -> tuple(row.sample, file("$projectDir/data/${row.one}"), file("$projectDir/data/${row.two}")) }
    .set { samples_ch }
process FOO {
    tag "$id"
    cpus params.threads
    memory '1 GB'
    errorStrategy 'retry'
    maxRetries 2
    publishDir "$outdir/foo", mode: 'copy', overwrite: true
    publishDir path: outdir, pattern: '*.log'
    input:
    tuple val(id), file(a), file(b)
    output:
    tuple val(id), file("${id}.txt"), emit: txt
    file '*.log'
    script:
    if( params.mode == 'a' )
        \"\"\"
        cat $a $b > ${id}.txt; echo a > x.log
        \"\"\"
    else if( params.mode == 'b' )
        \"\"\"
        cat $b $a > ${id}.txt; echo b > x.log
        \"\"\"
    else
        error "Unknown mode: ${params.mode}"
}

workflow {
    FOO(samples_ch)
    BAR(FOO.out.txt)
    BAZ(FOO.out.txt)
}
"""
BAR = """process BAR {
    publishDir "${params.outdir}/bar"
    input:
    tuple val(id), path(x)
    output:
    path "${id}.bar"
    script:
    "sort $x > ${id}.bar"
}
"""

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

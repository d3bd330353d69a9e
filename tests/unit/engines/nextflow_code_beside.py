"""Scripts as others write them, with code beside what they declare; of our own words, for the tests' image."""

import nextflow_of_a_template
from nextflow_of_training import BAR, FOLDER, HELLO, IDIOMS

READS = {f"data/{one}.fq": f"@{one}\nACGT\n" for one in ("gut_1", "gut_2", "skin_1", "skin_2")}
REFERENCE = {"data/ref.fa": ">chr1\nACGTACGT\n"}

BANNER = """#!/usr/bin/env nextflow
nextflow.enable.dsl = 2

/*
 * What is usual, unless a run says otherwise.
 */
params.reads = "$projectDir/data/*_{1,2}.fq"
params.reference = "$baseDir/data/ref.fa"
params.outdir = 'results'

log.info \"\"\"\\
    P A I R S - N F
    ===============
    reference : ${params.reference}
    reads     : ${params.reads}
    outdir    : ${params.outdir}
    \"\"\"
    .stripIndent()

include { COUNT as TALLY; MERGE } from './modules/count.nf'

process INDEX {
    tag "$reference.simpleName"

    input:
    path reference

    output:
    path 'index'

    script:
    \"\"\"
    mkdir index
    grep -c '>' $reference > index/size
    \"\"\"
}

workflow {
    Channel
        .fromFilePairs(params.reads, checkIfExists: true)
        .set { read_pairs_ch }
    INDEX(params.reference)
    TALLY(read_pairs_ch, INDEX.out)
    MERGE(TALLY.out.collect())
}

workflow.onComplete {
    log.info ( workflow.success ? "\\nDone! The table is in --> $params.outdir/all.txt\\n" : "Oops .. it went wrong" )
}
workflow.onError {
    println "It stopped with: ${workflow.errorMessage}"
}
"""
COUNT = """params.outdir = 'elsewhere'
def word = 'unused'

process COUNT {
    tag "$sample"
    publishDir params.outdir, mode: 'copy'
    maxErrors -1

    input:
    tuple val(sample), path(reads)
    path index

    output:
    path "${sample}.txt"

    "cat $index/size ${reads} | wc -l > ${sample}.txt"
}

process MERGE {
    publishDir "${params.outdir}", mode: 'copy'
    input:
    path tables
    output:
    path 'all.txt'
    script:
    \"\"\"
    cat $tables > all.txt
    \"\"\"
}
"""

HELP = """#!/usr/bin/env nextflow

def helpMessage() {
    log.info\"\"\"
    Usage: nextflow run main.nf --letters AC --times 2
    \"\"\".stripIndent()
}

params.help = false
if (params.help) {
    helpMessage()
    exit 0
}
if (params.version) {
    println "version ${workflow.manifest.version ?: 'none'}"
    exit 0
}
if (!nextflow.version.matches('>=22.10.0')) {
    println "This workflow wants Nextflow 22.10 or later: you have ${nextflow.version}"
    exit 1
}

params.letters = 'AC'
params.times = 2
params.version = false
if (!params.letters) exit 1, "Which letters? --letters is missing"

def needed = [params.letters, params.times]
for (one in needed) {
    if (!one) {
        error "A parameter is missing"
    }
}
outdir = 'results/help'
letters_ch = Channel.of(params.letters, 'GT')

process SAY {
    publishDir outdir
    input:
    val letters
    val times
    output:
    path "${letters}.txt"
    script:
    \"\"\"
    for n in \\$(seq ${times}); do echo ${letters}; done > ${letters}.txt
    \"\"\"
}

workflow {
    SAY(letters_ch, params.times)
}

workflow.onComplete {
    def summary = \"\"\"
    Finished at : ${workflow.complete}
    Duration    : ${workflow.duration}
    Success     : ${workflow.success}
    \"\"\".stripIndent()
    println summary
}
"""

CHANNELS = """import groovy.transform.Field
import java.text.SimpleDateFormat

params.samples = "$projectDir/data/*.fq"
params.mode = 'quick'

@Field String suffix = 'fq'
def level
switch (params.mode) {
    case 'quick':
        level = 1
        break
    default:
        level = 9
}
println "level $level"

samples = Channel.fromPath(params.samples).map { one -> tuple(one.baseName, one) }
Channel.of(1..3)
    .map { it * 2 }
    .set { numbers }

process SHOW {
    publishDir 'results/show', saveAs: { name -> name.replace('.out', '.txt') }
    input:
    tuple val(name), path(reads)
    each number
    output:
    path '*.out', emit: shown
    when:
    number > 2
    script:
    def args = ''
    if (number > 4)
        args += '-r'
    else
        args += '-n'
    \"\"\"
    sort $args $reads > ${name}_${number}.out
    \"\"\"
}

def longer(text) {
    for (int n = 0; n < 2; n++) {
        text = text + n
    }
    return text
}

workflow {
    SHOW(samples, numbers)
    SHOW.out.shown.flatten().map { longer(it.name) }.view()
}
"""

SHELLS = """params.word = 'plain'
println "word: ${params.word}"

process OLDER {
    publishDir 'results/older'
    input:
    file given
    output:
    file 'older.txt'
    shell:
    '''
    awk '{ print NR, $0 }' !{given} > older.txt
    '''
}
process TEMPLATED {
    publishDir 'results/older'
    input:
    val word
    output:
    file 'word.txt'
    script:
    template 'word.sh'
}
process QUOTED {
    publishDir 'results/older'
    input:
    val greeting
    output:
    path "*.said"
    script:
    \"\"\"
    echo '$greeting' > ${greeting}.said
    \"\"\"
}
workflow {
    OLDER(file("$baseDir/data/ref.fa"))
    TEMPLATED(params.word)
    QUOTED(Channel.from('Bonjour', 'Ciao'))
}
"""
WORD = "#!/bin/bash\necho $word > word.txt\n"

NESTED = """nextflow.enable.dsl=2
params.skip = false
params.extra = null

ch_extra = params.extra ? file(params.extra) : []
if (params.skip) { log.warn 'skipped' } else { log.info 'not skipped' }

include { STEPS } from './steps'

workflow MAIN {
    main:
    STEPS(Channel.fromPath("$projectDir/data/*.fq"), ch_extra)
    emit:
    STEPS.out.done
}

workflow {
    MAIN()
}
"""
STEPS = """def version = '1.0'
include { UPPER } from './upper'

workflow STEPS {
    take:
    files
    extra

    main:
    done = Channel.empty()
    if (!params.skip) {
        UPPER(files, extra)
        done = done.mix(UPPER.out.up)
    }

    emit:
    done
}
log.debug "steps ${version}"
"""
UPPER = """process UPPER {
    label 'small'
    publishDir "${params.outdir ?: 'results'}/upper", mode: params.publish_mode ?: 'copy'
    input:
    path reads
    path extra
    output:
    path '*.up', emit: up
    script:
    def more = extra ? "-e ${extra}" : ''
    \"\"\"
    cat ${reads} ${extra} | tr a-z A-Z > ${reads.baseName}.up
    \"\"\"
    stub:
    'touch x.up'
}
println 'a module with a word of its own'
"""

CODE_BESIDE: dict[str, tuple[dict[str, str], set[str]]] = {
    "banner": (
        {"main.nf": BANNER, "modules/count.nf": COUNT, **READS, **REFERENCE},
        {"results/gut.txt", "results/skin.txt", "results/all.txt"},
    ),
    "help": ({"main.nf": HELP}, {"results/help/AC.txt", "results/help/GT.txt"}),
    "channels": (
        {"main.nf": CHANNELS, **READS},
        {f"results/show/{one}_{n}.txt" for one in ("gut_1", "gut_2", "skin_1", "skin_2") for n in (4, 6)},
    ),
    "shells": (
        {"main.nf": SHELLS, "templates/word.sh": WORD, **REFERENCE},
        {
            "results/older/older.txt",
            "results/older/word.txt",
            "results/older/Bonjour.said",
            "results/older/Ciao.said",
        },
    ),
    "nested": (
        {"main.nf": NESTED, "steps.nf": STEPS, "upper.nf": UPPER, **READS},
        {f"results/upper/{one}.up" for one in ("gut_1", "gut_2", "skin_1", "skin_2")},
    ),
    "hello": (
        {"main.nf": HELLO},
        {f"results/{what}{word}-output.txt" for what in ("", "UPPER-") for word in ("Hello", "Bonjour", "Salve")},
    ),
    "idioms": (
        {
            "main.nf": IDIOMS,
            "modules/bar.nf": BAR,
            "data/samples.csv": "sample,one,two\nA,a.txt,b.txt\n",
            "data/a.txt": "a\n",
            "data/b.txt": "b\n",
        },
        {"results/foo/A.txt", "results/foo/x.log", "results/x.log", "results/bar/A.bar"},
    ),
    "folder": ({"main.nf": FOLDER}, {"results/a.shown", "results/b.shown", "results/also.txt"}),
    "template": (nextflow_of_a_template.FILES, {*nextflow_of_a_template.PUBLISHED}),
}
GIVEN: dict[str, dict[str, bytes]] = {
    "folder": {"inputs/dir/a.fq": b"A\n", "inputs/dir/b.fq": b"B\n", "inputs/sheet/s.txt": b"S\n"},
    "template": nextflow_of_a_template.GIVEN,
}

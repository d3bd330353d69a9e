"""A pipeline as a community's template had it for years: code beside, functions of a configuration, lib/."""

CONFIG = """params {
    input = null
    outdir = 'results'
    max_cpus = 2
    publish_dir_mode = 'copy'
    custom_config_base = 'https://example.org/configs'
    igenomes_ignore = true
}
includeConfig 'conf/base.config'
try {
    includeConfig "${params.custom_config_base}/custom.config"
} catch (Exception e) {
    System.err.println("No configuration could be loaded from ${params.custom_config_base}")
}
profiles {
    debug { process.beforeScript = 'echo $HOSTNAME' }
    docker { docker.enabled = true }
    test { includeConfig 'conf/test.config' }
}
if (!params.igenomes_ignore) {
    includeConfig 'conf/igenomes.config'
} else {
    params.genomes = [:]
}
def trace_timestamp = new java.util.Date().format('yyyy-MM-dd_HH-mm-ss')
timeline {
    enabled = false
    file = "${params.outdir}/pipeline_info/timeline_${trace_timestamp}.html"
}
manifest {
    name = 'us/tiny'
    homePage = 'https://example.org/tiny'
}
includeConfig 'conf/modules.config'
def check_max(obj, type) {
    if (type == 'cpus') {
        try {
            return Math.min(obj, params.max_cpus as int)
        } catch (all) {
            println "max_cpus ${params.max_cpus} is no number"
            return obj
        }
    }
}
"""
BASE = """process {
    container = 'genomics'
    cpus = { check_max(1 * task.attempt, 'cpus') }
    errorStrategy = { task.exitStatus in [143,137,104,134,139] ? 'retry' : 'finish' }
    withLabel:process_low {
        cpus = { check_max(2 * task.attempt, 'cpus') }
    }
}
"""
MODULES = """process {
    publishDir = [
        path: { "${params.outdir}/${task.process.tokenize(':')[-1].tokenize('_')[0].toLowerCase()}" },
        mode: params.publish_dir_mode,
        saveAs: { filename -> filename.equals('versions.yml') ? null : filename }
    ]
    withName: TRIM {
        ext.args = '-c 1-4'
        publishDir = [ path: { "${params.outdir}/trim" }, mode: params.publish_dir_mode ]
    }
    withName: SUMS { publishDir = [ path: { "${params.outdir}/sums" }, mode: params.publish_dir_mode ] }
}
"""
MAIN = """#!/usr/bin/env nextflow
/*
========================================================================================
    us/tiny
========================================================================================
*/
nextflow.enable.dsl = 2

WorkflowMain.initialise(workflow, params, log)

include { TINY } from './workflows/tiny'

workflow US_TINY {
    TINY ()
}

workflow {
    US_TINY ()
}
"""
TINY = """def summary_params = [outdir: params.outdir]

// Check input path parameters to see if they exist
def checkPathParamList = [ params.input, params.adapters ]
for (param in checkPathParamList) { if (param) { file(param, checkIfExists: true) } }

if (params.input) { ch_input = file(params.input) } else { exit 1, 'Input samplesheet not specified!' }

ch_dummy = params.adapters ? Channel.fromPath(params.adapters).collect() : Channel.value([])

include { INPUT_CHECK } from '../subworkflows/local/input_check'
include { TRIM } from '../modules/local/trim'
include { SUMS } from '../modules/local/sums'

// Info required for completion email and summary
def multiqc_report = []

workflow TINY {

    ch_versions = Channel.empty()

    INPUT_CHECK (
        ch_input
    )
    TRIM (
        INPUT_CHECK.out.reads
    )
    ch_versions = ch_versions.mix(TRIM.out.versions.first())
    SUMS (
        TRIM.out.reads.collect{it[1]}
    )
}

workflow.onComplete {
    if (params.email || params.email_on_fail) {
        NfcoreTemplate.email(workflow, params, summary_params, projectDir, log, multiqc_report)
    }
    NfcoreTemplate.summary(workflow, params, log)
}
"""
CHECK = """workflow INPUT_CHECK {
    take:
    samplesheet // file: /path/to/samplesheet.csv

    main:
    Channel.fromPath(samplesheet)
        .splitCsv ( header:true, sep:',' )
        .map { create_fastq_channels(it) }
        .set { reads }

    emit:
    reads // channel: [ val(meta), [ reads ] ]
}

def create_fastq_channels(LinkedHashMap row) {
    def meta = [:]
    meta.id = row.sample
    meta.single_end = row.single_end.toBoolean()

    def array = []
    if (!file(row.fastq_1).exists()) {
        exit 1, "ERROR: Please check input samplesheet -> Read 1 FastQ file does not exist!\\n${row.fastq_1}"
    }
    if (meta.single_end) {
        array = [ meta, [ file(row.fastq_1) ] ]
    } else {
        array = [ meta, [ file(row.fastq_1), file(row.fastq_2) ] ]
    }
    return array
}
"""
TRIM = """process TRIM {
    tag "$meta.id"
    label 'process_low'

    conda (params.enable_conda ? "bioconda::trim=1.0" : null)
    container "${ workflow.containerEngine == 'singularity' && !task.ext.singularity_pull_docker_container ?
        'https://depot.galaxyproject.org/singularity/trim:1.0--0' :
        'genomics' }"

    input:
    tuple val(meta), path(reads)

    output:
    tuple val(meta), path("*.trim.fq"), emit: reads
    path "versions.yml"               , emit: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def prefix = task.ext.prefix ?: "${meta.id}"
    if (meta.single_end) {
        \"\"\"
        cut $args ${reads} > ${prefix}.trim.fq
        cat <<-END_VERSIONS > versions.yml
        "${task.process}":
            cut: 1.0
        END_VERSIONS
        \"\"\"
    } else {
        \"\"\"
        cut $args ${reads[0]} > ${prefix}_1.trim.fq
        cut $args ${reads[1]} > ${prefix}_2.trim.fq
        cat <<-END_VERSIONS > versions.yml
        "${task.process}":
            cut: 1.0
        END_VERSIONS
        \"\"\"
    }
}
"""
SUMS = """process SUMS {
    label 'process_low'
    input:
    path reads, stageAs: 'in/*'
    output:
    path 'sums.txt'
    script:
    \"\"\"
    cat in/* | wc -c > sums.txt
    \"\"\"
}
"""
WORKFLOWMAIN = """class WorkflowMain {
    public static void initialise(workflow, params, log) {
        if (params.help) {
            log.info 'help'
            System.exit(0)
        }
        if (!params.input) {
            log.error 'Please provide an input samplesheet: --input samplesheet.csv'
            System.exit(1)
        }
    }
}
"""
NFCORETEMPLATE = """class NfcoreTemplate {
    public static void email(workflow, params, summary, projectDir, log, report = []) { }
    public static void summary(workflow, params, log) {
        if (workflow.success) { log.info 'Pipeline completed successfully' }
    }
}
"""
FILES = {
    "nextflow.config": CONFIG,
    "conf/base.config": BASE,
    "conf/modules.config": MODULES,
    "conf/test.config": "params.input = 'https://example.org/s.csv'\n",
    "conf/igenomes.config": "params { genomes { 'GRCh37' { fasta = 'x/genome.fa' } } }\n",
    "main.nf": MAIN,
    "workflows/tiny.nf": TINY,
    "subworkflows/local/input_check.nf": CHECK,
    "modules/local/trim.nf": TRIM,
    "modules/local/sums.nf": SUMS,
    "lib/WorkflowMain.groovy": WORKFLOWMAIN,
    "lib/NfcoreTemplate.groovy": NFCORETEMPLATE,
}
SHEET = (
    b"sample,fastq_1,fastq_2,single_end\n"
    b"S1,inputs/input_files/a_1.fq,inputs/input_files/a_2.fq,false\n"
    b"S2,inputs/input_files/b.fq,,true\n"
)
GIVEN = {
    "inputs/input/samples.csv": SHEET,
    "inputs/input_files/a_1.fq": b"ACGTACGT\n",
    "inputs/input_files/a_2.fq": b"TTTTACGT\n",
    "inputs/input_files/b.fq": b"GGGGACGT\n",
}
PUBLISHED = (
    {"results/sums/sums.txt"}
    | {f"results/trim/{one}.trim.fq" for one in ("S1_1", "S1_2", "S2")}
    | {"results/trim/versions.yml"}
)

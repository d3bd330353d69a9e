"""A folder written as others write theirs: nf-core's template and modules, and the training's joint genotyping."""


def _module(name: str, tool: str, made: str, script: str) -> str:
    return f"""process {name} {{
    tag "$meta.id"
    label 'process_low'

    conda "${{moduleDir}}/environment.yml"
    container "${{ workflow.containerEngine == 'singularity' && !task.ext.singularity_pull_docker_container ?
        'https://depot.galaxyproject.org/singularity/{tool}:1.0--0' :
        'genomics' }}"

    input:
    tuple val(meta), path(reads)

    output:
    tuple val(meta), path("*.{made}"), emit: {made}
    tuple val(meta), path("*.extra"), emit: extra, optional: true
    path "versions.yml", emit: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def prefix = task.ext.prefix ?: "${{meta.id}}"
    def single = meta.single_end ? 'single' : 'paired'
    \"\"\"
    {script}

    cat <<-END_VERSIONS > versions.yml
    "${{task.process}}":
        {tool}: \\$(bash --version | head -n1 | sed 's/.*version //; s/ .*//')
    END_VERSIONS
    \"\"\"

    stub:
    def prefix = task.ext.prefix ?: "${{meta.id}}"
    \"\"\"
    touch ${{prefix}}.{made}
    \"\"\"
}}
"""


MAIN = """#!/usr/bin/env nextflow
include { DEMO } from './workflows/demo'
include { INITIALISATION; COMPLETION } from './subworkflows/local/utils'
include { GENOTYPING } from './training/genotyping'

workflow NFCORE_DEMO {
    take:
    samplesheet // channel: samplesheet read in from --input

    main:
    DEMO (samplesheet)

    emit:
    report = DEMO.out.report
}

workflow {
    main:
    INITIALISATION (params.input)
    NFCORE_DEMO (INITIALISATION.out.samplesheet)
    COMPLETION (NFCORE_DEMO.out.report)
    GENOTYPING ()
}
"""
UTILS = """workflow INITIALISATION {
    take:
    input //  string: path to input samplesheet

    main:
    Channel
        .fromPath(input)
        .splitCsv(header: true, strip: true)
        .map { row ->
            def meta = [id: row.sample]
            if (!row.fastq_2) {
                return [meta.id, meta + [single_end: true], [file("${projectDir}/${row.fastq_1}")]]
            } else {
                return [meta.id, meta + [single_end: false],
                    [file("${projectDir}/${row.fastq_1}"), file("${projectDir}/${row.fastq_2}")]]
            }
        }
        .groupTuple()
        .map { samplesheet -> validate(samplesheet) }
        .map { meta, fastqs -> [meta, fastqs.flatten()] }
        .set { ch_samplesheet }

    emit:
    samplesheet = ch_samplesheet
}

workflow COMPLETION {
    take:
    report

    main:
    workflow.onComplete { log.info "${report.toList() ? 'done' : ''}" }
}

def validate(input) {
    def (metas, fastqs) = input[1..2]
    if (metas.collect { meta -> meta.single_end }.unique().size != 1) {
        error("Please check input samplesheet: ${metas[0].id}")
    }
    return [metas[0], fastqs]
}
"""
DEMO = """include { FASTQC } from '../modules/nf-core/fastqc/main'
include { FASTQC as FASTQC_TRIM } from '../modules/nf-core/fastqc/main'
include { SEQTK_TRIM } from '../modules/nf-core/seqtk/trim/main'
include { CAT_FASTQ } from '../modules/nf-core/cat/fastq/main'
include { MULTIQC } from '../modules/nf-core/multiqc/main'

workflow DEMO {
    take:
    ch_samplesheet

    main:
    ch_versions = Channel.empty()
    ch_samplesheet
        .branch { meta, fastqs ->
            single: fastqs.size() == 1
                return [meta, fastqs.flatten()]
            multiple: fastqs.size() > 1
                return [meta, fastqs.flatten()]
        }
        .set { ch_fastq }
    CAT_FASTQ (ch_fastq.multiple)
    ch_cat = CAT_FASTQ.out.reads.mix(ch_fastq.single)
    ch_versions = ch_versions.mix(CAT_FASTQ.out.versions.first().ifEmpty(null))
    FASTQC (ch_cat)
    ch_versions = ch_versions.mix(FASTQC.out.versions.first())
    if (!params.skip_trim) {
        SEQTK_TRIM (ch_cat)
        FASTQC_TRIM (SEQTK_TRIM.out.trimmed)
    }
    ch_config = params.multiqc_config ? Channel.fromPath(params.multiqc_config) : Channel.empty()
    MULTIQC (
        FASTQC.out.zip.collect { it[1] },
        Channel.fromPath("$projectDir/assets/multiqc_config.yml", checkIfExists: true).toList(),
        ch_config.toList()
    )

    emit:
    report = MULTIQC.out.report.toList()
    versions = ch_versions
}
"""
CAT = """process CAT_FASTQ {
    tag "$meta.id"
    label 'process_single'
    container 'genomics'

    input:
    tuple val(meta), path(reads, stageAs: "input*/*")

    output:
    tuple val(meta), path("*.merged.fastq"), emit: reads
    path "versions.yml", emit: versions

    script:
    def prefix = task.ext.prefix ?: "${meta.id}"
    def list = reads instanceof List ? reads : [reads]
    if (meta.single_end) {
        \"\"\"
        cat ${list.join(' ')} > ${prefix}.merged.fastq
        echo $task.memory > versions.yml
        \"\"\"
    } else {
        def read1 = []
        def read2 = []
        list.eachWithIndex { v, ix -> ( ix & 1 ? read2 : read1 ) << v }
        \"\"\"
        cat ${read1.join(' ')} > ${prefix}_1.merged.fastq
        cat ${read2.join(' ')} > ${prefix}_2.merged.fastq
        echo $task.memory > versions.yml
        \"\"\"
    }
}
"""
MULTIQC = """process MULTIQC {
    label 'process_single'

    input:
    path  multiqc_files, stageAs: "?/*"
    path(multiqc_config)
    path(extra_multiqc_config)

    output:
    path "*multiqc_report.html", emit: report
    path "*_data", emit: data
    path "*_plots", optional: true, emit: plots

    script:
    def args = task.ext.args ?: ''
    def prefix = task.ext.prefix ? "--filename ${task.ext.prefix}.html" : ''
    def config = multiqc_config ? "--config $multiqc_config" : ''
    def extra_config = extra_multiqc_config ? "--config $extra_multiqc_config" : ''
    \"\"\"
    echo multiqc $args $config $prefix $extra_config . > multiqc_report.html
    cat */*.zip | sort >> multiqc_report.html
    mkdir multiqc_data; cat $multiqc_config > multiqc_data/config
    \"\"\"
}
"""
GENOTYPING = """params.reads_bam = "${projectDir}/data/sample_bams.txt"
params.genotyping_outdir = "results/genotyping"
params.reference = "${projectDir}/data/ref.fasta"
params.cohort_name = "family_trio"

process SAMTOOLS_INDEX {
    container 'genomics'
    publishDir params.genotyping_outdir, mode: 'copy'
    input:
        path input_bam
    output:
        tuple path(input_bam), path("${input_bam}.bai")
    script:
    \"\"\"
    wc -c < '$input_bam' > '${input_bam}.bai'
    \"\"\"
}

process HAPLOTYPECALLER {
    publishDir params.genotyping_outdir, mode: 'copy'
    input:
        tuple path(input_bam), path(input_bam_index)
        path ref_fasta
    output:
        path "${input_bam}.g.vcf", emit: vcf
    script:
    \"\"\"
    cat ${ref_fasta} ${input_bam} ${input_bam_index} > ${input_bam}.g.vcf
    \"\"\"
}

process JOINTGENOTYPING {
    publishDir params.genotyping_outdir, mode: 'copy'
    input:
        path all_gvcfs
        val cohort_name
    output:
        path "${cohort_name}.joint.vcf"
    script:
    def gvcfs_line = all_gvcfs.collect { gvcf -> "-V ${gvcf}" }.join(' ')
    \"\"\"
    for one in ${gvcfs_line}; do [ "\\$one" = -V ] || cat "\\$one"; done | sort > ${cohort_name}.joint.vcf
    \"\"\"
}

workflow GENOTYPING {
    main:
    reads_ch = Channel.fromPath(params.reads_bam).splitText().map { line -> file("${projectDir}/${line.trim()}") }
    SAMTOOLS_INDEX(reads_ch)
    HAPLOTYPECALLER(SAMTOOLS_INDEX.out, file(params.reference))
    JOINTGENOTYPING(HAPLOTYPECALLER.out.vcf.collect(), params.cohort_name)
}
"""
CONFIG = """params {
    input = "${projectDir}/assets/samplesheet.csv"
    genome = null
    multiqc_config = null
    multiqc_title = null
    skip_trim = false
    outdir = 'results'
    publish_dir_mode = 'copy'
    trace_report_suffix = new java.util.Date().format('yyyy-MM-dd')
}
includeConfig 'conf/base.config'
profiles {
    docker { docker.enabled = true }
    singularity { singularity.enabled = true }
}
docker.registry = 'quay.io'
process.shell = [
    "bash",
    "-C", // No clobber
    "-e",
    "-u",
    "-o",
    "pipefail"
]
manifest { nextflowVersion = '!>=24.04.2' }
includeConfig 'conf/modules.config'
"""
BASE = """process {
    resourceLimits = [ cpus: 2, memory: '400.MB', time: '1.h' ]
    cpus = { 1 * task.attempt }
    memory = { 128.MB * task.attempt }
    errorStrategy = { task.exitStatus in ((130..145) + 104) ? 'retry' : 'finish' }
    maxRetries = 1
    maxErrors = '-1'
    withLabel:process_single { memory = { 200.MB * task.attempt } }
    withLabel:process_low { memory = { 800.MB * task.attempt } }
}
"""
MODULES = """process {
    publishDir = [
        path: { "${params.outdir}/${task.process.tokenize(':')[-1].tokenize('_')[0].toLowerCase()}" },
        mode: params.publish_dir_mode,
        saveAs: { filename -> filename.equals('versions.yml') ? null : filename }
    ]
    withName: FASTQC { ext.args = '--quiet' }
    withName: 'SEQTK_TRIM' {
        ext.args = '-c 1'
        ext.prefix = { "${meta.id}.trim" }
    }
    withName: '.*:DEMO:FASTQC_TRIM' {
        ext.args = { meta.single_end ? '--single' : '--paired' }
        ext.prefix = { "${meta.id}.after" }
    }
}
"""
FILES = {
    "main.nf": MAIN,
    "subworkflows/local/utils/main.nf": UTILS,
    "workflows/demo.nf": DEMO,
    "modules/nf-core/fastqc/main.nf": _module(
        "FASTQC", "fastqc", "zip", "cat $reads > ${prefix}.zip; echo $args $single >> ${prefix}.zip"
    ),
    "modules/nf-core/seqtk/trim/main.nf": _module(
        "SEQTK_TRIM", "seqtk", "trimmed", "cat $reads | cut $args > ${prefix}.trimmed"
    ),
    "modules/nf-core/cat/fastq/main.nf": CAT,
    "modules/nf-core/multiqc/main.nf": MULTIQC,
    "training/genotyping.nf": GENOTYPING,
    "nextflow.config": CONFIG,
    "conf/base.config": BASE,
    "conf/modules.config": MODULES,
    "assets/multiqc_config.yml": "title: x\n",
    "assets/samplesheet.csv": "sample,fastq_1,fastq_2\nS1,data/S1_1.fq,data/S1_2.fq\nS2,data/S2.fq,\n"
    "S3,data/S3a.fq,\nS3,data/S3b.fq,\n",
    **{f"data/{name}.fq": f"{name} of a sample\n" for name in ("S1_1", "S1_2", "S2", "S3a", "S3b")},
    "data/sample_bams.txt": "data/mother.bam\ndata/father.bam\n",
    "data/mother.bam": "of the mother\n",
    "data/father.bam": "of the father\n",
    "data/ref.fasta": ">chr\nACGT\n",
}

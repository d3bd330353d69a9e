// Genes that differ between two groups: counts of reads of many people in, figures of the groups out.
//
// What the airlock gets is written by TABLES and DRAW alone; both see figures of groups and no person.
nextflow.enable.dsl = 2

// Who is in the table: nobody reads these lists but the airlock's own check.
process COLLECT {
    container 'expression'
    memory 1.GB
    disk 500.MB
    publishDir 'members', mode: 'copy', pattern: '{cases,controls}.txt'

    input:
    path 'groups.tsv'
    path counts

    output:
    path 'cohort.tsv'
    path 'cases.txt'
    path 'controls.txt'

    script:
    """
    Rscript --vanilla /run/workflow/bin/collect.R groups.tsv cohort.tsv ${counts}
    """
}

// From here on every number stands for k people or more of each group, none or two of whom dominate.
process COMPARE {
    container 'expression'
    memory 1.GB
    disk 500.MB

    input:
    path 'cohort.tsv'

    output:
    path 'tested.tsv'
    path 'people.tsv'

    script:
    """
    Rscript --vanilla /run/workflow/bin/compare.R ${params.policy.min_count} ${params.min_mean_reads} ${params.normalise}
    """
}

process TABLES {
    container 'expression'
    memory 500.MB
    disk 200.MB
    publishDir 'results', mode: 'copy'

    input:
    path 'tested.tsv'
    path 'people.tsv'

    output:
    path 'genes.tsv'
    path 'volcano.tsv'
    path 'summary.tsv'

    script:
    """
    Rscript --vanilla /run/workflow/bin/tables.R ${params.policy.min_count} ${params.top}
    """
}

process DRAW {
    container 'expression'
    memory 500.MB
    disk 200.MB
    publishDir 'results', mode: 'copy'

    input:
    path 'genes.tsv'
    path 'volcano.tsv'

    output:
    path 'volcano.png'

    script:
    """
    Rscript --vanilla /run/workflow/bin/draw.R
    """
}

workflow {
    counts = Channel.fromList(params.inputs.counts).map { path -> file(path) }
    COLLECT(file(params.inputs.groups[0]), counts.collect(sort: { one -> one.name }))
    COMPARE(COLLECT.out[0])
    TABLES(COMPARE.out[0], COMPARE.out[1])
    DRAW(TABLES.out[0], TABLES.out[1])
}

// Variant calls of one person, region by region. Everything here is that person's: it stays inside.
nextflow.enable.dsl = 2

include { INDEX_REFERENCE; REGIONS } from './modules/reference'
include { PAIR_READS; ALIGN; SORT; FLAGSTAT } from './modules/reads'
include { CALL; CONCATENATE } from './modules/calls'

workflow ALIGNED {
    take:
    reads
    reference

    main:
    PAIR_READS(reads, reference.map { fasta, fai, index -> fai })
    ALIGN(PAIR_READS.out, reference)
    SORT(ALIGN.out)
    FLAGSTAT(SORT.out)

    emit:
    SORT.out
}

workflow {
    reads = Channel.fromList(params.inputs.reads)
        .map { path -> tuple(file(path).name - '.sam.gz', file(path)) }
    INDEX_REFERENCE(file(params.inputs.reference[0]))
    reference = INDEX_REFERENCE.out

    // Which parts there are is a parameter, so the number of tasks tells nothing of the data.
    parts = Channel.of(1..params.parts)
    REGIONS(parts, reference.map { fasta, fai, index -> fai })

    ALIGNED(reads, reference)
    CALL(ALIGNED.out.combine(REGIONS.out), reference)
    CONCATENATE(CALL.out.groupTuple(size: params.parts, sort: { a, b -> a.name <=> b.name }))
}

process INDEX_REFERENCE {
    container 'genomics'
    memory 500.MB
    disk 500.MB

    input:
    path 'given.fa'

    output:
    tuple path('reference.fa'), path('reference.fa.fai'), path('reference.fa.{amb,ann,bwt,pac,sa}')

    script:
    """
    cp given.fa reference.fa
    samtools faidx reference.fa
    bwa index reference.fa
    """
}

// One of as many equal parts of the reference's bases: regions that overlap nowhere and leave nothing out.
process REGIONS {
    container 'genomics'
    memory 200.MB
    disk 200.MB

    input:
    val part
    path fai

    output:
    path "part-${part}.bed"

    script:
    """
    awk -v part=${part} -v parts=${params.parts} -f /run/workflow/bin/part.awk ${fai} > part-${part}.bed
    """
}

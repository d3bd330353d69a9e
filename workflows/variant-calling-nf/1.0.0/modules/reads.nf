// Reads as the sequencer gave them, mates beside each other; bwa mem -p sees which have one.
process PAIR_READS {
    container 'genomics'
    memory 500.MB
    disk 500.MB

    input:
    tuple val(person), path('reads.sam.gz')
    path fai

    output:
    tuple val(person), path('pairs.fq.gz')

    script:
    """
    samtools view -u -t ${fai} reads.sam.gz \\
        | samtools collate -u -O - collate \\
        | samtools fastq -n - | gzip -n > pairs.fq.gz
    """
}

process ALIGN {
    container 'genomics'
    cpus 2
    memory 1.GB
    disk 500.MB

    input:
    tuple val(person), path(pairs)
    tuple path(fasta), path(fai), path(index)

    output:
    tuple val(person), path('unsorted.bam')

    script:
    """
    bwa mem -p -K 1000000 -t ${task.cpus} -R '@RG\\tID:${person}\\tSM:${person}' ${fasta} ${pairs} \\
        | samtools view -b -o unsorted.bam -
    """
}

process SORT {
    container 'genomics'
    memory 1.GB
    disk 500.MB

    input:
    tuple val(person), path('unsorted.bam')

    output:
    tuple val(person), path('sorted.bam'), path('sorted.bam.bai')

    script:
    """
    samtools sort -T sort -o sorted.bam unsorted.bam
    samtools index sorted.bam sorted.bam.bai
    """
}

process FLAGSTAT {
    container 'genomics'
    memory 200.MB
    disk 200.MB

    input:
    tuple val(person), path(bam), path(bai)

    output:
    path 'flagstat.txt'

    script:
    """
    samtools flagstat ${bam} > flagstat.txt
    """
}

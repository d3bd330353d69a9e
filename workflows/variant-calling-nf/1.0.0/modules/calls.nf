process CALL {
    container 'genomics'
    memory 500.MB
    disk 500.MB

    input:
    tuple val(person), path(bam), path(bai), path(region)
    tuple path(fasta), path(fai), path(index)

    output:
    tuple val(person), path("${region.baseName}.vcf.gz")

    script:
    """
    bcftools mpileup --no-version -a FORMAT/DP,FORMAT/AD -q ${params.min_mapping_quality} -Q ${params.min_base_quality} \\
        -Ou -f ${fasta} -R ${region} ${bam} \\
        | bcftools call --no-version -mv --ploidy ${params.ploidy} -a GQ -Oz -o ${region.baseName}.vcf.gz -
    """
}

process CONCATENATE {
    container 'genomics'
    memory 500.MB
    disk 500.MB
    publishDir 'calls', mode: 'copy'

    input:
    tuple val(person), path(parts)

    output:
    tuple path("${person}.vcf.gz"), path("${person}.vcf.gz.csi")

    script:
    """
    bcftools concat --no-version -Oz -o ${person}.vcf.gz ${parts}
    bcftools index -o ${person}.vcf.gz.csi ${person}.vcf.gz
    """
}

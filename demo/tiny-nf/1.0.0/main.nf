// A hundred tasks that do next to nothing: what is left is the price of running them.
process TINY {
    container 'genomics'
    memory 100.MB
    disk 50.MB

    input:
    val number

    output:
    path 'tiny.txt'

    script:
    """
    echo ${number} > tiny.txt
    """
}

workflow {
    TINY(Channel.of(1..params.jobs))
}

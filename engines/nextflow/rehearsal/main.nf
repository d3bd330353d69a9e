// What every run does, done once while the engine is built: see `archive`.
process SAY {
    tag "${word}"

    input:
    tuple val(word), path(file)

    output:
    path "${word}.txt", emit: said

    script:
    """
    cat ${file} > ${word}.txt
    """
}

workflow {
    files = Channel.of('a').map { word -> [word, file("${projectDir}/main.nf")] }
    SAY(files.filter { it[0] }.groupTuple().transpose())
    SAY.out.said.collect().view()
}

"""One small Nextflow file for each finding, and beside it one that is as it should be."""

from typing import Any

PROCESS = """process {name} {{
    {container}
{directives}
    input:
    {inputs}

    output:
    {outputs}

    {kind}:
    {script}
}}
"""


def process(
    name: str,
    script: str = '"true > x.txt"',
    *,
    directives: str = "",
    inputs: str = "path 'given.txt'",
    outputs: str = "path 'x.txt'",
    kind: str = "script",
    container: str = "container 'genomics'",
) -> str:
    """Return a process that has nothing to be found, but for what is said."""
    said = {"directives": f"    {directives}" if directives else "", "inputs": inputs, "outputs": outputs}
    return PROCESS.format(name=name, script=script, kind=kind, container=container, **said)


# What vetters signed of each, and what stands beside it.
IMAGES = {"genomics": "sha256:0", "joiner": "sha256:1"}
PROPERTIES = {
    "label": {"type": "string", "pattern": "^[a-z]{1,9}$"},
    "number": {"type": "integer", "minimum": 0, "maximum": 9},
}
MANIFEST: dict[str, Any] = {
    "name": "freq",
    "version": "1.0.0",
    "title": "x",
    "engine": {"name": "nextflow", "version": "25.04.4"},
    "entry": "main.nf",
    "images": ["genomics", "joiner"],
    "inputs": [{"name": "calls", "pattern": "*"}],
    "parameters": {"type": "object", "additionalProperties": False, "properties": PROPERTIES},
    "outputs": [{"match": "results/*", "release": "inside"}, {"match": "results/a/*", "release": "inside"}],
}
FINE = {"main.nf": "workflow { }\n", "fine.nf": process("FINE"), "folder/main.nf": process("FINE")}


# The finding, a file that has it and it alone, and one that has nothing.
CASES = [
    ("unreadable", "process {\n", "workflow { }\n"),
    ("unreadable", "@Grab('a:b:1.0')\nimport a.B\nworkflow { }\n", "workflow { }\n"),
    ("remote-include", "include { X } from 'plugin/nf-thing'\n", "include { FINE } from './fine'\n"),
    ("remote-include", "include { X } from 'https://example.org/x.nf'\n", "include { FINE } from './fine.nf'\n"),
    ("include-missing", "include { X } from './nowhere'\n", "include { FINE } from './folder'\n"),
    ("image-none", process("P", container=""), process("Q")),
    ("image-unknown", process("P", container="container 'docker.io/ubuntu:latest'"), process("Q")),
    ("image-unknown", process("P", container="container { params.policy }"), process("Q")),
    ("container-options", process("P", directives="containerOptions '--privileged'"), process("Q")),
    ("conda", process("P", directives="conda 'bwa=0.7'"), process("Q")),
    ("conda", process("P", directives="spack 'bwa'"), process("Q")),
    *(
        ("directive-refused", process("P", directives=text), process("Q", directives="cache 'lenient'"))
        for text in (
            "storeDir '/data/kept'",
            "beforeScript 'id'",
            "afterScript 'id'",
            "module 'bwa/0.7'",
            "secret 'TOKEN'",
            "array 10",
            "cache 'deep'",
        )
    ),
    ("directive-refused", process("P", '"echo ${secrets.TOKEN} > x.txt"'), process("Q", '"echo secrets > x.txt"')),
    ("directive-ignored", process("P", directives="executor 'slurm'"), process("Q", directives="maxForks 1")),
    ("directive-ignored", process("P", directives="clusterOptions '-p x'"), process("Q")),
    (
        "resources-computed",
        process("P", directives="memory { 1.GB * task.attempt }"),
        process("Q", directives="memory 1.GB"),
    ),
    (
        "exit-codes",
        process("P", directives="errorStrategy { task.exitStatus == 42 ? 'retry' : 'finish' }"),
        process("Q", directives="errorStrategy { task.attempt < 3 ? 'retry' : 'finish' }"),
    ),
    ("name-unfit", process("P", inputs="path 'a b.txt'"), process("Q", inputs="path 'a_b/*'")),
    (
        "name-unfit",
        process("P", inputs="path x, stageAs: 'a(1).txt'"),
        process("Q", inputs="path x, stageAs: 'in/?'"),
    ),
    (
        "name-unfit",
        process("P", outputs="path 'results/Holà.txt'"),
        process("Q", outputs="path './x.{txt,csv}'"),
    ),
    ("exec-block", process("P", "println 1", kind="exec"), process("Q")),
    ("output-to-engine", process("P", outputs="stdout"), process("Q")),
    (
        "output-to-engine",
        process("P", outputs="tuple val('a'), env('X')"),
        process("Q", outputs="tuple val('a'), path('x.txt')"),
    ),
    ("output-to-engine", process("P", outputs="eval('id')"), process("Q")),
    (
        "output-to-engine",
        process("P", outputs="tuple val('a'), stdout"),
        process("Q", outputs="tuple val('a'), path('x')"),
    ),
    (
        "input-unfit",
        process("P", inputs="tuple val(a), env('PYTHONPATH')"),
        process("Q", inputs="tuple val(a), env('PERSON'), stdin"),
    ),
    ("output-unfit", process("P", outputs="path '.hidden'"), process("Q", outputs="path 'a.hidden'")),
    ("output-unfit", process("P", outputs="path '/data/x'"), process("Q", outputs="path 'data/x'")),
    (
        "output-unfit",
        process("P", outputs="path '*.a', hidden: true"),
        process("Q", outputs="path '*.a', hidden: false"),
    ),
    ("input-unfit", process("P", inputs="env 'HOME'"), process("Q", inputs="env 'HOUSE'")),
    ("input-unfit", process("P", inputs="env LD_PRELOAD"), process("Q", inputs="env LOADED")),
    ("input-unfit", process("P", inputs="env 'a b'"), process("Q", inputs="stdin")),
    (
        "publish-outside",
        process("P", directives="publishDir '/data/out'"),
        process("Q", directives="publishDir 'results'"),
    ),
    ("publish-outside", process("P", directives="publishDir path: 's3://bucket/x'"), process("Q")),
    ("publish-outside", process("P", directives="publishDir '../elsewhere'"), process("Q")),
    (
        "publish-outside",
        process("P", directives="publishDir 'results/../inputs'"),
        process("Q", directives="publishDir 'results/a/..'"),
    ),
    (
        "publish-computed",
        process("P", directives="publishDir { task.process }"),
        process("Q", directives="publishDir 'results/a'"),
    ),
    (
        "output-not-promised",
        process("P", directives="publishDir 'elsewhere'"),
        process("Q", directives="publishDir 'results'"),
    ),
    ("network-tool", process("P", "'''\n    curl -s x > x.txt\n    '''"), process("Q", "'echo curl_it > x.txt'")),
    (
        "network-library",
        process("P", "'''#!/usr/bin/env python3\nimport requests\n'''"),
        process("Q", "'''#!/usr/bin/env python3\nimport csv\n'''"),
    ),
    ("remote-file", process("P", "'samtools view s3://bucket/x.bam > x.txt'"), process("Q")),
    ("remote-file", "workflow { Channel.fromPath('https://example.org/x.txt') }\n", "workflow { Channel.of('x') }\n"),
    (
        "absolute-path",
        process("P", "'cat /data/x > x.txt'"),
        process("Q", "'cat /run/workflow/bin/x > x.txt 2> /dev/null'"),
    ),
    ("absolute-path", "workflow { file('/data/x.txt') }\n", "workflow { file('x/data') }\n"),
    ("shell-inside-shell", process("P", "'eval \"$X\" > x.txt'"), process("Q", "'evaluate > x.txt'")),
    (
        "input-is-code",
        process("P", '"bash ${code} > x.txt"', inputs="path code"),
        process("Q", '"cat ${code} > x.txt"', inputs="path code"),
    ),
    ("script-computed", process("P", "make(1)"), process("Q", "'true > x.txt' + ' 2> y.txt'")),
    ("script-computed", process("P", "template 'nowhere.sh'"), process("Q")),
    (
        "value-in-script",
        process("FREE", '"echo ${x} > x.txt"', inputs="val x"),
        process("Q", '"echo ${x} > x.txt"', inputs="val x"),
    ),
    (
        "parameter-in-script",
        process("P", '"echo ${params.label} > x.txt"'),
        process("Q", '"echo ${params.number} > x.txt"'),
    ),
    (
        "parameter-in-script",
        process("P", 'def opt = "-x ${params.label}"\n    def all = "${opt} -y"\n    "echo ${all} > x.txt"'),
        process("Q", "def opt = params.number ? '-x' : ''\n    \"echo ${opt} > x.txt\""),
    ),
    ("parameter-undeclared", "workflow { println params.other }\n", "workflow { println params.number }\n"),
    (
        "parameter-undeclared",
        "workflow { println params.inputs.others }\n",
        "workflow { println params.inputs.calls }\n",
    ),
    *(
        ("engine-reads", f"workflow {{ {read} }}\n", f"workflow {{ {own} }}\n")
        for read, own in (
            ('println file("$projectDir/../x.txt").text', 'println file("$projectDir/x.txt").text'),
            ('println file("$launchDir/x.txt").text', 'println file("${workflow.projectDir}/a/x.txt").readLines()'),
            ('println file("$projectDir/${params.number}").text', 'println new File("$baseDir/x.txt").text'),
            (
                "Channel.fromPath('x.csv').splitCsv(header: true)",
                'Channel.fromPath("$projectDir/x.csv", checkIfExists: true).splitCsv(header: true)',
            ),
        )
    ),
    *(
        ("engine-reads", f"workflow {{ {text} }}\n", "workflow { Channel.of('a,b').map { one -> one.size() } }\n")
        for text in (
            "Channel.fromPath('x').splitCsv()",
            "println file('x').text",
            "println file('x').countLines()",
            "Channel.of(1).map { one -> file('x').readLines() }",
            "println new FileReader('x')",
        )
    ),
    ("engine-reads", "def read(path) {\n    return path.text\n}\n", "def read(path) {\n    return path.name\n}\n"),
    *(
        ("engine-writes", f"workflow {{ {text} }}\n", "workflow { Channel.of('a').collect() }\n")
        for text in (
            "Channel.of('a').collectFile(name: 'x.txt')",
            "Channel.of('a') | collectFile(name: 'x.txt')",
            "file('x').copyTo('y')",
            "new FileWriter('x')",
        )
    ),
    ("channel-endless", "workflow { Channel.watchPath('x/*') }\n", "workflow { Channel.fromPath('x/*') }\n"),
    ("channel-endless", "workflow { Channel.interval('1s') }\n", "workflow { Channel.of(1) }\n"),
    ("engine-network", "workflow { Channel.fromLineage(label: 'x') }\n", "workflow { Channel.of(1) }\n"),
    ("engine-process", "workflow { println 'id'.execute() }\n", "workflow { println 'id' }\n"),
    ("engine-process", "workflow { new ProcessBuilder('id') }\n", "workflow { println 'id' }\n"),
    ("engine-eval", "workflow { evaluate('1') }\n", "workflow { println 1 }\n"),
    ("engine-network", "workflow { Channel.fromSRA('SRP043510') }\n", "workflow { Channel.of(1) }\n"),
    ("engine-network", "workflow { new URL('x') }\n", "workflow { Channel.of(1) }\n"),
    ("hook", "workflow {\n    workflow.onComplete { file('x') }\n}\n", "workflow { println workflow.start }\n"),
    (
        "hook-prints",
        "workflow {\n    workflow.onComplete { println 'x' }\n}\n",
        "workflow { println workflow.start }\n",
    ),
    *(
        ("engine-host", f"workflow {{ {text} }}\n", 'workflow { println file("x").name }\n')
        for text in (
            "println System.getenv('HOME')",
            "println new File('x').name",
            "file('x').deleteDir()",
        )
    ),
    ("engine-process", "workflow { 'id'.with { execute() } }\n", "workflow { println 'id' }\n"),
    ("engine-process", "def run(x = 'id'.execute()) {\n    return x\n}\n", "def run(x = 'id') {\n    return x\n}\n"),
    ("hook", "workflow { sendMail(to: 'a', subject: 'b', body: 'c') }\n", "workflow { println 'mail' }\n"),
]

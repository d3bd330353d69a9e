"""The documented constructs of DSL2, each as a workflow of its own that publishes what it computed."""

from nextflow_more_constructs import more

# Name: (processes and the body of a workflow, files that it publishes). A process copies text through cat, so that
# what arrives in a file says which values and files the engine brought together.
_SAY = """
process {name} {{
    container 'genomics'
    publishDir 'results/{place}'
    input:
    {takes}
    output:
    {makes}
    script:
    {script}
}}
"""


def _say(name: str, place: str, takes: str, makes: str, script: str) -> str:
    return _SAY.format(name=name, place=place, takes=takes, makes=makes, script=f'"""\n    {script}\n    """')


def _values(place: str, channel: str, *, take: str = "val x", name: str = "${x}") -> str:
    """One task for each value of a channel, which writes a file of that name."""
    process = f"SAY_{place.upper()}"
    return _say(process, place, take, "path '*.txt'", f"echo {name} > {name}.txt") + (
        f"workflow {place.upper()} {{\n    {process}({channel})\n}}\n"
    )


FILES = "Channel.fromList(params.inputs.files).map { file(it) }"
CONSTRUCTS: dict[str, tuple[str, set[str]]] = {
    "of": (_values("of", "Channel.of('a', 'b', 'c')"), {"a.txt", "b.txt", "c.txt"}),
    "ranges": (_values("ranges", "Channel.of(1..3)"), {"1.txt", "2.txt", "3.txt"}),
    "lists": (_values("lists", "Channel.fromList(['x', 'y'])"), {"x.txt", "y.txt"}),
    "map": (_values("map", "Channel.of(1, 2).map { it * 10 }"), {"10.txt", "20.txt"}),
    "filter": (_values("filter", "Channel.of(1, 2, 3, 4).filter { it % 2 == 0 }"), {"2.txt", "4.txt"}),
    "mix": (_values("mix", "Channel.of('m1').mix(Channel.of('m2'))"), {"m1.txt", "m2.txt"}),
    "concat": (_values("concat", "Channel.of('k1').concat(Channel.of('k2'))"), {"k1.txt", "k2.txt"}),
    "unique": (_values("unique", "Channel.of('u', 'u', 'v').unique()"), {"u.txt", "v.txt"}),
    "flatten": (_values("flatten", "Channel.of(['f1', ['f2']]).flatten()"), {"f1.txt", "f2.txt"}),
    "collect": (_values("collect", "Channel.of(3, 1, 2).collect(sort: true).map { it.join('-') }"), {"1-2-3.txt"}),
    "to_list": (_values("to_list", "Channel.of('p', 'q').toSortedList().map { it.join('') }"), {"pq.txt"}),
    "reduce": (_values("reduce", "Channel.of(1, 2, 3).reduce { a, b -> a + b }"), {"6.txt"}),
    "buffer": (
        _values("buffer", "Channel.of(1, 2, 3, 4).buffer(size: 2).map { it.join('_') }"),
        {"1_2.txt", "3_4.txt"},
    ),
    "first": (_values("first", "Channel.of('one', 'two').first()"), {"one.txt"}),
    "if_empty": (_values("if_empty", "Channel.empty().ifEmpty('nothing')"), {"nothing.txt"}),
    "join": (_values("join", "Channel.of(['k', 1]).join(Channel.of(['k', 2])).map { it.join('.') }"), {"k.1.2.txt"}),
    "combine": (
        _values("combine", "Channel.of('a').combine(Channel.of(1, 2)).map { it.join('') }"),
        {"a1.txt", "a2.txt"},
    ),
    "cross": (
        _values("cross", "Channel.of([1, 'l']).cross(Channel.of([1, 'r'])).map { it[0][1] + it[1][1] }"),
        {"lr.txt"},
    ),
    "group": (
        _values(
            "group", "Channel.of(['g', 1], ['g', 2], ['h', 3]).groupTuple(sort: true).map { k, v -> k + v.join('') }"
        ),
        {"g12.txt", "h3.txt"},
    ),
    "transpose": (
        _values("transpose", "Channel.of(['t', [1, 2]]).transpose().map { it.join('') }"),
        {"t1.txt", "t2.txt"},
    ),
    "branch": (
        _values("branch", "Channel.of(1, 20).branch { small: it < 10; big: true }.big"),
        {"20.txt"},
    ),
    "multi_map": (
        _values("multi_map", "Channel.of(1, 2).multiMap { plus: it + 1; times: it * 5 }.times"),
        {"5.txt", "10.txt"},
    ),
    "each": (
        _say("SAY_EACH", "each", "val x\n    each mode", "path '*.txt'", "echo ${x}${mode} > ${x}${mode}.txt")
        + "workflow EACH { SAY_EACH(Channel.of(1, 2), ['s', 'f']) }\n",
        {"1s.txt", "1f.txt", "2s.txt", "2f.txt"},
    ),
    "paths": (
        _say("COPY_PATHS", "paths", "path x", 'path "${x}.copy"', "cat ${x} > ${x}.copy")
        + f"workflow PATHS {{ COPY_PATHS({FILES}) }}\n",
        {"one.dat.copy", "two.dat.copy"},
    ),
    "stage_as": (
        _say("STAGED", "stage_as", "path 'part?.in'", "path 'whole.txt'", "cat part*.in > whole.txt")
        + f"workflow STAGE_AS {{ STAGED({FILES}.collect(sort: {{ it.name }})) }}\n",
        {"whole.txt"},
    ),
    "folders_of_inputs": (
        _say(
            "INTO",
            "folders_of_inputs",
            "path x, stageAs: 'deep/down/*'",
            "path 'list.txt'",
            "ls deep/down > list.txt",
        )
        + f"workflow FOLDERS_OF_INPUTS {{ INTO({FILES}.collect(sort: {{ it.name }})) }}\n",
        {"list.txt"},
    ),
    "tuples": (
        _say("PAIR", "tuples", "tuple val(k), path(x)", 'tuple val(k), path("${k}.pair")', "cat ${x} > ${k}.pair")
        + f"workflow TUPLES {{ PAIR({FILES}.map {{ tuple(it.baseName, it) }}) }}\n",
        {"one.pair", "two.pair"},
    ),
    "several_outputs": (
        _say(
            "SPLIT",
            "several_outputs",
            "val x",
            "path 'a.out', emit: a\n    path 'b.out', emit: b",
            "echo ${x}a > a.out; echo ${x}b > b.out",
        )
        + _say("AFTER", "several_outputs", "path x", "path 'after.out'", "cat ${x} > after.out")
        + "workflow SEVERAL_OUTPUTS { SPLIT(1); AFTER(SPLIT.out.b) }\n",
        {"a.out", "b.out", "after.out"},
    ),
    "globs": (
        _say("GLOBS", "globs", "val x", "path '*.{g,h}'", "echo ${x} > 1.g; echo ${x} > 2.h; echo ${x} > 3.i")
        + "workflow GLOBBED { GLOBS(7) }\n",
        {"1.g", "2.h"},
    ),
    "deep_globs": (
        _say(
            "DEEP",
            "deep_globs",
            "val x",
            "path 'out/**.d'",
            "mkdir -p out/a/b; echo ${x} > out/a/b/1.d; echo ${x} > out/2.d",
        )
        + "workflow DEEP_GLOBS { DEEP(7) }\n",
        {"out/a/b/1.d", "out/2.d"},
    ),
    "directories": (
        _say(
            "FOLDER",
            "directories",
            "val x",
            "path 'made'",
            "mkdir -p made/in; echo ${x} > made/in/1; echo ${x} > made/2",
        )
        + _say("READ_FOLDER", "directories", "path d", "path 'listed.txt'", "cat ${d}/in/1 ${d}/2 > listed.txt")
        + "workflow DIRECTORIES { FOLDER(5) | READ_FOLDER }\n",
        {"made/in/1", "made/2", "listed.txt"},
    ),
    "optional": (
        _say(
            "MAYBE",
            "optional",
            "val x",
            "path 'there.txt'\n    path 'absent.txt', optional: true",
            "echo ${x} > there.txt",
        )
        + "workflow OPTIONAL { MAYBE(1) }\n",
        {"there.txt"},
    ),
    "passed_on": (
        _say("PASS", "passed_on", "path x", "path x, emit: same\n    path 'more.txt'", "cat ${x} > more.txt")
        + _say("AGAIN", "passed_on", "path x", "path 'again.txt'", "cat ${x} > again.txt")
        + f"workflow PASSED_ON {{ PASS({FILES}.first()); AGAIN(PASS.out.same) }}\n",
        {"one.dat", "more.txt", "again.txt"},
    ),
    "retry": (
        _say(
            "FLAKY",
            "retry",
            "val x",
            "path 'tried.txt'",
            "[ ${task.attempt} -eq 3 ]; echo ${task.attempt} > tried.txt",
        ).replace("container 'genomics'", "container 'genomics'\n    errorStrategy 'retry'\n    maxRetries 3")
        + "workflow RETRY { FLAKY(1) }\n",
        {"tried.txt"},
    ),
    "ignore": (
        _say("SHAKY", "ignore", "val x", "path '*.txt'", "[ ${x} -ne 2 ]; echo ${x} > ${x}.txt").replace(
            "container 'genomics'", "container 'genomics'\n    errorStrategy 'ignore'"
        )
        + "workflow IGNORE { SHAKY(Channel.of(1, 2, 3)) }\n",
        {"1.txt", "3.txt"},
    ),
    "max_forks": (
        _values("max_forks", "Channel.of(1, 2, 3)").replace(
            "container 'genomics'", "container 'genomics'\n    maxForks 1"
        ),
        {"1.txt", "2.txt", "3.txt"},
    ),
    "when": (
        _say("SOMETIMES", "when", "val x", "path '*.txt'\n    when:\n    x > 1", "echo ${x} > ${x}.txt")
        + "workflow WHEN { SOMETIMES(Channel.of(1, 2)) }\n",
        {"2.txt"},
    ),
    "labels": (
        _values("labels", "Channel.of('l')", name="${x}${task.cpus}").replace(
            "container 'genomics'", "container 'genomics'\n    label 'two'\n    tag \"t${x}\""
        ),
        {"l2.txt"},
    ),
    "dynamic": (
        _values("dynamic", "Channel.of(1, 2)", name="${x}-${task.memory.toMega()}").replace(
            "container 'genomics'", "container { 'genomics' }\n    memory { 100.MB * x }"
        ),
        {"1-100.txt", "2-200.txt"},
    ),
    "conditional": (
        """
process CHOOSE {
    container 'genomics'
    publishDir 'results/conditional'
    input:
    val x
    output:
    path '*.txt'
    script:
    if (x == 'one')
        "echo first > ${x}.txt"
    else
        "echo other > ${x}.txt"
}
workflow CONDITIONAL { CHOOSE(Channel.of('one', 'two')) }
""",
        {"one.txt", "two.txt"},
    ),
    "shell_block": (
        """
process SHELLED {
    container 'genomics'
    publishDir 'results/shell_block'
    input:
    val x
    output:
    path 'shell.txt'
    shell:
    '''
    here="of bash"; echo !{x} $here > shell.txt
    '''
}
workflow SHELL_BLOCK { SHELLED('from nextflow') }
""",
        {"shell.txt"},
    ),
    "python": (
        """
process PYTHONED {
    container 'genomics'
    publishDir 'results/python'
    input:
    val x
    output:
    path 'py.txt'
    script:
    \"\"\"
    #!/usr/bin/env python3
    open('py.txt', 'w').write(str(${x} * 2))
    \"\"\"
}
workflow PYTHON { PYTHONED(21) }
""",
        {"py.txt"},
    ),
    "bin": (
        _say("TOOLED", "bin", "val x", "path 'tool.txt'", "tool.sh ${x} > tool.txt")
        + "workflow BIN { TOOLED('w') }\n",
        {"tool.txt"},
    ),
    "templates": (
        """
process TEMPLATED {
    container 'genomics'
    publishDir 'results/templates'
    input:
    val x
    output:
    path 'template.txt'
    script:
    template 'say.sh'
}
workflow TEMPLATES { TEMPLATED('hello') }
""",
        {"template.txt"},
    ),
    "subworkflows": (
        _say("INNER", "subworkflows", "val x", "path '*.txt'", "echo ${x} > ${x}.txt")
        + """
workflow SUB {
    take: values
    main: INNER(values)
    emit: made = INNER.out
}
workflow SUBWORKFLOWS {
    main:
    SUB(Channel.of('s'))
    emit:
    SUB.out.made
}
""",
        {"s.txt"},
    ),
    "aliases": (
        "include { SHARED as SHARED_ONE; SHARED as SHARED_TWO } from './shared'\n"
        "workflow ALIASES { SHARED_ONE('x'); SHARED_TWO('y') }\n",
        {"shared-x.txt", "shared-y.txt"},
    ),
    "pipes": (
        _values("pipes", "Channel.of('pipe') | map { it.toUpperCase() }"),
        {"PIPE.txt"},
    ),
    "scatter_gather": (
        _say("SCATTER", "scatter_gather", "path x", "path 'part-*'", "split -n l/2 -d ${x} part-")
        + _say("COUNT", "scatter_gather", "path x", 'path "${x}.count"', "wc -l < ${x} > ${x}.count")
        + _say("GATHER", "scatter_gather", "path x", "path 'total.txt'", "cat ${x} > total.txt")
        + f"workflow SCATTER_GATHER {{ SCATTER({FILES}.first()); COUNT(SCATTER.out.flatten());"
        " GATHER(COUNT.out.collect(sort: { it.name })) }\n",
        {"part-00", "part-01", "part-00.count", "part-01.count", "total.txt"},
    ),
    "assets": (
        _say("ASSETS", "assets", "path x", "path 'asset.txt'", "cat ${x} > asset.txt")
        + 'workflow ASSETED { ASSETS(file("${projectDir}/assets/words.txt")) }\n',
        {"asset.txt"},
    ),
    "executors": (
        _values("executors", "Channel.of('local')").replace(
            "container 'genomics'", "container 'genomics'\n    executor 'local'"
        ),
        {"local.txt"},
    ),
}
for _mode in ("symlink", "rellink", "link", "copy", "copyNoFollow", "move"):
    _place = f"publish_{_mode.lower()}"
    CONSTRUCTS[_place] = (
        _values(_place, f"Channel.of('{_mode}')").replace(
            f"'results/{_place}'", f"'results/{_place}', mode: '{_mode}'"
        ),
        {f"{_mode}.txt"},
    )
CONSTRUCTS["publish_pattern"] = (
    _say(
        "PICKED", "publish_pattern", "val x", "path '*.p'\n    path '*.q'", "echo ${x} > 1.p; echo ${x} > 2.q"
    ).replace("'results/publish_pattern'", "'results/publish_pattern', pattern: '*.q'")
    + "workflow PUBLISH_PATTERN { PICKED(1) }\n",
    {"2.q"},
)
CONSTRUCTS["publish_renamed"] = (
    _values("publish_renamed", "Channel.of('r')").replace(
        "'results/publish_renamed'", "'results/publish_renamed', saveAs: { name -> \"as/new-${name}\" }"
    ),
    {"as/new-r.txt"},
)
CONSTRUCTS["output_block"] = (
    _say("BLOCK", "output_block", "val x", "path 'in/*.txt'", "mkdir in; echo ${x} > in/${x}.txt").replace(
        "publishDir 'results/output_block'", ""
    )
    + "workflow OUTPUT_BLOCK {\n    main:\n    BLOCK(Channel.of(1, 2))\n    emit:\n    said = BLOCK.out\n}\n",
    {"in/1.txt", "in/2.txt"},
)
CONSTRUCTS |= more(_say, _values, FILES)
NAMES = {"globs": "GLOBBED", "assets": "ASSETED"}


def files() -> dict[str, str]:
    """Return a workflow's folder in which all constructs run at once."""
    found = {f"constructs/{name}.nf": text for name, (text, _) in CONSTRUCTS.items()}
    flows = {name: NAMES.get(name, name.upper()) for name in CONSTRUCTS}
    lines = [f"include {{ {flow} }} from './constructs/{name}'" for name, flow in flows.items()]
    lines += [
        "nextflow.preview.output = true",
        "workflow {",
        "    main:",
        *(f"    {flow}()" for flow in flows.values()),
    ]
    lines += ["    publish:", "    said = OUTPUT_BLOCK.out.said", "}", "output { said { path 'output_block' } }"]
    return found | {
        "main.nf": "\n".join(lines) + "\n",
        "constructs/shared.nf": _say("SHARED", "aliases", "val x", "path '*.txt'", "echo ${x} > shared-${x}.txt"),
        "constructs/templates/say.sh": "#!/bin/bash\necho ${x} > template.txt\n",
        "bin/tool.sh": '#!/bin/bash\necho "the tool says $1"\n',
        "assets/words.txt": "of the workflow\n",
        "nextflow.config": "process { withLabel: two { cpus = 2 } }\n",
    }

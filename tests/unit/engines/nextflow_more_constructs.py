"""The rest of the documented constructs of DSL2 in Nextflow 25.04: operators, channels, options and directives."""

from collections.abc import Callable

Say = Callable[[str, str, str, str, str], str]
# Name: (what it comes to as one channel of words, files that it publishes).
CHANNELS: dict[str, tuple[str, set[str]]] = {
    "collate": ("Channel.of(1, 2, 3).collate(2).map { it.join('_') }", {"1_2", "3"}),
    "collate_step": ("Channel.of(1, 2, 3).collate(2, 1, false).map { it.join('_') }", {"1_2", "2_3"}),
    "buffer_closing": ("Channel.of(1, 2, 3, 1, 2).buffer { it == 2 }.map { it.join('_') }", {"1_2", "3_1_2"}),
    "buffer_skip": ("Channel.of(1, 2, 3, 4, 5).buffer(size: 3, skip: 2).map { it.join('_') }", {"3_4_5"}),
    "count": ("Channel.of('a', 'b', 'c').count()", {"3"}),
    "count_some": ("Channel.of(4, 1, 7, 1).count(1)", {"2"}),
    "distinct": ("Channel.of('d', 'd', 'e').distinct()", {"d", "e"}),
    "dump": ("Channel.of('dumped').dump(tag: 'x')", {"dumped"}),
    "flat_map": ("Channel.of(1, 2).flatMap { n -> [n, n * 10] }", {"1", "10", "2", "20"}),
    "flat_map_pairs": ("Channel.of(1).flatMap { n -> [a: n, b: n] }.map { it.key }", {"a", "b"}),
    "last": ("Channel.of('one', 'two').last()", {"two"}),
    "max": ("Channel.of('xx', 'yyy').max { it.size() }", {"yyy"}),
    "min": ("Channel.of(3, 2, 5).min()", {"2"}),
    "sum": ("Channel.of(3, 2, 5).sum()", {"10"}),
    "merge": ("Channel.of(1, 3).merge(Channel.of(2, 4)).map { it.join('_') }", {"1_2", "3_4"}),
    "random_sample": ("Channel.of(1..9).randomSample(9, 234)", {str(n) for n in range(1, 10)}),
    "take": ("Channel.of('t', 'u', 'v').take(2)", {"t", "u"}),
    "until": ("Channel.of(1, 2, 9, 3).until { it > 5 }", {"1", "2"}),
    "to_integer": ("Channel.of('7').toInteger().map { it + 1 }", {"8"}),
    "to_double": ("Channel.of('1.5').toDouble().map { it * 2 }", {"3.0"}),
    "to_list_plain": ("Channel.of('p').toList().map { it.size() }", {"1"}),
    "transpose_rest": (
        "Channel.of(['a', [1, 2], [3]]).transpose(remainder: true).map { it.join('_') }",
        {"a_1_3", "a_2_null"},
    ),
    "filter_words": ("Channel.of('aa', 'b', 3).filter(~/^a.*/)", {"aa"}),
    "filter_types": ("Channel.of('a', 3).filter(Number)", {"3"}),
    "first_word": ("Channel.of('b', 'aa').first(~/a.*/)", {"aa"}),
    "unique_by": ("Channel.of(1, 3, 2).unique { it % 2 }.map { it % 2 }", {"0", "1"}),
    "view": ("Channel.of('seen').view { 'it is ' + it }", {"seen"}),
    "value": ("Channel.value('one')", {"one"}),
    "empty": ("Channel.empty().mix(Channel.of('rest'))", {"rest"}),
    "join_rest": (
        "Channel.of(['k', 1], ['l', 2]).join(Channel.of(['k', 3]), remainder: true).map { it.join('_') }",
        {"k_1_3", "l_2_null"},
    ),
    "combine_by": (
        "Channel.of(['k', 1]).combine(Channel.of(['k', 2], ['k', 3]), by: 0).map { it.join('_') }",
        {"k_1_2", "k_1_3"},
    ),
    "group_key": (
        "Channel.of(['g', 1], ['g', 2]).map { k, v -> [groupKey(k, 2), v] }.groupTuple(sort: true)"
        ".map { k, v -> k.toString() + v.join('_') }",
        {"g1_2"},
    ),
    "group_size": ("Channel.of(['a', 1], ['a', 2]).groupTuple(size: 2).map { it[1].size() }", {"2"}),
    "from_path": ("Channel.fromPath('inputs/calls/*.dat').map { it.baseName }", {"one", "two"}),
    "from_pairs": (
        "Channel.fromFilePairs('inputs/calls/{one,two}.dat', size: -1) { it.extension }.map { it[1].size() }",
        {"2"},
    ),
    "file_parts": (
        "Channel.fromPath('inputs/calls/one.dat').map { [it.name, it.simpleName, it.extension].join('_') }",
        {"one.dat_one_dat"},
    ),
    "split_text_of_words": ("Channel.of('x,y').splitCsv().map { it.join('_') }", {"x_y"}),
    "split_json_of_words": ("Channel.of('[5, 6]').splitJson()", {"5", "6"}),
    "count_lines_of_words": ("Channel.of('1\\n2\\n').countLines()", {"2"}),
}
# Bodies of workflows whose last word is the channel that is said.
BODIES: dict[str, tuple[str, str, set[str]]] = {
    "set": ("Channel.of('s').set { words }", "words", {"s"}),
    "tap": ("Channel.of(2).tap { before }.map { it * 3 }.set { after }", "before.mix(after)", {"2", "6"}),
    "subscribe": ("Channel.of('heard').subscribe { println it }", "Channel.of('said')", {"said"}),
    "branch_return": (
        "Channel.of(1, 20).branch { n -> small: n < 10\n        return n + 1\n    big: true }.set { of }",
        "of.small.mix(of.big)",
        {"2", "20"},
    ),
    "branch_criteria": (
        "criteria = branchCriteria { n -> small: n < 9\n    big: true }\n    of = Channel.of(1, 20).branch(criteria)",
        "of.big",
        {"20"},
    ),
    "multi_map_criteria": (
        "criteria = multiMapCriteria { n -> plus: n + 1\n    same: n }\n    of = Channel.of(1).multiMap(criteria)",
        "of.plus.mix(of.same)",
        {"1", "2"},
    ),
    "functions": ("twice = { n -> n * 2 }", "Channel.of(4).map(twice)", {"8"}),
    "ternary": ("word = workflow.profile == 'none' ? 'none' : 'default'", "Channel.of(word)", {"default"}),
}
# Lines of a process that change nothing in what it makes here: each is obeyed or passed over.
DIRECTIVES = {
    "accelerator": "accelerator 1, type: 'x'",
    "arch": "arch 'linux/x86_64'",
    "cache_lenient": "cache 'lenient'",
    "cache_off": "cache false",
    "cluster_options": "clusterOptions '-x'",
    "conda": "conda 'bwa=1'",
    "container_options": "containerOptions '--privileged'",
    "debug": "debug true",
    "disk": "disk 1.GB",
    "fair": "fair true",
    "finish": "errorStrategy 'finish'",
    "machine_type": "machineType 'x'",
    "max_errors": "maxErrors 2",
    "max_submit_await": "maxSubmitAwait '1 h'",
    "penv": "penv 'smp'",
    "pod": "pod env: 'X', value: 'y'",
    "queue": "queue 'long'",
    "resource_labels": "resourceLabels a: 'b'",
    "resource_limits": "resourceLimits cpus: 1, memory: 1.GB",
    "scratch": "scratch true",
    "shell": "shell '/bin/bash', '-euo', 'pipefail'",
    "spack": "spack 'bwa@1'",
    "stage_in": "stageInMode 'copy'",
    "stage_out": "stageOutMode 'move'",
    "time": "time '1h'",
}


def more(say: Say, values: Callable[..., str], files: str) -> dict[str, tuple[str, set[str]]]:
    """Return the constructs: (processes and the body of a workflow, files that it publishes)."""

    def named(words: set[str]) -> set[str]:
        return {f"{word}.txt" for word in words}

    def flow(place: str, body: str) -> str:
        return f"workflow {place.upper()} {{\n    {body}\n}}\n"

    found = {place: (values(place, channel), named(words)) for place, (channel, words) in CHANNELS.items()}
    for place, (body, channel, words) in BODIES.items():
        process = say(f"SAY_{place.upper()}", place, "val x", "path '*.txt'", "echo ${x} > ${x}.txt")
        found[place] = (process + flow(place, f"{body}\n    SAY_{place.upper()}({channel})"), named(words))
    for name, line in DIRECTIVES.items():
        place = f"directive_{name}"
        text = values(place, "Channel.of('d')").replace("container 'genomics'", f"container 'genomics'\n    {line}")
        found[place] = (text, {"d.txt"})

    def one(place: str, takes: str, makes: str, script: str, channel: str, *made: str) -> None:
        process = f"DO_{place.upper()}"
        found[place] = (say(process, place, takes, makes, script) + flow(place, f"{process}({channel})"), set(made))

    both = f"{files}.collect(sort: {{ it.name }})"
    one("arity", "path x, arity: '2'", "path '*.n', arity: '1..*'", "cat ${x} > all.n", both, "all.n")
    one("staged_name", "path x, name: 'got.in'", "path 'o.txt'", "cat got.in > o.txt", f"{files}.first()", "o.txt")
    one("staged_text", "path 'same.in'", "path 'o.txt'", "cat same.in > o.txt", f"{files}.first()", "o.txt")
    one("glob_off", "val x", "path 'o.txt', glob: false", "echo ${x} > o.txt", "1", "o.txt")
    one("type_file", "val x", "path 'a*', type: 'file'", "mkdir ab; echo ${x} > ac", "1", "ac")
    one("max_depth", "val x", "path 'd/**.e', maxDepth: 1", "mkdir d; echo ${x} > d/1.e", "1", "d/1.e")
    one(
        "task_facts",
        "val x",
        "path '*.txt'",
        "echo ${task.process} > ${task.index}-${task.attempt}.txt",
        "1",
        "1-1.txt",
    )
    one("ext", "val x", "path '*.txt'", "echo ${task.ext.word} > ext.txt", "1", "ext.txt")
    found["ext"] = (found["ext"][0].replace("container 'g", "ext word: 'extra'\n    container 'g"), {"ext.txt"})
    one("stub", "val x", "path 'o.txt'\n    stub:\n    'touch o.txt'", "echo ${x} > o.txt", "1", "o.txt")
    text = found["stub"][0]
    stub = "    stub:\n    'touch o.txt'\n"
    found["stub"] = (text.replace(stub, "").replace('o.txt\n    """\n', f'o.txt\n    """\n{stub}'), {"o.txt"})
    found["value_output"] = (
        say("GIVE", "value_output", "val x", "tuple val(x), val('more'), path('g.out')", "echo ${x} > g.out")
        + say("TAKE", "value_output", "tuple val(x), val(y), path(z)", "path '*.txt'", "cat ${z} > ${x}-${y}.txt")
        + flow("value_output", "GIVE('v') | TAKE"),
        {"g.out", "v-more.txt"},
    )
    found["topic"] = (
        say("TELL", "topic", "val x", "path 'told.out', topic: told", "echo ${x} > told.out")
        + say("HEAR", "topic", "path x", "path 'heard.txt'", "cat ${x} > heard.txt")
        + flow("topic", "TELL('t')\n    HEAR(Channel.topic('told'))"),
        {"told.out", "heard.txt"},
    )
    return found

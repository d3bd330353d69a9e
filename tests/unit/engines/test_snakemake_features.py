"""What Snakemake can do beyond plain rules becomes plain tasks: real Snakemake, stubs, a small gateway."""

from engine_room import Room


def test_jobs_of_a_group_are_tasks_one_level_after_the_other(room: Room) -> None:
    outcome = room.run(
        """
rule all:
    input: "all.txt"
rule first:
    output: temp("a/{n}.txt"), touch("flags/{n}")
    group: "pair"
    shell: "sleep 0.2; echo {wildcards.n} > {output[0]}"
rule second:
    input: "a/{n}.txt", "flags/{n}"
    output: "b/{n}.txt"
    log: "logs/{n}.log"
    group: "pair"
    shell: "cat {input[0]} > {output}; echo done > {log}"
rule last:
    input: expand("b/{n}.txt", n=[1, 2, 3])
    output: "all.txt"
    shell: "cat {input} > {output}"
"""
    )
    assert outcome.code == 0, outcome.text
    assert (room.plain / "all.txt").read_text() == "1\n2\n3\n"
    assert sorted(body["name"] for body in room.gateway.bodies) == ["first"] * 3 + ["last"] + ["second"] * 3
    assert not (room.view / "a/1.txt").exists()


def test_groups_and_other_jobs_are_sent_at_the_same_time(room: Room) -> None:
    # The next job of a group is sent by the thread that heard of an end, while the scheduler sends others.
    room.gateway.thinks = 0.05
    outcome = room.run(
        """
rule all:
    input: expand("alone/{x}.txt", x=range(12)), expand("second/{x}.txt", x=range(4))
rule alone:
    output: "alone/{x}.txt"
    shell: "echo {wildcards.x} > {output}"
rule first:
    output: "first/{x}.txt"
    group: "pair"
    shell: "echo {wildcards.x} > {output}"
rule second:
    input: "first/{x}.txt"
    output: "second/{x}.txt"
    group: "pair"
    shell: "cp {input} {output}"
""",
        *("--jobs", "6"),
    )
    assert outcome.code == 0, outcome.text
    for x in range(4):
        assert (room.plain / f"second/{x}.txt").read_text() == f"{x}\n"
    assert len(room.gateway.bodies) == 20


def test_a_group_whose_job_fails_fails_as_a_whole_and_is_tried_again(room: Room) -> None:
    outcome = room.run(
        """
rule all:
    input: "b.txt"
rule first:
    output: "a.txt"
    group: "pair"
    resources: mem_mb=lambda w, attempt: attempt * 100
    shell: "test {resources.mem_mb} -gt 100; echo > {output}"
rule second:
    input: "a.txt"
    output: "b.txt"
    group: "pair"
    shell: "cp {input} {output}"
""",
        "--retries",
        "1",
    )
    assert outcome.code == 0, outcome.text
    assert [body["name"] for body in room.gateway.bodies] == ["first", "first", "second"]
    assert "The task ended as EXECUTOR_ERROR, exit code 1." in outcome.text


def test_a_benchmark_is_measured_in_the_task(room: Room) -> None:
    outcome = room.run(
        'rule all:\n    output: "x.txt"\n    benchmark: repeat("b/x.tsv", 2)\n'
        '    shell: "sleep 0.3; echo said >&2; echo > {output}"\n'
    )
    assert outcome.code == 0, outcome.text
    head, *lines = [line.split("\t") for line in (room.plain / "b/x.tsv").read_text().splitlines()]
    assert head[:3] + head[-2:] == ["s", "h:m:s", "max_rss", "mean_load", "cpu_time"]
    assert [len(line) for line in lines] == [len(head)] * 2
    assert all(0.3 <= float(line[0]) < 5 and line[1].startswith("0:00:0") for line in lines)
    assert not any((room.view / "b/x.tsv").read_bytes())


def test_a_failing_benchmarked_job_fails(room: Room) -> None:
    outcome = room.run('rule all:\n    output: "x.txt"\n    benchmark: "b.tsv"\n    shell: "exit 3"\n')
    assert outcome.code == 1
    assert "exit code 3" in outcome.text


def test_vendored_wrappers_run_with_what_they_expect_of_snakemake(room: Room) -> None:
    (room.flow / "wrappers/v1.0/bio/word").mkdir(parents=True)
    (room.flow / "wrappers/v1.0/bio/word/wrapper.py").write_text(
        "from snakemake.shell import shell\n"
        "log = snakemake.log_fmt_shell(stdout=False, stderr=True)\n"
        "words = ['two words', 'x']\n"
        "shell('(echo {words:q} {snakemake.params.extra} > {snakemake.output[0]}; echo said >&2){log}')\n"
        "assert list(shell('cat {snakemake.output}', iterable=True)) == ['two words x more']\n"
    )
    (room.flow / "wrappers/v1.0/bio/word/environment.yaml").write_text("dependencies: []\n")
    outcome = room.run(
        'rule all:\n    output: "x.txt"\n    params: extra="more"\n    log: "x.log"\n    wrapper: "v1.0/bio/word"\n',
        "--wrapper-prefix",
        f"file://{room.flow}/wrappers/",
    )
    assert outcome.code == 0, outcome.text
    assert (room.plain / "x.txt").read_text() == "two words x more\n"
    assert (room.plain / "x.log").read_text() == "said\n"


def test_a_wrapper_that_is_not_in_the_folder_is_refused(room: Room) -> None:
    outcome = room.run(
        'rule all:\n    output: "x.txt"\n    wrapper: "v1.0/bio/bwa"\n',
        "--wrapper-prefix",
        f"file://{room.flow}/wrappers/",
    )
    assert outcome.code == 1
    assert "copy it, with its version, below wrappers/" in outcome.text, outcome.text
    assert room.gateway.bodies == []


def test_r_and_julia_scripts_get_their_facts_and_their_text(room: Room) -> None:
    (room.flow / "x.R").write_text('cat("hello", file=snakemake@output[[1]])\n')
    (room.flow / "x.jl").write_text('write(snakemake.output[1], "hello")\n')
    outcome = room.run(
        'rule all:\n    input: "r.txt", "julia.txt"\n'
        'rule r:\n    output: "r.txt"\n    params: word="it"\n    script: "x.R"\n'
        'rule julia:\n    output: "julia.txt"\n    script: "x.jl"\n',
        "--keep-going",
    )
    assert outcome.code == 1  # neither language is on this machine
    of_rule = {body["name"]: body for body in room.gateway.bodies}
    assert of_rule["r"]["executors"][0]["command"][:2] == ["Rscript", "--vanilla"]
    assert of_rule["julia"]["executors"][0]["command"][0] == "julia"
    assert of_rule["r"]["inputs"][0]["content"].endswith((room.flow / "x.R").read_text())
    assert "\"word\" = 'it'" in of_rule["r"]["inputs"][0]["content"] or "word" in of_rule["r"]["inputs"][0]["content"]
    assert of_rule["julia"]["inputs"][0]["content"].endswith((room.flow / "x.jl").read_text())


def test_shadow_and_handover_and_a_rule_without_image_are_plain_tasks(room: Room) -> None:
    outcome = room.run(
        'rule all:\n    input: "a.txt", "b.txt", "c.txt"\n'
        'rule a:\n    output: "a.txt"\n    shadow: "minimal"\n    shell: "echo > {output}"\n'
        'rule b:\n    output: "b.txt"\n    handover: True\n    shell: "echo > {output}"\n'
        'rule c:\n    output: "c.txt"\n    container: None\n    shell: "echo > {output}"\n'
    )
    assert outcome.code == 0, outcome.text
    images = {body["name"]: body["executors"][0]["image"] for body in room.gateway.bodies}
    assert images == {"a": "genomics", "b": "genomics", "c": ""}


def test_flags_that_rules_without_a_body_touch_can_be_inputs(room: Room) -> None:
    outcome = room.run(
        'rule all:\n    input: "flag"\n    output: "x.txt"\n    shell: "test -e {input}; echo > {output}"\n'
        'rule first:\n    output: "a.txt"\n    shell: "echo > {output}"\n'
        'rule flag:\n    input: "a.txt"\n    output: touch("flag")\n'
    )
    assert room.gateway.bodies[-1]["touch"] == [str(room.view / "flag")], outcome.text


def test_source_paths_lead_into_the_vetted_folder(room: Room) -> None:
    (room.flow / "resources").mkdir()
    (room.flow / "resources/x.txt").write_text("of the folder\n")
    outcome = room.run(
        'rule all:\n    input: workflow.source_path("resources/x.txt")\n    output: "x.txt"\n'
        '    params: same=workflow.source_path("resources/x.txt")\n'
        '    shell: "cat {input} {params.same} > {output}"\n'
    )
    assert outcome.code == 0, outcome.text
    assert (room.plain / "x.txt").read_text() == "of the folder\n" * 2
    # Named, so that a gateway knows it in the command; every task has the folder already.
    named = {"path": str(room.flow / "resources/x.txt"), "type": "FILE"}
    assert room.gateway.bodies[0]["inputs"] == [named]

"""Newer words of Snakemake make the files that bare Snakemake makes, or vetting refuses them at their line."""

from pathlib import Path

import pytest
from beside_bare import run_beside, vetted
from engine_room import Room

from wes.lint_table import TABLE, Severity

ALIKE = {
    "ensure non_empty": """
rule all:
    output: ensure("x.txt", non_empty=True)
    shell: "echo x > {output}"
""",
    "handover": """
rule all:
    output: "x.txt"
    handover: True
    shell: "echo x > {output}"
""",
    "scattergather": """
scattergather:
    split=3
rule all:
    input: "x.txt"
rule split:
    output: scatter.split("parts/{scatteritem}.txt")
    shell: "for part in {output}; do echo $part > $part; done"
rule gather:
    input: gather.split("parts/{scatteritem}.txt")
    output: "x.txt"
    shell: "cat {input} > {output}"
""",
    "lookup dpath": """
configfile: "config.yaml"
rule all:
    output: lookup(dpath="deep/name", within=config)
    params: word=lookup(dpath="deep/word", within=config)
    shell: "echo {params.word} > {output}"
""",
    "branch and evaluate": """
configfile: "config.yaml"
rule all:
    input: "a.out", "b.out"
rule a:
    output: "a.txt"
    shell: "echo a > {output}"
rule b:
    output: "b.txt"
    shell: "echo b > {output}"
rule choose:
    input: branch(evaluate("{name} == 'a'"), then="a.txt", otherwise="b.txt")
    output: "{name}.out"
    shell: "cat {input} > {output}"
""",
    "from_queue": """
import queue, threading
waiting, done = queue.Queue(), object()
def fill():
    for name in ("a.txt", "b.txt"):
        waiting.put(name)
    waiting.put(done)
threading.Thread(target=fill).start()
rule all:
    input: from_queue(waiting, finish_sentinel=done)
rule one:
    output: "{name}.txt"
    shell: "echo {wildcards.name} > {output}"
""",
    "subpath": """
rule all:
    input: "deep/x.out"
rule first:
    output: "deep/x.txt"
    shell: "echo x > {output}"
rule second:
    input: "deep/x.txt"
    output: "deep/x.out"
    params: stem=subpath(input[0], basename=True, strip_suffix=".txt"), folder=subpath(output[0], parent=True)
    shell: "echo {params.stem} {params.folder} > {output}"
""",
    "exists": """
rule all:
    input: branch(exists("config.yaml"), then="yes.txt", otherwise="no.txt")
rule word:
    output: "{word}.txt"
    shell: "echo {wildcards.word} > {output}"
configfile: "config.yaml"
""",
    "flatten and collect": """
rule all:
    input: flatten([collect("{x}.txt", x=["a", "b"]), ["c.txt"]])
rule word:
    output: "{word}.txt"
    shell: "echo {wildcards.word} > {output}"
""",
    "localrules": """
localrules: all, near
rule all:
    input: "x.txt"
rule near:
    output: "x.txt"
    shell: "echo near > {output}"
""",
    "cache": """
rule all:
    output: "x.txt"
    cache: True
    shell: "echo x > {output}"
""",
}
ALIKE["checkpoint after checkpoint"] = """
def after_first(wildcards):
    checkpoints.first.get()
    return "b.txt"
def after_second(wildcards):
    checkpoints.second.get()
    return "d.txt"
rule all:
    input: after_second
checkpoint first:
    output: "a.txt"
    shell: "echo a > {output}"
checkpoint second:
    input: after_first
    output: "c.txt"
    shell: "cat {input} > {output}"
rule word:
    output: "{word,b|d}.txt"
    shell: "echo {wildcards.word} > {output}"
"""
REFUSED = {
    "ensure sha256": ('output: ensure("x.txt", sha256="00")', "checksum"),
    "template_engine": ('input: "a"\n    output: "x.txt"\n    template_engine: "jinja2"', "engine-inside"),
    "update": ('output: update("x.txt")', "update"),
    "before_update": ('input: before_update("a.txt")\n    output: "x.txt"', "update"),
}


@pytest.mark.parametrize("word", ALIKE)
def test_a_newer_word_makes_what_bare_snakemake_makes(word: str, room: Room, tmp_path: Path) -> None:
    config = "deep: {word: found, name: x.txt}\n"
    beside = run_beside(room, tmp_path, {"Snakefile": ALIKE[word], "config.yaml": config})
    assert beside.made


def test_vetters_look_at_what_fills_a_queue(room: Room, tmp_path: Path) -> None:
    _, found = vetted(room, {"Snakefile": ALIKE["from_queue"]}, tmp_path / "manifest.yaml")
    (said,) = [one for one in found if one.code == "queue"]
    assert TABLE["queue"].severity is Severity.LOOK
    assert "from_queue" in said.about


@pytest.mark.parametrize("word", REFUSED)
def test_a_word_that_needs_content_or_company_is_refused_at_its_line(word: str, room: Room, tmp_path: Path) -> None:
    said, code = REFUSED[word]
    shell = "" if "template_engine" in said else '    shell: "echo > {output}"\n'
    _, found = vetted(room, {"Snakefile": f"rule all:\n    {said}\n{shell}"}, tmp_path / "manifest.yaml")
    refused = [one for one in found if one.code == code]
    assert refused, found
    assert TABLE[code].severity is Severity.ERROR
    assert TABLE[code].cure
    assert {one.file for one in refused} == {"Snakefile"}
    assert all(one.line > 1 for one in refused)


def test_an_empty_file_that_must_not_be_empty_fails_its_job(room: Room) -> None:
    outcome = room.run('rule all:\n    output: ensure("x.txt", non_empty=True)\n    shell: "touch {output}"\n')
    assert outcome.code == 1
    assert len(room.gateway.bodies) == 1
    assert "x.txt" in outcome.text

"""Paths that a module's prefix changes are drafted, promised and made as bare Snakemake has them."""

from pathlib import Path

import yaml
from beside_bare import SETTINGS, run_beside
from engine_room import Room

from wes.lint import lint
from wes.manifest import parse_manifest
from wes.outlining import outline

MODULE = """
rule count:
    input: "data/words.txt"
    output: temp("results/raw/{what}.txt"), touch("results/flags/{what}.done")
    log: "logs/{what}.log"
    shell: "(wc -{wildcards.what} < {input} > {output[0]}) 2> {log}"
rule table:
    input: expand("results/raw/{what}.txt", what=["l", "w"]), "results/flags/l.done"
    output: multiext("results/counts", ".tsv", ".txt")
    shell: "cat {input[0]} {input[1]} > {output[0]}; cp {output[0]} {output[1]}"
rule all:
    input: "results/counts.tsv"
"""
SNAKEFILE = """
configfile: "config.yaml"
module counts:
    snakefile: "counts/Snakefile"
    prefix: "english"
module again:
    snakefile: "counts/Snakefile"
    replace_prefix: {"results/": "results/again/", "data/": "english/data/"}
use rule * from counts as counts_*
use rule count, table from again as again_*
use rule table from counts as counts_table with:
    input: "english/results/raw/l.txt", expand(rules.counts_count.output[0], what="w"), "english/results/flags/w.done"
rule all:
    input: rules.counts_all.input, "results/again/counts.txt"
    default_target: True
"""
FILES = {
    "Snakefile": SNAKEFILE,
    "counts/Snakefile": MODULE,
    "config.yaml": "words: english/data/words.txt\n",
    "english/data/words.txt": "one two\nthree\n",
}


def test_paths_that_a_module_moves_are_made_and_promised(room: Room, tmp_path: Path) -> None:
    beside = run_beside(room, tmp_path, FILES)
    assert set(beside.made) == {
        *("english/results/counts.tsv", "english/results/counts.txt", "english/logs/l.log"),
        *("english/results/flags/w.done", "english/results/flags/l.done", "results/again/counts.tsv"),
        *("results/again/counts.txt", "logs/l.log", "logs/w.log"),
        *("results/again/flags/l.done", "results/again/flags/w.done", "english/logs/w.log"),
    }
    # What is temp() stays out of the drafted contract, and each line names the rule that writes its file.
    promised = {one["match"]: one["rule"] for one in beside.drafted["outputs"]}
    assert promised == {"english/results/counts.tsv": "counts_table", "results/again/counts.txt": "again_table"}
    assert not {"command-free", "rule-reused"} & {one.code for one in beside.found}

    def codes(match: str, rule: str) -> set[str]:
        tsv = {"format": "tsv", "columns": ["a"], "keys": {"a": ["x"]}, "max_rows": 9, "release": "airlock"}
        promised = {**beside.drafted, "outputs": [{"match": match, "rule": rule, **tsv}]}
        seen = outline(SETTINGS, room.flow, engine="snakemake", entry="Snakefile")
        return {one.code for one in lint(seen, parse_manifest(yaml.safe_dump(promised)), {"genomics": "x"})}

    assert "contract-output" not in codes("english/results/counts.tsv", "counts_table")
    assert "contract-output" not in codes("results/again/counts.tsv", "again_table")
    assert "contract-output" in codes("results/counts.tsv", "counts_table")
    assert "contract-output" in codes("english/results/counts.tsv", "again_table")

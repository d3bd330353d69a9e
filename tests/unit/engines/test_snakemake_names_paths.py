"""Paths that are written with `pathvars:` are drafted, promised and made as bare Snakemake has them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from beside_bare import SETTINGS, run_beside
from engine_room import Room

from wes.lint import lint
from wes.manifest import parse_manifest
from wes.outlining import outline

MODULE = """
configfile: "not/there.yaml"
pathvars:
    results="never/used", own="of_module"
rule text:
    output: "<results>/<own>/{what}.tsv", temp("<temp>/{what}.tsv")
    log: "<logs>/{what}.log"
    shell: "echo {wildcards.what} | tee {output} > {log}"
"""
SNAKEFILE = """
configfile: "config.yaml"
pathvars:
    per="{what}", nested="<per>/again", stats="overruled/by/the/configuration"
module foo:
    snakefile: "foo/Snakefile"
    pathvars: results="results/foo"
    config: config["foo"]
module two:
    snakefile: "foo/Snakefile"
    pathvars: results="results/foo"
    config: {"pathvars": {"results": "results/two"}}
use rule text from foo as foo_text
use rule text from two as two_text with:
    output: "<results>/with/{what}.tsv"
rule count:
    input: "<results>/foo/of_module/<per>.tsv"
    output: "<stats>/<nested>/<last>.tsv"
    log: "<logs>/count/{what}.log"
    pathvars: last="n"
    shell: "wc -c < {input} > {output} 2> {log}"
use rule count as count_two with:
    input: "results/two/with/{what}.tsv"
    pathvars: last="m"
rule all:
    input: collect("<stats>/{what}/again/{n}.tsv", what=["a", "b"], n=["n", "m"])
    default_target: True
"""
FILES = {
    "Snakefile": SNAKEFILE,
    "foo/Snakefile": MODULE,
    "config.yaml": "foo: {x: 1}\npathvars: {stats: results/stats}\n",
}
TSV = {"format": "tsv", "columns": ["a"], "keys": {"a": ["x"]}, "max_rows": 9, "release": "airlock"}


def test_paths_with_pathvars_are_made_and_promised(room: Room, tmp_path: Path) -> None:
    beside = run_beside(room, tmp_path, FILES)
    counted = {f"results/stats/{what}/again/{n}.tsv" for what in "ab" for n in "nm"}
    assert counted <= set(beside.made)
    assert {"results/foo/of_module/a.tsv", "results/two/with/b.tsv", "logs/a.log"} <= set(beside.made)
    # What is temp() stays out of the drafted contract, by the name that it has in the run.
    promised = {one["match"] for one in beside.drafted["outputs"]}
    assert any(one.startswith("results/two/with/") for one in promised)
    assert not any(one.startswith(("temp/", "<")) for one in promised)
    assert _codes(room, beside.drafted, "results/stats/a/again/n.tsv", "count") == set()
    assert _codes(room, beside.drafted, "results/stats/a/again/m.tsv", "count_two") == set()
    assert _codes(room, beside.drafted, "results/two/with/a.tsv", "two_text") == set()
    assert _codes(room, beside.drafted, "results/foo/of_module/a.tsv", "foo_text") == set()
    for match, rule in (
        ("results/stats/a/again/m.tsv", "count"),
        ("overruled/by/the/configuration/a/again/n.tsv", "count"),
        ("results/foo/with/a.tsv", "two_text"),
        ("never/used/of_module/a.tsv", "foo_text"),
    ):
        assert _codes(room, beside.drafted, match, rule) == {"contract-output"}, (match, rule)


@pytest.mark.parametrize(
    ("said", "config"),
    [
        ('pathvars: results=chr(49) + "x"', ""),  # computed
        ('pathvars: results="<other>", other="<results>"', ""),  # a circle
        ("", "pathvars: {results: [1]}"),
        ("", "pathvars: [1]"),
        ('configfile: "elsewhere.yaml"', ""),
    ],
)
def test_paths_that_cannot_be_known_are_believed(room: Room, said: str, config: str) -> None:
    (room.flow / "config.yaml").write_text(config)
    first = 'configfile: "config.yaml"\n' if config else ""
    (room.flow / "Snakefile").write_text(
        f'{first}{said}\nrule a:\n    output: "<results>/a.tsv", "plain.tsv"\n    shell: "touch {{output}}"\n'
    )
    seen = outline(SETTINGS, room.flow, engine="snakemake", entry="Snakefile")
    assert [one.kind for one in seen.rules[0].directives["output"]] == ["code", "text"]


def test_a_path_with_a_name_that_nothing_says_is_not_known(room: Room) -> None:
    (room.flow / "Snakefile").write_text(
        'rule a:\n    output: "<nothing>/a", "<results>/b"\n    shell: "touch {output}"\n'
    )
    seen = outline(SETTINGS, room.flow, engine="snakemake", entry="Snakefile")
    assert [one.value for one in seen.rules[0].directives["output"]] == [None, "results/b"]


def _codes(room: Room, drafted: dict[str, Any], match: str, rule: str) -> set[str]:
    promised = yaml.safe_dump({**drafted, "outputs": [{"match": match, "rule": rule, **TSV}]})
    seen = outline(SETTINGS, room.flow, engine="snakemake", entry="Snakefile")
    found = lint(seen, parse_manifest(promised), {"genomics": "x"})
    return {one.code for one in found} & {"contract-output", "contract-rule"}

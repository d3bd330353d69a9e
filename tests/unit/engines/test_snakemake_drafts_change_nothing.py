"""A run by its draft, without a parameter given, makes the files that bare Snakemake makes of the same folder."""

from pathlib import Path

import pytest
from beside_bare import run_beside
from engine_room import Room

UNSET = {
    "Snakefile": """
configfile: "config.yaml"
rule all:
    input: "branch.txt", "words.txt", "script.txt"
if config["adapters"] or config.get("bins") or config.get("later", None):
    rule trim:
        output: "branch.txt"
        shell: "echo trimmed > {output}"
else:
    rule plain:
        output: "branch.txt"
        shell: "echo plain {config[adapters]} > {output}"
rule words:
    output: "words.txt"
    params: url=config["deep"]["url"], adapters=config["adapters"]
    shell: "echo {params.url} {params.adapters:q} > {output}"
rule script:
    output: "script.txt"
    params: url=config["deep"]["url"], adapters=config["adapters"]
    script: "words.py"
""",
    "config.yaml": "adapters: null\nunread: null\ndeep: {url: null, list: [null, a]}\n",
    "words.py": "open(snakemake.output[0], 'w').write(f'{sorted(snakemake.config.items())}')\n",
}
NUMBERS = {
    "Snakefile": """
configfile: "config.yaml"
rule all:
    output: "x.txt"
    params: neg=config["neg"], zero=config["zero"], lfc=config["lfc"], less=config["less"]
    shell: "echo {params.neg} {params.zero} {params.lfc} {params.less} > {output}"
""",
    "config.yaml": "neg: -5\nzero: 0\nlfc: 0.0\nless: -0.5\n",
}
NAMED = {
    "Snakefile": """
import pandas as pd
samples = pd.read_csv("config/samples.tsv", sep="\\t").set_index("sample")
rule all:
    input: expand("out/{s}.txt", s=samples.index)
rule x:
    input: ref="resources/ref.fa", tool="scripts/tool.sh"
    output: "out/{s}.txt"
    params: depth=lookup(query="sample == '{s}'", within=samples, cols="depth")
    shell: "sh {input.tool} {input.ref} > {output}"
""",
    "config/samples.tsv": "sample\tdepth\nA\t1\nB\t2\n",
    "resources/ref.fa": ">r\n",
    "scripts/tool.sh": "cat $1\n",
}
TWICE = {
    "Snakefile": """
configfile: "config.yaml"
if config["trim"]:
    rule all:
        output: "out.txt"
        shell: "echo one > {output}"
else:
    rule all:
        output: "out.txt"
        shell: "echo two > {output}"
""",
    "config.yaml": "trim: true\n",
}
FILES = {"null, and set nowhere": UNSET, "numbers of zero and less": NUMBERS, "files of the folder": NAMED}


@pytest.mark.parametrize("name", FILES)
def test_what_nobody_gave_stays_what_the_workflow_makes_of_it(name: str, room: Room, tmp_path: Path) -> None:
    found = run_beside(room, tmp_path, FILES[name])
    assert [rule for rule, said in found.drafted["commands"].items() if "free" in said] == []


def test_of_two_rules_with_one_name_the_one_that_a_parameter_chooses_runs(room: Room, tmp_path: Path) -> None:
    found = run_beside(room, tmp_path, TWICE)
    assert found.drafted["commands"] == {"all": {"free": True}}
    assert [one.line for one in found.found if one.code == "rule-twice"] == [5, 9]

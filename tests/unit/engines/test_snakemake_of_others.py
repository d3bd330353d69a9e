"""A workflow as the tutorial and the catalogue write theirs runs by its draft to bare Snakemake's files."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from engine_room import PYTHON, Room
from test_what_is_sent_is_bound import sent

from strongroom.cli import vet
from strongroom.settings import Settings
from wes.bound import CommandRefused, asked_of, check_command
from wes.commands import parse_commands
from wes.engines.snakemake import written
from wes.lint import lint
from wes.lint_table import TABLE, Severity
from wes.manifest import check_parameters, parse_manifest
from wes.outlining import outline

SETTINGS = Settings()
FILES = {
    "config/config.yaml": "samples: config/samples.tsv\nref: {build: GRCh38, fasta: resources/genome.fa}\n"
    "prior_mutation_rate: 0.001\ncallers: [fast, slow]\n",
    "config/samples.tsv": "sample\tplatform\tdepth\nA\tILLUMINA\t30\nB\tPACBIO\t12\n",
    "resources/genome.fa": ">chr\nACGT\n",
    "resources/A.fastq": "reads of A\n",
    "resources/B.fastq": "reads of B\n",
    "report/vcf.rst": "Variants\n",
    "envs/samtools.yaml": "dependencies: []\n",
    "scripts/plot-quals.py": "text = open(snakemake.input.vcf).read()\n"
    "with open(snakemake.output[0], 'w') as plot:\n"
    "    plot.write(f\"{snakemake.config['ref']['build']} {snakemake.params.callers} {text}\")\n",
    "rules/common.smk": """
import pandas as pd

samples = pd.read_csv(config["samples"], sep="\\t", dtype={"sample": str}).set_index("sample", drop=False)
wildcard_constraints:
    sample="|".join(samples.index)

def get_fastq(wildcards):
    return {"r1": f"resources/{wildcards.sample}.fastq"}

def get_final_output():
    return ["results/plots/quals.svg"] + expand("results/{s}.stats", s=samples.index)
""",
    "rules/map.smk": """
rule bwa_map:
    input: unpack(get_fastq), ref=config["ref"]["fasta"]
    output: temp("results/mapped/{sample}.bam")
    params: rg=r"@RG\\tID:{sample}\\tSM:{sample}", build=config["ref"]["build"]
    log: "logs/bwa_mem/{sample}.log"
    threads: workflow.cores * 0.5
    resources: mem_mb=lambda wildcards, attempt: attempt * 100
    retries: 2
    shell: "test {resources.mem_mb} -gt 100; (echo '{params.rg}' {params.build}; cat {input}) > {output} 2> {log}"
rule sort:
    input: "results/mapped/{sample}.bam"
    output: protected("results/sorted/{sample}.bam")
    conda: "../envs/samtools.yaml"
    shell: "sort {input} > {output}"
rule stats:
    input: bam="results/sorted/{sample}.bam"
    output: report("results/{sample}.stats", caption="../report/vcf.rst")
    params: depth=lookup(query="sample == '{sample}'", within=samples, cols="depth")
    shell: "(echo {params.depth}; wc -l < {input.bam}) > {output}"
""",
    "rules/call.smk": """
rule call:
    input: fa=config["ref"]["fasta"], bam=collect("results/sorted/{s}.bam", s=samples.index)
    output: multiext("results/calls/all", vcf=".vcf", log=".txt")
    params: rate=config["prior_mutation_rate"]
    shell: "(echo {params.rate}; cat {input.fa} {input.bam}) > {output.vcf}; echo done > {output.log}"
rule plot_quals:
    input: vcf="results/calls/all.vcf"
    output: "results/plots/quals.svg"
    params: callers=config["callers"]
    script: "../scripts/plot-quals.py"
""",
}
SNAKEFILE = """
from snakemake.utils import min_version
min_version("8.0")
configfile: "config/config.yaml"
report: "report/workflow.rst"
include: "rules/common.smk"
include: "rules/map.smk"
include: "rules/call.smk"
rule all:
    input: get_final_output()
onsuccess:
    print("Workflow finished, no error")
"""
LAID = ["config/config.yaml", "config/samples.tsv", "resources/genome.fa", "resources/A.fastq", "resources/B.fastq"]


def laid(room: Room, paths: list[str]) -> None:
    """Put files of the folder into both trees, with their content: vetters signed it."""
    for tree in (room.view, room.plain):
        for path in paths:
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(FILES[path])


def draft(room: Room, tmp_path: Path) -> dict[str, Any]:
    """Write the workflow's folder; return what `vet --draft` makes of it."""
    for path, text in FILES.items():
        (room.flow / path).parent.mkdir(parents=True, exist_ok=True)
        (room.flow / path).write_text(text)
    (room.flow / "Snakefile").write_text('container: "genomics"\n' + SNAKEFILE)
    vet.draft(SETTINGS, room.flow, tmp_path / "manifest.yaml", versions={"snakemake": "9.27.1"})
    said: dict[str, Any] = yaml.safe_load((tmp_path / "manifest.yaml").read_text())
    return said


def test_a_workflow_of_others_runs_by_its_draft(room: Room, tmp_path: Path) -> None:
    drafted = draft(room, tmp_path)
    # Of its own configuration plain values are parameters; lists and maps stay what they are.
    properties = drafted["parameters"]["properties"]
    assert {name: one["default"] for name, one in properties.items()} == {
        "samples": "config/samples.tsv",
        "prior_mutation_rate": 0.001,
    }
    assert drafted["work"] == LAID
    manifest = parse_manifest(yaml.safe_dump(drafted))
    found = lint(outline(SETTINGS, room.flow, engine="snakemake", entry="Snakefile"), manifest, {"genomics": "x"})
    assert [one for one in found if TABLE[one.code].severity is Severity.ERROR] == []
    assert [one.about for one in found if one.code == "command-free"] == ["stats"]

    laid(room, LAID)
    given = check_parameters(manifest, {})
    (room.flow / "given.yaml").write_text(yaml.safe_dump(given))
    outcome = room.run(SNAKEFILE, "--configfile", str(room.flow / "given.yaml"), "--max-threads", "1")
    assert outcome.code == 0, outcome.text

    bare = tmp_path / "bare"
    for path in LAID:
        (bare / path).parent.mkdir(parents=True, exist_ok=True)
        (bare / path).write_text(FILES[path])
    words = [str(PYTHON), "-m", "snakemake", "-s", str(room.flow / "Snakefile"), "-d", str(bare), "--cores", "2"]
    subprocess.run(words, check=True, capture_output=True, env={"PATH": "/usr/bin:/bin", "HOME": str(bare)})
    made = {str(path.relative_to(bare)) for path in (bare / "results").rglob("*") if path.is_file()}
    assert {"results/plots/quals.svg", "results/calls/all.vcf", "results/A.stats", "results/B.stats"} <= made
    assert {path: (room.plain / path).read_bytes() for path in made} == {
        path: (bare / path).read_bytes() for path in made
    }

    jobs = sent(room)
    assert {job["tags"]["rule"] for job in jobs} == set(drafted["commands"])
    for job in jobs:
        asked = asked_of(job["tags"]["rule"], job)
        check_command(parse_commands(drafted["commands"]), asked, config=given, written=written(SETTINGS))
    # A script is told no other configuration than its own.
    job = next(one for one in jobs if one["tags"]["rule"] == "plot_quals")
    said = drafted["commands"]["plot_quals"]
    assert said["holes"]["config.ref"] == {"enum": ["build", "fasta", "GRCh38", "resources/genome.fa"]}
    for hole in ("config.ref", "config.callers"):
        other = {
            **said,
            "holes": {**said["holes"], hole: {"enum": ["build", "fasta", "resources/genome.fa", "fast"]}},
        }
        with pytest.raises(CommandRefused):
            check_command(
                parse_commands({"plot_quals": other}),
                asked_of("plot_quals", job),
                config=given,
                written=written(SETTINGS),
            )

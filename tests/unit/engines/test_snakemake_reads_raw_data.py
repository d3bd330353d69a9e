"""Files that no rule makes are inputs of the draft, where the workflow looks for them."""

from pathlib import Path

from beside_bare import Beside, run_beside
from engine_room import Room

SHEET = {
    "workflow/Snakefile": """
configfile: "config/config.yaml"
include: "rules/common.smk"
include: "rules/map.smk"
rule all:
    input: expand("results/{s}.sorted", s=samples.index), "results/notes.txt"
    default_target: True
""",
    "workflow/rules/common.smk": """
import pandas as pd
samples = pd.read_csv(config["samples"], sep="\\t").set_index("sample", drop=False)
""",
    "workflow/rules/map.smk": """
rule map:
    input: ref=config["ref"]["fasta"], r=lambda wc: samples.loc[wc.s, "fq"]
    output: "results/{s}.bam"
    shell: "cat {input} > {output}"
rule sort:
    input: "results/{s}.bam", "resources/known.vcf.gz"
    output: "results/{s}.sorted"
    shell: "cat {input} > {output}"
rule notes:
    input: expand("notes/{n}.txt", n=["x", "y"]), "root.txt"
    output: "results/notes.txt"
    shell: "cat {input} > {output}"
""",
    "config/config.yaml": "samples: config/samples.tsv\nref: {fasta: resources/genome.fa}\n",
    "config/samples.tsv": "sample\tfq\nA\tdata/A.fastq\nB\tdata/B.fastq\n",
    "notes/x.txt": "of the folder, x\n",
    "notes/y.txt": "of the folder, y\n",
}
GLOBBED = {
    "Snakefile": """
SAMPLES = glob_wildcards("data/samples/{sample}.fastq").sample
rule all:
    input: expand("out/{s}.txt", s=sorted(SAMPLES))
rule x:
    input: "data/samples/{s}.fastq", ref="data/genome.fa"
    output: "out/{s}.txt"
    shell: "cat {input} > {output}"
""",
}
DATA = {"resources/genome.fa": ">x\n", "resources/known.vcf.gz": "v\n", "root.txt": "root\n"}
READS = {"data/A.fastq": "a\n", "data/B.fastq": "bb\n"}


def slots(found: Beside) -> dict[str, tuple[str, str, int, int]]:
    said = found.drafted["inputs"]
    return {s["name"]: (s["folder"], s["pattern"], s["min_files"], s["max_files"]) for s in said}


def test_raw_data_of_a_sheet_is_drafted_and_runs(room: Room, tmp_path: Path) -> None:
    found = run_beside(room, tmp_path, SHEET, DATA | READS)
    assert slots(found) == {
        "data": (".", "root.txt", 1, 1),
        "data_fastq": ("data", "*.fastq", 2, 10000),
        "resources": ("resources", "genome.fa", 1, 1),
        "resources_vcf_gz": ("resources", "known.vcf.gz", 1, 1),
    }
    assert found.drafted["work"] == ["config/config.yaml", "config/samples.tsv", "notes/x.txt", "notes/y.txt"]
    assert "results/notes.txt" in {one["match"] for one in found.drafted["outputs"]}


def test_raw_data_that_a_pattern_finds_is_drafted_and_runs(room: Room, tmp_path: Path) -> None:
    data = {"data/genome.fa": "g\n", **{f"data/samples/{name}.fastq": name for name in "CDE"}}
    found = run_beside(room, tmp_path, GLOBBED, data)
    assert slots(found) == {
        "data": ("data", "genome.fa", 1, 1),
        "samples": ("data/samples", "*.fastq", 1, 10000),
    }
    assert [one["match"] for one in found.drafted["outputs"]] == ["out/*.txt"]

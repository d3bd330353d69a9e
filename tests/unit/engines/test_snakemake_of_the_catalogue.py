"""Small workflows as others write them run by their draft as it is, to bare Snakemake's files."""

from pathlib import Path

import pytest
from beside_bare import run_beside
from engine_room import Room

HELPERS = {
    "Snakefile": """
configfile: "config.yaml"
import pandas as pd
samples = pd.DataFrame({"sample": ["A", "B"], "kind": ["x", "y"], "n": [1, 2]})
rule all:
    input:
        collect("out/{s.sample}.{s.kind}.txt", s=lookup(query="n > 0", within=samples)),
        "out/branch.txt", "out/last.txt"
rule one:
    input:
        branch(lookup(dpath="mode/fast", within=config), then="fast.in", otherwise="slow.in"),
        branch(evaluate("{s} == 'A'"), then="a.in", otherwise="b.in"),
    output: "out/{s}.{k}.txt"
    params: n=lookup(query="sample == '{s}'", within=samples, cols="n"), m=lookup(dpath="mode/name", within=config)
    shell: "echo {params.n} {params.m} > {output}; cat {input} >> {output}"
rule made:
    output: "{x}.in"
    shell: "echo {wildcards.x} > {output}"
rule branch:
    input: branch(exists("none.txt"), then="none.txt", otherwise="fast.in")
    output: "out/branch.txt"
    shell: "cat {input} > {output}"
rule last:
    input: rules.branch.output, x=rules.branch.output[0]
    output: "out/last.txt"
    params: where=rules.branch.output[0]
    shell: "cat {input.x} > {output}; echo {params.where} {rules.branch.output} >> {output}"
""",
    "config.yaml": "mode: {fast: true, name: quick}\n",
}
INHERITED = {
    "workflow/Snakefile": """
configfile: "config/config.yaml"
rule all:
    input: "a.txt", "b.txt", "m_c.txt", "d.txt", "e.txt"
    default_target: True
rule a:
    output: "a.txt"
    params: word="one"
    shell: "echo {params.word} > {output}"
use rule a as b with:
    output: "b.txt"
    params: word="two"
module m:
    snakefile: "modules/m.smk"
    config: config
use rule * from m as m_*
use rule c from m as m_c with:
    output: "m_c.txt"
rule d_first:
    output: "d.txt"
    shell: "echo first > {output}"
rule d_second:
    output: "d.txt"
    shell: "echo second > {output}"
ruleorder: d_second > d_first
""",
    "workflow/modules/m.smk": """
rule c:
    output: "c.txt"
    shell: "echo c {config[word]} > {output}"
rule e:
    output: "e.txt"
    shell: "echo e {config[word]} > {output}"
""",
    "config/config.yaml": "word: hello\n",
}
STANDARD = {
    "workflow/Snakefile": """
from snakemake.utils import min_version, validate
min_version("8.0")
configfile: "config/config.yaml"
validate(config, schema="schemas/config.schema.yaml")
report: "report/workflow.rst"
include: "rules/common.smk"
include: "rules/qc.smk"
localrules: all
rule all:
    input: get_final_output
    default_target: True
onstart: print("begin")
onsuccess: print("end")
onerror: print("error")
""",
    "workflow/rules/common.smk": """
import pandas as pd
samples = pd.read_table(config["samples"], dtype=str).set_index(["sample", "unit"], drop=False)
samples.index = samples.index.set_levels([i.astype(str) for i in samples.index.levels])
validate(samples, schema="../schemas/samples.schema.yaml")
wildcard_constraints:
    sample="|".join(samples["sample"].unique()),
    unit="|".join(samples["unit"].unique()),
def get_fq(wildcards):
    row = samples.loc[(wildcards.sample, wildcards.unit)]
    return {"r1": row.fq1, "r2": row.fq2}
def get_final_output(wildcards):
    pairs = {"sample": samples["sample"], "unit": samples["unit"]}
    return expand("results/qc/{sample}-{unit}.tsv", zip, **pairs) + ["results/all.html"]
def mem(wildcards, attempt):
    return 100 * attempt
""",
    "workflow/rules/qc.smk": """
rule trim:
    input: unpack(get_fq)
    output: multiext("results/trimmed/{sample}-{unit}", ".r1.fq", ".r2.fq"), qc=temp("results/{sample}-{unit}.qc")
    log: "logs/trim/{sample}-{unit}.log"
    params: extra=config["params"]["trim"], adapters="-a {}".format(config["adapter"]), more=get_more
    threads: 8
    resources: mem_mb=mem, runtime=lambda wc, attempt: attempt * 5
    retries: 2
    conda: "../envs/trim.yaml"
    envmodules: "trim/1.0"
    shell:
        "(cat {input.r1} {params.extra} > {output[0]}; cp {input.r2} {output[1]}; echo {threads} > {output.qc}) "
        "2> {log}"
rule qc:
    input: "results/trimmed/{sample}-{unit}.r1.fq"
    output: report("results/qc/{sample}-{unit}.tsv", caption="../report/qc.rst", category="QC")
    cache: True
    script: "../scripts/qc.py"
rule html:
    input: expand("results/qc/{s.sample}-{s.unit}.tsv", s=samples.itertuples())
    output: protected("results/all.html"), touch("results/all.done"), ensure("results/all.log", non_empty=True)
    group: "end"
    script: "../scripts/html.sh"
""".replace(", more=get_more", ""),
    "workflow/scripts/qc.py": "text = open(snakemake.input[0]).read()\n"
    "open(snakemake.output[0], 'w').write(text + snakemake.config['adapter'])\n",
    "workflow/scripts/html.sh": 'cat ${snakemake_input[@]} > "${snakemake_output[0]}"\n'
    'echo x > "${snakemake_output[2]}"\n',
    "workflow/schemas/config.schema.yaml": "$schema: http://json-schema.org/draft-07/schema#\ntype: object\n"
    "properties:\n  samples: {type: string}\n  depth: {type: integer}\nrequired: [samples]\n",
    "workflow/schemas/samples.schema.yaml": "$schema: http://json-schema.org/draft-07/schema#\ntype: object\n"
    "properties:\n  sample: {type: string}\nrequired: [sample, unit]\n",
    "workflow/report/workflow.rst": "x\n",
    "workflow/report/qc.rst": "x\n",
    "workflow/envs/trim.yaml": "dependencies: []\n",
    "config/config.yaml": "samples: config/samples.tsv\nadapter: ACGT\nparams: {trim: ''}\n",
    "config/samples.tsv": "sample\tunit\tfq1\tfq2\nA\t1\treads/A.1.fq\treads/A.2.fq\n"
    "B\t1\treads/B.1.fq\treads/B.2.fq\n",
}
SCATTER = {
    "Snakefile": """
scattergather:
    split=3
SAMPLES, UNITS = ["A", "B"], [1, 2]
rule all:
    input: expand("out/{s}.{u}.txt", zip, s=SAMPLES, u=UNITS), "gathered.txt", "attempt.txt"
rule split:
    output: scatter.split("parts/{scatteritem}.txt")
    shell: "for f in {output}; do echo $f > $f; done"
rule part:
    input: "parts/{scatteritem}.txt"
    output: "done/{scatteritem}.txt"
    shell: "cat {input} > {output}"
rule gather:
    input: gather.split("done/{scatteritem}.txt")
    output: "gathered.txt"
    shell: "cat {input} > {output}"
rule sample:
    output: "out/{s}.{u,[0-9]+}.txt"
    input: "y.py"
    params:
        pair=lambda wc, output: output[0], up=lambda wc: wc.s.lower(), both=lambda wc: f"{wc.s}_{wc.u}",
        files=lambda wc, input: " ".join(input), t=lambda wc, threads: threads,
        one=lambda w, input: input, l=lambda w, output: output[0]
    shell:
        "echo {params.one} {params.l:q} "
        "{params.pair} {params.up} {params.both} {params.files} {params.t} > {output}"
rule script:
    output: "y.py"
    params: o=lambda w, output: output[0], r=lambda w, resources: resources.n, t=lambda w, threads: threads
    resources: n=3
    script: "x.py"
rule attempt:
    output: "attempt.txt"
    retries: 2
    resources: n=lambda wildcards, attempt: attempt
    params: again=lambda wildcards, resources: resources.n
    shell: "echo {resources.n} {params.again} > {output}; test {resources.n} -gt 1"
""",
    "x.py": "p = snakemake.params\nopen(snakemake.output[0], 'w').write(f'{p.o} {p.r} {p.t}')\n",
}
CASES = {
    "helpers": (HELPERS, {}),
    "rules made of others": (INHERITED, {}),
    "the standard layout": (STANDARD, {f"reads/{s}.{n}.fq": f"{s}{n}\n" for s in "AB" for n in (1, 2)}),
    "scatter, lambdas": (SCATTER, {}),
}


FREE = {"helpers": {"one", "last"}, "the standard layout": {"html"}, "scatter, lambdas": {"sample"}}


@pytest.mark.parametrize("name", CASES)
def test_it_runs_by_its_draft(name: str, room: Room, tmp_path: Path) -> None:
    files, data = CASES[name]
    found = run_beside(room, tmp_path, files, data)
    free = {rule for rule, said in found.drafted["commands"].items() if "free" in said}
    assert free == FREE.get(name, set())
    # What stays free is told, with its line.
    assert {one.about for one in found.found if one.code == "command-free" and one.line} == free

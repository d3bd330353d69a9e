"""What a workflow writes out, by places of lists, sums, f-strings and its own folder, its draft binds."""

from pathlib import Path

import pytest
from beside_bare import SETTINGS, run_beside
from engine_room import Room

from wes.matching import Known
from wes.outlining import outline

TOOL = "import sys\nprint('tool', *sys.argv[1:])\n"
FOLDER = {
    "workflow/Snakefile": """
import os
include: "rules/own.smk"
SCRIPTS = os.path.join(workflow.basedir, "scripts")
TOOL = f"{workflow.basedir}/scripts/tool.py"
rule all:
    input: "a.txt", "b.txt", "c.txt", "d.txt", "e.txt", "f.txt"
    default_target: True
rule a:
    output: "a.txt"
    shell: "python3 {workflow.basedir}/scripts/tool.py a > {output}; python3 {workflow.basedir:q}/scripts/tool.py"
rule b:
    output: "b.txt"
    shell: "python3 {SCRIPTS}/tool.py b > {output} && python3 {TOOL} >> {output}"
rule c:
    output: "c.txt"
    params: tool=workflow.source_path("scripts/tool.py"), folder=workflow.basedir + "/scripts"
    shell: "python3 {params.tool} c > {output}; test -e {params.folder}/tool.py"
rule d:
    output: "d.txt"
    shell: f"python3 {workflow.basedir}/scripts/tool.py d > {{output}}"
""",
    "workflow/rules/own.smk": """
rule e:
    output: "e.txt"
    input: workflow.source_path("../scripts/tool.py")
    params: tool=workflow.source_path("../scripts/tool.py")
    shell: "python3 {params.tool} e > {output}; python3 {workflow.basedir}/scripts/tool.py >> {output}"
rule f:
    output: "f.txt"
    params: where=os.path.join("x", "y")
    script: "../scripts/f.py"
""",
    "workflow/scripts/tool.py": TOOL,
    "workflow/scripts/f.py": "open(snakemake.output[0], 'w').write(snakemake.params.where)\n",
}
CONSTANTS = {
    "Snakefile": """
configfile: "config.yaml"
SAMPLES = ["A", "B"]
FIRST = SAMPLES[0]
LATER = []
LATER.append("x")
ONE = config["pairs"]
rule all:
    input: expand("{s}.txt", s=SAMPLES), expand("{s}.py", s=SAMPLES)
rule shell:
    output: "{sample}.txt"
    params:
        one=SAMPLES[-1], two=-5, three=2 * 3 + 1, four=f"{FIRST}_{3}", five=config["pairs"][1], six=ONE[0],
        seven="-".join(SAMPLES), eight=lambda wc: wc.sample, nine=lambda wildcards: f"{wildcards.sample}-{FIRST}",
        ten=["{sample}.x", "y"], eleven=config["deep"]["list"][-1], twelve=-0.5 / 2, last="x" + str(4)
    shell:
        "echo {params.one} {params.two} {params.three} {params.four} {params.five} {params.six} {params.seven} "
        "{params.eight} {params.nine} {params.ten} {params.eleven} {params.twelve} {params.last} {FIRST} "
        "{config[pairs][0]} > {output}"
rule script:
    output: "{sample}.py"
    params: SAMPLES[1], a=-1, b=lambda w: w.sample, c=["{sample}.x"], d="{sample}-1", e=config["pairs"][0]
    script: "x.py"
""",
    "config.yaml": "pairs: [p, q]\ndeep: {list: [1, 2]}\n",
    "x.py": "open(snakemake.output[0], 'w').write(f'{sorted(snakemake.params.items())} {snakemake.params[0]}')\n",
}


@pytest.mark.parametrize("files", [FOLDER, CONSTANTS], ids=["the workflow's folder", "constants"])
def test_what_is_written_out_is_bound(files: dict[str, str], room: Room, tmp_path: Path) -> None:
    found = run_beside(room, tmp_path, files)
    assert [rule for rule, said in found.drafted["commands"].items() if "free" in said] == []
    assert [one for one in found.found if one.code in ("params-computed", "command-free", "script-relative")] == []
    assert {job["tags"]["rule"] for job in found.jobs} == set(found.drafted["commands"])


HOSTILE = """
a0 = "x" * 9
""" + "".join(f"a{n} = a{n - 1} + a{n - 1}\nb{n} = (b{n + 1}, b{n + 1})\n" for n in range(1, 60))
HOSTILE += "c = 9 * c\nd = e + e\ne = d + d\nf = 9 ** 9 ** 9\ng = 1 // 0\nh = [1][5]\nk = 1e300 * 1e300\n"
HOSTILE += "m = 'a' * 9999999999\nn = config[0][-1][True]\n"


def test_t30_a_workflow_that_would_never_be_worked_out_is_read_at_once(tmp_path: Path) -> None:
    text = HOSTILE + "rule x:\n    output: 'x'\n    params: a59, b1, c, d, f, g, h, k, m, n\n    shell: '{params}'\n"
    (tmp_path / "Snakefile").write_text(text)
    rule = outline(SETTINGS, tmp_path, engine="snakemake", entry="Snakefile").rules[0]
    assert {one.kind for one in rule.directives["params"]} <= {"code", "number", "config"}
    known = Known(frozenset(), frozenset(), {"a": [1, {"b": None}], "c": {"0": 2}})
    assert [known.value(path) for path in ("a.0", "a.-1.b", "a.2", "a.-3", "a.x", "c.0")] == [
        1,
        None,
        None,
        None,
        None,
        2,
    ]
    assert [known.has(path) for path in ("a.0", "a.-1.b", "a.2", "a.x", "c.0")] == [True, True, False, False, True]

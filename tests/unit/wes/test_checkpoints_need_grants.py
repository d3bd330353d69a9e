"""A plan that follows a task's files needs a grant: vetting says so, and a draft writes it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from test_workflows_are_read import HEAD, read

from wes import draft_manifest
from wes.glimpses import Left, within
from wes.lint import Finding, lint
from wes.manifest import parse_manifest

FOLDER = """
checkpoint cluster:
    output: DIRECTORY
    shell: "mkdir {output}; for i in 1 2 3; do echo $i > {output}/$i.txt; done"
def parts(wildcards):
    folder = checkpoints.cluster.get(**wildcards).output[0]
    return expand("post/{i}.txt", i=glob_wildcards(os.path.join(folder, "{i}.txt")).i) + os.listdir(folder)
rule all:
    input: parts
    output: "all.txt"
    shell: "cat {input} > {output}"
"""
FILE = """
checkpoint decide:
    output: OUTPUT
    shell: "echo yes > {output[0]}"
checkpoint unread:
    output: "unread.txt"
    shell: "echo yes > {output}"
def decided(wildcards):
    checkpoints.unread.get()
    CODE
rule all:
    input: decided
    output: "all.txt"
    shell: "cat {input} > {output}"
"""


def judged(folder: Path, snakefile: str, **said: Any) -> tuple[dict[str, Any], list[Finding], list[Finding]]:
    """Return the draft of a workflow, what vetting finds without it, and with it."""
    seen = read(folder, HEAD + "import os, csv\nimport pandas as pd\n" + snakefile)
    drafted = draft_manifest.draft(seen, said, folder=("freq", "1.0.0"), version="9.27.1") | {"outputs": []}
    known = parse_manifest(yaml.safe_dump(drafted))
    grants = [
        [one for one in lint(seen, m, {}) if one.code in ("names-needed", "lists-needed")] for m in (None, known)
    ]
    return drafted, grants[0], grants[1]


@pytest.mark.parametrize(
    "directory", ['directory("clusters")', 'd=directory(temp("clusters/{x}"))', '[directory("c")]']
)
def test_t4_names_that_a_checkpoint_gives_need_a_grant(directory: str, tmp_path: Path) -> None:
    drafted, before, after = judged(tmp_path / "w", FOLDER.replace("DIRECTORY", directory))
    assert [(one.code, one.line, one.about) for one in before] == [("names-needed", 5, "cluster")]
    assert after == []
    assert drafted["names"] == [{"rule": "cluster", "characters": "A-Za-z0-9._", "longest": 20, "most": 100}]
    assert "lists" not in drafted
    granted = parse_manifest(yaml.safe_dump(drafted)).glimpses
    assert within(granted, "cluster", [Left("clusters/1.txt", "clusters"), Left("clusters/2.txt", "clusters")])


@pytest.mark.parametrize(
    "code",
    [
        "return 'a' if open(checkpoints.decide.get().output[0]).read() else 'b'",
        "with checkpoints.decide.get(**wildcards).output[0].open() as f: return list(csv.reader(f))",
        "p = checkpoints.decide.get().output.x; return pd.read_csv(p)['x']",
    ],
)
def test_t4_lines_that_a_workflow_plans_by_need_a_grant(code: str, tmp_path: Path) -> None:
    snakefile = FILE.replace("CODE", code).replace("OUTPUT", 'x="decided.txt"')
    drafted, before, after = judged(tmp_path / "w", snakefile)
    assert {(one.code, one.line, one.about) for one in before} == {("lists-needed", 13, "decide")}
    assert after == []
    lines = {"file": "decided.txt", "rule": "decide", "characters": "A-Za-z0-9_", "longest": 20, "most": 100}
    assert drafted["lists"] == [lines]
    assert "names" not in drafted


@pytest.mark.parametrize("output", ['"{x}.txt"', "PATH()", '"a.txt", "b.txt"'])
def test_a_file_that_nobody_can_name_is_found_and_not_drafted(output: str, tmp_path: Path) -> None:
    snakefile = FILE.replace("CODE", "return open(checkpoints.decide.get().output[0]).read()")
    drafted, before, after = judged(tmp_path / "w", snakefile.replace("OUTPUT", output))
    assert {one.code for one in before} == {one.code for one in after} == {"lists-needed"}
    assert "lists" not in drafted


def test_grants_that_a_manifest_has_are_kept(tmp_path: Path) -> None:
    names = [{"rule": "cluster", "characters": "a-z", "longest": 3, "most": 2}]
    drafted, _, after = judged(tmp_path / "w", FOLDER.replace("DIRECTORY", 'directory("c")'), names=names)
    assert (drafted["names"], after) == (names, [])

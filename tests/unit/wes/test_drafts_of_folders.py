"""A draft is written for a folder as others lay theirs out."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from test_workflows_are_read import HEAD, MANIFEST, SETTINGS, read

from strongroom.cli import vet
from strongroom.errors import BadRequest
from wes import draft_manifest
from wes.laid import laid_files
from wes.lint import lint
from wes.manifest import parse_manifest

CODE = "script-relative"
VERSIONS = {"snakemake": "9.27.1", "nextflow": "26.04.6"}
SNAKEFILE = 'rule all:\n    output: "x.txt"\n    shell: "echo x > {output}"\n'


def drafted(folder: Path, target: Path, **files: str) -> dict[str, Any]:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    vet.draft(SETTINGS, folder, target, versions=VERSIONS)
    said: dict[str, Any] = yaml.safe_load(target.read_text())
    return said


@pytest.mark.parametrize("entry", vet.ENTRIES)
def test_a_workflow_begins_where_snakemake_looks_for_it(entry: str, tmp_path: Path) -> None:
    files = {entry.replace("/", "__"): SNAKEFILE, "main_dot_nf": "workflow { }\n"}
    said = drafted(tmp_path / "w", tmp_path / "m.yaml", **files)
    assert (said["entry"], [one["match"] for one in said["outputs"]]) == (entry, ["x.txt"])


def test_the_first_of_several_and_what_a_manifest_says_count(tmp_path: Path) -> None:
    files = {"Snakefile": SNAKEFILE, "workflow__Snakefile": SNAKEFILE.replace("x.txt", "y.txt")}
    assert drafted(tmp_path / "w", tmp_path / "m.yaml", **files)["entry"] == "Snakefile"
    said = "entry: workflow/Snakefile\n"
    again = drafted(tmp_path / "w", tmp_path / "n.yaml", manifest_dot_yaml=said)
    assert (again["entry"], again["outputs"][0]["match"]) == ("workflow/Snakefile", "y.txt")


def test_a_folder_without_any_is_told_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="has no Snakefile"):
        drafted(tmp_path / "w", tmp_path / "m.yaml", README="")


NAMES = """
import pandas as pd, json
SHEET = "config/samples.tsv"
ROWS = pd.read_csv(SHEET, sep="\\t")
MORE = json.load(open("./config/more.json"))
print("README.md")
NOTES = open("notes.txt").read()
rule all:
    input: "resources/ref.fa", x=["resources/x.bed", "packed.gz"], made="made.txt", w="resources/{s}.bed"
    output: "x.txt"
    shell: "cat {input} > {output}"
rule made:
    output: "made.txt"
    shell: "echo made > {output}"
"""
FILES = ("config__samples_dot_tsv", "config__more_dot_json", "README_dot_md", "made_dot_txt", "resources__ref_dot_fa")


def test_files_that_a_workflow_names_are_laid_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    files = dict.fromkeys((*FILES, "resources__x_dot_bed"), "{}")
    (folder / "packed.gz").parent.mkdir()
    (folder / "packed.gz").write_bytes(b"\xff\xfe")
    seen = read(folder, HEAD + NAMES, **files)
    drafted = draft_manifest.draft(seen, {}, folder=("freq", "1.0.0"), version="9.27.1") | {"outputs": []}
    paths = ["config/samples.tsv", "config/more.json", "resources/ref.fa", "resources/x.bed"]
    assert drafted["work"] == paths
    assert sorted(laid_files(folder, drafted["work"])) == sorted(paths)

    def told(work: list[str]) -> list[tuple[int, str]]:
        known = parse_manifest(yaml.safe_dump(drafted | {"work": work}))
        return [(one.line, one.about) for one in lint(seen, known, {}) if one.code == "parse-reads"]

    # What is read from a handle stays a place for vetters; so does a file that is none of the folder's.
    rest = [(6, "json.load"), (8, ".read"), (8, "open")]
    assert told(paths) == told(["*"]) == rest
    assert told([]) == [(5, "pd.read_csv"), (6, "json.load"), (6, "open"), (8, ".read"), (8, "open")]


@pytest.mark.parametrize(
    ("shell", "about"),
    [
        ("python3 scripts/tool.py x > {output}", ["scripts/tool.py"]),
        ("set -e; ./scripts/tool.py --c=config.yaml 'scripts/tool.py'", ["config.yaml", "scripts/tool.py"]),
        ("python3 {workflow.basedir}/scripts/tool.py {input} > {output}", []),
        ("python3 {input.script} > out/x.txt; cat data/a.txt; tool scripts/none.py plain", []),
        ("python3 /run/workflow/scripts/tool.py {config[tool]}", []),
    ],
)
def test_a_command_that_names_a_file_of_the_folder_is_found(shell: str, about: list[str], tmp_path: Path) -> None:
    rule = f'rule x:\n    input: "./data/a.txt"\n    output: "out/x.txt"\n    shell: "{shell}"\n'
    names = ("scripts__tool_dot_py", "config_dot_yaml", "data__a_dot_txt", "out__x_dot_txt", "plain")
    seen = read(tmp_path / "w", HEAD + rule, **dict.fromkeys(names, ""))

    def told(work: list[str]) -> list[str]:
        said = MANIFEST | {"work": work}
        return [one.about for one in lint(seen, parse_manifest(yaml.safe_dump(said)), {}) if one.code == CODE]

    assert told([]) == about
    assert told(["scripts/*", "config.yaml"]) == []


def test_t30_no_word_of_a_command_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("")
    words = " ".join(["../outside.py", "a/../../outside.py", "/" * 300, "." * 300, "x/" * 500 + "y"])
    seen = read(tmp_path / "w", HEAD + f"rule x:\n    output: 'x'\n    shell: '{words}'\nopen('../outside.py')\n")
    assert [one.beside for one in seen.rules] == [[]]
    assert seen.own_files == []

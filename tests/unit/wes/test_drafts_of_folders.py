"""A draft is written for a folder as others lay theirs out."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from test_workflows_are_read import SETTINGS

from strongroom.cli import vet
from strongroom.errors import BadRequest

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

"""What a script shows of its folder and of its parameters is drafted as it is, and runs as by bare Nextflow."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from nextflow_house import Both, beside_bare, check_published, written

from strongroom.settings import Settings
from wes.lint_table import TABLE, Severity
from wes.manifest import parse_manifest
from wes.nextflow_drafts import draft
from wes.nextflow_lint import lint
from wes.nextflow_outline import NextflowOutline
from wes.outlining import nextflow_outline

MAIN = """
include { TOOL } from './modules/tool'
params.title = 'My run'
params.nothing = ''
params.least = -0.5
params.word = 'plain'
params.reference = "$projectDir/assets/ref.fa"
params.box = [label: '~ a + b']
process FOLDER {
    publishDir 'results/folder'
    output:
    path 'folder.txt'
    script:
    \"\"\"
    cat ${projectDir}/assets/ref.fa $baseDir/assets/ref.fa ${workflow.projectDir}/assets/ref.fa > folder.txt
    echo $projectDir $moduleDir >> folder.txt
    \"\"\"
}
process SHOWN {
    publishDir 'results/shown'
    output:
    path 'shown.txt'
    script:
    def least = params.least
    \"\"\"
    echo '${params.title}' $least ${params.word} '${params.title}' > shown.txt
    cat ${params.reference} >> shown.txt; echo ${workflow.manifest.name} >> shown.txt
    \"\"\"
}
process MANY {
    publishDir 'results/many'
    output:
    path 'many.txt'
    script:
    "echo '${params.title}' ${params.nothing} ${params.least} '${params.box.label}' ${params.reference} > many.txt"
}
workflow {
    FOLDER()
    SHOWN()
    MANY()
    TOOL()
}
"""
TOOL = """
process TOOL {
    publishDir 'results/tool'
    output:
    path 'tool.txt'
    shell:
    '''
    cat !{moduleDir}/beside.txt !{projectDir}/assets/ref.fa > tool.txt
    '''
}
"""
FILES = {
    "main.nf": MAIN,
    "modules/tool/main.nf": TOOL,
    "modules/tool/beside.txt": "beside\n",
    "assets/ref.fa": ">chr\nACGT\n",
    "nextflow.config": "process.container = 'genomics'\nmanifest.name = 'org/pipe'\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("values") / "values" / "1.0.0", FILES)


@pytest.fixture(scope="module")
def seen(folder: Path) -> NextflowOutline:
    return nextflow_outline(Settings(), folder, entry="main.nf")


@pytest.fixture(scope="module")
def drafted(seen: NextflowOutline) -> dict[str, Any]:
    return draft(seen, {}, folder=("values", "1.0.0"), version="25.04.4")


@pytest.fixture(scope="module")
def both(folder: Path, drafted: dict[str, Any]) -> Both:
    return beside_bare(folder, drafted)


def test_its_draft_is_without_errors(seen: NextflowOutline, drafted: dict[str, Any]) -> None:
    found = lint(seen, parse_manifest(yaml.safe_dump(drafted)), {"genomics": "sha256:0"})
    assert [one for one in found if TABLE[one.code].severity is Severity.ERROR] == []
    assert drafted["free_commands"] == []
    least = drafted["parameters"]["properties"]["least"]
    assert least.items() >= {"type": "number", "minimum": -5.0, "default": -0.5}.items()


def test_what_a_script_shows_of_its_folder_is_no_hole(drafted: dict[str, Any]) -> None:
    assert drafted["processes"]["TOOL"] == (
        "cat /run/workflow/modules/tool/beside.txt /run/workflow/assets/ref.fa > tool.txt\n"
    )
    assert "@{" not in drafted["processes"]["FOLDER"]
    assert drafted["processes"]["FOLDER"].endswith("echo /run/workflow /run/workflow >> folder.txt\n")


def test_a_default_that_fits_no_hole_stands_beside_the_hole(drafted: dict[str, Any]) -> None:
    shown = drafted["processes"]["SHOWN"]
    titles, least = ("My run", "@{title}"), ("-0.5", "@{least}")
    references = ("/run/workflow/assets/ref.fa", "@{reference}")
    # A parameter is the same wherever it stands in one script.
    assert set(shown) == {
        f"echo '{title}' {number} @{{word}} '{title}' > shown.txt\n"
        f"cat {reference} >> shown.txt; echo @{{name}} >> shown.txt\n"
        for title in titles
        for number in least
        for reference in references
    }
    # More of them than a manifest holds are their defaults alone.
    assert drafted["processes"]["MANY"] == ("echo 'My run'  -0.5 '~ a + b' /run/workflow/assets/ref.fa > many.txt\n")


@pytest.mark.parametrize("place", ["folder", "shown", "many", "tool"])
def test_it_publishes_what_it_does_by_bare_nextflow(both: Both, place: str) -> None:
    if place == "folder":  # bare Nextflow has the folder elsewhere
        assert both[0].files["results/folder/folder.txt"] == b">chr\nACGT\n" * 3 + b"/run/workflow /run/workflow\n"
    else:
        check_published(both, place, {f"{place}.txt"})


def test_a_value_of_the_schema_that_fits_no_template_is_an_error(
    seen: NextflowOutline, drafted: dict[str, Any]
) -> None:
    properties = drafted["parameters"]["properties"]

    def told(**changes: Any) -> set[tuple[str, str]]:
        schema = {**drafted["parameters"], "properties": {**properties, **changes}}
        found = lint(
            seen, parse_manifest(yaml.safe_dump({**drafted, "parameters": schema})), {"genomics": "sha256:0"}
        )
        return {(one.file, one.about) for one in found if one.code == "value-unfit"}

    assert told() == set()
    assert told(word={"enum": ["plain", "two words"], "default": "plain"}) == {
        ("main.nf", "SHOWN: params.word: 'two words'")
    }
    assert told(least={"type": "number", "minimum": -1, "maximum": 1, "default": -0.25}) == {
        ("main.nf", f"{name}: params.least: '-0.25'") for name in ("SHOWN", "MANY")
    }
    # Those of MANY are no holes.
    assert told(title={"enum": ["My run", "other"], "default": "My run"}) == {
        ("main.nf", "MANY: params.title: 'other'")
    }
    many = drafted["processes"]["MANY"]
    written_in = {**drafted["processes"], "MANY": [many, many.replace("My run", "@{title}")]}
    drafted_too = {**drafted, "processes": written_in}
    schema = {**drafted["parameters"], "properties": {**properties, "title": {"enum": ["My run", "other"]}}}
    found = lint(seen, parse_manifest(yaml.safe_dump({**drafted_too, "parameters": schema})), {"genomics": "x"})
    assert [one for one in found if one.code == "value-unfit"] == []

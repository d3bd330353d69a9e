"""A Nextflow workflow whose files are parameters without a value runs by its draft, with what is optional or not."""

from typing import Any

import pytest
import yaml
from site_of_tests import Site

SCRIPT = """
params.texts = null
params.without = null

process COUNT {
    container 'genomics'
    memory 100.MB
    disk 50.MB
    publishDir 'results'

    input:
    path text
    path without

    output:
    path "${text.baseName}.count"

    script:
    def lines = without ? "-v -f ${without}" : "-e ."
    \"\"\"
    grep -c ${lines} ${text} > ${text.baseName}.count
    \"\"\"
}

workflow {
    texts = Channel.fromPath(params.texts)
    without = params.without ? file(params.without) : []
    COUNT(texts, without)
}
"""
LINES = {"A": "one\ntwo\nthree\n", "B": "two\ntwo\n"}


@pytest.fixture(scope="module")
def drafted(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The manifest that `vet --draft` writes, signed by two vetters as it is; and two datasets to run it with."""
    folder = tmp_path_factory.mktemp("given") / "line-counts" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "main.nf").write_text(SCRIPT)
    site.stage.run("workflow", "vet", str(folder), "--draft", str(folder / "manifest.yaml"))
    assert site.stage.vet(folder, "vera", "viktor") == "line-counts/1.0.0"
    for name, text in {**LINES, "stop": "two\n"}.items():
        (folder / f"{name}.txt").write_text(text)
    site.add("texts", [folder / "A.txt", folder / "B.txt"], observability="open")
    site.add("stops", [folder / "stop.txt"], observability="open")
    said: dict[str, Any] = yaml.safe_load((folder / "manifest.yaml").read_text())
    return said


def test_all_files_of_a_slot_are_the_parameter(site: Site, drafted: dict[str, Any]) -> None:
    assert {one["name"]: one["min_files"] for one in drafted["inputs"]} == {"texts": 1, "without": 0}
    run = site.submit("line-counts/1.0.0", {"inputs": {"texts": "texts"}}, engine="nextflow")
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    assert sum(path.startswith("results/") for path in site.sizes(run)) == len(LINES)


def test_an_optional_file_is_one_when_a_run_gives_it(site: Site, drafted: dict[str, Any]) -> None:
    assert drafted["parameters"]["properties"]["without"]["x-strongroom-file"] == "without"
    given = {"inputs": {"texts": {"dataset": "texts", "files": ["A.txt"]}, "without": "stops"}}
    run = site.submit("line-counts/1.0.0", given, engine="nextflow")
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    assert "results/A.count" in site.sizes(run)

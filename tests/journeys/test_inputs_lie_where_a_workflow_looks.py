"""A workflow that reads files at places of its own is drafted, vetted, run and resumed as it is."""

from typing import Any

import pytest
import yaml
from site_of_tests import Site

from strongroom.cli.run import WES

SNAKEFILE = """
SAMPLES = ["A", "B"]

rule all:
    input: "counts.txt"

rule count:
    input: "data/samples/{sample}.txt"
    output: "counts/{sample}.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "wc -w < {input} > {output}"

rule together:
    input: expand("counts/{sample}.txt", sample=SAMPLES)
    output: "counts.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "cat {input} > {output}"
"""


@pytest.fixture(scope="module")
def drafted(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The manifest that `vet --draft` writes, signed by two vetters as it is, but for its image and its name."""
    folder = tmp_path_factory.mktemp("places") / "word-counts" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "Snakefile").write_text('container: "genomics"\n' + SNAKEFILE)
    site.stage.run("workflow", "vet", str(folder), "--draft", str(folder / "manifest.yaml"))
    said: dict[str, Any] = yaml.safe_load((folder / "manifest.yaml").read_text())
    assert site.stage.vet(folder, "vera", "viktor") == "word-counts/1.0.0"
    return said


@pytest.fixture(scope="module")
def words(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dataset of two texts."""
    folder = tmp_path_factory.mktemp("words")
    for name, text in (("A.txt", "one two three\n"), ("B.txt", "four five\n")):
        (folder / name).write_text(text)
    site.add("words", sorted(folder.iterdir()), observability="open")
    return "words"


def test_its_files_lie_in_the_folder_that_the_draft_names(site: Site, drafted: dict[str, Any], words: str) -> None:
    (slot,) = drafted["inputs"]
    assert (slot["folder"], slot["pattern"]) == ("data/samples", "*.txt")
    assert set(drafted["commands"]) == {"count", "together"}
    params = {"inputs": {slot["name"]: words}}
    run = site.submit("word-counts/1.0.0", params)
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    assert set(site.sizes(run)) >= {"counts/A.txt", "counts/B.txt", "counts.txt"}


def test_a_run_of_it_is_resumed_with_the_same_files(site: Site, drafted: dict[str, Any], words: str) -> None:
    (slot,) = drafted["inputs"]
    run = site.submit(
        "word-counts/1.0.0", {"inputs": {slot["name"]: {"dataset": words, "files": ["A.txt", "B.txt"]}}}
    )
    with site.stage.client(site.cast.researcher) as client:
        client.post(f"{WES}/runs/{run}/cancel")
        if site.ended(run) == "CANCELED":
            client.post(f"{WES}/runs/{run}/resume")
    assert site.ended(run) == "COMPLETE", site.engine_log(run)

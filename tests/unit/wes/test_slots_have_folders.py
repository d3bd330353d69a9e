"""Input files lie in a folder that the manifest names: beside others, and never where one lies already (T19)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_workflows_are_read import MANIFEST

from strongroom.errors import BadRequest, NotAllowed
from wes.manifest import Manifest, parse_manifest
from wes.parameters import path_of
from wes.placing import check_places
from wes.raw_inputs import slots
from wes.rules import Held, job_of

READS = {"name": "reads", "pattern": "*.fastq", "folder": "data/samples"}
FILES = {
    "data/samples/A.fastq": Held("1" * 32, is_input=True),
    "out/A.bam": Held("2" * 32, is_input=False),
}


@dataclass(frozen=True)
class One:
    slot: str
    name: str
    path: str


def manifest(*inputs: dict[str, Any], **more: Any) -> Manifest:
    return parse_manifest(yaml.safe_dump(MANIFEST | {"inputs": list(inputs)} | more))


@pytest.mark.parametrize("folder", ["data", "data/samples", ".", "inputs2", "a.b/c+d"])
def test_a_slot_may_name_its_folder(folder: str) -> None:
    slot = manifest(READS | {"folder": folder}).slots[0]
    assert slot.path("A.fastq") == ("" if folder == "." else f"{folder}/") + "A.fastq"
    assert manifest({"name": "reads"}).slots[0].path("A.fastq") == "inputs/reads/A.fastq"


@pytest.mark.parametrize(
    "folder",
    ["/data", "../x", "a/../b", "a/./b", ".snakemake", ".snakemake/scripts", "inputs", "inputs/other", "a//b", "a/",
     "a b", "..", "a/.b", "x/" * 9 + "x", "x" * 201, "data\n"],
)  # fmt: skip
def test_t19_no_folder_leads_out_or_to_others(folder: str) -> None:
    with pytest.raises(BadRequest, match="folder is one of"):
        manifest(READS | {"folder": folder})


def test_folders_are_of_snakemake_alone() -> None:
    engine = {"name": "nextflow", "version": "26.04.6"}
    with pytest.raises(BadRequest, match="folder is one of"):
        parse_manifest(yaml.safe_dump({**MANIFEST, "engine": engine, "entry": "main.nf", "inputs": [READS]}))


def test_a_clear_file_lies_where_its_slot_says() -> None:
    grant = {"input": "sheet", "file": "samples.tsv", "characters": "a-z", "longest": 9, "most": 9}
    placed = {"name": "sheet", "pattern": "samples.tsv", "folder": "config"}
    assert manifest(placed, clear=[grant]).glimpses.clear[0].path == "config/samples.tsv"
    assert manifest({"name": "sheet"}, clear=[grant]).glimpses.clear[0].path == "inputs/sheet/samples.tsv"


@pytest.mark.parametrize(
    ("names", "work"),
    [
        (["A.fastq", "A.fastq"], []),
        (["x/A.fastq"], []),
        ([".hidden"], []),
        (["taken.fastq"], ["data/samples/taken.fastq"]),
        (["deep"], ["data/samples/deep/x.txt"]),
    ],
)
def test_t19_no_input_lies_where_another_file_lies(names: list[str], work: list[str], tmp_path: Path) -> None:
    for path in ("data/samples/taken.fastq", "data/samples/deep/x.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    said = manifest(READS, work=work)
    check_places(said, [One("reads", "B.fastq", "data/samples/B.fastq")], tmp_path)
    with pytest.raises(BadRequest, match="reads"):
        check_places(said, [One("reads", name, said.slots[0].path(name)) for name in names], tmp_path)


def test_t19_of_two_slots_no_file_is_a_folder_of_the_other(tmp_path: Path) -> None:
    said = manifest(READS, {"name": "root", "folder": "data"})
    files = [One("reads", "A.fastq", "data/samples/A.fastq"), One("root", "samples", "data/samples")]
    for order in (files, files[::-1]):
        with pytest.raises(BadRequest, match="where another one lies"):
            check_places(said, order, tmp_path)


def asked(path: str, kind: str = "FILE") -> dict[str, Any]:
    return {
        "tags": {"rule": "x"},
        "executors": [{"image": "genomics", "command": ["true"]}],
        "outputs": [{"path": f"/run/work/{path}", "type": kind}],
        "inputs": [{"path": "/run/work/data/samples/A.fastq", "type": "FILE"}],
    }


def test_t19_an_output_lies_beside_inputs_and_never_round_or_below_them() -> None:
    def job(path: str, kind: str = "FILE") -> None:
        job_of(asked(path, kind), run="r", images={"genomics": "sha256:x"}, files=FILES)

    job("data/samples/A.fastq.bai")
    job("data/other", "DIRECTORY")
    wrong = [("data/samples/A.fastq", "FILE"), ("data/samples", "DIRECTORY"), ("data", "DIRECTORY")]
    for path, kind in [*wrong, ("data/samples/A.fastq/x", "FILE")]:
        with pytest.raises(NotAllowed):
            job(path, kind)


def test_a_parameter_names_a_file_where_it_lies() -> None:
    chosen = {"reads": ["data/samples/A.fastq"], "old": ["inputs/old/deep/A.fastq"]}
    assert path_of("p", "A.fastq", {"x-strongroom-file": "reads"}, chosen) == "data/samples/A.fastq"
    assert path_of("p", "deep/A.fastq", {"x-strongroom-file": "old"}, chosen) == "inputs/old/deep/A.fastq"
    for slot, name in (("reads", "samples/A.fastq"), ("reads", "B.fastq"), ("old", "A.fastq")):
        with pytest.raises(BadRequest):
            path_of("p", name, {"x-strongroom-file": slot}, chosen)


def test_drafted_slots_have_names_of_their_own() -> None:
    paths = [*(f"d{n}/A.txt" for n in range(30)), "9/x.gz", "a/x.b", "b/a/x.b", "c/a/x.b"]
    found = slots(paths, later="", stub="stub", taken=["d1"])
    assert len(found) == len({one["name"] for one in found}) == 20
    manifest(*found)

"""The gateway's rules: an engine gets nothing but tasks of its own run, with signed images and its own files."""

from typing import Any

import pytest

from strongroom.errors import StrongroomError
from wes.glimpses import parse_glimpses
from wes.rules import Held, job_of

RUN = "a" * 32
IMAGES = {"genomics": "sha256:" + "b" * 64}
FILES = {
    "inputs/calls/p1.vcf.gz": Held("1" * 32, is_input=True),
    "qc/p1.tsv": Held("2" * 32, is_input=False),
    "parts/1.txt": Held("3" * 32, is_input=False, directory="parts"),
    "parts/2.txt": Held("4" * 32, is_input=False, directory="parts"),
    "done.flag": Held(None, is_input=False),
}


def a_job(**changes: Any) -> dict[str, Any]:
    job: dict[str, Any] = {
        "name": "qc",
        "tags": {"rule": "qc", "job": "7"},
        "executors": [
            {
                "image": "genomics",
                "command": ["bash", "-c", "true"],
                "workdir": "/run/work",
                "env": {"OMP_NUM_THREADS": "1"},
            }
        ],
        "inputs": [{"path": "/run/work/inputs/calls/p1.vcf.gz", "type": "FILE"}],
        "outputs": [{"path": "/run/work/qc/p1.stats", "type": "FILE"}],
        "resources": {"cpu_cores": 1},
        "touch": [],
    }
    return job | changes


def ask(**changes: Any) -> Any:
    return job_of(a_job(**changes), run=RUN, images=IMAGES, files=FILES)


def test_a_good_job_names_objects_and_its_own_run() -> None:
    job = ask()
    assert job.rule == "qc"
    assert job.task["inputs"] == [
        {"path": "/run/work/inputs/calls/p1.vcf.gz", "type": "FILE", "url": "strongroom://object/" + "1" * 32}
    ]
    assert job.task["outputs"][0]["url"] == f"strongroom://run/{RUN}/qc/p1.stats"
    assert job.task["executors"][0]["image"] == IMAGES["genomics"]


def test_the_key_does_not_depend_on_what_an_engine_calls_the_job() -> None:
    assert ask().key == ask(name="other", tags={"rule": "qc", "job": "99"}).key
    assert ask().key != ask(outputs=[{"path": "/run/work/qc/p2.stats"}]).key


def test_a_directory_input_becomes_its_files() -> None:
    job = ask(inputs=[{"path": "/run/work/parts", "type": "DIRECTORY"}])
    assert [i["path"] for i in job.task["inputs"]] == ["/run/work/parts/1.txt", "/run/work/parts/2.txt"]


def test_a_touched_file_is_an_empty_input() -> None:
    job = ask(inputs=[{"path": "/run/work/done.flag"}])
    assert job.task["inputs"] == [{"path": "/run/work/done.flag", "type": "FILE", "content": ""}]


def test_files_of_the_vetted_folder_are_no_inputs() -> None:
    assert ask(inputs=[{"path": "/run/workflow/scripts/x.py"}]).task["inputs"] == []


def executor(**changes: Any) -> list[dict[str, Any]]:
    return [a_job()["executors"][0] | changes]


@pytest.mark.parametrize(
    "changes",
    [
        {"executors": executor(image="debian")},
        {"executors": executor(image="sha256:" + "b" * 64)},
        {"executors": executor(workdir="/run/workflow")},
        {"executors": executor(env={"PATH": "/run/work"})},
        {"executors": executor(env={"OMP_NUM_THREADS": "1; id"})},
        {"executors": executor(command=[])},
        {"executors": executor(command="id")},
        {"executors": executor(privileged=True)},
        {"executors": executor() * 2},
        {"executors": []},
        {"inputs": [{"path": "/run/work/inputs/calls/p2.vcf.gz"}]},
        {"inputs": [{"path": "/etc/shadow"}]},
        {"inputs": [{"path": "/run/work/../tes.sock"}]},
        {"inputs": [{"path": "/run/workflow/../work/qc/p9"}]},
        {"inputs": [{"path": "/run/work/qc/p1.tsv", "url": "file:///etc/shadow"}]},
        {"inputs": [{"path": "/run/work/inputs/calls/p1.vcf.gz", "content": "mine"}]},
        {"outputs": [{"path": "/run/work/inputs/calls/p1.vcf.gz"}]},
        {"outputs": [{"path": "/run/work/.snakemake/x"}]},
        {"outputs": [{"path": "/run/work/a b"}]},
        {"outputs": [{"path": "/run/work/$(id)"}]},
        {"outputs": [{"path": "/run/work/a\nb"}]},
        {"outputs": [{"path": "/tmp/x"}]},
        {"outputs": [{"path": "/run/work/x", "url": "s3://elsewhere/x"}]},
        {"touch": ["/run/work/inputs/calls/p1.vcf.gz"]},
        {"touch": ["/etc/passwd"]},
        {"tags": {"rule": "x; id"}},
        {"tags": {}},
        {"resources": {"zones": ["eu"]}},
        {"volumes": ["/data"]},
        {"run": "b" * 32},
    ],
)
def test_t19_what_is_not_the_runs_own_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(StrongroomError):
        ask(**changes)


def test_a_file_of_the_vetted_folder_comes_as_content_until_a_rule_writes_it_anew() -> None:
    files = {**FILES, "config/a.tsv": Held(None, is_input=False, content="a\tb\n")}
    job = job_of(a_job(inputs=[{"path": "/run/work/config"}]), run=RUN, images=IMAGES, files=files)
    assert job.task["inputs"] == [{"path": "/run/work/config/a.tsv", "type": "FILE", "content": "a\tb\n"}]
    anew = job_of(a_job(outputs=[{"path": "/run/work/config/a.tsv"}]), run=RUN, images=IMAGES, files=files)
    assert anew.task["outputs"][0]["url"] == f"strongroom://run/{RUN}/config/a.tsv"


def test_a_rule_without_an_image_takes_the_only_one() -> None:
    nameless = [{**a_job()["executors"][0], "image": ""}]
    assert ask(executors=nameless).task["executors"][0]["image"] == IMAGES["genomics"]
    two = {**IMAGES, "other": "sha256:" + "c" * 64}
    with pytest.raises(StrongroomError, match="container:"):
        job_of(a_job(executors=nameless), run=RUN, images=two, files=FILES)


def test_an_empty_file_may_be_touched_and_read_by_one_job() -> None:
    job = ask(inputs=[{"path": "/run/work/new.flag"}], touch=["/run/work/new.flag"])
    assert job.task["inputs"] == [{"path": "/run/work/new.flag", "type": "FILE", "content": ""}]
    # A file that a task made stays what it is, whatever is touched.
    job = ask(inputs=[{"path": "/run/work/qc/p1.tsv"}], touch=["/run/work/qc/p1.tsv"])
    assert job.task["inputs"][0]["url"] == "strongroom://object/" + "2" * 32


def test_only_the_granted_file_of_the_granted_rule_tells_its_lines() -> None:
    grant = parse_glimpses(
        {"lists": [{"file": "qc/p1.stats", "rule": "qc", "characters": "ab", "longest": 2, "most": 3}]}
    )
    job = job_of(a_job(), run=RUN, images=IMAGES, files=FILES, lists=grant.lists)
    assert job.task["outputs"][0]["tells"] == {"characters": "ab", "longest": 2, "most": 3}
    other = job_of(a_job(tags={"rule": "other"}), run=RUN, images=IMAGES, files=FILES, lists=grant.lists)
    assert "tells" not in other.task["outputs"][0]
    asked = a_job(outputs=[{"path": "/run/work/x", "tells": {"characters": "ab", "longest": 2, "most": 3}}])
    with pytest.raises(StrongroomError, match="not a field"):
        job_of(asked, run=RUN, images=IMAGES, files=FILES)

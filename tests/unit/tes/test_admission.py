"""Admission: what may run becomes a plan; what may not is refused with its field named."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from strongroom.errors import BadRequest
from strongroom.settings import Tes
from tes.admission import images_of, kept, plan, resources
from tes.schemas import NewTask, Resources

RUN = "a" * 32
IMAGE = "sha256:" + "b" * 64
OBJECT = "strongroom://object/" + "c" * 32
HERE = f"strongroom://run/{RUN}"
LIMITS = Tes(cores=2, memory_gb=4)


def a_task(**changes: Any) -> NewTask:
    task: dict[str, Any] = {
        "executors": [{"image": IMAGE, "command": ["true"]}],
        "inputs": [{"path": "/run/work/a.vcf", "url": OBJECT}],
        "outputs": [{"path": "/run/work/b/c.tsv", "url": f"strongroom://run/{RUN}/b/c.tsv"}],
    }
    return NewTask.model_validate(task | changes)


def good(**changes: Any) -> dict[str, Any]:
    return plan(a_task(**changes), run=RUN, limits=LIMITS)


def executor(**changes: Any) -> dict[str, Any]:
    return {"executors": [{"image": IMAGE, "command": ["true"]} | changes]}


def an_input(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{"path": "/run/work/a", "url": OBJECT} | changes]}


def an_output(path: str, url: str = "", **changes: Any) -> dict[str, Any]:
    return {"outputs": [{"path": path, "url": HERE + (url or path.removeprefix("/run/work")), **changes}]}


def test_a_good_task_becomes_a_plan() -> None:
    made = good()
    assert images_of(made) == [IMAGE]
    assert made["inputs"] == [{"path": "/run/work/a.vcf", "object": "c" * 32}]
    assert made["outputs"] == [{"path": "/run/work/b/c.tsv", "type": "FILE"}]
    assert made["executors"][0]["workdir"] is None  # the image says, or nobody does
    assert made["writable_root"] is False


WILD = an_output("/run/work/o/*.t", "/o", path_prefix="/run/work/o")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (executor(image="debian:latest"), "image"),
        (executor(command=[""]), "executors[0].command"),
        (executor(workdir="etc"), "executors[0].workdir"),
        (executor(workdir="//etc"), "workdir"),
        (executor(workdir="/opt/\n"), "workdir"),
        (executor(workdir="/run/work/../.."), "workdir"),
        (executor(env={"LD_PRELOAD": "/run/work/x.so"}), "env"),
        (executor(env={"A B": "x"}), "env"),
        (executor(stdin="a.txt"), "executors[0].stdin"),
        (executor(stdout="/etc/passwd"), "executors[0].stdout"),
        (executor(stderr="/run/work"), "executors[0].stderr"),
        ({**executor(stdout="/vol"), "volumes": ["/vol"]}, "executors[0].stdout"),
        ({"executors": [{"image": IMAGE, "command": ["true"]}] * 17}, "executors"),
        (an_input(url="file:///etc/shadow"), "inputs[0].url"),
        (an_input(url="https://example.org/a"), "inputs[0].url"),
        (an_input(url=None), "inputs[0].url"),
        (an_input(url=""), "inputs[0].url"),
        (an_input(url="strongroom://run/" + "b" * 32 + "/x"), "inputs[0].url"),
        (an_input(url=HERE + "/../x"), "inputs[0].url"),
        (an_input(url=HERE + "//x"), "inputs[0].url"),
        (an_input(url=HERE), "inputs[0].url"),
        (an_input(url=HERE + "/x/"), "inputs[0].url"),
        (an_input(url="strongroom://dataset/hapmap"), "inputs[0].url"),
        (an_input(type="DIRECTORY"), "inputs[0].type"),
        (an_input(type="DIRECTORY", url=None, content="x"), "inputs[0].type"),
        (an_input(path="/run/work/../a"), "inputs[0].path"),
        (an_input(path="run/work/a"), "inputs[0].path"),
        (an_input(path="/run/work//a"), "inputs[0].path"),
        (an_input(path="//run/work/a"), "inputs[0].path"),
        (an_input(path="/run/work/a/"), "inputs[0].path"),
        (an_input(path="/run/work"), "inputs[0].path"),
        (an_input(path="/run/workflow/a"), "inputs[0].path"),
        (an_input(path="/run/work/a\nb"), "inputs[0].path"),
        (an_input(path="/run/work/" + "a" * 256), "inputs[0].path"),
        (an_input(path="/run/work/" + "a/" * 600 + "a"), "inputs[0].path"),
        ({**an_input(path="/vol/a"), "volumes": ["/vol"]}, "inputs[0].path"),
        (an_input(url=None, content="x" * (1 << 21)), "inputs[0].content"),
        ({"inputs": [{"path": f"/run/work/{p}", "url": OBJECT} for p in ("a", "a/b")]}, "inputs[1].path"),
        ({"outputs": [{"path": "/run/work/b", "url": "strongroom://run/other/b"}]}, "outputs[0].url"),
        (an_output("/run/work/b", "/c"), "outputs[0].url"),
        (an_output("/run/work/b", "/b/"), "outputs[0].url"),
        (an_output("b"), "outputs[0].path"),
        (an_output("/etc/b"), "outputs[0].path"),
        (an_output("/run/work"), "outputs[0].path"),
        (an_output("/run/work/a.vcf/x"), "outputs[0].path"),
        (an_output("/vol/b"), "outputs[0].path"),
        ({**an_output("/vol"), "volumes": ["/vol"]}, "outputs[0].path"),
        (an_output("/run/work/*.b"), "outputs[0].path_prefix"),
        (an_output("/run/work/o/[ab]", "/o"), "outputs[0].path_prefix"),
        (an_output("/run/work/o/?", "/o", path_prefix="/run/work/p"), "outputs[0].path_prefix"),
        (an_output("/run/work/o/*", "/", path_prefix="/run/wo"), "outputs[0].path_prefix"),
        (an_output("/run/work/o/*", "/", path_prefix="o"), "outputs[0].path_prefix"),
        (an_output("/run/work/*/x", "/*", path_prefix="/run/work/*"), "outputs[0].path_prefix"),
        (an_output("/run/work/o/*", "/p", path_prefix="/run/work/o"), "outputs[0].url"),
        (an_output("/run/work/o/\\**", "/o", path_prefix="/run/work/o"), "outputs[0].path"),
        ({"volumes": ["data"]}, "volumes[0]"),
        ({"volumes": ["/"]}, "volumes[0]"),
        ({"volumes": ["//data"]}, "volumes[0]"),
        ({"volumes": ["/data/../run"]}, "volumes[0]"),
        ({"volumes": ["/data", "/run"]}, "volumes[1]"),
        ({"volumes": ["/run/work/x"]}, "volumes[0]"),
        ({"volumes": ["/proc"]}, "volumes[0]"),
        ({"volumes": ["/dev/shm/x"]}, "volumes[0]"),
        ({"volumes": ["/data", "/data/"]}, "volumes[0]"),
        ({"volumes": ["/data", "/data/x"]}, "volumes[1]"),
        ({"volumes": [f"/v{n}" for n in range(17)]}, "volumes"),
        ({"resources": {"cpu_cores": 3}}, "cpu_cores"),
        ({"resources": {"ram_gb": 5}}, "ram_gb"),
        ({"resources": {"ram_gb": 3, "disk_gb": 2}}, "disk_gb"),
        ({"resources": {"backend_parameters": {"walltime_seconds": "1; rm"}}}, "walltime_seconds"),
        ({"resources": {"backend_parameters": {"writable_root": "yes"}}}, "writable_root"),
        ({"resources": {"backend_parameters": {"writable_root": ""}}}, "writable_root"),
        ({"resources": {"backend_parameters": {"x": "1"}, "backend_parameters_strict": True}}, "backend_parameters"),
        ({"resources": {"backend_parameters": {"walltime_seconds": "1", "WALLTIME_seconds": "2"}}}, "twice"),
    ],
)
def test_what_may_not_run_is_refused_with_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(field)):
        good(**changes)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"executors": []}, "executors"),
        ({"executors": [{"image": IMAGE}]}, "command"),
        ({"executors": [{"command": ["true"]}]}, "image"),
        ({"executors": [{"image": IMAGE, "command": []}]}, "command"),
        ({"inputs": [{"url": OBJECT}]}, "path"),
        ({"outputs": [{"path": "/run/work/x"}]}, "url"),
        ({"outputs": [{"url": HERE}]}, "path"),
        (an_input(type="LINK"), "type"),
        ({"resources": {"ram_gb": float("nan")}}, "ram_gb"),
        ({"resources": {"disk_gb": float("inf")}}, "disk_gb"),
        ({"resources": {"ram_gb": 1e308}}, "ram_gb"),
        ({"resources": {"cpu_cores": 10**400}}, "cpu_cores"),
        ({"resources": {"cpu_cores": -1}}, "cpu_cores"),
        ({"tags": {"k" * 256: "v"}}, "tags"),
        ({"tags": {"k": "v" * 1001}}, "tags"),
        ({"tags": {str(n): "v" for n in range(101)}}, "tags"),
        ({"tags": {"": "v"}}, "tags"),
        ({"tags": {"k": None}}, "tags"),
    ],
)
def test_what_is_no_task_is_refused_with_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        a_task(**changes)


@pytest.mark.parametrize("folder", ["/", "/opt/tool", "/run/work/a"])
def test_a_command_may_work_in_any_folder(folder: str) -> None:
    assert good(**executor(workdir=folder))["executors"][0]["workdir"] == folder


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ({}, False),
        ({"writable_root": "false"}, False),
        ({"writable_root": "true"}, True),
        ({"writable_root": "true", "walltime_seconds": "7"}, True),
    ],
)
def test_a_task_may_ask_to_change_its_copy_of_the_image(asked: dict[str, str], given: bool) -> None:
    strict = {"backend_parameters": asked, "backend_parameters_strict": True}
    assert good(resources=strict)["writable_root"] is given


def test_a_path_may_be_named_once_only() -> None:
    for twice in (
        {"inputs": [{"path": "/run/work/a", "url": OBJECT}, {"path": "/run/work/a", "content": "x"}]},
        an_output("/run/work/a.vcf"),
        {"outputs": an_output("/run/work/v/x")["outputs"] + an_output("/v/x")["outputs"], "volumes": ["/v"]},
    ):
        with pytest.raises(BadRequest, match="once"):
            good(**twice)


@pytest.mark.parametrize(
    ("given", "planned"),
    [
        ({"content": "x"}, {"content": "eA=="}),
        ({"content": "x", "url": "file:///ignored"}, {"content": "eA=="}),  # TES 1.1: url must be ignored
        ({"content": ""}, {"content": ""}),
        ({"content": "", "url": OBJECT}, {"object": "c" * 32}),
        ({"url": OBJECT, "type": None, "streamable": True}, {"object": "c" * 32}),
        ({"url": HERE + "/x/y"}, {"type": "FILE", "of": "run", "owner": RUN, "name": "x/y"}),
        ({"url": HERE + "/x/", "type": "DIRECTORY"}, {"type": "DIRECTORY", "of": "run", "owner": RUN, "name": "x"}),
        ({"url": HERE, "type": "DIRECTORY"}, {"type": "DIRECTORY", "of": "run", "owner": RUN, "name": ""}),
        (
            {"url": "strongroom://dataset/hapmap/2020/a.vcf"},
            {"type": "FILE", "of": "dataset", "owner": "hapmap", "name": "2020/a.vcf"},
        ),
    ],
)
def test_where_an_input_comes_from(given: dict[str, Any], planned: dict[str, Any]) -> None:
    (made,) = good(inputs=[{"path": "/run/work/a", **given}])["inputs"]
    assert made == {"path": "/run/work/a", **planned}


@pytest.mark.parametrize(
    ("wanted", "planned"),
    [
        (an_output("/run/work/b"), {"path": "/run/work/b", "type": "FILE"}),
        (an_output("/run/work/b/", type="DIRECTORY"), {"path": "/run/work/b", "type": "DIRECTORY"}),
        (an_output("/run/work/b", type=None, path_prefix="/ignored"), {"path": "/run/work/b", "type": "FILE"}),
        (WILD, {"path": "/run/work/o/*.t", "type": "FILE", "wildcards": True}),
        (
            an_output("/run/work/o/*", "/", path_prefix="/run/work/", type="DIRECTORY"),
            {"path": "/run/work/o/*", "type": "DIRECTORY", "wildcards": True},
        ),
        (an_output("/run/work/a[b"), {"path": "/run/work/a[b", "type": "FILE"}),  # POSIX: nothing closes it
        ({**an_output("/vol/x"), "volumes": ["/vol"]}, {"path": "/vol/x", "type": "FILE"}),
        ({**an_output("/vol", type="DIRECTORY"), "volumes": ["/vol/"]}, {"path": "/vol", "type": "DIRECTORY"}),
    ],
)
def test_what_is_taken(wanted: dict[str, Any], planned: dict[str, Any]) -> None:
    assert good(**wanted)["outputs"] == [planned]


def test_each_executor_has_an_image_streams_and_a_folder_of_its_own() -> None:
    other = "sha256:" + "d" * 64
    second = {
        "image": other,
        "command": ["cat"],
        "workdir": "/vol",
        "stdin": "/vol/in",
        "stdout": "/run/work/out",
        "ignore_error": True,
    }
    made = good(executors=[*executor()["executors"], second, *executor()["executors"]], volumes=["/vol/"])
    assert images_of(made) == [IMAGE, other]
    assert [one["ignore_error"] for one in made["executors"]] == [False, True, False]
    assert (made["executors"][1]["stdin"], made["executors"][1]["workdir"]) == ("/vol/in", "/vol")
    assert made["volumes"] == ["/vol"]


def test_nothing_asked_for_is_what_a_task_gets_that_does_not_ask() -> None:
    assert resources(Resources(cpu_cores=0, ram_gb=0, disk_gb=0), LIMITS) == resources(Resources(), LIMITS)
    assert resources(Resources(ram_gb=1e-9, preemptible=True, zones=["a"]), LIMITS).memory == 1 << 20


def test_more_scratch_than_memory_needs_encrypted_disk() -> None:
    memory_only = Tes(memory_gb=4, scratch_disk_gb=0)
    with_disk = Tes(memory_gb=4, scratch_disk_gb=100)
    asked = Resources(ram_gb=2, disk_gb=50)
    with pytest.raises(BadRequest, match="4 GB together"):
        resources(asked, memory_only)
    assert resources(asked, with_disk).on_disk
    assert not resources(Resources(ram_gb=2, disk_gb=2), with_disk).on_disk
    for too_much in (Resources(ram_gb=5, disk_gb=1), Resources(ram_gb=2, disk_gb=101)):
        with pytest.raises(BadRequest, match="100 GB of disk_gb"):
            resources(too_much, with_disk)


def test_backend_parameters_have_no_case_and_strangers_are_passed_over_with_a_word() -> None:
    asked = {"backend_parameters": {"WallTime_Seconds": "60", "VMSize": "large", "walltime\n\u202e": "1"}}
    made = good(resources=asked)
    assert made["seconds"] == 60
    passed_over = "Not a backend parameter here, passed over:"
    assert made["warnings"] == [f"{passed_over} VMSize", rf"{passed_over} walltime\n\u202e"]
    assert kept({"resources": asked}) == {"resources": {"backend_parameters": {"walltime_seconds": "60"}}}
    with pytest.raises(BadRequest, match="VMSize is not supported"):
        plan(a_task(resources=asked | {"backend_parameters_strict": True}), run=RUN, limits=LIMITS)


@pytest.mark.parametrize(
    ("asked", "planned"), [({}, False), ({"ignore_error": True}, True), ({"ignore_error": None}, False)]
)
def test_an_executor_that_may_fail_says_so_in_the_plan(asked: dict[str, Any], planned: bool) -> None:
    assert good(**executor(**asked))["executors"][0]["ignore_error"] is planned


OF_SLURM = {"partition": re.compile(r"[a-z]+")}


def test_a_site_may_know_more_backend_parameters() -> None:
    strict = {"backend_parameters": {"Partition": "long"}, "backend_parameters_strict": True}
    assert plan(a_task(resources=strict), run=RUN, limits=LIMITS, also=OF_SLURM)["backend_parameters"] == {
        "partition": "long"
    }
    request = {"resources": {"backend_parameters": {"Partition": "long", "qos": "x"}}}
    assert kept(request, OF_SLURM) == {"resources": {"backend_parameters": {"partition": "long"}}}
    with pytest.raises(BadRequest, match=r"Partition is not supported"):
        plan(a_task(resources=strict), run=RUN, limits=LIMITS)
    strange = {"backend_parameters": {"partition": "--uid=0"}}
    with pytest.raises(BadRequest, match=r"backend_parameters\.partition"):
        plan(a_task(resources=strange), run=RUN, limits=LIMITS, also=OF_SLURM)

"""Admission: what may run becomes a plan; what may not is refused with its field named."""

from typing import Any

import pytest

from strongroom.errors import BadRequest
from strongroom.settings import Tes
from tes.admission import kept, plan, resources
from tes.schemas import NewTask, Resources

RUN = "a" * 32
IMAGE = "sha256:" + "b" * 64
OBJECT = "strongroom://object/" + "c" * 32
LIMITS = Tes(cores=2, memory_gb=4)


def a_task(**changes: Any) -> NewTask:
    task: dict[str, Any] = {
        "executors": [{"image": IMAGE, "command": ["true"]}],
        "inputs": [{"path": "/run/work/a.vcf", "url": OBJECT}],
        "outputs": [{"path": "/run/work/b/c.tsv", "url": f"strongroom://run/{RUN}/b/c.tsv"}],
    }
    return NewTask.model_validate(task | changes)


def test_a_good_task_becomes_a_plan() -> None:
    made = plan(a_task(), run=RUN, limits=LIMITS)
    assert made["image"] == IMAGE
    assert made["inputs"] == [{"path": "/run/work/a.vcf", "object": "c" * 32}]
    assert made["outputs"] == [{"path": "/run/work/b/c.tsv", "type": "FILE"}]
    assert made["executors"][0]["workdir"] is None  # the image says, or nobody does
    assert made["writable_root"] is False


def executor(**changes: Any) -> dict[str, Any]:
    return {"executors": [{"image": IMAGE, "command": ["true"]} | changes]}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (executor(image="debian:latest"), "image"),
        (executor(workdir="etc"), "workdir"),
        (executor(workdir="//etc"), "workdir"),
        (executor(workdir="/opt/\n"), "workdir"),
        (executor(workdir="/run/work/../.."), "workdir"),
        (executor(env={"LD_PRELOAD": "/run/work/x.so"}), "env"),
        (executor(env={"A B": "x"}), "env"),
        (executor(stdout="/etc/passwd"), "stdout"),
        ({"resources": {"backend_parameters": {"Walltime_Seconds": "1", "walltime_seconds": "2"}}}, "twice"),
        ({"executors": [{"image": IMAGE, "command": ["true"]}] * 17}, "executors"),
        ({"inputs": [{"path": "/run/work/a", "url": "file:///etc/shadow"}]}, "inputs[0].url"),
        ({"inputs": [{"path": "/run/work/a", "url": "https://example.org/a"}]}, "inputs[0].url"),
        ({"inputs": [{"path": "/run/work/a"}]}, "inputs[0].url"),
        ({"inputs": [{"path": "/run/work/../a", "url": OBJECT}]}, "inputs[0].path"),
        ({"inputs": [{"path": "run/work/a", "url": OBJECT}]}, "inputs[0].path"),
        ({"inputs": [{"path": "/run/work/a", "content": "x" * (1 << 21)}]}, "content"),
        ({"outputs": [{"path": "/run/work/b", "url": "strongroom://run/other/b"}]}, "outputs[0].url"),
        ({"outputs": [{"path": "/run/work/*.b", "url": f"strongroom://run/{RUN}/*.b"}]}, "outputs[0].path"),
        ({"volumes": ["/data"]}, "volumes"),
        ({"resources": {"cpu_cores": 3}}, "cpu_cores"),
        ({"resources": {"ram_gb": 5}}, "ram_gb"),
        ({"resources": {"ram_gb": 3, "disk_gb": 2}}, "disk_gb"),
        ({"resources": {"backend_parameters": {"walltime_seconds": "1; rm"}}}, "walltime_seconds"),
        ({"resources": {"backend_parameters": {"writable_root": "yes"}}}, "writable_root"),
        ({"resources": {"backend_parameters": {"writable_root": ""}}}, "writable_root"),
        ({"resources": {"backend_parameters": {"x": "1"}, "backend_parameters_strict": True}}, "backend_parameters"),
    ],
)
def test_what_may_not_run_is_refused_with_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest, match=field.replace("[", r"\[").replace("]", r"\]")):
        plan(a_task(**changes), run=RUN, limits=LIMITS)


@pytest.mark.parametrize("folder", ["/", "/opt/tool", "/run/work/a"])
def test_a_command_may_work_in_any_folder(folder: str) -> None:
    assert plan(a_task(**executor(workdir=folder)), run=RUN, limits=LIMITS)["executors"][0]["workdir"] == folder


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
    assert plan(a_task(resources=strict), run=RUN, limits=LIMITS)["writable_root"] is given


def test_a_path_may_be_named_once_only() -> None:
    twice = {"inputs": [{"path": "/run/work/a", "url": OBJECT}, {"path": "/run/work/a", "content": "x"}]}
    with pytest.raises(BadRequest, match="once"):
        plan(a_task(**twice), run=RUN, limits=LIMITS)


def test_two_images_in_one_task_are_refused() -> None:
    other = {"image": "sha256:" + "d" * 64, "command": ["true"]}
    with pytest.raises(BadRequest, match="same image"):
        plan(a_task(executors=[{"image": IMAGE, "command": ["true"]}, other]), run=RUN, limits=LIMITS)


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
    asked = {"backend_parameters": {"WallTime_Seconds": "60", "VMSize": "large"}}
    made = plan(a_task(resources=asked), run=RUN, limits=LIMITS)
    assert made["seconds"] == 60
    assert made["warnings"] == ["Not a backend parameter here, passed over: VMSize"]
    assert kept({"resources": asked}) == {"resources": {"backend_parameters": {"walltime_seconds": "60"}}}
    with pytest.raises(BadRequest, match="VMSize is not supported"):
        plan(a_task(resources=asked | {"backend_parameters_strict": True}), run=RUN, limits=LIMITS)


@pytest.mark.parametrize(
    ("asked", "planned"), [({}, False), ({"ignore_error": True}, True), ({"ignore_error": None}, False)]
)
def test_an_executor_that_may_fail_says_so_in_the_plan(asked: dict[str, Any], planned: bool) -> None:
    assert plan(a_task(**executor(**asked)), run=RUN, limits=LIMITS)["executors"][0]["ignore_error"] is planned

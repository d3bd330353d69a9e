"""A federated task fits a signed profile exactly, or not at all: the truth table of holes, words, files and sizes."""

import re
from typing import Any

import pytest

from strongroom.errors import BadRequest
from strongroom.plain_patterns import plain_pattern
from tes.profiles import Ceiling, Command, Files, Given, Hole, Misfit, Template, Word, fills, fit, resources_of
from tes.schemas import NewTask, Resources

IMAGE = "sha256:" + "b" * 64
OTHER = "sha256:" + "c" * 64
LEAST = Hole("least", "integer", least=5, most=100)
MODE = Hole("mode", "enum", values=frozenset({"all", "adults"}))
LABEL = Hole("label", "pattern", pattern=plain_pattern("^[a-z-]{1,8}$"))
ONE = Hole("one", "file", role="calls")
ALL = Hole("all", "files", role="calls")
COMMAND = Command(
    image=IMAGE,
    words=(Word("count"), Word("--least=", LEAST), Word("", MODE), Word("", ALL), Word("--end")),
    env={"LC_ALL": "C"},
    workdir="/run/work",
    stdout="/run/work/out.tsv",
)
TEMPLATE = Template(
    executors=(COMMAND,),
    inputs=(Files("calls", "/run/work/calls", "*.vcf", 1, 2),),
    outputs=("out.tsv", "more.tsv"),
    ceiling=Ceiling(2, 4.0, 1.0, 600),
)


def executor(*words: str, **changes: Any) -> dict[str, Any]:
    command = list(words) or ["count", "--least=5", "all", "/run/work/calls/a.vcf", "/run/work/calls/b.vcf", "--end"]
    signed = {"image": IMAGE, "command": command, "env": {"LC_ALL": "C"}, "workdir": "/run/work"}
    return {**signed, "stdout": "/run/work/out.tsv", **changes}


def a_task(**changes: Any) -> NewTask:
    whole = {
        "inputs": [{"url": f"u:{name}", "path": f"/run/work/calls/{name}.vcf"} for name in "ab"],
        "outputs": [{"url": "https://x.example/1", "path": "/run/work/out.tsv"}],
        "executors": [executor()],
    }
    return NewTask.model_validate(whole | changes)


def words(*given: str) -> dict[str, Any]:
    return {"executors": [executor(*given)]}


def changed(**changes: Any) -> dict[str, Any]:
    return {"executors": [executor(**changes)]}


def test_the_signed_task_fits_and_its_holes_are_known() -> None:
    found = fit(a_task(), TEMPLATE)
    assert found.values == {"least": "5", "mode": "all"}
    assert [given.path for given in found.inputs] == ["/run/work/calls/a.vcf", "/run/work/calls/b.vcf"]
    assert found.outputs == {"out.tsv": "https://x.example/1"}


@pytest.mark.parametrize(
    "changes",
    [
        changed(image=f"registry.example/name@{IMAGE}"),
        {"name": "another name", "description": "words"},
        {"tags": {"profile": "other/1.0.0", "project": "other"}},
        {"outputs": []},
        {"resources": {"cpu_cores": 2, "ram_gb": 4, "disk_gb": 1}},
        {"executors": [executor(ignore_error=False, stdin=None, stderr="")]},
    ],
)
def test_what_is_not_content_changes_nothing(changes: dict[str, Any]) -> None:
    assert fit(a_task(**changes), TEMPLATE).values == {"least": "5", "mode": "all"}


A, B = "/run/work/calls/a.vcf", "/run/work/calls/b.vcf"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (changed(image=OTHER), "executors[0].image"),
        (changed(image="debian:latest"), "executors[0].image"),
        (changed(image=f"{IMAGE}\n"), "executors[0].image"),
        ({"executors": [executor(), executor()]}, "executors"),
        (words("count", "--least=5", "all", A, B), "executors[0].command[5]"),
        (words("count", "--least=5", "all", A, B, "--end", "more"), "executors[0].command[6]"),
        (words("count", "--least=5", "all", B, A, "--end"), "executors[0].command[3]"),
        (words("count", "--least=5", "all", A, "--end"), "executors[0].command[3]"),
        (words("count", "--least=5", "all", A, B, "/etc/passwd", "--end"), "executors[0].command[5]"),
        (words("sh", "--least=5", "all", A, B, "--end"), "executors[0].command[0]"),
        (words("count", "--least=4", "all", A, B, "--end"), "executors[0].command[1]"),
        (words("count", "--least=5;id", "all", A, B, "--end"), "executors[0].command[1]"),
        (words("count", "--least=", "all", A, B, "--end"), "executors[0].command[1]"),
        (words("count", "--most=5", "all", A, B, "--end"), "executors[0].command[1]"),
        (words("count", "--least=5", "--all", A, B, "--end"), "executors[0].command[2]"),
        (words("count", "--least=5", "all\n", A, B, "--end"), "executors[0].command[2]"),
        (changed(env={"LC_ALL": "C", "PYTHONPATH": "/run/work"}), "executors[0].env"),
        (changed(env={}), "executors[0].env"),
        (changed(env={"LC_ALL": "C.UTF-8"}), "executors[0].env"),
        (changed(workdir="/tmp"), "executors[0].workdir"),
        (changed(stdin=A), "executors[0].stdin"),
        (changed(stdout=None), "executors[0].stdout"),
        (changed(stderr="/run/work/more.tsv"), "executors[0].stderr"),
        (changed(ignore_error=True), "executors[0].ignore_error"),
        ({"volumes": ["/data"]}, "volumes"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [{"url": "u", "path": f"/run/work/calls/{n}.vcf"} for n in "abc"]}, "inputs"),
        ({"inputs": [{"url": "u", "path": "/run/work/elsewhere/a.vcf"}]}, "inputs[0].path"),
        ({"inputs": [{"url": "u", "path": "/run/work/calls/../calls/a.vcf"}]}, "inputs[0].path"),
        ({"inputs": [{"url": "u", "path": "/run/work/calls/-a.vcf"}]}, "inputs[0].path"),
        ({"inputs": [{"url": "u", "path": "/run/work/calls/a.txt"}]}, "inputs[0].path"),
        ({"inputs": [{"url": "u", "path": A}, {"url": "v", "path": A}]}, "inputs[1].path"),
        ({"inputs": [{"content": "own data", "path": A}]}, "inputs[0].content"),
        ({"inputs": [{"url": "u", "path": A, "type": "DIRECTORY"}]}, "inputs[0].type"),
        ({"outputs": [{"url": "u", "path": "/run/work/calls/a.vcf"}]}, "outputs[0].path"),
        ({"outputs": [{"url": "u", "path": "out.tsv"}]}, "outputs[0].path"),
        ({"outputs": [{"url": "u", "path": "/run/work/*", "path_prefix": "/run"}]}, "outputs[0].path"),
        ({"outputs": [{"url": "u", "path": "/run/work/out.tsv"}] * 2}, "outputs[1].path"),
        ({"outputs": [{"url": "u", "path": "/run/work/out.tsv", "type": "DIRECTORY"}]}, "outputs[0].type"),
        ({"resources": {"cpu_cores": 3}}, "resources.cpu_cores"),
        ({"resources": {"ram_gb": 4.1}}, "resources.ram_gb"),
        ({"resources": {"disk_gb": 2}}, "resources.disk_gb"),
        (
            {"resources": {"backend_parameters": {"Writable_Root": "true"}}},
            "resources.backend_parameters.writable_root",
        ),
    ],
)
def test_anything_else_is_refused_with_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Misfit) as refused:
        fit(a_task(**changes), TEMPLATE)
    assert refused.value.sentence.startswith(f"{field}: ")


INPUTS = [Given(0, "calls", "u", A), Given(1, "other", "u", B)]


@pytest.mark.parametrize(
    ("value", "hole", "good"),
    [
        *((str(n), LEAST, good) for n, good in ((4, False), (5, True), (100, True), (101, False), (-5, False))),
        *((text, LEAST, False) for text in ("05", "+5", "5.0", "5e1", " 5", "5\n", "", "٥", "0x5", "1" * 400)),
        ("-5", Hole("n", "integer", least=-9, most=9), True),
        ("-0", Hole("n", "integer", least=-9, most=9), False),
        ("all", MODE, True),
        ("al", MODE, False),
        ("ALL", MODE, False),
        ("", MODE, False),
        ("abc", LABEL, True),
        ("a-b", LABEL, True),
        ("-rf", LABEL, False),
        ("abc\n", LABEL, False),
        ("a b", LABEL, False),
        ("abcdefghi", LABEL, False),
        (A, ONE, True),
        (B, ONE, False),
        ("/run/work/calls/../calls/a.vcf", ONE, False),
        ("a.vcf", ONE, False),
        (A, ALL, False),
    ],
)
def test_a_hole_takes_what_its_kind_says(value: str, hole: Hole, good: bool) -> None:
    assert fills(value, hole, inputs=INPUTS) is good


def test_a_hole_that_stands_twice_is_filled_with_the_same() -> None:
    command = Command(image=IMAGE, words=(Word("x"), Word("", MODE), Word("", MODE)), env={})
    twice = Template((command,), (), (), TEMPLATE.ceiling)
    one = {"image": IMAGE, "command": ["x", "all", "all"]}
    fit(NewTask.model_validate({"executors": [one]}), twice)
    with pytest.raises(Misfit):
        fit(NewTask.model_validate({"executors": [{**one, "command": ["x", "all", "adults"]}]}), twice)


CAPS = Ceiling(1, 2.0, 1.0, 60)


def test_who_does_not_ask_gets_the_less_of_profile_and_caps() -> None:
    given = resources_of(None, TEMPLATE.ceiling, CAPS)
    assert (given.cpu_cores, given.ram_gb, given.disk_gb) == (1, 2.0, 1.0)
    assert given.backend_parameters == {"walltime_seconds": "60"}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"cpu_cores": 2}, "resources.cpu_cores"),
        ({"ram_gb": 3}, "resources.ram_gb"),
        ({"disk_gb": 1.5}, "resources.disk_gb"),
        ({"backend_parameters": {"x": "1"}, "backend_parameters_strict": True}, "resources.backend_parameters"),
        ({"backend_parameters": {"walltime_seconds": "-1"}}, "resources.backend_parameters.walltime_seconds"),
    ],
)
def test_more_than_the_caps_is_refused(asked: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(field)):
        resources_of(Resources.model_validate(asked), TEMPLATE.ceiling, CAPS)


def test_nobody_lives_longer_by_asking() -> None:
    asked = Resources(backend_parameters={"walltime_seconds": "99999"})
    assert resources_of(asked, TEMPLATE.ceiling, CAPS).backend_parameters == {"walltime_seconds": "60"}

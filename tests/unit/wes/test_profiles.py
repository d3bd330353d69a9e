"""A profile is read whole or refused with its field; the newest that fits is chosen, never by a tag."""

from dataclasses import replace
from typing import Any

import pytest
import yaml
from federation_scene import PROFILE

from strongroom.errors import BadRequest, NotAllowed
from tes.schemas import NewTask
from wes.catalogue import VettedProfile
from wes.federation import chosen
from wes.profiles import needed_with, parse_profile, releasable
from wes.vetting import Statement

IMAGE = "sha256:" + "b" * 64
PRINTED = {"stream": "stdout", "format": "log", "release": "airlock", "rule": "task", "max_rows": 9}


def text(**changes: Any) -> str:
    return yaml.safe_dump({**PROFILE, **changes})


def test_a_profile_is_read() -> None:
    found = parse_profile(text(), {"genomics": IMAGE})
    assert found.template.executors[0].image == IMAGE
    assert found.template.inputs[0].folder == "/run/work/people"
    assert releasable(found, "results/counts.tsv")
    assert not releasable(found, "results/inside.tsv")
    assert not releasable(found, "results/other.tsv")
    assert needed_with(found, "results/counts.tsv") == ()


def test_a_role_is_closed_to_files_of_other_sites_unless_it_was_signed_as_open() -> None:
    (role,) = PROFILE["inputs"]
    assert [one.outside for one in parse_profile(text(), {"genomics": IMAGE}).template.inputs] == [False]
    opened = parse_profile(text(inputs=[{**role, "outside": True}]), {"genomics": IMAGE})
    assert [one.outside for one in opened.template.inputs] == [True]
    for wrong in ("yes", 1, None, []):
        with pytest.raises(BadRequest, match=r"inputs\[0\]\.outside"):
            parse_profile(text(inputs=[{**role, "outside": wrong}]), {"genomics": IMAGE})


def test_lists_of_members_are_no_output_that_a_client_names() -> None:
    found = parse_profile(text(), {"genomics": IMAGE})
    assert found.template.members == ("results/members.txt",)
    assert "results/members.txt" not in found.template.outputs
    assert not releasable(found, "results/members.txt")
    members = {"match": "results/m.txt", "release": "inside", "rule": "task", "members": True}
    first = {"match": "results/*.txt", "release": "inside"}
    for changes, field in (
        ({"outputs": [{**members, "match": "results/*.txt"}]}, r"outputs\[0\]\.match"),
        ({"outputs": [first, members]}, r"outputs\[1\]\.match"),
        ({"outputs": [{**members, "rule": "other"}]}, r"outputs\[0\]\.rule"),
        ({"outputs": [members], "files": ["results/m.txt"]}, "files"),
    ):
        with pytest.raises(BadRequest, match=field):
            parse_profile(text(**changes), {"genomics": IMAGE})


def holes(**hole: Any) -> dict[str, Any]:
    return {"holes": {**PROFILE["holes"], "least": hole}}


def command(*words: Any, **changes: Any) -> dict[str, Any]:
    return {"executors": [{**PROFILE["executors"][0], "command": list(words), **changes}]}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"engine": {"name": "snakemake"}}, "'engine'"),
        ({"name": "UPPER"}, "name"),
        ({"version": "1"}, "version"),
        ({"executors": []}, "executors"),
        ({"executors": [PROFILE["executors"][0]] * 17}, "executors"),
        (command(), "executors[0].command"),
        (command("x", {"hole": "unknown"}), "executors[0].command[1]"),
        (command("x", {"hole": "files", "prefix": "--in="}), "executors[0].command[1]"),
        (command("x", 7), "executors[0].command[1]"),
        (command("x", image="other"), "executors[0].image"),
        (command("x", env={"A B": "x"}), "executors[0].env"),
        (command("x", env={"A": 1}), "executors[0].env"),
        (command("x", workdir="/etc"), "executors[0].workdir"),
        (command("x", stdout="/run/work/../x"), "executors[0].stdout"),
        (command("x", shell=True), "'shell'"),
        (holes(type="integer", minimum=1), "holes.least.maximum"),
        (holes(type="enum", values=[]), "holes.least.values"),
        (holes(type="enum", values=[1]), "holes.least.values"),
        (holes(type="pattern", pattern="^(a+)+$"), "holes.least.pattern"),
        (holes(type="pattern", pattern="^[a-z]+$"), "holes.least.pattern"),
        (holes(type="pattern", pattern="^.*$"), "holes.least.pattern"),
        (holes(type="file", role="nobody"), "holes.least.role"),
        (holes(type="anything"), "holes.least.type"),
        ({"inputs": [{"role": "people", "folder": "../x"}]}, "inputs[0].folder"),
        ({"inputs": [{"role": "people", "folder": "a"}, {"role": "people", "folder": "b"}]}, "inputs"),
        ({"files": ["/etc/passwd"]}, "files"),
        ({"files": ["a", "a"]}, "files"),
        ({"outputs": [{**PROFILE["outputs"][0], "rule": "other"}]}, "outputs[0].rule"),
        ({"outputs": [PRINTED]}, "outputs[0].stream"),
        ({"resources": {"cores": 0}}, "resources.cores"),
        ({"resources": {"ram_gb": -1}}, "resources"),
    ],
)
def test_what_is_not_well_formed_cannot_be_vetted(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_profile(text(**changes))
    assert field in refused.value.sentence


@pytest.mark.parametrize("raw", ["", "[]", "a: [", "name: x", "- 1", "{1: 2}"])
def test_what_is_no_profile_is_refused(raw: str) -> None:
    with pytest.raises(BadRequest):
        parse_profile(raw)


def vetted(name: str = "count-people", version: str = "1.0.0", **changes: Any) -> VettedProfile:
    profile = parse_profile(text(name=name, version=version, **changes), {"genomics": IMAGE})
    return VettedProfile(Statement(name, version, "sha256:" + "d" * 64, {"genomics": IMAGE}), profile, {})


TASK = NewTask.model_validate(
    {
        "inputs": [{"url": "u", "path": "/run/work/people/a.tsv"}],
        "executors": [
            {
                "image": IMAGE,
                "command": [
                    *("python3", "/run/workflow/count.py", "--least=5", "all"),
                    *("/run/work/results/counts.tsv", "/run/work/people/a.tsv"),
                ],
                "env": {"LC_ALL": "C.UTF-8"},
                "workdir": "/run/work",
            }
        ],
        "tags": {"profile": "count-people/1.0.0"},
    }
)


def test_of_versions_the_newest_is_chosen_whatever_the_tags_say() -> None:
    found, _ = chosen(TASK, [vetted(version="1.10.0"), vetted(), vetted(version="1.9.0")])
    assert found.statement.version == "1.10.0"


def test_two_profiles_that_fit_are_one_too_many() -> None:
    with pytest.raises(NotAllowed, match="Several signed profiles"):
        chosen(TASK, [vetted(), vetted("another")])


def test_a_refusal_names_the_nearest_profile_and_the_field() -> None:
    near = command("python3", "/run/workflow/count.py", {"hole": "least", "prefix": "--least="}, "never")
    far = replace(vetted("far"), profile=parse_profile(text(name="far"), {"genomics": "sha256:" + "e" * 64}))
    with pytest.raises(NotAllowed) as refused:
        chosen(TASK, [far, vetted("near", **near)])
    assert refused.value.sentence.startswith("executors[0].command[3]: ")
    assert "near/1.0.0" in refused.value.sentence


def test_without_a_signed_profile_nothing_runs() -> None:
    with pytest.raises(NotAllowed, match="executors: no task profile"):
        chosen(TASK, [])

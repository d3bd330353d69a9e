"""py-tes 1.1.4, the published client, in an environment of its own, as another network's end user."""

import json
import subprocess

import pytest
from federation_scene import Federated
from official import check

from strongroom.settings import SOURCE

PYTHON = SOURCE / ".venvs" / "pytes" / "bin" / "python"
OUTSIDER = SOURCE / "tests" / "conformance" / "pytes" / "outsider.py"


def test_py_tes_creates_waits_gets_lists_and_cancels_a_federated_task(federated: Federated) -> None:
    asked = {
        "url": federated.site.stage.settings.base_url,
        "token": federated.outside.token("north", "bob"),
        "patience": 120,
        "task": federated.task("py-tes"),
        "slow": federated.task("py-tes-slow", executors=[federated.executor("slow")]),
        "bad": federated.task(executors=[federated.executor("unsigned")]),
    }
    done = subprocess.run(
        [str(PYTHON), "-P", str(OUTSIDER)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["from"].startswith(str(SOURCE / ".venvs" / "pytes"))
    assert seen["version"] == "1.1.0"
    assert (seen["state"], seen["exit_codes"], seen["stdout"]) == ("COMPLETE", [0], [None])
    assert (seen["outputs"], seen["system_logs"]) == ([], [])
    assert seen["inputs"] == ["strongroom://dataset/people/alpha.tsv"]
    assert seen["task"] in seen["listed"]
    assert len(set(seen["listed"])) == len(seen["listed"])
    assert seen["canceled"] == "CANCELED"
    assert seen["refusal"].startswith("403 ")


def test_what_py_tes_asked_for_is_delivered_when_two_stewards_agree(federated: Federated) -> None:
    bob = federated.outside.token("north", "bob")
    task = federated.created(federated.task("py-tes-delivered"), token=bob)
    assert federated.ended(task, token=bob)["state"] == "COMPLETE"
    federated.approve(federated.request_of(task))
    raw = federated.eventually(lambda: federated.outside.taken.get("py-tes-delivered"), "nothing was delivered")
    assert federated.opened(raw).startswith("group\tpeople")


@pytest.mark.parametrize("mode", ["all", "fail"])
def test_a_federated_task_is_shown_as_the_official_file_says(federated: Federated, mode: str) -> None:
    tags = {"batch": f"official-{mode}"}
    body = federated.task(f"official-{mode}", executors=[federated.executor(mode)], tags=tags)
    task = federated.created(body)
    check("tes", "tesTask", federated.ask("GET", f"/tasks/{task}", view="FULL").json())
    federated.ended(task)
    for view in ("MINIMAL", "BASIC", "FULL"):
        whole = federated.ask("GET", f"/tasks/{task}", view=view).json()
        if view == "MINIMAL":
            assert set(whole) == {"id", "state"}
        else:
            check("tes", "tesTask", whole)
            assert (whole["name"], whole["tags"]) == ("count", tags)
        listed = federated.ask("GET", "/tasks", view=view, tag_key="batch", tag_value=tags["batch"]).json()
        assert listed["tasks"] == [whole]
        if view != "MINIMAL":
            check("tes", "tesListTasksResponse", listed)
    for view in ("full", "ALL"):
        assert federated.ask("GET", f"/tasks/{task}", view=view).status_code == 400
    assert federated.ask("POST", f"/tasks/{task}:cancel").json() == {}
    assert federated.ask("GET", f"/tasks/{task}").json()["state"] == federated.ended(task)["state"]

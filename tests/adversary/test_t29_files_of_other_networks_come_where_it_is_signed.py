"""Another network brings files of its own where a signed profile lets it, from hosts listed for that client alone."""

import time
from pathlib import Path
from typing import Any

import pytest
from federation_scene import PROFILE, Federated

LISTED = "drs.listed.example"
SECRET = "?X-Amz-Signature=5ecre7"


@pytest.fixture(scope="module")
def scene(federated: Federated, tmp_path_factory: pytest.TempPathFactory) -> Federated:
    """Have a profile whose second role may be played by files of other sites."""
    folder: Path = tmp_path_factory.mktemp("profile")
    extra = {"role": "extra", "folder": "extra", "pattern": "*.tsv", "min_files": 1, "max_files": 2, "outside": True}
    executor = dict(PROFILE["executors"][0])
    executor["command"] = [*executor["command"], {"hole": "more"}]
    holes = {**PROFILE["holes"], "more": {"type": "files", "role": "extra"}}
    federated.vet(
        folder / "p", name="count-with", inputs=[*PROFILE["inputs"], extra], executors=[executor], holes=holes
    )
    federated.outside.files["/files/own.tsv"] = "".join(f"own-{n}\ta\n" for n in range(30)).encode()
    return federated


def task(scene: Federated, url: str, path: str = "/run/work/extra/own.tsv", **more: Any) -> dict[str, Any]:
    body = scene.task(**more)
    body["inputs"] = [*body["inputs"], {"url": url, "path": path}]
    body["executors"] = [scene.executor("all", "alpha.tsv", "../extra/own.tsv")]
    body["executors"][0]["command"][-1] = path
    return body


def refused(scene: Federated, body: Any, *said: str, token: str = "", status: int = 400) -> None:
    count = "select (select count(*) from tasks), (select count(*) from decisions)"
    before = scene.rows(count)
    answer = scene.ask("POST", "/tasks", body, token=token)
    while answer.status_code == 429:  # other tests asked for this client in this minute
        time.sleep(float(answer.headers["Retry-After"]))
        answer = scene.ask("POST", "/tasks", body, token=token)
    assert answer.status_code == status, answer.text
    assert [word for word in said if word not in answer.json()["msg"]] == [], answer.text
    assert scene.rows(count) == before


def own(scene: Federated) -> str:
    return f"http://127.0.0.1:{scene.outside.port}/files/own.tsv{SECRET}"


def test_t29_a_file_of_a_listed_host_is_read_and_reviewed_like_all_else(scene: Federated) -> None:
    found = scene.created(task(scene, own(scene), "/run/work/extra/own.tsv", name="with"))
    assert scene.ended(found)["state"] == "COMPLETE"
    request = scene.request_of(found)
    scene.approve(request)
    scene.eventually(lambda: scene.delivery(request)[0] == "DELIVERED", "no delivery")
    # 40 people of alpha.tsv, half of them in a; 30 more of the client's own, all in a.
    assert scene.opened(scene.outside.taken["counts"]).splitlines()[1:] == ["a\t50", "b\t20"]
    (event,) = scene.events("task.federated", found)
    assert list(event["facts"]["outside"]) == ["/run/work/extra/own.tsv"]
    assert SECRET not in str(event)


def test_t29_the_url_of_a_file_stands_in_no_log_and_no_spec(scene: Federated) -> None:
    found = scene.created(task(scene, own(scene), name="silent"))
    assert scene.ended(found)["state"] == "COMPLETE"
    logs = "".join(path.read_text(errors="replace") for path in (scene.site.stage.home / "logs").iterdir())
    assert SECRET not in logs
    assert SECRET not in str(scene.rows("select launch, report from attempts"))
    assert SECRET not in str(scene.rows("select body from audit_events"))


def test_t29_a_file_that_cannot_be_had_ends_the_task_and_tells_nothing(scene: Federated) -> None:
    gone = f"http://127.0.0.1:{scene.outside.port}/files/gone.tsv{SECRET}"
    found = scene.ended(scene.created(task(scene, gone, "/run/work/extra/gone.tsv", name="gone")))
    assert found["state"] == "SYSTEM_ERROR"
    assert found["logs"] == [] or found["logs"][0]["system_logs"] == []
    (row,) = scene.rows("select report from attempts where task = ?", found["id"])
    assert "404" in row[0]
    assert SECRET not in row[0]


@pytest.mark.parametrize(
    "url",
    [
        "https://unlisted.example/own.tsv",
        "https://127.0.0.1/own.tsv",
        "http://169.254.169.254/latest/meta-data/own.tsv",
        "https://drs.listed.example:8443/own.tsv",
        "https://drs.listed.example.evil.example/own.tsv",
        "https://drs.listed.example@evil.example/own.tsv",
        "https://evil.example\\@drs.listed.example/own.tsv",
        "https://drs.listed.example/own.tsv#x",
        "http://drs.listed.example/own.tsv",
        "drs://unlisted.example/own",
        "drs://dg.4503:abc",
        "drs://drs.listed.example/../own",
        "s3://bucket/own.tsv",
        "s3:///own.tsv",
        "ftp://drs.listed.example/own.tsv",
        "file:///etc/passwd",
        "https://",
        "https://[::1]/own.tsv",
    ],
)
def test_t29_a_file_of_a_host_that_is_not_listed_is_refused(scene: Federated, url: str) -> None:
    refused(scene, task(scene, url), "inputs[1].url")


def test_t29_hosts_are_listed_for_one_client_and_not_for_another(scene: Federated) -> None:
    token = scene.outside.token("south", "cleo")
    refused(scene, task(scene, own(scene)), "inputs[1].url", "have files from", token=token)


def test_t29_a_role_that_is_not_signed_as_open_takes_files_of_this_site_only(scene: Federated) -> None:
    body = scene.task()
    body["inputs"] = [{"url": f"https://{LISTED}/alpha.tsv", "path": "/run/work/people/alpha.tsv"}]
    refused(scene, body, "inputs[0].url", "signed profile takes files of this site only")


def test_t29_a_file_goes_where_its_role_says(scene: Federated) -> None:
    for path in ("/run/work/extra/../people/own.tsv", "/run/work/extra/own.vcf", "/etc/own.tsv", "/run/work/own.tsv"):
        refused(scene, task(scene, own(scene), path), "inputs[1]", status=403)
    body = task(scene, own(scene))
    body["inputs"][1]["type"] = "DIRECTORY"
    answer = scene.ask("POST", "/tasks", body)
    assert answer.status_code in (400, 403), answer.text
    assert "inputs[1]" in answer.json()["msg"]

"""What WES 1.1 and TES 1.1 answer here is what GA4GH's own OpenAPI files say."""

import time
from typing import Any

import pytest
from official import check
from site_of_tests import Site

from strongroom.projects import Role

WES, TES = "/ga4gh/wes/v1", "/ga4gh/tes/v1"
TASKS = 73  # of the cohort's workflow, run to its end


@pytest.fixture(scope="module")
def run(site: Site) -> str:
    return site.calling()


def ask(site: Site, path: str, **query: Any) -> Any:
    with site.stage.client(site.cast.researcher) as client:
        return client.get(path, **query)


def test_service_info_is_open_and_whole(site: Site) -> None:
    with site.stage.client("") as client:
        check("wes", "ServiceInfo", client.get(f"{WES}/service-info"))
        check("tes", "tesServiceInfo", client.get(f"{TES}/service-info"))


def test_wes_answers(site: Site, run: str) -> None:
    whole = ask(site, f"{WES}/runs/{run}")
    check("wes", "RunLog", whole)
    check("wes", "RunStatus", ask(site, f"{WES}/runs/{run}/status"))
    check("wes", "RunListResponse", ask(site, f"{WES}/runs"))
    tasks = ask(site, f"{WES}/runs/{run}/tasks")
    check("wes", "TaskListResponse", tasks)
    for task in tasks["task_logs"]:
        check("wes", "TaskLog", ask(site, f"{WES}/runs/{run}/tasks/{task['id']}"))
    assert ask(site, whole["task_logs_url"]) == tasks


@pytest.mark.parametrize("view", ["MINIMAL", "BASIC", "FULL"])
def test_tes_answers(site: Site, run: str, view: str) -> None:
    tasks = ask(site, f"{WES}/runs/{run}/tasks")["task_logs"]
    for task in tasks:
        shown = ask(site, f"{TES}/tasks/{task['id']}", view=view)
        check("tes", "tesTask", {"executors": [], **shown} if view == "MINIMAL" else shown)
        assert (set(shown) == {"id", "state"}) == (view == "MINIMAL")
        logs = [log for attempt in shown.get("logs", []) for log in attempt["logs"]]
        assert not any("stdout" in log or "stderr" in log for log in logs)  # they pass the airlock first
    listed = ask(site, f"{TES}/tasks", view="BASIC", page_size=3)
    check("tes", "tesListTasksResponse", listed)


def test_a_token_of_another_list_is_refused(site: Site, run: str) -> None:
    token = ask(site, f"{TES}/tasks", page_size=7)["next_page_token"]
    with site.stage.client(site.cast.researcher) as client:
        answer = client.http.get(f"{TES}/tasks", params={"page_token": token, "state": "COMPLETE"})
        assert (answer.status_code, "another caller or filter" in answer.json()["msg"]) == (400, True)
        with site.stage.client(site.cast.first_steward) as steward:
            assert steward.http.get(f"{TES}/tasks", params={"page_token": token}).status_code == 400
        assert client.http.get(f"{TES}/tasks", params={"page_token": token}).status_code == 200


def test_tes_lists_page_by_page_without_gap_or_repeat(site: Site, run: str) -> None:
    every, token = [], None
    for _ in range(200):
        page = ask(site, f"{TES}/tasks", page_size=7, page_token=token)
        every += [task["id"] for task in page["tasks"]]
        if not (token := page["next_page_token"]):
            break
    own = {task["id"] for task in ask(site, f"{WES}/runs/{run}/tasks")["task_logs"]}
    assert len(set(every)) == len(every)
    assert own <= set(every)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{WES}/runs/nothing", 404),
        (f"{WES}/runs/nothing/status", 404),
        (f"{WES}/runs/nothing/tasks", 404),
        (f"{WES}/runs?page_size=0", 400),
        (f"{WES}/runs?page_size=x", 400),
        (f"{WES}/runs?page_token=x", 400),
        (f"{TES}/tasks/nothing", 404),
        (f"{TES}/tasks?view=ALL", 400),
        (f"{TES}/tasks?state=DONE", 400),
        (f"{TES}/tasks?page_token=eyJ9", 400),
    ],
)
def test_bad_input_gets_a_ga4gh_error_that_says_why(site: Site, path: str, status: int) -> None:
    with site.stage.client(site.cast.researcher) as client:
        answer = client.http.get(path)
    assert answer.status_code == status
    check("wes", "ErrorResponse", answer.json())
    assert answer.json()["status_code"] == status
    assert len(answer.json()["msg"]) > 10


@pytest.mark.parametrize("path", [f"{WES}/runs", f"{TES}/tasks", "/api/airlock/v1/requests", "/metrics"])
def test_nothing_is_told_without_a_token(site: Site, path: str) -> None:
    with site.stage.client("") as client:
        assert client.http.get(path).status_code == 401
    with site.stage.client("not.a.token") as client:
        assert client.http.get(path).status_code == 401


def test_a_person_creates_no_task(site: Site) -> None:
    with site.stage.client(site.cast.researcher) as client:
        task = {"executors": [{"image": "sha256:" + "a" * 64, "command": ["true"]}]}
        answer = client.http.post(f"{TES}/tasks", json=task)
    assert answer.status_code == 403
    assert "WES" in answer.json()["msg"]


def test_another_persons_run_and_task_are_unknown(site: Site, run: str) -> None:
    task = ask(site, f"{WES}/runs/{run}/tasks")["task_logs"][0]["id"]
    other = site.stage.token("rita", Role.RESEARCHER, "cohort")
    with site.stage.client(other) as client:
        for path in (f"/runs/{run}", f"/runs/{run}/tasks", f"/runs/{run}/status", f"/runs/{run}/tasks/{task}"):
            assert client.http.get(WES + path).status_code == 404
        assert client.http.get(f"{TES}/tasks/{task}").status_code == 404
        assert client.http.post(f"{WES}/runs/{run}/cancel").status_code == 404
        assert client.http.post(f"{TES}/tasks/{task}:cancel").status_code == 404
        assert client.get(f"{TES}/tasks")["tasks"] == []


def test_a_canceled_run_ends_canceled_and_nothing_of_it_lives(site: Site) -> None:
    run = site.submit("cohort-frequencies/1.0.0", {"inputs": {"calls": "hapmap"}})
    with site.stage.client(site.cast.researcher) as client:
        while not client.get(f"{WES}/runs/{run}/tasks")["task_logs"]:
            time.sleep(0.05)
        check("wes", "RunId", client.http.post(f"{WES}/runs/{run}/cancel").json())
        assert site.ended(run) == "CANCELED"
        tasks = [task["id"] for task in client.get(f"{WES}/runs/{run}/tasks")["task_logs"]]
        states = {client.get(f"{TES}/tasks/{task}")["state"] for task in tasks}
        assert client.http.post(f"{WES}/runs/{run}/cancel").status_code == 200
        assert client.get(f"{WES}/runs/{run}/status")["state"] == "CANCELED"
    assert len(tasks) < TASKS
    assert states <= {"CANCELED", "COMPLETE"}

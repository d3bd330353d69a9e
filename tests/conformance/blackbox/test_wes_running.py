"""WES 1.1: a run from its submit to its end, its tasks, its logs, and lists while others come."""

import json
from typing import Any

import pytest
import shapes
from clauses import WES, must, should
from server import TERMINAL, Server, good
from shapes import check, check_refused

pytestmark = [WES, pytest.mark.needs("wes_workflow")]
BEFORE = {"QUEUED", "INITIALIZING", "RUNNING", "PAUSED", "UNKNOWN"}


@pytest.fixture(scope="session")
def submitted(wes: Server, fields: dict[str, str]) -> dict[str, Any]:
    """What POST /runs answered, and what was to be seen of the run at once."""
    answer = good(wes.form(fields))
    run = answer["run_id"]
    return {
        "answer": answer,
        "run": run,
        "whole": wes.get(f"/runs/{run}"),
        "status": wes.get(f"/runs/{run}/status"),
        "list": wes.get("/runs", page_size=100),
    }


@pytest.fixture(scope="session")
def seen(wes: Server, submitted: dict[str, Any], given: Any) -> list[str]:
    """The states of the run until its end, in the order they were seen."""
    return wes.states(f"/runs/{submitted['run']}/status", given.patience)


@pytest.fixture(scope="session")
def run(submitted: dict[str, Any], seen: list[str]) -> str:
    """A run that ended."""
    assert seen[-1] in TERMINAL
    return str(submitted["run"])


@pytest.fixture(scope="session")
def whole(wes: Server, run: str) -> Any:
    """Its RunLog."""
    return good(wes.get(f"/runs/{run}"))


@pytest.fixture(scope="session")
def tasks(wes: Server, run: str) -> list[Any]:
    """Its tasks, all of them."""
    return [task for page in wes.pages(f"/runs/{run}/tasks", "task_logs", 100) for task in page]


@must("WES-30", "POST /runs answers 200 with a RunId")
def test_a_good_run_gets_an_id(submitted: dict[str, Any]) -> None:
    """RunWorkflow: "creates a new workflow run and returns a RunId to monitor its progress"."""
    check(shapes.RUN_ID, submitted["answer"])
    assert submitted["answer"]["run_id"]


@must("WES-31", "A run is there at once: as RunLog, as RunStatus and in the list")
def test_a_run_is_there_at_once(submitted: dict[str, Any]) -> None:
    """RunWorkflow: who got a RunId can monitor the run by it."""
    assert good(submitted["whole"])["run_id"] == submitted["run"]
    check(shapes.RUN_STATUS, good(submitted["status"]))
    assert submitted["run"] in [one["run_id"] for one in good(submitted["list"])["runs"]]


@must("WES-32", "States are those of the specification, and a run that can run ends COMPLETE")
def test_a_good_run_ends_complete(seen: list[str]) -> None:
    """State: the eleven values; COMPLETE says that executors exited without error."""
    assert set(seen) <= set(shapes.STATE["enum"])
    assert seen[-1] == "COMPLETE", seen


@must("WES-33", "A run's states go ahead: nothing is queued again once it runs, and the end is the end")
def test_states_go_ahead(wes: Server, seen: list[str], run: str) -> None:
    """State: QUEUED before INITIALIZING before RUNNING before the end."""
    ahead = [state for state in ("QUEUED", "INITIALIZING", "RUNNING") if state in seen]
    assert [state for state in seen if state in ahead] == ahead
    assert set(seen[:-1]) <= BEFORE
    assert good(wes.get(f"/runs/{run}/status"))["state"] == seen[-1]


@must("WES-34", "RunLog: every member has its type; what is not nullable is left out rather than null")
def test_a_run_log_has_its_shape(whole: Any) -> None:
    """RunLog: only task_logs is nullable; outputs is an object."""
    check(shapes.RUN_LOG, whole)


@must("WES-35", "RunLog.request is what was asked")
def test_the_request_is_echoed(whole: Any, fields: dict[str, str]) -> None:
    """RunRequest: type, URL, parameters and tags come back as they were sent."""
    request = whole["request"]
    assert request["workflow_url"] == fields["workflow_url"]
    assert request["workflow_type"].upper() == fields["workflow_type"].upper()
    assert request["workflow_params"] == json.loads(fields["workflow_params"])
    assert request["tags"] == json.loads(fields["tags"])


@must("WES-36", "RunLog and RunStatus agree on the state")
def test_state_is_the_same_everywhere(wes: Server, whole: Any, run: str) -> None:
    """RunLog.state, RunStatus.state, RunSummary.state."""
    assert whole["state"] == good(wes.get(f"/runs/{run}/status"))["state"]
    line = next(one for page in wes.pages("/runs", "runs", 100) for one in page if one["run_id"] == run)
    assert line["state"] == whole["state"]


@must("WES-37", "run_log: start_time and end_time are ISO 8601, and the end is not before the start")
def test_times_are_in_order(whole: Any) -> None:
    """Log.start_time, Log.end_time: ISO 8601 "%Y-%m-%dT%H:%M:%SZ"."""
    log = whole["run_log"]
    assert {"start_time", "end_time"} <= set(log), "a run that ended has both times"
    check(shapes.LOG, log)
    assert log["start_time"][:19] <= log["end_time"][:19]


@must("WES-38", "run_log.exit_code of a COMPLETE run is 0, where there is one")
def test_the_exit_code_of_a_good_run_is_zero(whole: Any) -> None:
    """Log.exit_code: int32, the exit code of the program."""
    assert whole["run_log"].get("exit_code", 0) == 0


@must("WES-39", "task_logs_url is a complete URL that the same credentials open: a TaskListResponse")
def test_task_logs_url_leads_to_the_tasks(wes: Server, whole: Any) -> None:
    """RunLog.task_logs_url: "a reference to the complete url"."""
    url = whole.get("task_logs_url", "")
    assert url.startswith(("http://", "https://")), f"task_logs_url is {url!r}"
    check(shapes.TASK_LIST, good(wes.get(url)))


@must("WES-40", "Log.stdout and Log.stderr are URLs that the same credentials open, or that say why not yet")
def test_logs_are_urls(wes: Server, whole: Any, tasks: list[Any]) -> None:
    """Log.stdout: "a URL to retrieve standard output logs"; it "may not be available until" something happened."""
    for log in (whole["run_log"], *tasks[:3]):
        for stream in ("stdout", "stderr"):
            if stream in log:
                assert log[stream].startswith(("http://", "https://")), f"{stream} is no URL: {log[stream][:60]!r}"
                answer = wes.get(log[stream])
                if answer.status_code != 200:
                    check_refused(answer, 404, 409)


@must("WES-41", "GET /runs/{id}/tasks: each task has an id of its own and a name")
def test_tasks_have_ids_and_names(tasks: list[Any]) -> None:
    """TaskLog: id and name are required; id is "a unique identifier"."""
    assert tasks, "a run that ended had a task"
    check(shapes.listed(shapes.TASK_LOG), tasks)
    assert len({task["id"] for task in tasks}) == len(tasks)


@must("WES-42", "GET /runs/{id}/tasks: pages hold page_size at most, and together the list without gap or repeat")
def test_tasks_come_page_by_page(wes: Server, run: str, tasks: list[Any]) -> None:
    """ListTasks: page_size and page_token; "an empty string indicates there are no more items"."""
    pages = wes.pages(f"/runs/{run}/tasks", "task_logs", 1)
    assert all(len(page) <= 1 for page in pages)
    assert [task["id"] for page in pages for task in page] == [task["id"] for task in tasks][: len(pages)]
    check_refused(wes.get(f"/runs/{run}/tasks", page_token="forged"), 400)


@must("WES-43", "GET /runs/{id}/tasks/{task}: the same task as in the list; an unknown one is 404")
def test_a_task_is_found_by_its_id(wes: Server, run: str, tasks: list[Any]) -> None:
    """GetTask: "information on a specific task, if it exists"."""
    for task in tasks[:3]:
        assert good(wes.get(f"/runs/{run}/tasks/{task['id']}")) == task
    check_refused(wes.get(f"/runs/{run}/tasks/no-such-task"), 404)


@must("WES-44", "RunLog.task_logs, where there is one, has the tasks in the order of the list")
def test_task_logs_go_with_the_list(whole: Any, tasks: list[Any]) -> None:
    """ListTasks: "ordering should be the same as what would be returned in a RunLog response body"."""
    if whole.get("task_logs"):
        assert [one.get("name") for one in whole["task_logs"]] == [task["name"] for task in tasks]


@should("WES-45", "TaskLog.tes_uri, where there is one, leads to the task in TES")
def test_tes_uri_leads_to_tes(wes: Server, tasks: list[Any]) -> None:
    """TaskLog.tes_uri: "an optional URL pointing to an extended task definition"."""
    for task in tasks[:3]:
        if "tes_uri" in task:
            assert good(wes.get(task["tes_uri"]))["id"]


@pytest.fixture(scope="session")
def canceled(wes: Server, fields: dict[str, str], given: Any) -> tuple[str, Any, list[str]]:
    """A run that was canceled as soon as it ran, the answer, and the states from then on."""
    run = good(wes.form(fields))["run_id"]
    wes.states(f"/runs/{run}/status", given.patience, {"RUNNING", *TERMINAL})
    answer = wes.post(f"/runs/{run}/cancel")
    return run, answer, wes.states(f"/runs/{run}/status", given.patience)


@must("WES-46", "POST /runs/{id}/cancel answers 200 with the RunId")
def test_cancel_answers_the_id(canceled: tuple[str, Any, list[str]]) -> None:
    """CancelRun: RunId."""
    run, answer, _ = canceled
    check(shapes.RUN_ID, good(answer))
    assert good(answer)["run_id"] == run


@must("WES-47", "A canceled run goes by CANCELING to CANCELED and nowhere else")
def test_a_canceled_run_ends_canceled(canceled: tuple[str, Any, list[str]]) -> None:
    """State: CANCELING "is in the process of stopping", CANCELED "was canceled by the user"."""
    _, _, states = canceled
    assert [state for state in states if state != "CANCELING"] in (
        ["CANCELED"],
        ["COMPLETE"],
        ["RUNNING", "CANCELED"],
    )


@must("WES-48", "Canceling what has ended changes nothing")
def test_cancel_of_what_ended_changes_nothing(wes: Server, run: str, whole: Any) -> None:
    """CancelRun: a run that ended has nothing to stop."""
    assert wes.post(f"/runs/{run}/cancel").status_code < 500
    assert good(wes.get(f"/runs/{run}"))["state"] == whole["state"]


@must("WES-06", "GET /runs: no more than page_size items")
def test_page_size_is_a_maximum(wes: Server, run: str, canceled: tuple[str, Any, list[str]]) -> None:
    """ListRuns, page_size: "must not return more items than page_size, but it may return fewer"."""
    for size in (1, 2, 3):
        assert len(good(wes.get("/runs", page_size=size))["runs"]) <= size


@must("WES-49", "GET /runs, page by page: no gap, no repeat, the same order each time")
def test_runs_come_page_by_page(wes: Server, run: str, canceled: tuple[str, Any, list[str]]) -> None:
    """ListRuns: "this list should be provided in a stable ordering"."""
    at_once = [one["run_id"] for page in wes.pages("/runs", "runs", 100) for one in page]
    by_two = [one["run_id"] for page in wes.pages("/runs", "runs", 2) for one in page]
    assert by_two == at_once[: len(by_two)]
    assert len(set(by_two)) == len(by_two)
    assert {run, canceled[0]} <= set(at_once)


@must("WES-50", "GET /runs: a run that comes between two pages neither repeats nor shifts the others")
def test_pages_are_of_one_moment(
    wes: Server, fields: dict[str, str], run: str, canceled: tuple[str, Any, list[str]]
) -> None:
    """ListRuns: "the contents of the list reflect the workflow list" as it is when the first page is requested."""
    before = [one["run_id"] for page in wes.pages("/runs", "runs", 100) for one in page]
    first = good(wes.get("/runs", page_size=1))
    come = good(wes.form(fields))["run_id"]
    wes.post(f"/runs/{come}/cancel")
    second = good(wes.get("/runs", page_size=1, page_token=first["next_page_token"]))
    assert [one["run_id"] for one in first["runs"] + second["runs"]] == before[:2]


@must("WES-51", "A token of one list is none of another (400)")
def test_tokens_belong_to_their_list(wes: Server, run: str, canceled: tuple[str, Any, list[str]]) -> None:
    """ListTasks, page_token: a token says where this list goes on."""
    token = good(wes.get("/runs", page_size=1))["next_page_token"]
    assert token
    check_refused(wes.get(f"/runs/{run}/tasks", page_token=token), 400)


@must("WES-52", "A task of another run is 404")
def test_a_task_of_another_run_is_unknown(
    wes: Server, tasks: list[Any], canceled: tuple[str, Any, list[str]]
) -> None:
    """GetTask: a task of this run, "if it exists"."""
    check_refused(wes.get(f"/runs/{canceled[0]}/tasks/{tasks[0]['id']}"), 404)


@must("WES-53", "Somebody else's run is 404, or 403, and the same everywhere; it is in nobody else's list")
@pytest.mark.needs("other_token")
def test_somebody_elses_run_is_hidden(wes: Server, given: Any, run: str, whole: Any, tasks: list[Any]) -> None:
    """ListRuns: "filtered to only include runs that the caller has permission to see"."""
    other = Server(given.wes_url, given.other_token)
    places = ["", "/status", "/tasks", f"/tasks/{tasks[0]['id']}"]
    answers = [other.get(f"/runs/{run}{place}") for place in places] + [other.post(f"/runs/{run}/cancel")]
    answers += [other.get(whole["run_log"][stream]) for stream in ("stdout", "stderr") if stream in whole["run_log"]]
    for answer in answers:
        check_refused(answer, 404, 403)
    assert len({answer.status_code for answer in answers}) == 1, "404 in one place and 403 in another tell of the run"
    assert run not in [one["run_id"] for page in other.pages("/runs", "runs", 100) for one in page]
    assert good(wes.get(f"/runs/{run}/status"))["state"] == whole["state"]


@must("WES-54", "Somebody else's page token is 400")
@pytest.mark.needs("other_token")
def test_tokens_belong_to_their_caller(wes: Server, given: Any, canceled: tuple[str, Any, list[str]]) -> None:
    """ListRuns, page_token: what it leads to belongs to who got it."""
    token = good(wes.get("/runs", page_size=1))["next_page_token"]
    check_refused(Server(given.wes_url, given.other_token).get("/runs", page_token=token), 400)


@must("WES-55", "A workflow that fails ends as EXECUTOR_ERROR, and its exit code is not 0 where there is one")
@pytest.mark.needs("wes_failing")
def test_a_failing_workflow_is_an_executor_error(wes: Server, fields: dict[str, str], given: Any) -> None:
    """State: EXECUTOR_ERROR "encountered an error in one of the Executor processes"."""
    run = good(wes.form({**fields, "workflow_url": given.wes_failing}))["run_id"]
    assert wes.states(f"/runs/{run}/status", given.patience)[-1] == "EXECUTOR_ERROR"
    whole = good(wes.get(f"/runs/{run}"))
    check(shapes.RUN_LOG, whole)
    assert whole["run_log"].get("exit_code", 1) != 0

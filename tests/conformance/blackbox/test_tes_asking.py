"""TES 1.1: what a server answers though nothing runs: service-info, refusals, unknown tasks."""

from typing import Any

import pytest
import shapes
from clauses import TES, must, should
from server import Server, good
from shapes import check

pytestmark = TES
UNKNOWN = ["no-such-task", "0", "f" * 32, "00000000-0000-4000-8000-000000000000", "a%20b"]


def refused(answer: Any, *statuses: int) -> None:
    """TES 1.1 gives errors no shape: the status is what counts."""
    assert answer.status_code in statuses, f"{answer.status_code}, not {statuses}: {answer.text[:300]}"


@must("TES-01", "GET /service-info answers 200 with every required member of Service")
def test_service_info_is_whole(tes: Server) -> None:
    """tesServiceInfo."""
    info = good(tes.get("/service-info"))
    check(shapes.TES_INFO, info)
    assert info["type"]["artifact"].lower() == "tes"


@must("TES-02", "GET /tasks answers a tesListTasksResponse; MINIMAL, the default, is id and state alone")
def test_a_list_is_minimal(tes: Server) -> None:
    """ListTasks, view: MINIMAL "will include ONLY the tesTask.id and tesTask.state"."""
    answer = good(tes.get("/tasks", page_size=5))
    check(shapes.TES_LIST, answer)
    assert all(set(task) == {"id", "state"} for task in answer["tasks"])


@must("TES-03", "GET /tasks: no more than page_size items; a size that is no number, below 1 or above 2047 is 400")
def test_page_size_is_a_maximum(tes: Server) -> None:
    """ListTasks, page_size: "must be less than 2048"."""
    for size in (1, 2):
        assert len(good(tes.get("/tasks", page_size=size))["tasks"]) <= size
    for bad in ("x", "-1", "0", "2048"):
        refused(tes.get("/tasks", page_size=bad), 400)


@must("TES-04", "GET /tasks: a page_token that the server never gave is 400")
@pytest.mark.parametrize("token", ["forged", "e30=", "1"])
def test_a_forged_page_token_is_refused(tes: Server, token: str) -> None:
    """ListTasks, page_token."""
    refused(tes.get("/tasks", page_token=token), 400)


@must("TES-05", "A view or state that is none of the specification's is 400")
@pytest.mark.parametrize("query", [{"view": "ALL"}, {"view": "full"}, {"state": "DONE"}])
def test_a_bad_view_or_state_is_refused(tes: Server, query: dict[str, str]) -> None:
    """ListTasks: view and state are enumerations."""
    refused(tes.get("/tasks", **query), 400)


@must("TES-06", "GET /tasks: more tag values than keys contradict each other (400)")
def test_more_values_than_keys_are_refused(tes: Server) -> None:
    """ListTasks, tag_value: "the tag_value must have a matching tag_key"."""
    refused(tes.get("/tasks", tag_value="lonely"), 400)


@must("TES-07", "An unknown task is 404, for GET and for cancel")
@pytest.mark.parametrize("task", UNKNOWN)
def test_an_unknown_task_is_not_found(tes: Server, task: str) -> None:
    """GetTask, CancelTask."""
    refused(tes.get(f"/tasks/{task}"), 404)
    refused(tes.post(f"/tasks/{task}:cancel"), 404)


@must("TES-08", "Without credentials, and with forged ones, tasks are neither listed nor created (401 or 403)")
@pytest.mark.needs("tes_url", "token")
@pytest.mark.parametrize("token", ["", "forged"])
def test_nobody_gets_nothing(given: Any, token: str) -> None:
    """A server that asks for a token asks everybody."""
    nobody = Server(given.tes_url, token)
    refused(nobody.get("/tasks"), 401, 403)
    refused(nobody.post("/tasks", json={"executors": [{"image": "x", "command": ["true"]}]}), 401, 403)


@should("TES-09", "Pages of other sites may read nothing unless the operator says so (no CORS for any origin)")
def test_pages_of_other_sites_read_nothing(tes: Server) -> None:
    """With a bearer token in the browser, `Access-Control-Allow-Origin: *` opens tasks to every page."""
    answer = tes.http.get(f"{tes.base}/tasks", headers={"Origin": "https://elsewhere.example"})
    assert answer.headers.get("access-control-allow-origin") not in ("*", "https://elsewhere.example")

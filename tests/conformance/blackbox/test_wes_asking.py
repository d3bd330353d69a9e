"""WES 1.1: what a server answers though nothing runs: service-info, refusals, unknown runs."""

import json
from typing import Any

import pytest
import shapes
from clauses import WES, must, should
from server import Server, good
from shapes import check, check_refused

pytestmark = WES
UNKNOWN = ["no-such-run", "0", "f" * 32, "00000000-0000-4000-8000-000000000000", "a%20b", "%F0%9F%A7%AC"]


@must("WES-01", "GET /service-info answers 200 with every required member of Service and of ServiceInfo")
def test_service_info_is_whole(wes: Server) -> None:
    """ServiceInfo: `required` of the service-info specification, and the eight members of WES."""
    check(shapes.WES_INFO, good(wes.get("/service-info")))


@must("WES-02", "service-info: supported_wes_versions names 1.1.x, and type.artifact is wes")
def test_service_info_says_which_version(wes: Server) -> None:
    """ServiceInfo.supported_wes_versions: the versions of the WES schema that this service supports."""
    info = good(wes.get("/service-info"))
    assert any(version.startswith("1.1") for version in info["supported_wes_versions"])
    assert info["type"]["artifact"].lower() == "wes"


@must("WES-03", "service-info: each default_workflow_engine_parameter has name, type and default_value as strings")
def test_engine_parameters_are_described(wes: Server) -> None:
    """DefaultWorkflowEngineParameter: `default_value` is the stringified default."""
    for one in good(wes.get("/service-info"))["default_workflow_engine_parameters"]:
        assert isinstance(one.get("name"), str)
        check(shapes.thing(name=shapes.S, type=shapes.S, default_value=shapes.S), one)


@must("WES-04", "GET /runs answers a RunListResponse whose next_page_token is a string")
def test_a_list_is_a_list(wes: Server) -> None:
    """RunListResponse: an empty string says that there are no more items; null is no string."""
    answer = good(wes.get("/runs"))
    check({"type": "object", "required": ["runs"], "properties": {"runs": {"type": "array"}}}, answer)
    assert isinstance(answer.get("next_page_token"), str), "next_page_token is no string"


@should("WES-05", "GET /runs: items are RunSummary, with tags (RunStatus alone is deprecated)")
def test_lines_of_the_list_are_summaries(wes: Server) -> None:
    """RunListResponse: "we encourage implementers to use RunSummary instead"."""
    check(shapes.RUN_LIST, good(wes.get("/runs")))


@must("WES-07", "GET /runs: a page_size that is no number, or negative, is a malformed request (400)")
@pytest.mark.parametrize("size", ["x", "-1", "1.5", ""])
def test_a_bad_page_size_is_refused(wes: Server, size: str) -> None:
    """ListRuns: page_size is an integer; 400 is "the request is malformed"."""
    check_refused(wes.get("/runs", page_size=size), 400)


@must("WES-08", "GET /runs: a page_token that the server never gave is a malformed request (400)")
@pytest.mark.parametrize("token", ["forged", "e30=", "W10=", "1", "../../x", "%00"])
def test_a_forged_page_token_is_refused(wes: Server, token: str) -> None:
    """ListRuns, page_token: a token says where to start; one that says nowhere is malformed."""
    check_refused(wes.get("/runs", page_token=token), 400)


@must("WES-09", "An unknown run is 404 with an ErrorResponse, in every operation and for ids of any form")
@pytest.mark.parametrize("run", UNKNOWN)
@pytest.mark.parametrize("path", ["", "/status", "/tasks", "/tasks/1"])
def test_an_unknown_run_is_not_found(wes: Server, run: str, path: str) -> None:
    """GetRunLog, GetRunStatus, ListTasks, GetTask: 404 "the requested workflow run not found"."""
    check_refused(wes.get(f"/runs/{run}{path}"), 404)


@must("WES-10", "POST /runs/{id}/cancel of an unknown run is 404 with an ErrorResponse")
@pytest.mark.parametrize("run", UNKNOWN)
def test_an_unknown_run_is_not_canceled(wes: Server, run: str) -> None:
    """CancelRun: 404 "the requested workflow run wasn't found"."""
    check_refused(wes.post(f"/runs/{run}/cancel"), 404)


@must("WES-11", "POST /runs without a required field is 400")
@pytest.mark.parametrize("field", ["workflow_url", "workflow_type", "workflow_type_version"])
def test_a_missing_field_is_refused(wes: Server, fields: dict[str, str], field: str) -> None:
    """RunRequest: workflow_type, workflow_type_version and workflow_url are required."""
    check_refused(wes.form({name: value for name, value in fields.items() if name != field}), 400)


@should("WES-12", "POST /runs: a refusal names the field that is wrong")
@pytest.mark.parametrize("field", ["workflow_url", "workflow_type", "workflow_type_version"])
def test_a_missing_field_is_named(wes: Server, fields: dict[str, str], field: str) -> None:
    """ErrorResponse.msg: "a detailed error message"."""
    left = {name: value for name, value in fields.items() if name != field}
    check_refused(wes.form(left), 400, names=field)


@must("WES-13", "POST /runs: workflow_params, tags and workflow_engine_parameters are JSON objects, or 400")
@pytest.mark.parametrize("field", ["workflow_params", "tags", "workflow_engine_parameters"])
@pytest.mark.parametrize("value", ["{", "[]", '"text"', "5", "{'a': 1}"])
def test_bad_json_is_refused(wes: Server, fields: dict[str, str], field: str, value: str) -> None:
    """RunRequest: these are objects; in a form they stand as JSON."""
    check_refused(wes.form({**fields, field: value}), 400)


@must("WES-14", "POST /runs: a type, type version, engine or engine version that is not supported is 400")
@pytest.mark.parametrize(
    "change",
    [
        {"workflow_type": "NO-SUCH-TYPE"},
        {"workflow_type_version": "0.0.0-none"},
        {"workflow_engine": "no-such-engine"},
        {"workflow_engine": "ENGINE", "workflow_engine_version": "0.0.0-none"},
    ],
    ids=lambda change: list(change)[-1],
)
def test_what_is_not_supported_is_refused(wes: Server, fields: dict[str, str], change: dict[str, str]) -> None:
    """RunRequest: each "must be one supported by this WES instance"."""
    engine = next(iter(good(wes.get("/service-info"))["workflow_engine_versions"]), "none")
    asked = {name: engine if value == "ENGINE" else value for name, value in change.items()}
    check_refused(wes.form({**fields, **asked}), 400)


@must("WES-15", "POST /runs: workflow_engine_version without workflow_engine is 400")
def test_an_engine_version_without_an_engine_is_refused(wes: Server, fields: dict[str, str]) -> None:
    """RunRequest.workflow_engine: "Required if workflow_engine_version is provided"."""
    versions = good(wes.get("/service-info"))["workflow_engine_versions"].values()
    version = next((one["workflow_engine_version"][0] for one in versions), "1")
    check_refused(wes.form({**fields, "workflow_engine_version": version}), 400)


@must("WES-16", "POST /runs: values of tags and workflow_engine_parameters are strings, or 400")
@pytest.mark.parametrize("field", ["tags", "workflow_engine_parameters"])
@pytest.mark.parametrize("value", [1, True, None, ["x"], {"a": "b"}])
def test_values_that_are_no_strings_are_refused(wes: Server, fields: dict[str, str], field: str, value: Any) -> None:
    """RunRequest: `additionalProperties` of both are strings."""
    whole = {**json.loads(fields.get(field, "{}")), "blackbox": value}
    check_refused(wes.form({**fields, field: json.dumps(whole)}), 400)


@should("WES-17", "POST /runs: an engine parameter that the server does not know is 400, not ignored")
def test_an_unknown_engine_parameter_is_refused(wes: Server, fields: dict[str, str]) -> None:
    """DefaultWorkflowEngineParameter: the parameters that there are stand in service-info."""
    asked = json.dumps({"no-such-parameter": "x"})
    check_refused(wes.form({**fields, "workflow_engine_parameters": asked}), 400)


@must("WES-18", "POST /runs: attachments that lead out of the run's folder, or have no name, are 400")
@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "", "a\\..\\..\\out.txt"])
def test_an_attachment_that_leads_out_is_refused(wes: Server, fields: dict[str, str], name: str) -> None:
    """RunWorkflow, workflow_attachment: parts have a filename; sub-directories are kept, `..` is refused."""
    part = (name or None, b"x", "application/octet-stream")
    check_refused(wes.form(fields, files=[("workflow_attachment", part)]), 400)


@must("WES-19", "POST /runs: what is refused leaves no run behind")
def test_what_is_refused_leaves_nothing(wes: Server, fields: dict[str, str]) -> None:
    """ListRuns: a list of runs that the service has executed or is executing; a refusal is none."""
    before = [run["run_id"] for run in good(wes.get("/runs", page_size=50))["runs"]]
    check_refused(wes.form({**fields, "workflow_params": "["}), 400)
    assert [run["run_id"] for run in good(wes.get("/runs", page_size=50))["runs"]] == before


@must("WES-20", "Without credentials, and with forged ones, runs are neither listed nor started (401 or 403)")
@pytest.mark.needs("wes_url", "token")
@pytest.mark.parametrize("token", ["", "forged", "a.b.c"])
def test_nobody_gets_nothing(given: Any, fields: dict[str, str], token: str) -> None:
    """Each operation: 401 "the request is unauthorized", 403 "not authorized to perform this action"."""
    nobody = Server(given.wes_url, token)
    check_refused(nobody.get("/runs"), 401, 403)
    check_refused(nobody.get("/runs/no-such-run"), 401, 403)
    check_refused(nobody.form(fields), 401, 403)


@should("WES-21", "Pages of other sites may read nothing unless the operator says so (no CORS for any origin)")
def test_pages_of_other_sites_read_nothing(wes: Server) -> None:
    """With a bearer token in the browser, `Access-Control-Allow-Origin: *` opens runs to every page."""
    answer = wes.http.get(f"{wes.base}/runs", headers={"Origin": "https://elsewhere.example"})
    assert answer.headers.get("access-control-allow-origin") not in ("*", "https://elsewhere.example")

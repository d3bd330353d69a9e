"""TES 1.1 as it is spoken, one test a line of our checklist; the numbers are those of docs/guides/tes.md."""

import uuid
from typing import Any

import pytest
from official import check
from tes_service import TASKS, Service, only, reasons

from strongroom.projects import Role

OTHERS = "sha256:" + "0" * 64


def listed(tes: Service, **query: Any) -> dict[str, Any]:
    """Return a list as the researcher gets it."""
    with tes.site.stage.client(tes.site.cast.researcher) as client:
        answer: dict[str, Any] = client.get(TASKS, **query)
    check("tes", "tesListTasksResponse", {**answer, "tasks": [{"executors": [], **t} for t in answer["tasks"]]})
    return answer


def status(tes: Service, path: str) -> int:
    with tes.site.stage.client(tes.site.cast.researcher) as client:
        return client.http.get(path).status_code


CONTRADICTIONS = {
    "executors": {"executors": []},
    "executors.0.image": {"executors": [{"command": ["true"]}]},
    "executors.0.command": {"executors": [{"image": OTHERS, "command": []}]},
    "inputs[0].path": {"inputs": [{"path": "a", "content": "x"}]},
    "inputs.0.path": {"inputs": [{"content": "x"}]},
    "inputs[0].url": {"inputs": [{"path": "/run/work/a"}]},
    "outputs.0.url": {"outputs": [{"path": "/run/work/a"}]},
    "outputs[0].path_prefix": {"outputs": [{"path": "/run/work/*", "url": "RUN"}]},
    "executors[0].stdout": {"executors": [{"image": OTHERS, "command": ["true"], "stdout": "out"}]},
    "volumes[0]": {"volumes": ["data"]},
    "inputs[0].type": {"inputs": [{"path": "/run/work/a", "content": "x", "type": "DIRECTORY"}]},
    "inputs[0].content": {"inputs": [{"path": "/run/work/a", "content": "x" * ((1 << 20) + 1)}]},
    "inputs[1].path": {"inputs": [{"path": f"/run/work/{path}", "content": "x"} for path in ("a", "a/b")]},
    "named once": {"inputs": [{"path": "/run/work/a", "content": "x"}] * 2},
}


@pytest.mark.parametrize("field", CONTRADICTIONS)
def test_34_a_contradiction_is_refused_with_its_field(tes: Service, field: str) -> None:
    answer = tes.asked({**tes.task(), **CONTRADICTIONS[field]})
    assert answer.status_code == 400
    assert field in answer.json()["msg"]
    assert tes.asked([]).status_code == 400
    assert tes.http.post(TASKS, content=b"{").status_code == 400


def test_34_a_good_task_gets_an_id_and_is_there_at_once(tes: Service) -> None:
    task = tes.create(tes.task())
    assert tes.shown(task, "MINIMAL")["id"] == task
    assert task in [one["id"] for one in listed(tes, page_size=20)["tasks"]]


def test_35_what_only_the_server_says_and_what_nobody_knows_is_ignored(tes: Service) -> None:
    claimed = {"id": "mine", "state": "COMPLETE", "creation_time": "1970-01-01T00:00:00Z", "logs": [{"logs": []}]}
    task = tes.create(tes.task(**claimed, newer={"field": 1}))
    shown = tes.shown(task)
    assert task != "mine"
    assert shown["creation_time"] > "2020"
    assert "newer" not in shown
    assert shown["logs"] == [] or shown["logs"][0]["logs"] == [] or "exit_code" in shown["logs"][0]["logs"][0]


@pytest.fixture(scope="module")
def rich(tes: Service) -> str:
    """A task that uses every field, at its end."""
    task = {
        "name": "rich",
        "description": "uses every field",
        "inputs": [{"name": "a", "description": "b", "path": "/run/work/in", "content": "x\n", "streamable": True}],
        "outputs": [{"name": "o", "description": "p", "path": "/run/work/out", "url": tes.url("/out")}],
        "resources": {
            "cpu_cores": 1,
            "ram_gb": 0.25,
            "disk_gb": 0.1,
            "preemptible": True,
            "zones": ["here"],
            "backend_parameters": {"WallTime_Seconds": "50"},
            "backend_parameters_strict": False,
        },
        "executors": [
            tes.executor("cat", stdin="/run/work/in", stdout="/run/work/out", stderr="/run/work/err", env={"A": "b"}),
            tes.executor("echo visible; echo visible >&2; cat /vol/nothing", workdir="/vol", ignore_error=True),
        ],
        "volumes": ["/vol/"],
        "tags": {"rich": "yes"},
    }
    made = tes.create(task)
    assert tes.ended(made)["state"] == "COMPLETE"
    return made


def test_36_the_default_view_is_minimal_and_has_two_fields(tes: Service, rich: str) -> None:
    assert tes.http.get(f"{TASKS}/{rich}").json() == {"id": rich, "state": "COMPLETE"}
    assert all(set(task) == {"id", "state"} for task in listed(tes)["tasks"])


def test_37_basic_leaves_out_content_and_system_logs_only(tes: Service, rich: str) -> None:
    full, basic = tes.shown(rich, "FULL"), tes.shown(rich, "BASIC")
    assert full["inputs"][0].pop("content") == "x\n"
    assert only(full).pop("system_logs") == []
    assert basic == full
    assert basic["executors"][0]["stdout"] == "/run/work/out"
    assert basic["inputs"][0]["streamable"] is True


def test_38_full_has_all_that_was_asked_for_and_bad_views_are_refused(tes: Service, rich: str) -> None:
    full = tes.shown(rich, "FULL")
    check("tes", "tesTask", full)
    assert {"description", "inputs", "outputs", "resources", "executors", "volumes", "tags", "logs"} <= set(full)
    assert (full["volumes"], full["tags"]) == (["/vol/"], {"rich": "yes"})
    assert full["resources"]["zones"] == ["here"]
    for view in ("full", "ALL", ""):
        assert tes.http.get(f"{TASKS}/{rich}", params={"view": view}).status_code == 400
        assert status(tes, f"{TASKS}?view={view}") == 400


# TES 1.1, GET /tasks, tag_key: the table as it stands there.
TABLE = [
    ({"foo": "bar"}, {"foo": "bar"}, True),
    ({"foo": "bar"}, {"foo": "bat"}, False),
    ({"foo": ""}, {"foo": ""}, True),
    ({"foo": "bar", "baz": "bat"}, {"foo": "bar", "baz": "bat"}, True),
    ({"foo": "bar"}, {"foo": "bar", "baz": "bat"}, True),
    ({"foo": "bar", "baz": "bat"}, {"foo": "bar"}, False),
    ({"foo": ""}, {"foo": "bar"}, True),
    ({"foo": ""}, {}, False),
]


@pytest.mark.parametrize(("asked", "tags", "match"), TABLE)
def test_40_the_table_of_tag_filters(tes: Service, asked: dict[str, str], tags: dict[str, str], match: bool) -> None:
    task = tes.create(tes.task(tags=tags))
    query = {"tag_key": list(asked), "tag_value": list(asked.values())}
    found = [one["id"] for one in listed(tes, page_size=1000, **query)["tasks"]]
    assert (task in found) is match


def test_40_filters_hold_together_and_bad_ones_are_refused(tes: Service, rich: str) -> None:
    def ids(**query: Any) -> list[str]:
        return [one["id"] for one in listed(tes, **query)["tasks"]]

    assert ids(name_prefix="ric") == ids(tag_key="rich") == ids(name_prefix="rich", tag_key="rich", tag_value="yes")
    assert ids(name_prefix="ric") == [rich]
    assert ids(name_prefix="RIC") == ids(name_prefix="rich_") == ids(name_prefix="%") == []
    assert ids(name_prefix="rich", state="COMPLETE") == [rich]
    assert ids(name_prefix="rich", state="CANCELED") == ids(tag_key="rich", tag_value="no") == []
    for bad in ("state=DONE", "state=", "page_size=0", "page_size=2048", "page_size=x", "tag_value=lonely"):
        assert status(tes, f"{TASKS}?{bad}") == 400


def test_40_tags_of_coarse_tasks_answer_no_question_of_a_person(tes: Service) -> None:
    mark = uuid.uuid4().hex
    coarse = tes.create(tes.task(name=mark, tags={"carrier": mark}), coarse=True)
    for query in ({"tag_key": "carrier"}, {"tag_key": "carrier", "tag_value": mark}):
        assert coarse not in [one["id"] for one in listed(tes, name_prefix=mark, **query)["tasks"]]
        assert listed(tes, **query)["tasks"] == []
        assert [one["id"] for one in tes.http.get(TASKS, params=query).json()["tasks"]] == [coarse]
    assert [one["id"] for one in listed(tes, name_prefix=mark)["tasks"]] == [coarse]


@pytest.mark.parametrize("query", [{}, {"name_prefix": "page"}, {"tag_key": "paged"}, {"state": "COMPLETE"}])
def test_41_pages_are_full_without_gap_or_repeat(tes: Service, query: dict[str, str]) -> None:
    marker = uuid.uuid4().hex
    made = [tes.create(tes.task(name=f"page-{marker}-{n}", tags={"paged": marker})) for n in range(7)]
    for task in made:
        tes.ended(task)
    whole = [one["id"] for one in listed(tes, page_size=2000, **query)["tasks"]]
    pages, token = list[list[str]](), None
    while token != "":
        page = listed(tes, page_size=3, page_token=token, **query)
        pages.append([one["id"] for one in page["tasks"]])
        token = page["next_page_token"]
    assert [task for page in pages for task in page] == whole
    assert set(made) <= set(whole)
    assert all(len(page) == 3 for page in pages[:-1])


def test_41_a_token_is_good_for_its_list_and_its_caller_alone(tes: Service) -> None:
    for _ in range(3):
        tes.create(tes.task())
    token = listed(tes, page_size=1)["next_page_token"]
    assert listed(tes, page_size=2, view="BASIC", page_token=token)["tasks"]
    for other in ("state=COMPLETE", "name_prefix=s", "tag_key=rich"):
        assert status(tes, f"{TASKS}?page_token={token}&{other}") == 400
    for forged in ("x", token[:-6], token[1:], "e30=", "W10="):
        assert status(tes, f"{TASKS}?page_token={forged}") == 400
    assert tes.http.get(TASKS, params={"page_token": token}).status_code == 400
    with tes.site.stage.client(tes.site.stage.token("rita", Role.RESEARCHER, "cohort")) as rita:
        assert rita.http.get(TASKS, params={"page_token": token}).status_code == 400


def test_52_unknown_backend_parameters_are_warned_of_and_not_kept(tes: Service) -> None:
    parameters = {"VmSize": "large", "WALLTIME_SECONDS": "50"}
    ended = tes.done("true", resources={"backend_parameters": parameters})
    assert ended["state"] == "COMPLETE", ended
    assert ended["resources"]["backend_parameters"] == {"walltime_seconds": "50"}
    assert "VmSize" in reasons(ended)
    assert "large" not in str(ended)
    strict = tes.asked(tes.task(resources={"backend_parameters": parameters, "backend_parameters_strict": True}))
    assert strict.status_code == 400
    assert "backend_parameters" in strict.json()["msg"]
    known = {"backend_parameters": {"walltime_seconds": "50"}, "backend_parameters_strict": True}
    assert tes.asked(tes.task(resources=known)).status_code == 200


def test_52_service_info_names_storage_and_backend_parameters(tes: Service) -> None:
    info = tes.http.get("/ga4gh/tes/v1/service-info").json()
    check("tes", "tesServiceInfo", info)
    assert info["tesResources_backend_parameters"] == ["walltime_seconds", "writable_root"]
    assert "strongroom://run/" in info["storage"]


def test_54_the_same_key_is_the_same_task_and_another_body_a_conflict(tes: Service) -> None:
    key, task = uuid.uuid4().hex, tes.task("true")
    first = tes.create(task, key=key)
    assert tes.create(task, key=key) == first
    assert tes.create(task, key=uuid.uuid4().hex) != first
    assert tes.create(task) != tes.create(task)
    assert tes.asked(tes.task("false"), key=key).status_code == 409
    assert tes.create(tes.task("false"), key=key, run=tes.new_run()) != first
    for bad in ("a b", "k" * 68):
        assert tes.asked(task, key=bad).status_code == 400


def test_55_no_input_comes_from_elsewhere_and_a_reason_tells_no_secret(tes: Service) -> None:
    for url in ("https://example.org/x", "drs://example.org/1", "s3://bucket/x", "file:///etc/passwd", "/etc/passwd"):
        answer = tes.asked(tes.task(inputs=[{"path": "/run/work/a", "url": url}]))
        assert answer.status_code == 400
        assert "inputs[0].url" in answer.json()["msg"]
    foreign = {"path": "/run/work/a", "url": "strongroom://dataset/hapmap", "type": "DIRECTORY"}
    ended = tes.done("true", inputs=[foreign])
    assert ended["state"] == "SYSTEM_ERROR"
    assert str(tes.site.stage.home) not in reasons(ended)
    other = tes.new_run()
    answer = tes.asked(tes.task(inputs=[{**foreign, "url": f"strongroom://run/{other}/d"}]))
    assert answer.status_code == 400


def test_56_more_than_there_is_is_refused_at_create(tes: Service) -> None:
    for resources in (
        {"cpu_cores": 100_000},
        {"ram_gb": 1e6},
        {"disk_gb": 1e6},
        {"ram_gb": 1e308},
        {"cpu_cores": -1},
    ):
        answer = tes.asked(tes.task(resources=resources))
        assert answer.status_code == 400
        assert next(iter(resources)) in answer.json()["msg"]
    assert tes.done("true", resources={"ram_gb": 0.125, "disk_gb": 0.0625})["state"] == "COMPLETE"


def test_58_a_task_of_another_person_is_unknown_everywhere(tes: Service, rich: str) -> None:
    with tes.site.stage.client(tes.site.stage.token("rita", Role.RESEARCHER, "cohort")) as rita:
        assert rita.http.get(f"{TASKS}/{rich}").status_code == 404
        assert rita.http.post(f"{TASKS}/{rich}:cancel").status_code == 404
        for query in ({}, {"name_prefix": "rich"}, {"tag_key": "rich"}, {"state": "COMPLETE"}):
            assert rita.get(TASKS, **query) == {"tasks": [], "next_page_token": ""}


def test_59_pages_of_other_sites_may_read_nothing_by_default(tes: Service) -> None:
    with tes.site.stage.client(tes.site.cast.researcher) as client:
        answer = client.http.get(TASKS, headers={"Origin": "https://elsewhere.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]

"""TES 1.1 on a running Strongroom, one test a line of our checklist; the numbers are those of docs/guides/tes.md."""

import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from official import check
from site_of_tests import Site
from tes_service import TASKS, Service

from strongroom.projects import Role

OTHERS = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def tes(site: Site) -> Iterator[Service]:
    service = Service(site, "na18507")
    yield service
    service.http.close()


def listed(tes: Service, **query: Any) -> dict[str, Any]:
    """Return a list as the researcher gets it."""
    with tes.site.stage.client(tes.site.cast.researcher) as client:
        answer: dict[str, Any] = client.get(TASKS, **query)
    check("tes", "tesListTasksResponse", {**answer, "tasks": [{"executors": [], **t} for t in answer["tasks"]]})
    return answer


def status(tes: Service, path: str) -> int:
    with tes.site.stage.client(tes.site.cast.researcher) as client:
        return client.http.get(path).status_code


def only(ended: dict[str, Any]) -> dict[str, Any]:
    """Return the log of a task's one attempt."""
    (log,) = ended["logs"]
    found: dict[str, Any] = log
    return found


def reasons(ended: dict[str, Any]) -> str:
    return " ".join(only(ended)["system_logs"])


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


def test_43_an_input_directory_is_all_that_lies_below_it(tes: Service) -> None:
    made = tes.done(
        "mkdir -p d/deep; echo 1 > d/one; echo 2 > d/deep/two; echo no > dd",
        outputs=[
            {"path": "/run/work/d", "url": tes.url("/d"), "type": "DIRECTORY"},
            {"path": "/run/work/dd", "url": tes.url("/dd")},
        ],
    )
    assert made["state"] == "COMPLETE", made
    script = 'test "$(cd in && find . -type f | sort | xargs)" = "./deep/two ./one" && test $(cat in/deep/two) = 2'
    given = {"path": "/run/work/in", "url": tes.url("/d/"), "type": "DIRECTORY"}
    assert tes.done(script, inputs=[given])["state"] == "COMPLETE"
    one = {"path": "/run/work/x", "url": tes.url("/d/one"), "type": None}
    ended = tes.done("test $(cat x) = 1 && ! (echo 2 > x) 2>/dev/null", inputs=[one])
    assert ended["state"] == "COMPLETE", ended
    assert ended["inputs"][0]["type"] == "FILE"  # filled in by the server


def test_43_a_dataset_is_a_directory_too(tes: Service) -> None:
    given = {"path": "/run/work/reads", "url": "strongroom://dataset/na18507", "type": "DIRECTORY"}
    ended = tes.done("test $(ls reads | wc -l) -gt 1 && ls -s reads", inputs=[given])
    assert ended["state"] == "COMPLETE", ended


@pytest.mark.parametrize("kind", ["FILE", "DIRECTORY"])
@pytest.mark.parametrize("place", ["strongroom://run/RUN/nothing", "strongroom://dataset/na18507/nothing"])
def test_43_an_input_that_leads_to_nothing_is_a_system_error_with_a_reason(
    tes: Service, place: str, kind: str
) -> None:
    ended = tes.done("true", inputs=[{"path": "/run/work/in", "url": place.replace("RUN", tes.run), "type": kind}])
    assert ended["state"] == "SYSTEM_ERROR"
    assert "inputs[0]" in reasons(ended)


def test_44_streamable_is_accepted_and_returned(tes: Service) -> None:
    given = [{"path": f"/run/work/{said}", "content": "x", "streamable": said} for said in (True, False)]
    task = tes.create(tes.task(inputs=given))
    assert [one["streamable"] for one in tes.shown(task)["inputs"]] == [True, False]


def test_45_wildcards_take_what_matches_and_prefixes_make_the_urls(tes: Service) -> None:
    pattern = {
        "path": "/run/work/o/*/[ab]?.txt",
        "path_prefix": "/run/work/o",
        "url": tes.url("/o"),
    }
    script = "mkdir -p o/x o/.y; touch o/x/a1.txt o/x/b22.txt o/x/c1.txt o/.y/a1.txt o/a1.txt; echo hi > o/x/b2.txt"
    outputs = only(tes.done(script, outputs=[pattern]))["outputs"]
    assert [one["path"] for one in outputs] == ["/run/work/o/x/a1.txt", "/run/work/o/x/b2.txt"]
    assert [one["url"] for one in outputs] == [tes.url("/o/x/a1.txt"), tes.url("/o/x/b2.txt")]
    assert [one["size_bytes"] for one in outputs] == ["0", "3"]


def test_46_each_file_is_one_row_and_directories_are_flattened(tes: Service) -> None:
    wanted = [{"path": "/run/work/d", "url": tes.url("/d"), "type": "DIRECTORY"}]
    ended = tes.done("mkdir -p d/e; echo 1 > d/a; printf 12345 > d/e/b", outputs=wanted)
    check("tes", "tesTask", ended)
    assert only(ended)["outputs"] == [
        {"url": tes.url("/d/a"), "path": "/run/work/d/a", "size_bytes": "2"},
        {"url": tes.url("/d/e/b"), "path": "/run/work/d/e/b", "size_bytes": "5"},
    ]


def test_47_what_a_failed_task_left_is_kept_and_no_input_of_others(tes: Service) -> None:
    ended = tes.done("echo half > f47; exit 3", outputs=[{"path": "/run/work/f47", "url": tes.url("/f47")}])
    assert ended["state"] == "EXECUTOR_ERROR"
    assert only(ended)["outputs"] == [{"url": tes.url("/f47"), "path": "/run/work/f47", "size_bytes": "5"}]
    again = tes.done("true", inputs=[{"path": "/run/work/f47", "url": tes.url("/f47")}])
    assert again["state"] == "SYSTEM_ERROR"


def test_47_a_missing_output_is_no_system_error(tes: Service) -> None:
    ended = tes.done("true", outputs=[{"path": "/run/work/none", "url": tes.url("/none")}])
    assert (ended["state"], only(ended)["outputs"]) == ("COMPLETE", [])


def test_48_each_executor_has_a_row_with_times_and_an_exit_code(tes: Service) -> None:
    ended = tes.ended(
        tes.create(
            {"executors": [tes.executor("exit 4", ignore_error=True), tes.executor("exit 5"), tes.executor("true")]}
        )
    )
    assert ended["state"] == "EXECUTOR_ERROR"
    rows = only(ended)["logs"]
    assert [row["exit_code"] for row in rows] == [4, 5]
    assert all(re.fullmatch(r"[0-9-]{10}T[0-9:.]+Z", row[at]) for row in rows for at in ("start_time", "end_time"))
    assert all(isinstance(value, str) for value in only(ended)["metadata"].values())


def test_49_the_command_is_run_as_it_is(tes: Service) -> None:
    executor = {"image": tes.image, "command": ["test", "$HOME;x", "=", "$HOME;x"]}
    assert tes.ended(tes.create({"executors": [executor]}))["state"] == "COMPLETE"
    words = {"image": tes.image, "command": ["true false"]}  # one word that is no program: no shell takes it apart
    ended = tes.ended(tes.create({"executors": [words]}))
    assert (ended["state"], only(ended)["logs"][0]["exit_code"]) == ("EXECUTOR_ERROR", 127)


def test_49_streams_workdir_and_environment_are_honoured(tes: Service) -> None:
    write = tes.executor("cat; pwd; echo $WORD; echo err >&2", stdin="/run/work/in", stdout="/run/work/o/out",
                         stderr="/run/work/err", workdir="/run/work/o", env={"WORD": "of the client"})  # fmt: skip
    lines = r'test "$(cat o/out err | xargs)" = "given /run/work/o of the client err"'
    given = [{"path": "/run/work/in", "content": "given\n"}]
    assert tes.ended(tes.create({"executors": [write, tes.executor(lines)], "inputs": given}))["state"] == "COMPLETE"


def test_50_a_volume_is_empty_shared_by_executors_and_by_no_other_task(tes: Service) -> None:
    first = tes.executor('test -z "$(ls -A /data/A)" && echo 1 > /data/A/x')
    second = tes.executor("test $(cat /data/A/x) = 1")
    for _ in range(2):
        ended = tes.ended(tes.create({"executors": [first, second], "volumes": ["/data/A"]}))
        assert ended["state"] == "COMPLETE", ended
        assert only(ended)["outputs"] == []


def test_50_an_output_may_lie_in_a_volume(tes: Service) -> None:
    wanted = [{"path": "/data/out", "url": tes.url("/data/out")}]
    made = tes.done("echo 1 > /data/out", volumes=["/data"], outputs=wanted)
    assert [one["url"] for one in only(made)["outputs"]] == [tes.url("/data/out")]
    ended = tes.done("test $(cat in) = 1", inputs=[{"path": "/run/work/in", "url": tes.url("/data/out")}])
    assert ended["state"] == "COMPLETE", ended


def test_51_executors_run_in_order_and_stop_at_the_first_error(tes: Service) -> None:
    steps = [tes.executor("echo a >> log"), tes.executor("echo b >> log; false"), tes.executor("echo c >> log")]
    wanted = [{"path": "/run/work/log", "url": tes.url("/log")}]
    ended = tes.ended(tes.create({"executors": steps, "outputs": wanted}))
    assert (ended["state"], len(only(ended)["logs"])) == ("EXECUTOR_ERROR", 2)
    assert only(ended)["outputs"][0]["size_bytes"] == "4"


def test_52_unknown_backend_parameters_are_warned_of_and_not_kept(tes: Service) -> None:
    parameters = {"VmSize": "large", "WALLTIME_SECONDS": "50"}
    ended = tes.done("true", resources={"backend_parameters": parameters})
    assert ended["state"] == "COMPLETE"
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
    assert info["tesResources_backend_parameters"] == ["walltime_seconds"]
    assert "strongroom://run/" in info["storage"]


def living(mark: str) -> list[str]:
    """Return the processes of this host whose command line holds `mark`."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in file.read_bytes():
                found.append(file.parent.name)
        except OSError:
            continue
    return found


def test_53_canceled_means_that_nothing_of_it_lives(tes: Service) -> None:
    mark = f"987{time.time_ns() % 10**6}"
    task = tes.create({"executors": [{"image": tes.image, "command": ["sleep", mark]}]})
    tes.wait_for(task, "RUNNING")
    answer = tes.cancel(task)
    assert (answer.status_code, answer.json()) == (200, {})
    assert tes.shown(task, "MINIMAL")["state"] in ("CANCELING", "CANCELED")
    tes.wait_for(task, "CANCELED")
    assert not living(mark)
    assert tes.cancel(task).status_code == 200
    time.sleep(0.2)
    assert tes.shown(task, "MINIMAL")["state"] == "CANCELED"


def test_53_a_task_that_waits_is_canceled_at_once(tes: Service) -> None:
    cores = int(tes.site.stage.settings.tes.cores)
    holding = [tes.create(tes.task("sleep 60", resources={"cpu_cores": cores})) for _ in range(2)]
    waiting = tes.create(tes.task("true", resources={"cpu_cores": cores}))
    assert tes.cancel(waiting).json() == {}
    assert tes.shown(waiting, "MINIMAL")["state"] in ("CANCELED", "CANCELING")
    for task in holding:
        tes.cancel(task)
    for task in [*holding, waiting]:
        tes.wait_for(task, "CANCELED")


def test_53_what_has_ended_stays_as_it_ended_and_what_never_was_is_unknown(tes: Service) -> None:
    for script, state in (("true", "COMPLETE"), ("false", "EXECUTOR_ERROR")):
        ended = tes.done(script)
        assert ended["state"] == state
        assert (tes.cancel(ended["id"]).status_code, tes.cancel(ended["id"]).json()) == (200, {})
        assert tes.shown(ended["id"]) == ended
    for unknown in ("nothing", "0" * 32, "%2e%2e"):
        assert tes.cancel(unknown).status_code == 404
        assert tes.http.get(f"{TASKS}/{unknown}").status_code == 404


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


def test_57_a_killed_executor_has_an_exit_code_and_its_task_a_reason(tes: Service) -> None:
    ended = tes.done("sleep 60", resources={"backend_parameters": {"walltime_seconds": "1"}})
    check("tes", "tesTask", ended)
    assert (ended["state"], only(ended)["logs"][0]["exit_code"]) == ("EXECUTOR_ERROR", 137)
    assert "longer" in reasons(ended)


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

"""WES 1.1 as it is spoken here, beyond what the black-box suite asks of anyone; the list is in docs/guides/wes.md."""

import json
import threading
import time
import uuid
from typing import Any

import httpx
import pytest
from hostile import vetted
from official import check
from site_of_tests import Site

from strongroom.cli.run import WES
from strongroom.projects import Role

RUN_ONE = """
rule all:
    input: "late.txt"
rule early:
    output: "early.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "echo a > {output}"
rule late:
    input: "early.txt"
    output: "late.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "cat {input} > {output}"
"""
STEPS = {"until": ["early"], "asked_targets": ["late"]}


@pytest.fixture(scope="module")
def two_steps(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A vetted workflow of two rules, with lists of rules that a run may ask for."""
    return vetted(site, tmp_path_factory.mktemp("w") / "two-steps", "two-steps", RUN_ONE, **STEPS)


def post(site: Site, url: str, *, token: str = "", **fields: Any) -> httpx.Response:
    """POST /runs as JSON."""
    body = {
        "workflow_url": url,
        "workflow_type": "SMK",
        "workflow_type_version": "9.27.1",
        "workflow_params": {"inputs": {}},
        "tags": {"project": "cohort"},
        **fields,
    }
    with site.stage.client(token or site.cast.researcher) as client:
        return client.http.post(f"{WES}/runs", json=body)


def ended(site: Site, answer: httpx.Response) -> str:
    """Return a run that was accepted, at its end."""
    assert answer.status_code == 200, answer.text
    run = str(answer.json()["run_id"])
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    return run


def ask(site: Site, path: str, **query: Any) -> Any:
    with site.stage.client(site.cast.researcher) as client:
        return client.get(path, **query)


def names(site: Site, run: str) -> list[str]:
    return sorted(task["name"] for task in ask(site, f"{WES}/runs/{run}/tasks")["task_logs"])


def test_08_json_is_as_good_as_a_form_and_everything_is_echoed(site: Site, two_steps: str) -> None:
    options = {"keep-going": "true", "retries": "1", "forceall": "true"}
    tags = {"project": "cohort", "name": "two steps of Ruth's", "paper": "figure 2"}
    run = ended(site, post(site, two_steps, workflow_engine_parameters=options, tags=tags))
    whole = ask(site, f"{WES}/runs/{run}")
    check("wes", "RunLog", whole)
    assert whole["request"]["workflow_engine_parameters"] == options
    assert whole["request"]["tags"] == tags
    assert whole["run_log"]["exit_code"] == 0
    assert names(site, run) == ["early-1", "late-1"]


def test_14_engine_parameters_reach_the_engine(site: Site, two_steps: str) -> None:
    run = ended(site, post(site, two_steps, workflow_engine_parameters={"until": "early"}))
    assert names(site, run) == ["early-1"]
    run = ended(site, post(site, two_steps, workflow_engine_parameters={"targets": "late", "keep-going": "true"}))
    assert names(site, run) == ["early-1", "late-1"]


def test_14_other_engine_parameters_are_refused(site: Site, two_steps: str) -> None:
    for bad in ({"--config": "x"}, {"retries": "9"}, {"retries": 1}, {"until": "late"}, {"profile": "x"}):
        answer = post(site, two_steps, workflow_engine_parameters=bad)
        assert answer.status_code == 400
        assert next(iter(bad)) in answer.json()["msg"]


def test_16_t16_a_run_that_was_told_to_stop_early_offers_nothing(site: Site) -> None:
    asked = {"workflow_engine_parameters": {"until": "spectrum"}}
    run = ended(
        site, post(site, "cohort-frequencies/1.0.0", workflow_params={"inputs": {"calls": "hapmap"}}, **asked)
    )
    assert site.held(run) == {}
    with site.stage.client(site.cast.researcher) as client:
        answer = client.http.post("/api/airlock/v1/requests", json={"run": run, "purpose": "x"})
    assert answer.status_code in (403, 409)


def test_23_logs_are_urls_that_answer_with_what_to_do(site: Site, two_steps: str) -> None:
    run = ended(site, post(site, two_steps))
    (task, *_) = ask(site, f"{WES}/runs/{run}/tasks")["task_logs"]
    other = site.stage.token("rita", Role.RESEARCHER, "cohort")
    for log in (ask(site, f"{WES}/runs/{run}")["run_log"], task):
        for stream in ("stdout", "stderr"):
            with site.stage.client(site.cast.researcher) as client, site.stage.client(other) as rita:
                answer = client.http.get(log[stream])
                assert rita.http.get(log[stream]).status_code == 404
                assert client.http.get(log[stream].replace(stream, "engine")).status_code == 404
            check("wes", "ErrorResponse", answer.json())
            assert (answer.status_code, "ask for its release" in answer.json()["msg"]) == (409, True)


def test_25_runs_are_found_by_tag_name_state_workflow_and_time(site: Site, two_steps: str) -> None:
    mark = uuid.uuid4().hex
    made = [
        post(site, two_steps, tags={"project": "cohort", "name": f"{mark}-{n}", mark: str(n)}).json()["run_id"]
        for n in range(3)
    ]
    for run in made:
        site.ended(run)

    def found(**query: Any) -> list[str]:
        return [run["run_id"] for run in ask(site, f"{WES}/runs", **query)["runs"]]

    assert found(tag_key=mark) == made[::-1]
    assert found(tag_key=mark, tag_value="1") == [made[1]]
    assert found(name_prefix=mark) == made
    assert found(name_prefix=f"{mark}-2", state="COMPLETE", workflow=two_steps) == [made[2]]
    assert found(name_prefix=mark, workflow="other") == found(tag_key=mark, state="CANCELED") == []
    assert found(tag_key=mark, created_after="2100-01-01T00:00:00Z") == []
    assert found(tag_key=mark, created_before="2100-01-01T00:00:00Z") == made[::-1]
    token = ask(site, f"{WES}/runs", tag_key=mark, page_size=2)["next_page_token"]
    with site.stage.client(site.cast.researcher) as client:
        for bad in (
            {"state": "DONE"},
            {"tag_value": "x"},
            {"workflow": "../x"},
            {"created_after": "yesterday"},
            {"created_after": "2026-01-01T00:00:00"},
            {"page_size": 1001},
            {"page_token": token},
            {"page_token": token, "tag_key": "other"},
        ):
            assert client.http.get(f"{WES}/runs", params=bad).status_code == 400, bad


def test_03_t24_service_info_counts_own_runs_for_who_signs_in_and_nothing_else(site: Site, two_steps: str) -> None:
    ended(site, post(site, two_steps))
    with site.stage.client("") as nobody, site.stage.client(site.cast.researcher) as ruth:
        assert nobody.get(f"{WES}/service-info")["system_state_counts"] == {}
        mine = ruth.get(f"{WES}/service-info")
        check("wes", "ServiceInfo", mine)
        assert mine["system_state_counts"]["COMPLETE"] >= 1
    with site.stage.client(site.stage.token("rita", Role.RESEARCHER, "cohort")) as rita:
        assert rita.get(f"{WES}/service-info")["system_state_counts"] == {}
    with site.stage.client("forged") as forged:
        assert forged.http.get(f"{WES}/service-info").status_code == 401


def test_events_tell_a_run_to_its_end_and_a_client_that_comes_back_hears_nothing_twice(
    site: Site, two_steps: str
) -> None:
    run = post(site, two_steps).json()["run_id"]
    heard = list(told(site, run))
    assert [one["event"] for one in heard[:-1]] == ["progress"] * (len(heard) - 1)
    assert (heard[-1]["event"], heard[-1]["data"]["state"], heard[-1]["data"]["tasks_done"]) == ("end", "COMPLETE", 2)
    ids = [one["id"] for one in heard]
    assert len(set(ids)) == len(ids)
    with site.stage.client(site.cast.researcher) as client:
        again = client.http.get(f"{WES}/runs/{run}/events", headers={"Last-Event-ID": ids[-1]})
        assert (again.status_code, again.content) == (204, b"")
    assert [one["id"] for one in told(site, run, last="x")] == ids[-1:]
    with site.stage.client(site.stage.token("rita", Role.RESEARCHER, "cohort")) as rita:
        assert rita.http.get(f"{WES}/runs/{run}/events").status_code == 404


def test_t30_a_person_watches_a_bounded_number_of_runs(site: Site) -> None:
    most = site.stage.settings.wes.watchers
    run = site.submit("cohort-frequencies/1.0.0", {"inputs": {"calls": "hapmap"}})
    stop, seated = threading.Event(), threading.Barrier(most + 1)

    def watch() -> None:
        with site.stage.client(site.cast.researcher) as client, client.stream("GET", f"{WES}/runs/{run}/events"):
            seated.wait(30)
            stop.wait(60)

    watchers = [threading.Thread(target=watch) for _ in range(most)]
    for one in watchers:
        one.start()
    seated.wait(30)
    with site.stage.client(site.cast.researcher) as client:
        refusal = client.http.get(f"{WES}/runs/{run}/events")
        assert (refusal.status_code, refusal.headers["retry-after"]) == (429, "10")
        stop.set()
        for one in watchers:
            one.join()
        client.http.post(f"{WES}/runs/{run}/cancel")
        end = time.monotonic() + 30
        while status_of_stream(client.http, run) == 429:
            assert time.monotonic() < end, "seats of those who left are not free"
            time.sleep(0.5)
    assert site.ended(run) in ("CANCELED", "COMPLETE")


def test_watch_follows_the_events(site: Site, two_steps: str) -> None:
    run = post(site, two_steps).json()["run_id"]
    done = site.stage.run("run", "watch", run, "--json", token=site.cast.researcher)
    assert json.loads(done.stdout) == {"run_id": run, "state": "COMPLETE"}


def status_of_stream(http: httpx.Client, run: str) -> int:
    with http.stream("GET", f"{WES}/runs/{run}/events") as answer:
        return answer.status_code


def told(site: Site, run: str, *, last: str = "") -> Any:
    """Yield the events of a stream, decoded."""
    headers = {"Last-Event-ID": last} if last else {}
    with (
        site.stage.client(site.cast.researcher) as client,
        client.stream("GET", f"{WES}/runs/{run}/events", headers=headers) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        event: dict[str, Any] = {}
        for text in answer.iter_lines():
            name, _, value = text.partition(": ")
            if not text and "data" in event:
                yield event
                event = {}
            elif name in ("id", "event"):
                event[name] = value
            elif name == "data":
                event[name] = json.loads(value)

"""Another network's client tries to run, see and reach more than two vetters signed and the operator granted."""

import base64
import concurrent.futures
import hmac
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from federation_scene import PROFILE, TES, Federated, labels, rsa_key
from joserfc.jwk import ECKey

from airlock.combinations import NAME
from archive import ingest


def encoded(raw: bytes) -> str:
    """Return base64url without padding, as JOSE has it."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


NONE = encoded(b'{"alg":"none"}')
HS256 = encoded(b'{"alg":"HS256","kid":"north-1"}')


def refused(federated: Federated, body: Any, status: int, *said: str, token: str = "", headers: Any = None) -> None:
    """Creating this is refused with these words in GA4GH's shape, and leaves no task and no run."""
    count = "select (select count(*) from tasks), (select count(*) from decisions)"
    before = federated.rows(count)
    answer = federated.ask("POST", "/tasks", body, token=token, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["status_code"] == status
    assert [word for word in said if word not in answer.json()["msg"]] == [], answer.text
    assert federated.rows(count) == before


# --- what may run ----------------------------------------------------------------------------------------------


def test_t3_an_unsigned_image_is_refused(federated: Federated) -> None:
    for image in ("sha256:" + "0" * 64, "debian:latest", f"{federated.image}:latest", "genomics"):
        body = federated.task(executors=[federated.executor(image=image)])
        refused(federated, body, 403, "executors[0].image", "signed profile")


def test_t3_an_argv_that_leaves_its_holes_is_refused(federated: Federated) -> None:
    good = federated.executor()["command"]
    for at, word in (
        (0, "bash"),
        (1, "/run/work/people/alpha.tsv"),
        (2, "--least=5 --all"),
        (2, "--least=1"),
        (2, "--least=5\n"),
        (3, "all;id"),
        (4, "/run/work/results/inside.tsv"),
        (5, "/run/work/people/../people/alpha.tsv"),
        (5, "/etc/shadow"),
    ):
        command = [*good[:at], word, *good[at + 1 :]]
        body = federated.task(executors=[federated.executor(command=command)])
        refused(federated, body, 403, f"executors[0].command[{at}]")
    refused(
        federated,
        federated.task(executors=[federated.executor(command=[*good, "x"])]),
        403,
        "executors[0].command[6]",
    )


def test_t3_one_executor_more_is_refused(federated: Federated) -> None:
    sneak = {"image": federated.image, "command": ["cat", "/run/work/people/alpha.tsv"]}
    for executors in ([federated.executor(), sneak], [sneak, federated.executor()], [federated.executor()] * 2):
        refused(federated, federated.task(executors=executors), 403, "executors")
    refused(federated, federated.task(executors=[federated.executor()] * 17), 403, "executors", "16")


def test_t3_no_variable_is_smuggled_in(federated: Federated) -> None:
    for env in ({"LC_ALL": "C.UTF-8", "PYTHONPATH": "/run/work/people"}, {"PYTHONSTARTUP": "x"}, {"LC_ALL": "C"}, {}):
        refused(federated, federated.task(executors=[federated.executor(env=env)]), 403, "executors[0].env")
    for changes in ({"stdin": "/run/work/people/alpha.tsv"}, {"stdout": "/run/work/results/counts.tsv"}):
        refused(federated, federated.task(executors=[federated.executor(**changes)]), 403, "executors[0].std")


def test_t3_no_tag_chooses_a_profile_a_project_or_a_person(federated: Federated) -> None:
    tags = {"profile": "lax/1.0.0", "project": "other", "person": "ruth@development", "dataset": "others"}
    task = federated.created(federated.task(tags=tags, name="x/../y"))
    (row,) = federated.rows(
        "select t.project, t.person, f.profile, f.client from tasks t join federated_tasks f on f.task = t.id"
        " where t.id = ?",
        task,
    )
    assert row == ("cohort", "ada@north", "count-people/1.0.0", "north")
    refused(federated, federated.task(tags=tags, executors=[federated.executor(mode="none")]), 403, "command[3]")


def test_t3_a_profile_that_one_vetter_signed_runs_nothing(federated: Federated, tmp_path: Any) -> None:
    executor = {**PROFILE["executors"][0], "command": ["true"]}
    federated.vet(tmp_path / "once", "vera", name="once", executors=[executor], inputs=[], holes={})
    body = federated.task(inputs=[], executors=[federated.executor(command=["true"])])
    refused(federated, body, 403, "the nearest one is count-people/1.0.0")


def test_t3_a_profile_is_no_workflow_and_a_workflow_no_profile(federated: Federated) -> None:
    site = federated.site
    form = {
        "workflow_url": (None, "count-people/1.0.0"),
        "workflow_type": (None, "SMK"),
        "workflow_type_version": (None, "9.27.1"),
        "tags": (None, '{"project": "cohort"}'),
    }
    bearer = {"Authorization": f"Bearer {site.cast.researcher}"}
    answer = httpx.post(f"{site.stage.settings.base_url}/ga4gh/wes/v1/runs", files=form, headers=bearer, timeout=30)
    assert answer.status_code == 403


def test_t3_inputs_are_files_that_were_granted(federated: Federated) -> None:
    (secret,) = federated.rows("select object from dataset_files where dataset = 'others' and name = 'alpha.tsv'")[0]
    unknown = "there is no such file"
    for url, said in (
        ("strongroom://dataset/others/alpha.tsv", unknown),
        ("strongroom://dataset/people/nobody.tsv", unknown),
        ("strongroom://dataset/nothing/alpha.tsv", unknown),
        (f"drs://b.example.org/{secret}", unknown),
        (f"drs://elsewhere.example/{secret}", "have files from"),
        (f"strongroom://object/{secret}", "nothing else is read"),
        ("https://elsewhere.example/alpha.tsv", "have files from"),
        ("file:///etc/passwd", "nothing else is read"),
        ("s3://bucket/alpha.tsv", "have files from"),
        ("", "nothing else is read"),
    ):
        body = federated.task(inputs=[{"url": url, "path": "/run/work/people/alpha.tsv"}])
        refused(federated, body, 400, "inputs[0].url", said)
    wrong = [{"url": "strongroom://dataset/people/beta.tsv", "path": "/run/work/people/alpha.tsv"}]
    refused(federated, federated.task(inputs=wrong), 400, "inputs[0].path")


def test_t3_a_file_may_be_named_by_drs(federated: Federated) -> None:
    ((object_id,),) = federated.rows(
        "select object from dataset_files where dataset = 'people' and name = 'alpha.tsv'"
    )
    body = federated.task(inputs=[{"url": f"drs://b.example.org/{object_id}", "path": "/run/work/people/alpha.tsv"}])
    assert federated.ended(federated.created(body))["state"] == "COMPLETE"


def test_t3_more_than_profile_and_caps_allow_is_refused(federated: Federated) -> None:
    for resources, field in (
        ({"cpu_cores": 2}, "cpu_cores"),
        ({"ram_gb": 9.0}, "ram_gb"),
        ({"disk_gb": 5}, "disk_gb"),
    ):
        refused(federated, federated.task(resources=resources), 403, f"resources.{field}")


def test_t6_a_federated_task_is_a_query_and_asks_about_enough_persons(federated: Federated, tmp_path: Path) -> None:
    few = tmp_path / "few.tsv"
    few.write_text("".join(f"few-{n}\ta\n" for n in range(4)))
    stage = federated.site.stage
    with stage.client(federated.site.cast.operator) as operator, open(few, "rb") as plain:
        ingest.add(operator, "people", plain, name=few.name, persons=labels(few))
    url, path = "strongroom://dataset/people/few.tsv", "/run/work/people/few.tsv"
    asked = {"inputs": [{"url": url, "path": path}], "executors": [federated.executor("all", "few.tsv")]}
    refused(federated, federated.task(**asked), 403, "4 persons", "for 5 or more")
    # Without outputs it tells how it ended all the same.
    refused(federated, federated.task(**asked, outputs=[]), 403, "for 5 or more")
    reason = federated.events("task.refused")[-1]["facts"]["reason"]
    assert "for 5 or more" in reason
    task = federated.created()
    federated.ended(task)
    ledger = "select q.dataset, q.size, q.leaves, q.person, q.workflow, q.outcome from dataset_queries q"
    ledger += " join federated_tasks f on f.run = q.run where f.task = ? and q.outcome is not null"
    found = federated.eventually(lambda: federated.rows(ledger, task), "no outcome in the ledger")
    assert found == [("people", 40, 1, "ada@north", "count-people/1.0.0", "complete")]


# --- who asks --------------------------------------------------------------------------------------------------


def test_t29_a_token_that_is_not_the_issuers_own_is_nobodys(federated: Federated) -> None:
    outside = federated.outside
    north = outside.keys["north"]
    none = outside.token("north", "ada").split(".")
    unsigned = f"{NONE}.{none[1]}."
    # The issuer's public key, which everybody knows, taken for a shared secret.
    start = f"{HS256}.{none[1]}"
    confused = f"{start}.{encoded(hmac.digest(north.as_pem(private=False), start.encode(), 'sha256'))}"
    for token in (
        outside.token("north", "ada", aud="another-place"),
        outside.token("north", "ada", aud=None),
        outside.token("north", "ada", iss="https://elsewhere.example"),
        outside.token("north", "ada", iss=outside.issuer("south")),
        outside.token("north", "ada", iss=outside.issuer("north") + "/"),
        outside.token("north", "ada", exp=1),
        outside.token("north", "ada", exp=None),
        outside.token("north", "ada", nbf=4_000_000_000),
        outside.token("north", None),  # type: ignore[arg-type]
        outside.token("north", "ada@south"),
        outside.token("north", "a" * 200),
        outside.token("north", "ada", key=outside.keys["south"]),
        outside.token("north", "ada", key=ECKey.generate_key("P-256", {"kid": "north-1"})),
        outside.token("north", "ada", key=rsa_key(), header={"alg": "RS256", "kid": "north-1"}),
        confused,
        outside.token("north", "ada", header={"alg": "ES256", "kid": "unknown"}),
        unsigned,
        f"{none[0]}.{none[1]}.",
        "not.a.token",
    ):
        refused(federated, federated.task(), 401, token=token)


def test_t29_flooding_with_unknown_keys_does_not_flood_the_issuer(federated: Federated) -> None:
    federated.ask("GET", "/tasks")
    before, start = federated.outside.looks, time.monotonic()
    token = federated.outside.token("north", "ada", header={"alg": "ES256", "kid": "unknown"})
    for _ in range(20):
        assert federated.ask("GET", "/tasks", token=token).status_code == 401
    floor = federated.site.stage.settings.federation.keys_floor_seconds
    assert federated.outside.looks - before <= (time.monotonic() - start) / floor + 2


def test_t29_an_end_user_without_a_right_of_their_own_creates_nothing(federated: Federated) -> None:
    stranger = federated.outside.token("north", "stranger")
    refused(federated, federated.task(), 403, "not a researcher", token=stranger)
    (said,) = federated.events("task.refused")[-1:]
    assert (said["actor"], said["facts"]["client"]) == ("stranger@north", "north")


def test_t29_a_federated_token_opens_tes_and_nothing_else(federated: Federated) -> None:
    base = federated.site.stage.settings.base_url
    bearer = {"Authorization": f"Bearer {federated.ada}"}
    for path in (
        "/ga4gh/wes/v1/runs",
        "/api/airlock/v1/requests",
        "/api/airlock/v1/reviews",
        "/api/archive/v1/datasets",
        "/api/access/v1/me",
        "/metrics",
        f"{TES}/changes?run=x",
    ):
        assert httpx.get(f"{base}{path}", headers=bearer, timeout=30).status_code == 401, path


def test_t3_a_local_person_creates_no_task(federated: Federated) -> None:
    refused(federated, federated.task(), 403, "WES", token=federated.site.cast.researcher)


def test_t3_anothers_task_is_as_unknown_as_one_that_never_was(federated: Federated) -> None:
    task = federated.created(federated.task(name="only-adas", tags={"whose": "ada"}))
    cast = federated.site.cast
    others = [federated.outside.token("north", "bob"), federated.outside.token("south", "cleo")]
    never = "0" * 32
    for token in (*others, federated.outside.token("south", "ada"), cast.researcher, cast.operator):
        for method, path in (("GET", "/tasks/{}"), ("POST", "/tasks/{}:cancel")):
            his, nobodys = (federated.ask(method, path.format(one), token=token) for one in (task, never))
            assert (his.status_code, his.json()) == (404, nobodys.json())
        for params in ({}, {"name_prefix": "only"}, {"state": "COMPLETE"}, {"tag_key": "whose", "view": "FULL"}):
            listed = federated.ask("GET", "/tasks", token=token, **params).json()
            assert task not in [one["id"] for one in listed["tasks"]]
    mine = federated.ask("GET", "/tasks", name_prefix="only-adas", tag_key="whose", tag_value="ada").json()
    assert [one["id"] for one in mine["tasks"]] == [task]
    assert federated.ended(task)["state"] == "COMPLETE"


def test_t29_a_replayed_key_makes_no_second_task_and_tells_of_no_others(federated: Federated) -> None:
    key = {"Idempotency-Key": "one-and-the-same"}
    body = federated.task("replayed")
    first = federated.ask("POST", "/tasks", body, headers=key).json()["id"]
    assert federated.ask("POST", "/tasks", body, headers=key).json()["id"] == first
    other = federated.ask("POST", "/tasks", federated.task("replayed-2"), headers=key)
    assert (other.status_code, other.json()["status_code"]) == (409, 409)
    bob = federated.outside.token("north", "bob")
    second = federated.ask("POST", "/tasks", body, headers=key, token=bob).json()["id"]
    assert second != first
    together = threading.Barrier(4)

    def create(_: int) -> str:
        together.wait()
        once = {"Idempotency-Key": "at-once"}
        return str(federated.ask("POST", "/tasks", federated.task("at-once"), headers=once).json()["id"])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(create, range(4)))) == 1


def test_t29_a_client_that_asks_too_often_is_told_when_to_come_again(federated: Federated) -> None:
    cleo = federated.outside.token("south", "cleo")
    answers = [
        federated.ask("POST", "/tasks", {"executors": []} if n % 2 else federated.task(inputs=[]), token=cleo)
        for n in range(12)
    ]
    late = answers[-1]
    assert [a.status_code for a in answers[:4]] == [403, 400, 403, 400]
    assert late.status_code == 429
    assert late.json()["status_code"] == 429
    assert 1 <= int(late.headers["Retry-After"]) <= 61
    assert federated.ask("GET", "/tasks", token=cleo).status_code == 200
    assert federated.ask("POST", "/tasks", federated.task(inputs=[])).status_code == 403  # north is not held up


def test_t29_a_client_has_no_more_tasks_open_than_its_cap(federated: Federated) -> None:
    made, answer = [], None
    for _ in range(8):
        answer = federated.ask("POST", "/tasks", federated.task(executors=[federated.executor("slow")]))
        if answer.status_code != 200:
            break
        made.append(answer.json()["id"])
    assert answer is not None
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    for task in made:
        assert federated.ask("POST", f"/tasks/{task}:cancel").status_code == 200
    assert {federated.ended(task)["state"] for task in made} == {"CANCELED"}


# --- what is seen ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "state", "code"), [("all", "COMPLETE", 0), ("fail", "EXECUTOR_ERROR", 1)])
def test_t3_until_release_a_client_sees_state_exit_0_or_1_and_minutes(
    federated: Federated, mode: str, state: str, code: int
) -> None:
    task = federated.created(federated.task(f"seen-{mode}", executors=[federated.executor(mode)]))
    whole = federated.ended(task)
    assert whole["state"] == state
    (log,) = whole["logs"]
    assert set(log) == {"logs", "outputs", "start_time", "end_time", "system_logs"}
    assert (log["logs"], log["outputs"], log["system_logs"]) == ([{"exit_code": code}], [], [])
    for moment in (log["start_time"], log["end_time"], whole["creation_time"]):
        assert moment.endswith(":00Z")
    basic = federated.ask("GET", f"/tasks/{task}", view="BASIC").json()
    assert basic["logs"] == [{key: value for key, value in log.items() if key != "system_logs"}]
    assert federated.ask("GET", f"/tasks/{task}").json() == {"id": task, "state": state}
    text = federated.ask("GET", f"/tasks/{task}", view="FULL").text
    assert [word for word in ("standard output", "strongroom://object", "strongroom://run") if word in text] == []


def test_t7_a_task_leaves_the_list_of_its_members_for_the_airlock_alone(federated: Federated) -> None:
    task = federated.created(federated.task("members"))
    assert "members.txt" not in str(federated.ended(task)["outputs"])
    request = federated.request_of(task)
    query = (
        "select c.path, length(c.members), c.was_read from airlock_cohorts c join release_requests r on r.run = c.run"
    )
    ((path, length, was_read),) = federated.rows(f"{query} where r.id = ?", request)
    assert (path, was_read) == ("results/members.txt", 1)
    assert length == 40 * NAME  # one under the broker's key for each person in alpha.tsv
    query = "select path from airlock_files where run = (select run from release_requests where id = ?)"
    assert federated.rows(query, request) == [("results/counts.tsv",)]


@pytest.mark.parametrize("path", ["/run/work/results/members.txt", "/run/work/results/mem*"])
def test_t7_a_client_does_not_name_the_list(federated: Federated, path: str) -> None:
    wanted = {"url": federated.outside.url("list"), "path": path}
    refused(federated, federated.task(outputs=[*federated.task()["outputs"], wanted]), 403, "outputs[1].path")

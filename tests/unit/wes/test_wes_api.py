"""The routes of WES on a database without engines: cancel in every state, resume, tasks, times and forms."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from asking import Asking

from archive.store import DecisionRecord
from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.http import new_app
from strongroom.identity import make_development_issuer, mint_token, trusted_issuers
from strongroom.settings import Settings
from wes import leases
from wes.api import router
from wes.runs import LIVE, TERMINAL, RunState
from wes.store import Run, RunTask, find

sys.path.append(str(Path(__file__).parent))
from runs_scene import a_run, add

WES = "/ga4gh/wes/v1"
ONE = f"{1:032x}"
FORM = {"workflow_url": "a/1.0.0", "workflow_type": "SMK", "workflow_type_version": "9.27.1"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path, identity={"development_issuer": True})
    settings.sockets.mkdir(parents=True)
    make_development_issuer(settings)
    return settings


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'wes.db'}")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def ruth(settings: Settings, engine: sa.Engine) -> Asking:
    app = new_app("test", settings, engine=engine, issuers=trusted_issuers(settings))
    app.include_router(router)
    return Asking(app, mint_token(settings, "ruth"))


def has(engine: sa.Engine, run: Run, *more: Any) -> None:
    with transaction(engine) as session:
        add(session, run)
        session.add_all(more)


def state(engine: sa.Engine) -> str:
    with reading(engine) as session:
        run = find(session, ONE)
        assert run is not None
        return run.state


@pytest.mark.parametrize("before", sorted(RunState))
@pytest.mark.parametrize("held", [False, True])
def test_cancel_in_every_state(engine: sa.Engine, ruth: Asking, before: RunState, held: bool) -> None:
    if before in (RunState.PAUSED, RunState.UNKNOWN):
        return  # no run gets there
    owner = {"lease_owner": leases.owner(), "lease_until": now() + timedelta(minutes=1)} if held else {}
    has(engine, a_run(1, state=before.value, **owner))
    answer = ruth.post(f"{WES}/runs/{ONE}/cancel")
    assert (answer.status_code, answer.json()) == (200, {"run_id": ONE})
    if before in TERMINAL:
        assert state(engine) == before
    elif before is RunState.QUEUED and not held:
        assert state(engine) == RunState.CANCELED
    else:
        assert state(engine) == RunState.CANCELING


def test_a_run_that_is_canceled_in_its_queue_leaves_no_open_decision(engine: sa.Engine, ruth: Asking) -> None:
    facts = {"person": "r", "project": "p", "workflow": "w", "version": "1", "workflow_digest": "", "envelope": {}}
    facts |= {"images": {}, "datasets": [], "policy_version": 1, "created": now(), "expires": now()}
    has(engine, a_run(1, state=RunState.QUEUED.value), DecisionRecord(run=ONE, **facts))
    ruth.post(f"{WES}/runs/{ONE}/cancel")
    with reading(engine) as session:
        assert session.get_one(DecisionRecord, ONE).closed_as == "canceled"


@pytest.mark.parametrize("before", [*LIVE, "COMPLETE"])
def test_t19_what_has_not_ended_and_what_is_complete_is_not_resumed(
    engine: sa.Engine, ruth: Asking, before: str
) -> None:
    has(engine, a_run(1, state=before))
    answer = ruth.post(f"{WES}/runs/{ONE}/resume")
    assert (answer.status_code, state(engine)) == (409, before)


def test_t4_a_coarse_run_tells_minutes_and_no_codes(engine: sa.Engine, ruth: Asking) -> None:
    times = {"created": now(), "started": now(), "ended": now()}
    one = RunTask(run=ONE, key="k", repeat=0, rule="r", index=1, task="t", state="COMPLETE", exit_code=0, **times)
    one.directories = []
    has(engine, a_run(1, coarse=True, state=RunState.RUNNING.value, ended=None), one)
    whole, tasks = ruth.get(f"{WES}/runs/{ONE}").json(), ruth.get(f"{WES}/runs/{ONE}/tasks").json()["task_logs"]
    assert whole["run_log"]["start_time"].endswith(":00Z")
    assert "exit_code" not in str(whole) + str(tasks)
    # It ended in this minute: that is told when the minute is over, or its length could be read from outside.
    assert whole["outputs"]["progress"]["tasks_done"] == 0
    with transaction(engine) as session:
        session.execute(sa.update(RunTask).values(ended=now() - timedelta(minutes=2)))
    assert ruth.get(f"{WES}/runs/{ONE}").json()["outputs"]["progress"]["tasks_done"] == 1


def test_t4_a_coarse_run_that_follows_data_just_works_until_its_end(engine: sa.Engine, ruth: Asking) -> None:
    since = now().replace(microsecond=0) - timedelta(minutes=5)
    moments = [timedelta(minutes=n) for n in (-3, -2, -1, 0, 1, 2)]

    def one(index: int, state: str, **changes: Any) -> RunTask:
        facts = {"started": since + moments[0], "ended": None, "exit_code": None, "created": since + moments[0]}
        return RunTask(
            run=ONE, key=f"k{index}", repeat=0, rule="part", index=index, task=f"{index:032x}", state=state,
            directories=[], **facts | changes,
        )  # fmt: skip

    tasks = [
        one(1, "COMPLETE", ended=since + moments[1], exit_code=0),
        one(2, "COMPLETE", ended=since + moments[4], exit_code=0),
        one(3, "EXECUTOR_ERROR", started=since + moments[4], ended=since + moments[5], exit_code=1),
        one(4, "CANCELED"),
        one(5, "QUEUED", started=None),
        one(6, "COMPLETE", created=since + moments[4], ended=since + moments[5], exit_code=0),
    ]
    running = {"state": RunState.RUNNING.value, "ended": None, "planned_tasks": 5}
    has(engine, a_run(1, coarse=True, data_dependent=since, **running), *tasks)
    listed = ruth.get(f"{WES}/runs/{ONE}/tasks").json()["task_logs"]
    assert [(task["system_logs"], "end_time" in task) for task in listed] == [
        (["COMPLETE"], True), (["RUNNING"], False), (["RUNNING"], False), (["RUNNING"], False), (["RUNNING"], False),
    ]  # fmt: skip
    assert ["start_time" in task for task in listed] == [True, True, False, True, False]
    assert [ruth.get(f"{WES}/runs/{ONE}/tasks/{task['id']}").json() for task in listed] == listed
    progress = {"tasks_done": 1, "tasks_planned": None}
    assert ruth.get(f"{WES}/runs/{ONE}").json()["outputs"]["progress"] == progress
    with transaction(engine) as session:
        run = find(session, ONE)
        assert run is not None
        run.state = RunState.EXECUTOR_ERROR.value
    listed = ruth.get(f"{WES}/runs/{ONE}/tasks").json()["task_logs"]
    assert [task["system_logs"] for task in listed] == [[task.state] for task in tasks[:5]]
    assert ruth.get(f"{WES}/runs/{ONE}").json()["outputs"]["progress"] == progress | {"tasks_done": 2}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"workflow_url": None}, "workflow_url: required"),
        ({"workflow_url": "", "workflow_type": ""}, "workflow_url: required"),
        ({"workflow_type": 5}, "workflow_type: a string"),
        ({"workflow_params": "{}"}, "workflow_params: a JSON object"),
        ({"tags": ["x"]}, "tags: a JSON object"),
        ({"workflow_attachment": ["x"]}, "workflow_attachment: not accepted"),
        ({"workflow_secrets": "x"}, "'workflow_secrets' is not a field"),
        ({"workflow_url": "a\0b"}, "NUL"),
    ],
)
def test_json_that_is_wrong_is_refused_with_the_field(ruth: Asking, change: dict[str, Any], words: str) -> None:
    answer = ruth.post(f"{WES}/runs", {**FORM, **change})
    assert (answer.status_code, words in answer.json()["msg"]) == (400, True), answer.json()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"[" * 100_000, b'{"a": NaN}', b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(ruth: Asking, body: bytes) -> None:
    answer = ruth.request("POST", f"{WES}/runs", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, "JSON object" in answer.json()["msg"]) == (400, True)


def test_all_missing_fields_are_named_at_once(ruth: Asking) -> None:
    for sent in ({"json": {}}, {"files": {"tags": (None, "{}")}}):
        answer = ruth.request("POST", f"{WES}/runs", **sent)
        assert answer.json()["msg"] == "workflow_type, workflow_type_version, workflow_url: required."


def test_another_kind_of_body_is_refused(ruth: Asking) -> None:
    answer = ruth.request("POST", f"{WES}/runs", content=b"x", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, "multipart/form-data" in answer.json()["msg"]) == (400, True)

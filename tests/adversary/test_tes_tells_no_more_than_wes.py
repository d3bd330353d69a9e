"""A coarse run that follows data: its person learns of its tasks by TES no more than by WES (T4)."""

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from asking import Asking, as_ruth

from archive import decisions
from archive.store import DecisionRecord
from strongroom.database import Base, now, open_database, transaction
from tes import api as tes_api
from tes.store import Task
from tes.tasks import TaskState
from wes import api as wes_api
from wes.runs import RunState
from wes.store import RunTask, find

sys.path.append(str(Path(__file__).resolve().parent.parent / "unit" / "wes"))
from runs_scene import RUTH, a_run, add

WES, TES = "/ga4gh/wes/v1/runs", "/ga4gh/tes/v1/tasks"
RUN, OPEN = f"{1:032x}", f"{2:032x}"
SINCE = now().replace(second=30, microsecond=0) - timedelta(minutes=10)
EARLY, LATER = SINCE - timedelta(minutes=5), SINCE + timedelta(minutes=5)
# State, and when it was made, started and ended.
STORY: list[tuple[str, datetime, datetime | None, datetime | None]] = [
    ("COMPLETE", EARLY, EARLY, EARLY + timedelta(minutes=1)),
    ("COMPLETE", EARLY, EARLY, LATER),
    ("EXECUTOR_ERROR", EARLY, LATER, LATER),
    ("QUEUED", EARLY, None, None),
    ("CANCELED", EARLY, EARLY, LATER),
    ("COMPLETE", LATER, LATER, LATER),  # data called for these two
    ("RUNNING", LATER, LATER, None),
]
CALLED_FOR = [f"{number:032x}" for number in (6, 7)]
OF_OPEN_RUN = f"{100:032x}"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'site.db'}")
    Base.metadata.create_all(engine)
    with transaction(engine) as session:
        add(session, a_run(1, coarse=True, state="RUNNING", ended=None), a_run(2, state="RUNNING", ended=None))
        for run in (RUN, OPEN):
            decisions.record(
                session, run=run, person=RUTH, project="cohort", workflow="w", version="1", workflow_digest="0",
                envelope={}, images={}, datasets=[], policy_version=1, seconds=3600,
            )  # fmt: skip
            one = find(session, run)
            assert one is not None
            one.data_dependent = SINCE
            decisions.follow_data(session, run, since=SINCE)
        for number, told in enumerate(STORY, 1):
            session.add_all(both(number, *told, run=RUN, coarse=True))
        session.add_all(both(100, "COMPLETE", LATER, LATER, LATER, run=OPEN, coarse=False))
    yield engine
    engine.dispose()


@pytest.fixture
def ruth(tmp_path: Path, engine: sa.Engine) -> Asking:
    return as_ruth(tmp_path, engine, wes_api.router, tes_api.router)


def both(
    number: int,
    state: str,
    created: datetime,
    started: datetime | None,
    ended: datetime | None,
    *,
    run: str,
    coarse: bool,
) -> tuple[Task, RunTask]:
    """Return a task as TES and as WES have it."""
    name, times = f"{number:032x}", {"created": created, "started": started, "ended": ended}
    task = Task(
        number=number, id=name, seq=number, state=state, client="wes.gateway", idempotency_key=name,
        body_digest="0" * 64, run=run, project="cohort", person=RUTH, coarse=coarse, name=f"part-{number}",
        request={}, plan={"executors": [{"image": "sha256:a"}]}, policy_version=1, attempts=1, **times,
    )  # fmt: skip
    row = RunTask(
        run=run, key=name, repeat=0, rule="part", index=number, task=name, state=state, exit_code=None,
        directories=[], **times,
    )  # fmt: skip
    return task, row


def by_wes(ruth: Asking) -> dict[str, Any]:
    """Return state and times of each task that WES shows of the coarse run."""
    logs = ruth.get(f"{WES}/{RUN}/tasks").json()["task_logs"]
    return {one["id"]: (one["system_logs"][0], one.get("start_time"), one.get("end_time")) for one in logs}


def by_tes(ruth: Asking, **query: Any) -> dict[str, Any]:
    """Return the same of each task of the coarse run that TES lists, page by page."""
    found: dict[str, Any] = {}
    token = ""
    while True:
        page = ruth.get(TES, params={"view": "FULL", "page_size": 2, "page_token": token, **query}).json()
        for one in page["tasks"]:
            log = one["logs"][0] if one["logs"] else {}
            found[one["id"]] = (one["state"], log.get("start_time"), log.get("end_time"))
        token = page["next_page_token"]
        if not token:
            found.pop(OF_OPEN_RUN, None)
            return found


def test_t4_by_tes_a_person_sees_no_more_of_a_coarse_run_than_by_wes(ruth: Asking) -> None:
    told = by_wes(ruth)
    assert [state for state, _, _ in told.values()] == ["COMPLETE", "RUNNING", "RUNNING", "RUNNING", "RUNNING"]
    assert by_tes(ruth) == told
    assert by_tes(ruth, name_prefix="part") == told
    minimal = ruth.get(TES).json()["tasks"]
    assert {one["id"]: one["state"] for one in minimal if one["id"] in told} == {
        t: s for t, (s, _, _) in told.items()
    }
    assert len(minimal) == len(told) + 1
    for view in ("MINIMAL", "BASIC", "FULL"):
        for task, (state, _, _) in told.items():
            assert ruth.get(f"{TES}/{task}", params={"view": view}).json()["state"] == state


@pytest.mark.parametrize("task", CALLED_FOR)
def test_t4_a_task_that_data_called_for_is_as_unknown_as_none(ruth: Asking, task: str) -> None:
    never = "f" * 32
    for view in ("MINIMAL", "FULL"):
        ours, none = (ruth.get(f"{TES}/{one}", params={"view": view}) for one in (task, never))
        assert (ours.status_code, ours.text) == (404, none.text)
    assert ruth.post(f"{TES}/{task}:cancel").text == ruth.post(f"{TES}/{never}:cancel").text


@pytest.mark.parametrize("state", TaskState)
def test_t4_no_list_by_state_tells_how_tasks_go_on_beside_data(ruth: Asking, state: TaskState) -> None:
    # Tasks that just run answer no list by state: it would have to tell which of them do.
    assert set(by_tes(ruth, state=state.value)) == ({f"{1:032x}"} if state is TaskState.COMPLETE else set())
    assert set(by_tes(ruth, state=state.value, name_prefix="p")) <= {f"{1:032x}"}


def test_t4_a_run_that_ended_shows_ends_and_never_what_data_called_for(engine: sa.Engine, ruth: Asking) -> None:
    with transaction(engine) as session:
        run = find(session, RUN)
        assert run is not None
        run.state = RunState.EXECUTOR_ERROR.value
        decisions.close(session, RUN, "executor_error")
    told = by_wes(ruth)
    assert [state for state, _, _ in told.values()] == [state for state, *_ in STORY[:5]]
    assert by_tes(ruth) == told
    assert set(by_tes(ruth, state="COMPLETE")) == {f"{1:032x}", f"{2:032x}"}
    with transaction(engine) as session:  # resumed, it works again
        session.get_one(DecisionRecord, RUN).closed_at = None
    assert by_tes(ruth)[f"{2:032x}"][0] == "RUNNING"


def test_open_data_shows_all(ruth: Asking) -> None:
    assert ruth.get(f"{TES}/{OF_OPEN_RUN}").json() == {"id": OF_OPEN_RUN, "state": "COMPLETE"}
    listed = ruth.get(TES, params={"state": "COMPLETE"}).json()["tasks"]
    assert OF_OPEN_RUN in [one["id"] for one in listed]

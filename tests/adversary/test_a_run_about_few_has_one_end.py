"""A run about few persons whose outputs stay inside: its person is told that it is finished, and not how (T6)."""

import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from asking import Asking, as_ruth

from archive import decisions
from strongroom.audit import AuditEvent
from strongroom.database import Base, now, open_database, reading, transaction
from tes import api as tes_api
from tes.store import Task
from tes.tasks import TaskState
from wes import api as wes_api
from wes import derivation, store
from wes.quiet import FINISHED, told_at
from wes.runs import RunState
from wes.store import Run, RunTask

sys.path.append(str(Path(__file__).resolve().parent.parent / "unit" / "wes"))
from runs_scene import RUTH, a_run, add

WES, TES = "/ga4gh/wes/v1", "/ga4gh/tes/v1"
RUN, TASK = f"{1:032x}", f"{10:032x}"
NOW = now().replace(microsecond=0)
STARTED = NOW - timedelta(minutes=45)
ENDS = ("COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED")
WORKS = ("RUNNING", "CANCELING")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'site.db'}")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def ruth(tmp_path: Path, engine: sa.Engine) -> Asking:
    return as_ruth(tmp_path, engine, wes_api.router, tes_api.router, derivation.router)


def has_run(
    engine: sa.Engine, state: str, *, after: timedelta | None = None, tasks: int = 1, started: datetime = STARTED
) -> None:
    """Have one run about few persons, that ended `after` so long, and its tasks; what was before is gone."""
    with transaction(engine) as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(sa.delete(table))
        ended = started + after if after is not None else None
        reason = f"because of {state}" if state.endswith("ERROR") else None
        told = told_at(started, ended) if ended is not None else None
        add(session, a_run(1, coarse=True, quiet=True, state=state, created=started, started=started, ended=ended,
                           reason=reason, told=told, planned_tasks=tasks))  # fmt: skip
        decisions.record(
            session, run=RUN, person=RUTH, project="cohort", workflow="w", version="1", workflow_digest="0",
            envelope={}, images={}, datasets=[], policy_version=1, seconds=3600,
        )  # fmt: skip
        session.flush()
        decisions.keep_quiet(session, RUN)
        for number in range(10, 10 + tasks):
            session.add_all(both(number, state if state in ENDS else "RUNNING", started, ended))
        if ended is not None:
            decisions.close(session, RUN, state.lower())


def both(number: int, state: str, started: datetime, ended: datetime | None) -> tuple[Task, RunTask]:
    """Return a task as TES and as WES have it."""
    name, times = f"{number:032x}", {"created": started, "started": started, "ended": ended}
    task = Task(
        number=number, id=name, seq=number, state=state, client="wes.gateway", idempotency_key=name,
        body_digest="0" * 64, run=RUN, project="cohort", person=RUTH, coarse=True, name=f"part-{number}",
        request={}, plan={"executors": [{"image": "sha256:a"}]}, policy_version=1, attempts=1, **times,
    )  # fmt: skip
    row = RunTask(
        run=RUN, key=name, repeat=0, rule="part", index=number, task=name, state=state, exit_code=1,
        directories=[], **times,
    )  # fmt: skip
    return task, row


def asked(ruth: Asking) -> dict[str, Any]:
    """Return all that a person can ask about the run and its tasks, with the answers."""
    gets = [
        *(f"{WES}/runs{path}" for path in ("", f"/{RUN}", f"/{RUN}/status", f"/{RUN}/tasks", f"/{RUN}/tasks/{TASK}")),
        *(f"{WES}/runs/{RUN}/logs/stdout", f"{WES}/runs/{RUN}/tasks/{TASK}/logs/stderr", f"{WES}/service-info"),
        *(f"{WES}/runs?state={state.value}" for state in RunState),
        *(f"{WES}/runs?state={state.value}&name_prefix=c&tag_key=project&tag_value=" for state in RunState),
        *(f"{TES}/tasks?view=FULL&state={state.value}" for state in TaskState),
        *(f"{TES}/tasks", f"{TES}/tasks?name_prefix=part", f"{TES}/tasks/{TASK}", f"{TES}/tasks/{TASK}?view=FULL"),
    ]
    posts: list[tuple[str, Any]] = [
        (f"{WES}/runs/{RUN}/resume", None),
        (f"{TES}/tasks/{TASK}:cancel", None),
        ("/api/archive/v1/datasets/from-run", {"run": RUN, "dataset": "d"}),
    ]
    answers = {path: ruth.get(path) for path in gets}
    answers |= {path: ruth.post(path, body) for path, body in posts}
    return {path: (one.status_code, one.text) for path, one in answers.items()}


@pytest.fixture
def member(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ruth has her roles: who may ask is another test's matter."""
    monkeypatch.setattr(derivation.projects, "check_role", lambda *_, **__: None)


STORIES: dict[str, Callable[[sa.Engine, str], None]] = {
    "at once": lambda engine, state: has_run(engine, state, after=timedelta(seconds=2), tasks=1),
    "later": lambda engine, state: has_run(engine, state, after=timedelta(minutes=14), tasks=7),
}


def test_t6_the_visible_end_is_the_same_however_it_ended(engine: sa.Engine, ruth: Asking, member: None) -> None:
    views = []
    for state in ENDS:
        for story in STORIES.values():
            story(engine, state)
            views.append(asked(ruth))
    assert all(view == views[0] for view in views)
    whole = ruth.get(f"{WES}/runs/{RUN}").json()
    assert (whole["state"], whole["run_log"]["system_logs"]) == ("COMPLETE", [FINISHED])
    assert whole["outputs"] == {"progress": {"tasks_done": 0, "tasks_planned": None}}
    assert "exit_code" not in whole["run_log"]
    assert ruth.get(f"{WES}/runs/{RUN}/tasks").json()["task_logs"] == []
    assert ruth.get(f"{WES}/service-info").json()["system_state_counts"] == {"COMPLETE": 1}
    assert views[0][f"{WES}/runs/{RUN}/resume"][0] == 409
    assert views[0]["/api/archive/v1/datasets/from-run"][0] == 409
    events = [line for line in ruth.get(f"{WES}/runs/{RUN}/events").text.splitlines() if line.startswith("event")]
    assert events == ["event: end"]


def test_t6_until_it_is_told_an_ended_run_works_as_one_that_does(
    engine: sa.Engine, ruth: Asking, member: None
) -> None:
    views = []
    for state in (*WORKS, *ENDS):
        after = timedelta(seconds=3) if state in ENDS else None
        has_run(engine, state, after=after, started=NOW - timedelta(minutes=2))
        views.append(asked(ruth))
        assert ruth.post(f"{WES}/runs/{RUN}/cancel").json() == {"run_id": RUN}
        views.append(asked(ruth))  # to cancel it tells no more
    assert all(view == views[0] for view in views)
    assert ruth.get(f"{WES}/runs/{RUN}/status").json()["state"] == "RUNNING"
    assert "wait for its end" in views[0][f"{WES}/runs/{RUN}/resume"][1].lower()


def test_t6_the_log_tells_no_more_of_a_quiet_run_than_wes(engine: sa.Engine, ruth: Asking) -> None:
    own = []
    for state in (*WORKS, *ENDS):
        after = timedelta(seconds=3) if state in ENDS else None
        has_run(engine, state, after=after, started=NOW - timedelta(minutes=2))
        ruth.post(f"{WES}/runs/{RUN}/cancel")
        ruth.post(f"{TES}/tasks/{TASK}:cancel")
        ruth.post(f"{WES}/runs/{RUN}/resume")
        with reading(engine) as session:
            mine = sa.select(AuditEvent.event).where(AuditEvent.actor == RUTH)
            own.append(list(session.scalars(mine)))
    assert own == [["run.cancel_asked"]] * len(own)


def test_t6_the_end_is_told_at_few_moments_and_a_run_that_never_began_hides_nothing(
    engine: sa.Engine, ruth: Asking
) -> None:
    minutes = [told_at(STARTED, STARTED + timedelta(minutes=n)) - STARTED for n in (0, 1, 15, 16, 31, 60, 61)]
    assert [one // timedelta(minutes=1) for one in minutes] == [15, 15, 15, 30, 60, 60, 120]
    run = a_run(1, coarse=True, quiet=True, state="QUEUED", started=None, ended=None)
    with transaction(engine) as session:
        add(session, run)
        store.move(run, RunState.CANCELED, actor="ruth")
    assert ruth.get(f"{WES}/runs/{RUN}/status").json()["state"] == "CANCELED"
    assert len(ruth.get(f"{WES}/runs", params={"state": "CANCELED"}).json()["runs"]) == 1


@pytest.mark.parametrize("state", [one for one in ENDS if one != "CANCELED"])
def test_t6_whatever_ends_a_run_says_when_it_is_told(engine: sa.Engine, state: str) -> None:
    run: Run = a_run(1, coarse=True, quiet=True, state="RUNNING", started=STARTED, ended=None)
    with transaction(engine) as session:
        add(session, run)
        store.move(run, RunState(state), actor="wes")
        assert run.told is not None
        assert run.told > now()

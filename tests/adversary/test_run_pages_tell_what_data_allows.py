"""Pages of runs tell their researcher what WES would tell, and nobody else anything."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from page_scene import Pages, hidden, pages

from strongroom.audit import Event
from strongroom.database import reading, transaction
from wes.store import RunTask, find

sys.path.append(str(Path(__file__).resolve().parent.parent / "unit" / "wes"))
from runs_scene import a_run, add

LIVE, DONE, COARSE, FOLLOWS = (f"{number:032x}" for number in (1, 2, 3, 4))
MOMENT = datetime(2026, 1, 1, 12, 34, 56, tzinfo=UTC)


@pytest.fixture
def site() -> Iterator[Pages]:
    with pages() as one:
        with transaction(one.stage.engine) as session:
            add(
                session,
                a_run(1, state="RUNNING", ended=None, planned_tasks=7),
                a_run(2),
                a_run(3, coarse=True, state="EXECUTOR_ERROR", started=MOMENT, ended=MOMENT, planned_tasks=7),
                a_run(4, coarse=True, planned_tasks=7, data_dependent=MOMENT),
            )
            session.add_all(
                _task(run, f"{number}{run[1:]}") for number, run in ((5, DONE), (6, COARSE), (7, FOLLOWS))
            )
        yield one


def _task(run: str, name: str) -> RunTask:
    return RunTask(
        run=run,
        key=name,
        repeat=0,
        rule="count",
        index=1,
        task=name,
        state="EXECUTOR_ERROR",
        exit_code=137,
        directories=[],
        created=MOMENT if run != FOLLOWS else datetime(2026, 1, 2, tzinfo=UTC),
        started=MOMENT,
        ended=MOMENT,
    )


def test_t4_a_coarse_run_tells_minutes_and_no_codes(site: Pages) -> None:
    ruth = site.browser("ruth")
    text = ruth.get(f"/runs/{COARSE}").text
    assert "2026-01-01T12:34" in text
    assert "12:34:56" not in text
    assert "137" not in text
    assert "count-1" in text


def test_t4_what_data_called_for_shows_in_no_task_and_no_total(site: Pages) -> None:
    ruth = site.browser("ruth")
    text = ruth.get(f"/runs/{FOLLOWS}").text
    assert "count-1" not in text
    assert "of 7" not in text
    assert "of 7" in ruth.get(f"/runs/{LIVE}").text
    assert "0 of 7" in ruth.get("/runs").text


@pytest.mark.parametrize("name", ["rob", "sam", "nobody"])
def test_a_run_is_its_persons_alone(site: Pages, name: str) -> None:
    other = site.browser(name)
    for path in (f"/runs/{LIVE}", f"/runs/{LIVE}/events"):
        assert other.get(path).status_code == 404
    word = hidden(other.get("/manual").text, "/sign-out")["form"]
    for act in ("cancel", "resume"):
        assert other.post(f"/runs/{LIVE}/{act}", {"form": word}).status_code == 403
    assert LIVE[:8] not in other.get("/runs").text or name == "ruth"
    with reading(site.stage.engine) as session:
        run = find(session, LIVE)
        assert run is not None
        assert run.state == "RUNNING"


def test_code_is_for_the_runs_person_and_the_stewards_of_its_project(site: Pages) -> None:
    # The scene has no catalogue: who may look hears so, everybody else that there is no such run.
    for name in ("ruth", "sam"):
        assert site.browser(name).get(f"/code/{DONE}").status_code == 403
    for name in ("rob", "both", "former", "nobody"):
        assert site.browser(name).get(f"/code/{DONE}").status_code == 404


def test_progress_of_an_ended_run_is_told_once_and_asks_for_a_session(site: Pages) -> None:
    assert site.browser().get(f"/runs/{DONE}/events").status_code == 303
    told = site.browser("ruth").get(f"/runs/{DONE}/events")
    assert told.headers["content-type"].startswith("text/event-stream")
    assert '"state": "COMPLETE"' in told.text
    last = next(line[4:] for line in told.text.splitlines() if line.startswith("id: "))
    assert site.browser("ruth").get(f"/runs/{DONE}/events", **{"Last-Event-ID": last}).status_code == 204


def test_a_workflow_that_is_not_vetted_has_no_form_and_starts_nothing(site: Pages) -> None:
    ruth = site.browser("ruth")
    assert ruth.get("/runs/new/cohort-frequencies/1.0.0").status_code == 403
    assert ruth.get("/runs/new/..%2f..%2fetc/1.0.0").status_code in (400, 404)
    assert not site.stage.events(Event.RUN_SUBMITTED)


def test_a_run_is_canceled_by_its_form_once(site: Pages) -> None:
    ruth, act = site.browser("ruth"), f"/runs/{LIVE}/cancel"
    form = ruth.form(f"/runs/{LIVE}", act)
    assert ruth.post(act, form).status_code == 303
    assert ruth.post(act, form).status_code == 409
    assert "Canceling" in ruth.get(f"/runs/{LIVE}").text
    assert act not in ruth.get(f"/runs/{LIVE}").text

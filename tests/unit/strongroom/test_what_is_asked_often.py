"""What is asked at every submission, sweep or look costs the same however much lies behind: each walks its index."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from airlock import delivery, emptying, figures, submission
from airlock.cohorts import ReleasedCohort
from airlock.store import ReleasedFile
from archive.keys.orders import Asking
from archive.keys.purposes import Kind
from archive.keys.standing import standing_of
from strongroom.database import migrate, now, open_database, reading
from strongroom.identity import Person
from strongroom.queue import Context
from strongroom.settings import Settings
from tes import api as tasks_api
from tes.measures import Meter
from tes.store import Attempt, last_reports
from wes import api, retention, settlement
from wes.store import RunTask, open_runs

RUTH = "ruth@development"
ASKING = Asking("a" * 32, Kind.TASK, "r" * 32, "cohort", RUTH, (), (), "5" * 64, "", "")


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    folder: Path = tmp_path_factory.mktemp("asked")
    url = f"sqlite:///{folder / 'd.db'}"
    migrate(url)
    engine = open_database(url)
    yield Context(Settings(home=folder), engine)
    engine.dispose()


def swept(sweep: Callable[[Context], Any]) -> Callable[[orm.Session, Context], Any]:
    return lambda _, context: list(sweep(context))


QUESTIONS: dict[str, Callable[[orm.Session, Context], Any]] = {
    "ix_runs_project_told ix_runs_person_told": lambda s, _: open_runs(s, project="cohort", person=RUTH),
    "ix_runs_person_quiet_state": lambda s, _: api._counts(s, Person(RUTH)),
    "ix_attempts_ended": lambda s, _: (
        s.scalars(sa.select(Attempt).where(Attempt.ended.is_(None))).all(),
        Meter().read(s),
    ),
    "ix_airlock_runs_to_empty ix_release_request_files_file": swept(emptying.over),
    "ix_run_files_run_moment": lambda s, _: settlement._next_moment(s, RunTask(run="r" * 32, created=now())),
    "ix_runs_to_empty": swept(retention.over),
    "ix_deliveries_state_next": swept(delivery.waiting),
    "ix_deliveries_request_state": lambda s, _: delivery.arrived(s, "r" * 32),
    "ix_release_requests_run_state": lambda s, _: submission.settle_scans(s, "r" * 32),
    "ix_released_files_file": lambda s, _: s.scalars(
        sa.select(ReleasedFile.request).where(ReleasedFile.file == "f" * 32)
    ).all(),
    "ix_released_cohorts_run": lambda s, _: s.scalars(
        sa.select(ReleasedCohort.dataset).where(ReleasedCohort.run == "r" * 32)
    ).all(),
    "sqlite_autoindex_decisions_1 sqlite_autoindex_projects_1 sqlite_autoindex_memberships_1": lambda s, _: (
        standing_of(s, ASKING, [])
    ),
    "ix_tasks_run_seq": lambda _, context: tasks_api._changes(context.engine, "r" * 32, 0),
    "sqlite_autoindex_attempts_2": lambda s, _: last_reports(s, ["t" * 32]),
    "ix_audit_events_project_event": lambda s, _: figures.turnaround_in(s, "cohort"),
}


@pytest.mark.parametrize("indexes", QUESTIONS)
def test_each_question_walks_its_index(context: Context, indexes: str) -> None:
    plans: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            asked = cursor.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[3] for row in asked.fetchall())

    sa.event.listen(context.engine, "before_cursor_execute", explain)
    try:
        with reading(context.engine) as session:
            QUESTIONS[indexes](session, context)
    finally:
        sa.event.remove(context.engine, "before_cursor_execute", explain)
    for index in indexes.split():
        assert any(index in step for step in plans), plans
    whole = [step for step in plans if step.startswith("SCAN") and "INDEX" not in step and "CONSTANT" not in step]
    assert not whole

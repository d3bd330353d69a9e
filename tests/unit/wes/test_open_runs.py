"""What a project and a person may have open is counted as far as is told (T30, T6)."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from runs_scene import RITA, RUTH, a_run, add, plan_of

from strongroom.database import Base, now, open_database, reading, transaction
from wes import store
from wes.runs import LIVE, RunState
from wes.store import open_runs


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    made = open_database("sqlite://")
    Base.metadata.create_all(made)
    yield made
    made.dispose()


def test_every_live_state_counts_and_no_end_does(engine: sa.Engine) -> None:
    with transaction(engine) as session:
        add(session, *(a_run(number, state=state.value) for number, state in enumerate(RunState, 1)))
    with reading(engine) as session:
        assert open_runs(session, project="cohort", person=RUTH) == (len(LIVE), len(LIVE))


def test_projects_and_persons_are_counted_apart(engine: sa.Engine) -> None:
    owners = (("cohort", RUTH), ("cohort", RITA), ("cohort", RITA), ("other", RUTH))
    with transaction(engine) as session:
        add(session, *(a_run(n, state="QUEUED", project=p, person=who) for n, (p, who) in enumerate(owners, 1)))
    with reading(engine) as session:
        assert open_runs(session, project="cohort", person=RUTH) == (3, 2)
        assert open_runs(session, project="other", person=RITA) == (1, 2)
        assert open_runs(session, project="none", person="nobody@development") == (0, 0)


def test_a_quiet_run_is_open_until_its_end_is_told(engine: sa.Engine) -> None:
    moments = (now() + timedelta(minutes=5), now() - timedelta(minutes=5), None)
    with transaction(engine) as session:
        add(session, *(a_run(number, quiet=True, told=moment) for number, moment in enumerate(moments, 1)))
    with reading(engine) as session:
        assert open_runs(session, project="cohort", person=RUTH) == (1, 1)


def test_runs_of_long_ago_are_not_looked_at(engine: sa.Engine) -> None:
    # Every submission asks this: what it costs does not grow with what a project has ever run.
    plan = plan_of(engine, store._OPEN.params(project="cohort", person=RUTH, moment=now()))
    looks = [step for step in plan if "runs" in step]
    assert len(looks) == 4
    for step in looks:
        assert re.search(r"COVERING INDEX .* AND (state=\?|told>\?)", step), plan

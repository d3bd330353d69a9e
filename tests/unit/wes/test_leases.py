"""A run is supervised once, in its turn; what was begun and lost its supervisor comes before what waits (T30)."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from strongroom.database import Base, now, open_database, transaction
from strongroom.running import Wes
from wes import leases
from wes.runs import RunState
from wes.store import find

sys.path.append(str(Path(__file__).parent))
from runs_scene import a_run, add

QUEUED = {"state": RunState.QUEUED.value, "started": None, "ended": None, "launches": 0}


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    engine = open_database("sqlite://")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def taken(engine: sa.Engine, number: int, wes: Wes) -> bool:
    with transaction(engine) as session:
        run = find(session, f"{number:032x}")
        assert run is not None
        return leases.take(session, run, wes=wes)


def test_t30_a_project_that_filled_the_queue_gets_one_place_of_two(engine: sa.Engine) -> None:
    with transaction(engine) as session:
        add(session, *(a_run(n, project="a", **QUEUED) for n in range(1, 6)), a_run(6, project="b", **QUEUED))
    wes = Wes(runs_at_once=2)
    assert [taken(engine, n, wes) for n in (2, 1, 3, 6)] == [False, True, False, True]
    with transaction(engine) as session:
        assert leases.waiting(session, wes=wes) == []


def test_t30_with_one_place_the_project_whose_turn_is_longest_ago_is_next(engine: sa.Engine) -> None:
    with transaction(engine) as session:
        long_ago, lately = now() - timedelta(hours=2), now() - timedelta(hours=1)
        add(session, a_run(1, project="a", turn=lately), a_run(2, project="b", turn=long_ago))
        add(session, a_run(3, project="a", **QUEUED), a_run(4, project="b", **QUEUED))
        assert leases.waiting(session, wes=Wes(runs_at_once=1)) == [f"{4:032x}"]


def test_what_was_begun_comes_first_and_a_living_supervisor_keeps_its_run(engine: sa.Engine) -> None:
    wes = Wes(runs_at_once=2)
    with transaction(engine) as session:
        add(session, a_run(1, **QUEUED), a_run(2, state=RunState.RUNNING.value, ended=None), a_run(3, **QUEUED))
        assert leases.waiting(session, wes=wes) == [f"{2:032x}", f"{1:032x}"]
    assert taken(engine, 2, wes)
    assert not taken(engine, 2, wes)  # it is ours already, and its supervisor lives
    assert not taken(engine, 3, wes)
    assert taken(engine, 1, wes)


def test_t30_limits_of_a_project_and_of_a_person_hold(engine: sa.Engine) -> None:
    with transaction(engine) as session:
        add(session, *(a_run(n, **QUEUED) for n in range(1, 5)), a_run(5, project="b", **QUEUED))
        assert leases.waiting(session, wes=Wes(runs_at_once=4, project_runs_at_once=2)) == [
            f"{1:032x}",
            f"{5:032x}",
            f"{2:032x}",
        ]
        assert leases.waiting(session, wes=Wes(runs_at_once=4, person_runs_at_once=1)) == [f"{1:032x}"]

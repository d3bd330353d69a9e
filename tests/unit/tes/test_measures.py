"""The operator's metrics are sums: causes, CPU time and peak memory of attempts, and nobody's name (T24)."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from airlock import figures
from strongroom.cli.metrics import text
from strongroom.database import Base, now, open_database, transaction
from tes import measures
from tes.measures import Meter
from tes.store import Attempt
from tes.tasks import Cause


@pytest.fixture
def session() -> Iterator[orm.Session]:
    engine = open_database("sqlite://")
    Base.metadata.create_all(engine)
    with transaction(engine) as session:
        session.execute(sa.text("PRAGMA defer_foreign_keys = ON"))
        yield session
        session.rollback()


def attempt(number: int, report: dict[str, object] | None) -> Attempt:
    return Attempt(
        id=f"attempt-{number}",
        task=f"task-{number}",
        number=1,
        decision="run-secret",
        project="project-secret",
        backend="local",
        started=now(),
        ended=now() if report else None,
        report=report,
    )


def test_attempts_are_counted_by_cause_and_summed(session: orm.Session) -> None:
    big = 5 << 30
    reports = [
        {"cause": "exited", "cpu_seconds": 1.5, "peak_memory_bytes": big},
        {"cause": "exited", "cpu_seconds": 0.5, "peak_memory_bytes": None},
        {"cause": "out_of_memory", "cpu_seconds": 2.0, "peak_memory_bytes": 100},
        {"cause": "lost"},
        None,
    ]
    session.add_all(attempt(number, report) for number, report in enumerate(reports))
    session.flush()
    found = Meter().read(session)
    assert {cause: count for cause, count in found.ended.items() if count} == {
        Cause.EXITED: 2,
        Cause.OUT_OF_MEMORY: 1,
        Cause.LOST: 1,
    }
    assert (found.running, found.cpu_seconds, found.peak_memory_bytes) == (1, 4.0, big)
    page = text(found, figures.read(session, None)).decode()
    assert 'strongroom_attempts_ended_total{cause="out_of_memory"} 1.0' in page
    assert 'strongroom_attempts_ended_total{cause="deadline"} 0.0' in page
    assert "strongroom_attempts_cpu_seconds_total 4.0" in page
    assert "secret" not in page
    assert "task-" not in page


def test_nothing_yet_is_zero(session: orm.Session) -> None:
    found = Meter().read(session)
    assert (sum(found.ended.values()), found.running, found.cpu_seconds, found.peak_memory_bytes) == (0, 0, 0.0, 0)


def test_what_ended_long_ago_is_looked_at_once_and_counted_once(
    session: orm.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter, moment = Meter(), now()
    session.add_all(attempt(number, {"cause": "exited", "cpu_seconds": 1.0}) for number in range(3))
    session.flush()
    session.execute(sa.update(Attempt).where(Attempt.id == "attempt-0").values(ended=moment - timedelta(hours=1)))
    assert meter.read(session).cpu_seconds == 3.0
    session.execute(sa.update(Attempt).where(Attempt.id == "attempt-0").values(report={"cause": "lost"}))
    assert meter.read(session).ended[Cause.EXITED] == 3, "it was looked at again"
    for hours in (1, 2, 3):  # the others come of age
        monkeypatch.setattr(measures, "now", lambda hours=hours: moment + timedelta(hours=hours))
        found = meter.read(session)
        assert (found.ended[Cause.EXITED], found.cpu_seconds) == (3, 3.0)
    session.add(attempt(3, None))
    session.flush()
    assert meter.read(session).running == 1


def test_a_clock_that_is_set_back_counts_nothing_twice(session: orm.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    meter, moment = Meter(), now()
    session.add_all(attempt(number, {"cause": "exited", "cpu_seconds": 1.0}) for number in range(3))
    session.flush()
    for hours in (1, 0, 1):
        monkeypatch.setattr(measures, "now", lambda hours=hours: moment + timedelta(hours=hours))
        assert meter.read(session).cpu_seconds == 3.0

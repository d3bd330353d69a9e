"""The database keeps aware times, takes its write lock at once, and rolls back as a whole."""

import os
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from strongroom.database import Base, Turns, now, open_database, reading, transaction
from strongroom.projects import Project


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'floor.db'}")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def _project(name: str, created: datetime | None = None) -> Project:
    return Project(id=name, title=name, min_count=5, policy_version=1, created=created or now(), ends=None)


def test_times_come_back_aware_and_in_utc(engine: sa.Engine) -> None:
    summer = datetime(2026, 7, 1, 12, 30, 15, 250000, tzinfo=timezone(timedelta(hours=2)))
    with transaction(engine) as session:
        session.add(_project("one", summer))
    with reading(engine) as session:
        kept = session.get(Project, "one")
        assert kept is not None
        assert kept.created == summer
        assert kept.created.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.StatementError, match="without a zone"), transaction(engine) as session:
        session.add(_project("one", datetime(2026, 7, 1)))  # noqa: DTZ001


def test_an_error_rolls_the_whole_transaction_back(engine: sa.Engine) -> None:
    def fail() -> None:
        with transaction(engine) as session:
            session.add(_project("one"))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with reading(engine) as session:
        assert session.get(Project, "one") is None


def test_a_transaction_that_reads_and_then_writes_waits_for_its_turn(engine: sa.Engine) -> None:
    # Decision 6: with a deferred BEGIN the second of these fails at once with "database is locked".
    with transaction(engine) as session:
        session.add(_project("count"))
    errors: list[BaseException] = []

    def add_ten() -> None:
        try:
            for _ in range(10):
                with transaction(engine) as session:
                    row = session.get_one(Project, "count")
                    row.min_count += 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=add_ten) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    with reading(engine) as session:
        assert session.get_one(Project, "count").min_count == 45


def test_readers_do_not_wait_for_a_writer(engine: sa.Engine) -> None:
    with transaction(engine) as session:
        session.add(_project("one"))
        session.flush()
        with reading(engine) as other:
            assert other.get(Project, "one") is None


def test_sqlite_runs_in_wal_mode_with_foreign_keys(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_writers_take_turns_by_a_file_that_is_no_link_and_belongs_to_the_databases_owner(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    database.touch(mode=0o660)
    os.chown(database, 61103, 61100)
    Turns(str(database)).close()
    made = (tmp_path / "a.db-turn").stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (61103, 61100, database.stat().st_mode & 0o777)
    (tmp_path / "b.db-turn").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        Turns(str(tmp_path / "b.db"))
    assert not (tmp_path / "elsewhere").exists()


def test_t29_what_fails_in_the_database_is_logged_without_its_values(engine: sa.Engine) -> None:
    with transaction(engine) as session:
        session.add(_project("one"))
    again = _project("one")
    again.title = "https://example.org/?X-Amz-Signature=canary"
    with pytest.raises(sa.exc.IntegrityError) as failed, transaction(engine) as session:
        session.add(again)
    assert "canary" not in str(failed.value)
    with pytest.raises(sa.exc.OperationalError) as failed, reading(engine) as session:
        session.execute(sa.text("SELECT * FROM nowhere WHERE word = :word"), {"word": "canary"})
    assert "canary" not in str(failed.value)

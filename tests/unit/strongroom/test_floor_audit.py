"""The log is written in the caller's transaction, in one chain, however many write at once."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import rfc8785
import sqlalchemy as sa

from strongroom.audit import NOTHING_BEFORE, AuditEvent, AuditHead, Entry, Event, append, events, head
from strongroom.audit_heads import Head, check_log, logged
from strongroom.database import Base, open_database, reading, transaction
from strongroom.merkle import EMPTY_ROOT, leaf_hash, tree_root

WRITER = """
import sys
from strongroom.audit import Entry, Event, append
from strongroom.database import open_database, transaction
engine = open_database(sys.argv[1])
for number in range(int(sys.argv[3])):
    with transaction(engine) as session:
        append(session, Entry(Event.RUN_STATE, sys.argv[2], f"{sys.argv[2]}-{number}", "p", {"n": number}))
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'floor.db'}"


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = open_database(url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def _entry(subject: str = "r1", **facts: object) -> Entry:
    return Entry(Event.RUN_SUBMITTED, "alice@development", subject, "p", facts)


def test_an_empty_log_has_the_empty_root(engine: sa.Engine) -> None:
    with reading(engine) as session:
        assert head(session) == (0, EMPTY_ROOT)
        assert list(events(session)) == []


def test_a_leaf_covers_the_salt_and_every_fact(engine: sa.Engine) -> None:
    with transaction(engine) as session:
        append(session, _entry(digest="ab"), _entry("r2"))
    with reading(engine) as session:
        first, second = events(session)
        assert json.loads(first.body) == {
            "seq": 0,
            "time": first.time.isoformat(),
            "event": "run.submitted",
            "actor": "alice@development",
            "project": "p",
            "subject": "r1",
            "facts": {"digest": "ab"},
            "prev": NOTHING_BEFORE,
        }
        assert first.leaf == leaf_hash(first.salt + first.body)
        assert json.loads(second.body)["prev"] == first.leaf
        assert head(session) == (2, tree_root([first.leaf, second.leaf]))


def test_equal_events_have_different_leaves(engine: sa.Engine) -> None:
    # T8: a leaf is salted with 128 bits, so that nobody confirms a guess from a root or a proof.
    with transaction(engine) as session:
        append(session, *[_entry() for _ in range(5)])
    with reading(engine) as session:
        rows = list(events(session))
        assert {len(row.salt) for row in rows} == {16}
        assert len({row.salt for row in rows}) == len({row.leaf for row in rows}) == 5


def test_an_event_is_taken_back_with_the_transaction_that_wrote_it(engine: sa.Engine) -> None:
    def fail() -> None:
        with transaction(engine) as session:
            append(session, _entry())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with reading(engine) as session:
        assert head(session) == (0, EMPTY_ROOT)


def test_facts_that_are_no_json_are_refused_with_all_that_was_to_be_written(engine: sa.Engine) -> None:
    with pytest.raises(rfc8785.CanonicalizationError), transaction(engine) as session:
        append(session, _entry(), _entry(secret=b"\x00"))
    with reading(engine) as session:
        assert head(session) == (0, EMPTY_ROOT)


def test_two_appends_of_one_transaction_make_one_chain(engine: sa.Engine) -> None:
    with transaction(engine) as session:
        append(session, _entry("a"))
        append(session, _entry("b"), _entry("c"))
        append(session)
    with reading(engine) as session:
        assert check_log(logged(session), [], None, last=Head(*head(session))).whole
        assert [row.subject for row in events(session, start=1)] == ["b", "c"]


def test_two_processes_that_append_at_once_lose_nothing_and_keep_one_chain(engine: sa.Engine, url: str) -> None:
    count = 60
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, name, str(count)], stderr=subprocess.PIPE)
        for name in ("one", "two")
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors.decode()
    with reading(engine) as session:
        rows = list(events(session))
        assert [row.seq for row in rows] == list(range(2 * count))
        for name in ("one", "two"):
            assert [row.subject for row in rows if row.actor == name] == [f"{name}-{n}" for n in range(count)]
        report = check_log(logged(session), [], None, last=Head(*head(session)))
        assert report.whole, report.problems
        assert report.entries == 2 * count
        assert sa.inspect(AuditHead).primary_key


def test_the_database_itself_refuses_a_second_entry_of_one_number(engine: sa.Engine) -> None:
    with transaction(engine) as session:
        append(session, _entry())
    with reading(engine) as session:
        (row,) = events(session)
        values = {name: getattr(row, name) for name in AuditEvent.__table__.columns.keys()}  # noqa: SIM118
    with pytest.raises(sa.exc.IntegrityError), transaction(engine) as session:
        session.execute(sa.insert(AuditEvent).values(**values))

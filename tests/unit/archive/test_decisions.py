"""The door for wes: what a decision says, and when it is open."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from archive import decisions
from archive.labels import hashed
from archive.store import Dataset, StoredObject
from strongroom.audit import Event
from strongroom.database import Base, now, open_database, transaction
from strongroom.errors import NotAllowed


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'd.db'}")
    Base.metadata.create_all(made)
    yield made
    made.dispose()


def record(engine: sa.Engine, run: str = "1" * 32, seconds: int = 60) -> list[str]:
    """Record a decision; return the events that wes appends."""
    with transaction(engine) as session:
        entries = decisions.record(
            session,
            run=run,
            person="ruth",
            project="cohort",
            workflow="count",
            version="1.0.0",
            workflow_digest="sha256:d",
            envelope={"payload": "x"},
            images={"tools": "sha256:a"},
            datasets=["calls", "calls"],
            policy_version=3,
            seconds=seconds,
        )
    return [entry.event for entry in entries]


def test_an_open_decision_says_what_was_decided(engine: sa.Engine) -> None:
    assert record(engine) == [Event.DECISION_RECORDED]
    with transaction(engine) as session:
        found = decisions.open_decision(session, "1" * 32)
    assert (found.person, found.project, found.datasets) == ("ruth", "cohort", ("calls",))
    assert (found.images, found.policy_version) == ({"tools": "sha256:a"}, 3)
    assert not found.is_complete()


@pytest.mark.parametrize(
    ("datasets", "highest"),
    [({"calls": "standard"}, "standard"), ({"calls": "high"}, "high"), ({}, "high"), ({"other": "standard"}, "high")],
)
def test_a_run_is_as_sensitive_as_the_most_sensitive_of_its_data(
    engine: sa.Engine, datasets: dict[str, str], highest: str
) -> None:
    record(engine)
    with transaction(engine) as session:
        session.add_all(dataset(name, sensitivity) for name, sensitivity in datasets.items())
        session.flush()
        assert decisions.sensitivity(session, decisions.open_decision(session, "1" * 32)) == highest
        assert decisions.sensitivity_of_run(session, "1" * 32) == highest
        assert decisions.sensitivity_of_run(session, "2" * 32) == "high"


def dataset(name: str, sensitivity: str) -> Dataset:
    return Dataset(
        id=name,
        title="",
        observability="open",
        sensitivity=sensitivity,
        ancestors=[],
        created_by="olga",
        created=now(),
        policy_version=1,
    )


def test_a_closed_decision_stays_closed_as_it_was(engine: sa.Engine) -> None:
    record(engine)
    with transaction(engine) as session:
        assert [e.event for e in decisions.close(session, "1" * 32, "canceled")] == [Event.DECISION_CLOSED]
    with transaction(engine) as session:
        assert decisions.close(session, "1" * 32, "complete") == []
        with pytest.raises(NotAllowed):
            decisions.open_decision(session, "1" * 32)


def test_an_unknown_or_expired_decision_is_not_open(engine: sa.Engine) -> None:
    record(engine, run="2" * 32, seconds=0)
    with transaction(engine) as session:
        assert decisions.close(session, "3" * 32, "complete") == []
        for run in ("2" * 32, "3" * 32):
            with pytest.raises(NotAllowed):
                decisions.open_decision(session, run)


def test_the_labels_of_a_runs_persons_come_as_hashes_under_the_key_that_was_given(engine: sa.Engine) -> None:
    record(engine)
    facts = {"kind": "upload", "role": "output", "ancestors": [], "version": 1, "size": 1, "plaintext_hmac": ""}
    facts |= {"body_length": 1, "body_sha256": "", "segments": 1, "key_version": 1, "header_sha256": ""}
    facts |= {"policy_version": 1, "signature": b"", "created": now(), "purpose": "store"}
    with transaction(engine) as session:
        session.add(StoredObject(id="a", owner="calls", persons=["label-1", "label-2"], **facts))
        session.add(StoredObject(id="b", owner="other", persons=["label-3"], **facts))
        session.flush()
        told = decisions.people_of_run(session, "1" * 32, key=b"k")
        assert told == hashed(["label-1", "label-2"], b"k")
        assert decisions.people_of_run(session, "2" * 32, key=b"k") is None

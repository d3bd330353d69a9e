"""What a run made becomes a dataset with all that its sources forbid, and of no use elsewhere."""

import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from keyroom import PROJECT, RUTH, Attempt, KeyRoom, key_room, opened

from archive import datasets
from archive.store import Dataset, DatasetFile, DatasetProject
from strongroom.database import now, reading
from strongroom.errors import StrongroomError


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    with key_room() as made:
        made.people("other")
        yield made


@pytest.fixture
def source(room: KeyRoom) -> str:
    """A dataset of its own for each test."""
    return room.dataset(f"reads-{uuid.uuid4().hex[:8]}", observability="coarse", sensitivity="high")


def complete_run(room: KeyRoom, source: str) -> tuple[str, str]:
    """Return a complete run over a dataset with the object that it made."""
    run = room.decision([source])
    made = room.result(run, [room.file(source, b"reads of one person", person="NA18507")], b"calls")
    room.close_run(run)
    return run, made


def derive(
    room: KeyRoom, run: str, source: str, files: dict[str, str], *, dataset: str = "", project: str = PROJECT
) -> str:
    """Derive as wes does."""
    return datasets.derive(
        room.engine,
        settings=room.settings,
        actor=RUTH,
        run=run,
        project=project,
        parents=[source],
        dataset=dataset or f"calls-{uuid.uuid4().hex[:8]}",
        title="Calls",
        files=files,
    )


def test_t21_a_derived_dataset_inherits_everything(room: KeyRoom, source: str) -> None:
    run, made = complete_run(room, source)
    name = derive(room, run, source, {"results/calls.vcf.gz": made})
    row = room.row(made)
    assert (row.purpose, row.owner, row.project, row.version) == ("store", name, PROJECT, 2)
    assert row.ancestors == [source]
    assert row.persons == ["NA18507"]
    with reading(room.engine) as session:
        dataset = session.get_one(Dataset, name)
        assert (dataset.project, dataset.ancestors) == (PROJECT, [source])
        assert (dataset.observability, dataset.sensitivity) == ("coarse", "high")
        assert datasets.usable(session, name, project=PROJECT).files[0].name == "results/calls.vcf.gz"
    attempt = Attempt()
    facts = room.grant(attempt, room.decision([name]), [made])
    assert opened(attempt, facts["headers"][made])
    assert room.events("dataset.derived")[-1]["facts"]["ancestors"] == [source]


def test_t21_a_grandchild_knows_its_grandparent(room: KeyRoom, source: str) -> None:
    run, made = complete_run(room, source)
    child = derive(room, run, source, {"a.vcf": made})
    second = room.decision([child])
    result = room.result(second, [made], b"more calls")
    room.close_run(second)
    grandchild = derive(room, second, child, {"b.vcf": result})
    assert room.row(result).ancestors == sorted([child, source])
    third = room.decision([grandchild])
    room.grant(Attempt(), third, [result])
    room.change(sa.update(DatasetProject).where(DatasetProject.dataset == source).values(until=now()))
    with pytest.raises(StrongroomError, match="not shared any more"):
        room.grant(Attempt(), third, [result])
    with reading(room.engine) as session, pytest.raises(StrongroomError, match="no such dataset"):
        datasets.usable(session, grandchild, project=PROJECT)


def test_t21_a_deleted_ancestor_closes_what_came_of_it(room: KeyRoom, source: str) -> None:
    run, made = complete_run(room, source)
    name = derive(room, run, source, {"a.vcf": made})
    later = room.decision([name])
    room.change(sa.update(Dataset).where(Dataset.id == source).values(deleted_at=now()))
    with pytest.raises(StrongroomError, match="deleted"):
        room.grant(Attempt(), later, [made])


def test_t21_a_forgotten_ancestor_is_remembered_by_the_signature(room: KeyRoom, source: str) -> None:
    run, made = complete_run(room, source)
    name = derive(room, run, source, {"a.vcf": made})
    room.change(sa.update(Dataset).where(Dataset.id == name).values(ancestors=[]))
    room.change(sa.update(DatasetProject).where(DatasetProject.dataset == source).values(until=now()))
    with pytest.raises(StrongroomError, match="not shared any more"):
        room.grant(Attempt(), room.decision([name]), [made])


def test_t21_a_derived_dataset_is_of_no_use_in_another_project(room: KeyRoom, source: str) -> None:
    run, made = complete_run(room, source)
    name = derive(room, run, source, {"a.vcf": made})
    for dataset in (name, source):  # somebody writes shares into the database
        words = {"dataset": dataset, "project": "other", "shared_by": "x", "since": now(), "policy_version": 1}
        room.change(sa.insert(DatasetProject).values(**words))
    room.change(sa.update(Dataset).where(Dataset.id == name).values(project="other"))
    with pytest.raises(StrongroomError, match="does not belong"):
        room.grant(Attempt(), room.decision([name], project="other"), [made], project="other")


def test_t21_only_a_complete_run_becomes_a_dataset(room: KeyRoom, source: str) -> None:
    run = room.decision([source])
    made = room.result(run, [room.file(source, b"reads")], b"calls")
    with pytest.raises(StrongroomError, match="complete run"):
        derive(room, run, source, {"a.vcf": made}, dataset="too-early")
    with reading(room.engine) as session:
        assert session.get(Dataset, "too-early") is None
        assert session.scalar(sa.select(DatasetFile).where(DatasetFile.dataset == "too-early")) is None


def test_t21_objects_of_another_run_or_of_a_dataset_are_refused(room: KeyRoom, source: str) -> None:
    run, _ = complete_run(room, source)
    _, foreign = complete_run(room, source)
    reads = room.file(source, b"more reads", name="more.fq")
    with pytest.raises(StrongroomError, match="this very run"):
        derive(room, run, source, {"a.vcf": foreign})
    room.change(sa.delete(DatasetFile).where(DatasetFile.object == reads))
    with pytest.raises(StrongroomError, match="this very run"):
        derive(room, run, source, {"a.vcf": reads})


def test_t21_an_ancestor_cannot_be_left_out(room: KeyRoom, source: str) -> None:
    run, made = complete_run(room, source)
    other = room.dataset(f"other-{uuid.uuid4().hex[:8]}")
    with pytest.raises(StrongroomError, match="all that these outputs come from"):
        derive(room, run, other, {"a.vcf": made})


def test_t21_the_dataset_stays_in_the_runs_project(room: KeyRoom, source: str) -> None:
    run, made = complete_run(room, source)
    words = {"dataset": source, "project": "other", "shared_by": "x", "since": now(), "policy_version": 1}
    room.change(sa.insert(DatasetProject).values(**words))
    with pytest.raises(StrongroomError, match="all that these outputs come from"):
        derive(room, run, source, {"a.vcf": made}, project="other")


def test_asking_again_changes_nothing(room: KeyRoom, source: str) -> None:
    run, made = complete_run(room, source)
    name = derive(room, run, source, {"a.vcf": made})
    before = room.row(made)
    assert derive(room, run, source, {"a.vcf": made}, dataset=name) == name
    assert room.row(made).signature == before.signature
    with pytest.raises(StrongroomError, match="choose another one"):
        derive(room, run, source, {"b.vcf": made}, dataset=name)
    with pytest.raises(StrongroomError, match="in a dataset already"):
        derive(room, run, source, {"a.vcf": made}, dataset="second-try")


def test_a_run_key_that_was_destroyed_leaves_the_derived_dataset(room: KeyRoom, source: str) -> None:
    run, made = complete_run(room, source)
    name = derive(room, run, source, {"a.vcf": made})
    room.ask("broker", verb="destroy", purpose="run", owner=run)
    attempt = Attempt()
    assert opened(attempt, room.grant(attempt, room.decision([name]), [made])["headers"][made])

"""Makes, shares and deletes datasets, and says which a project may use."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from archive import rules
from archive.ancestry import ancestry
from archive.keys.purposes import Purpose
from archive.keys.rights import check_usable
from archive.keys.standing import dataset_facts
from archive.store import Dataset, DatasetFile, DatasetProject, StoredObject
from strongroom import projects
from strongroom.audit import Entry, Event, append
from strongroom.database import now, reading, transaction
from strongroom.doors import Message, ask
from strongroom.errors import Conflict, NotAllowed, NotFound, StrongroomError
from strongroom.objects import open_store
from strongroom.projects import PLATFORM, Membership, counting_at
from strongroom.settings import Settings

POLICY_VERSION = 1


@dataclass(frozen=True)
class File:
    """A file of a dataset."""

    name: str
    object: str
    size: int
    clear: bool = False  # a hint: the broker looks for its own signature


@dataclass(frozen=True)
class Usable:
    """A dataset that a project may use now."""

    id: str
    observability: str
    files: tuple[File, ...]


@dataclass(frozen=True)
class Source:
    """Where a derived dataset comes from."""

    run: str
    project: str
    parents: tuple[str, ...]


def asker_of(session: orm.Session, person: str, home: str | None) -> rules.Asker:
    """Return what the tables say of a person now."""
    platform = projects.roles_of(session, person, PLATFORM)
    return rules.Asker(platform, projects.roles_of(session, person, home) if home else frozenset(), person)


def asked_of(dataset: Dataset) -> rules.Asked:
    """Return what the rules need to know of a dataset."""
    return rules.Asked(
        dataset.project,
        dataset.derived_from_run is not None,
        dataset.deleted_at is not None,
        dataset.created_by if dataset.ingress is not None else None,
    )


def find(session: orm.Session, dataset: str) -> Dataset:
    """Return a dataset that is not deleted."""
    row = session.get(Dataset, dataset)
    if row is None or row.deleted_at is not None:
        raise NotFound("There is no such dataset.")
    return row


def create(
    session: orm.Session,
    actor: str,
    dataset: str,
    *,
    title: str,
    observability: str,
    sensitivity: str,
    project: str | None,
    min_population: int | None = None,
) -> Dataset:
    """Make an empty dataset; its id never names another one, even after it is deleted."""
    rules.check_dataset_id(dataset)
    rules.check_shape(title, observability, sensitivity)
    rules.check_min_population(min_population)
    rules.check_may_create(asker_of(session, actor, project), project)
    if project is not None:
        projects.open_project(session, project)
    if session.get(Dataset, dataset) is not None:
        raise Conflict("There is or was a dataset of this id; choose another one.")
    shape = (observability, sensitivity)
    row = _new(actor, dataset, title=title, shape=shape, project=project)
    row.min_population = min_population
    session.add(row)
    session.flush()
    said = {"observability": observability, "sensitivity": sensitivity, "min_population": min_population}
    append(session, Entry(Event.DATASET_CREATED, actor, dataset, project, said))
    return row


def share(session: orm.Session, actor: str, dataset: str, *, project: str, until: datetime | None) -> None:
    """Let a project use a dataset from now on; asked again, the new end counts."""
    row = find(session, dataset)
    rules.check_may_share(asker_of(session, actor, row.project), asked_of(row), project=project)
    policy = projects.open_project(session, project).policy_version
    end_shares(session, dataset, project)
    session.add(
        DatasetProject(
            dataset=dataset, project=project, shared_by=actor, since=now(), until=until, policy_version=policy
        )
    )
    session.flush()
    said = {"project": project, "until": until.isoformat() if until else None}
    append(session, Entry(Event.DATASET_SHARED, actor, dataset, project, said))


def unshare(session: orm.Session, actor: str, dataset: str, *, project: str) -> None:
    """Take a dataset back: from this commit on no key of it is granted for the project."""
    row = find(session, dataset)
    rules.check_custodian(asker_of(session, actor, row.project), asked_of(row))
    if not end_shares(session, dataset, project):
        raise NotFound("This dataset is not shared with this project.")
    append(session, Entry(Event.DATASET_SHARED, actor, dataset, project, {"project": project, "until": "now"}))


def usable(session: orm.Session, dataset: str, *, project: str) -> Usable:
    """Return a dataset that a project may use now, with its files; all others are as unknown as none (T21)."""
    try:
        check_usable([dataset], dataset_facts(session, [dataset], project=project))
    except NotAllowed as error:
        raise NotFound(
            "This project has no such dataset, or one that it comes from was taken back; "
            "`strongroom dataset list` shows what it has.",
            detail=error.sentence,
        ) from error
    row = find(session, dataset)
    return Usable(row.id, row.observability, tuple(files_of(session, dataset)))


def lineage(session: orm.Session, names: Collection[str]) -> list[str]:
    """Return these datasets and all that they were derived from, without those whose data is nobody's."""
    known = ancestry(session, names)
    nobodys = sa.select(Dataset.id).where(Dataset.id.in_(known), Dataset.min_population == 0)
    return sorted(known - set(session.scalars(nobodys)))


def files_of(session: orm.Session, dataset: str) -> list[File]:
    """Return the files of a dataset by name."""
    rows = session.execute(
        sa.select(DatasetFile.name, DatasetFile.object, StoredObject.size, StoredObject.clear)
        .join(StoredObject, StoredObject.id == DatasetFile.object)
        .where(DatasetFile.dataset == dataset)
        .order_by(DatasetFile.name)
    )
    return [File(name, identifier, size, clear=clear == name) for name, identifier, size, clear in rows]


def visible(session: orm.Session, person: str) -> list[Dataset]:
    """Return the datasets that a person may know of: all to custodians, else those of own projects."""
    query = sa.select(Dataset).where(Dataset.deleted_at.is_(None)).order_by(Dataset.id)
    if rules.may_see_all(asker_of(session, person, None)):
        return list(session.scalars(query))
    moment = now()
    mine = sa.select(Membership.project).where(Membership.person == person, counting_at(moment))
    shared = sa.select(DatasetProject.dataset).where(
        DatasetProject.project.in_(mine), sa.or_(DatasetProject.until.is_(None), DatasetProject.until > moment)
    )
    return list(session.scalars(query.where(sa.or_(Dataset.id.in_(shared), Dataset.project.in_(mine)))))


def projects_of(session: orm.Session, dataset: str) -> list[str]:
    """Return the projects that a dataset is shared with now."""
    query = sa.select(DatasetProject.project).where(
        DatasetProject.dataset == dataset, sa.or_(DatasetProject.until.is_(None), DatasetProject.until > now())
    )
    return sorted(set(session.scalars(query)))


def delete(engine: sa.Engine, settings: Settings, *, actor: str, dataset: str) -> None:
    """Delete a dataset for ever: its keys and headers are destroyed, then its bodies removed; safe to repeat."""
    with transaction(engine) as session:
        row = session.get(Dataset, dataset)
        if row is None:
            raise NotFound("There is no such dataset.")
        rules.check_custodian(asker_of(session, actor, row.project), rules.Asked(row.project, derived=False))
        objects, ingress = [file.object for file in files_of(session, dataset)], row.ingress
        if row.deleted_at is None:
            row.deleted_at = now()
            append(session, Entry(Event.DATASET_DELETED, actor, dataset, row.project, {"files": len(objects)}))
    _broker(settings, {"verb": "destroy", "purpose": Purpose.STORE.value, "owner": dataset})
    if ingress is not None:
        _broker(settings, {"verb": "destroy", "purpose": Purpose.QUARANTINE.value, "owner": ingress})
    store = open_store(settings)
    for identifier in objects:
        store.delete(identifier)


def derive(
    engine: sa.Engine,
    *,
    settings: Settings,
    actor: str,
    run: str,
    project: str,
    parents: Sequence[str],
    dataset: str,
    title: str,
    files: Mapping[str, str],
) -> str:
    """Make a dataset of a run's outputs (name → object), all restrictions of its parents inherited (T21).

    The caller has decided that these outputs stay inside by their contract; the broker checks the rest by itself and
    moves them. Safe to repeat when an answer was lost.
    """
    rules.check_dataset_id(dataset)
    rules.check_shape(title, rules.OBSERVABILITY[0], rules.SENSITIVITY[0])
    with transaction(engine) as session:
        known = session.get(Dataset, dataset)
        if known is None:
            source = Source(run, project, tuple(parents))
            _record_derived(session, actor, dataset, title=title, source=source, files=files)
        elif known.derived_from_run != run or _named(session, dataset) != dict(files) or known.deleted_at:
            raise Conflict("There is or was a dataset of this id; choose another one.")
    try:
        _broker(settings, {"verb": "adopt", "run": run, "dataset": dataset, "objects": sorted(files.values())})
    except StrongroomError as error:
        if error.status < 500:  # refused; when nobody answered, the same call is made again
            _take_back(engine, actor, dataset, reason=error.sentence)
        raise
    return dataset


def _record_derived(
    session: orm.Session, actor: str, dataset: str, *, title: str, source: Source, files: Mapping[str, str]
) -> None:
    project = source.project
    known = dataset_facts(session, source.parents, project=project)
    check_usable(source.parents, known)
    if session.scalar(sa.select(DatasetFile.object).where(DatasetFile.object.in_(list(files.values()))).limit(1)):
        raise Conflict("An output of this run is in a dataset already; use that one.")
    rows = session.scalars(sa.select(Dataset).where(Dataset.id.in_(list(known)))).all()
    inherited = "open" if rows and all(row.observability == "open" for row in rows) else "coarse"
    policy = projects.open_project(session, project).policy_version
    sensitivity = "standard" if rows and all(row.sensitivity == "standard" for row in rows) else "high"
    made = _new(actor, dataset, title=title, shape=(inherited, sensitivity), project=project)
    made.min_population = _fewest(row.min_population for row in rows)
    made.ancestors, made.derived_from_run, made.policy_version = sorted(known), source.run, policy
    session.add(made)
    session.flush()
    session.add(
        DatasetProject(
            dataset=dataset, project=project, shared_by=actor, since=now(), until=None, policy_version=policy
        )
    )
    session.add_all(DatasetFile(dataset=dataset, name=name, object=one) for name, one in files.items())
    session.flush()
    said = {
        "observability": inherited,
        "sensitivity": sensitivity,
        "run": source.run,
        "ancestors": sorted(known),
    }
    append(session, Entry(Event.DATASET_CREATED, actor, dataset, project, said))


def _fewest(parents: Iterable[int | None]) -> int | None:
    """Return the fewest persons of a derived dataset: the most of what its parents ask for (T21)."""
    known = list(parents)
    if known and all(one == 0 for one in known):
        return 0
    return max((one for one in known if one), default=None)


def _take_back(engine: sa.Engine, actor: str, dataset: str, *, reason: str) -> None:
    with transaction(engine) as session:
        row = session.get_one(Dataset, dataset)
        store = StoredObject.purpose == Purpose.STORE.value
        owned = sa.select(StoredObject.id).where(store, StoredObject.owner == dataset).limit(1)
        if session.scalar(owned) is not None:
            return  # an earlier call moved the outputs: the dataset is there, only this call was refused
        for table in (DatasetFile, DatasetProject):
            session.execute(sa.delete(table).where(table.dataset == dataset))
        project = row.project
        session.delete(row)
        session.flush()
        append(session, Entry(Event.DATASET_DELETED, actor, dataset, project, {"reason": reason}))


def _named(session: orm.Session, dataset: str) -> dict[str, str]:
    rows = session.execute(sa.select(DatasetFile.name, DatasetFile.object).where(DatasetFile.dataset == dataset))
    return {name: identifier for name, identifier in rows}


def _new(actor: str, dataset: str, *, title: str, shape: tuple[str, str], project: str | None) -> Dataset:
    observability, sensitivity = shape
    return Dataset(
        id=dataset,
        title=title,
        observability=observability,
        sensitivity=sensitivity,
        project=project,
        ancestors=[],
        derived_from_run=None,
        created_by=actor,
        created=now(),
        deleted_at=None,
        policy_version=POLICY_VERSION,
    )


def end_shares(session: orm.Session, dataset: str, project: str) -> int:
    """End what lets a project use a dataset; return how many shares there were."""
    moment = now()
    rows = session.scalars(
        sa.select(DatasetProject).where(
            DatasetProject.dataset == dataset,
            DatasetProject.project == project,
            sa.or_(DatasetProject.until.is_(None), DatasetProject.until > moment),
        )
    ).all()
    for row in rows:
        row.until = moment
    return len(rows)


def _broker(settings: Settings, message: dict[str, Any]) -> Message:
    return ask(settings.sockets / "broker.sock", message)


def check_knows(session: orm.Session, person: str, dataset: str) -> Dataset:
    """Return a dataset that a person may know of; any other is as unknown as one that never was."""
    for row in visible(session, person):
        if row.id == dataset:
            return row
    raise NotFound("There is no such dataset.")


def recipient(engine: sa.Engine, settings: Settings, *, actor: str, dataset: str) -> str:
    """Return the public key that new files of a dataset are sealed to: its own, or that of its quarantine."""
    with reading(engine) as session:
        row = find(session, dataset)
        rules.check_may_fill(asker_of(session, actor, row.project), asked_of(row))
    purpose = Purpose.STORE if row.ingress is None else Purpose.QUARANTINE
    answer = _broker(settings, {"verb": "recipient", "purpose": purpose.value, "owner": dataset})
    return str(answer["public_key"])

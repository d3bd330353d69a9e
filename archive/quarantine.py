"""The door for airlock: a dataset that is brought in, from its empty quarantine to the day that tasks may read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm

from archive import datasets, decisions, destruction, rules
from archive.facts import COMPLETE
from archive.keys.purposes import UPLOAD, Purpose
from archive.store import Dataset, DatasetFile, DatasetProject, StoredObject
from strongroom import projects
from strongroom.audit import Entry, Event
from strongroom.database import now
from strongroom.doors import ask
from strongroom.errors import Conflict, NotFound
from strongroom.settings import Settings

MOST_FILES: Final = 200  # of one ingress, in all its requests together (T30)
FULL: Final = f"An ingress holds at most {MOST_FILES} files; open another one."
WORKFLOW: Final = "ingress"  # what stands in the decision of an ingress, which no task is ever started on


_ENDED = DatasetProject.until.is_not(None)


@dataclass(frozen=True)
class Waiting:
    """A sealed file in quarantine."""

    object: str
    size: int
    body_sha256: str


def open_dataset(
    session: orm.Session, *, ingress: str, person: str, project: str, dataset: str, title: str
) -> list[Entry]:
    """Make an empty dataset that files are brought in for; no project may use it. Return the audit entries.

    Its decision is closed from the start: checks and stewards may look on it, tasks never.
    """
    rules.check_dataset_id(dataset)
    rules.check_shape(title, "open", "standard")
    rules.check_may_bring(datasets.asker_of(session, person, project), dataset, home=project)
    policy = projects.open_project(session, project).policy_version
    if session.get(Dataset, dataset) is not None:
        raise Conflict("There is or was a dataset of this id; choose another one.")
    session.add(
        Dataset(
            id=dataset,
            title=title,
            observability="open",  # whoever brought it knows it
            sensitivity="standard",
            min_population=0,  # of no person: data of persons comes by the DAC
            project=project,
            ancestors=[],
            derived_from_run=None,
            ingress=ingress,
            created_by=person,
            created=now(),
            deleted_at=None,
            policy_version=policy,
        )
    )
    entries = decisions.record(
        session,
        run=ingress,
        person=person,
        project=project,
        workflow=WORKFLOW,
        version="1",
        workflow_digest="",
        envelope={},
        images={},
        datasets=_used_by(session, project),  # whose persons the checks look for
        policy_version=policy,
        seconds=0,
    )
    session.flush()
    made = Entry(Event.DATASET_CREATED, person, dataset, project, {"ingress": ingress, "min_population": 0})
    return [made, *entries, *decisions.close(session, ingress, COMPLETE)]


def waiting(session: orm.Session, *, ingress: str, object_id: str) -> Waiting:
    """Return a file that was brought into this quarantine and waits there."""
    row = session.get(StoredObject, object_id)
    mine = row is not None and row.purpose == Purpose.QUARANTINE.value and row.owner == ingress
    if row is None or not mine or row.kind != UPLOAD:
        raise NotFound("There is no such file in this quarantine; upload it first.")
    return Waiting(row.id, row.size, row.body_sha256)


def recipient(settings: Settings, dataset: str) -> str:
    """Return the public key (base64) of the dataset that reviewed files are sealed to."""
    message = {"verb": "recipient", "purpose": Purpose.STORE.value, "owner": dataset}
    return str(ask(settings.sockets / "broker.sock", message)["public_key"])


def let_in(session: orm.Session, dataset: str, files: Mapping[str, str], *, actor: str) -> list[Entry]:
    """Name the files (name → object) that the broker let into a dataset, and let its own project use them."""
    row = datasets.find(session, dataset)
    project = str(row.project)
    policy = projects.open_project(session, project).policy_version
    if session.scalar(sa.select(DatasetProject.id).where(DatasetProject.dataset == dataset, _ENDED).limit(1)):
        raise Conflict("What was brought in for this dataset was called back; bring it in for another one.")
    session.add_all(DatasetFile(dataset=dataset, name=name, object=one) for name, one in files.items())
    if project in datasets.projects_of(session, dataset):
        return []
    session.add(
        DatasetProject(
            dataset=dataset, project=project, shared_by=actor, since=now(), until=None, policy_version=policy
        )
    )
    session.flush()
    return [Entry(Event.DATASET_SHARED, actor, dataset, project, {"project": project, "until": None})]


def shut(session: orm.Session, dataset: str, *, actor: str) -> list[Entry]:
    """Take a dataset that was brought in back: from this commit on no key of it is granted."""
    row = session.get_one(Dataset, dataset)
    project = str(row.project)
    if not datasets.end_shares(session, dataset, project):
        return []
    return [Entry(Event.DATASET_SHARED, actor, dataset, project, {"project": project, "until": "now"})]


def forgo(session: orm.Session, dataset: str, *, actor: str) -> list[Entry]:
    """Delete a dataset that nothing was ever let in to: it has no file, and takes none from this commit on."""
    row = session.get_one(Dataset, dataset)
    shared = session.scalar(sa.select(DatasetProject.id).where(DatasetProject.dataset == dataset).limit(1))
    if row.deleted_at is not None or shared is not None:
        return []
    row.deleted_at = now()
    return [Entry(Event.DATASET_DELETED, actor, dataset, row.project, {"files": 0})]


def destroy(engine: sa.Engine, settings: Settings, ingress: str) -> list[str]:
    """Destroy a quarantine's key and remove the bodies that are in it; return their objects. Safe to repeat."""
    return destruction.destroy(engine, settings, Purpose.QUARANTINE, ingress)


def _used_by(session: orm.Session, project: str) -> Sequence[str]:
    moment = now()
    return session.scalars(
        sa.select(DatasetProject.dataset)
        .join(Dataset, Dataset.id == DatasetProject.dataset)
        .where(DatasetProject.project == project, Dataset.deleted_at.is_(None))
        .where(sa.or_(DatasetProject.until.is_(None), DatasetProject.until > moment))
        .distinct()
    ).all()

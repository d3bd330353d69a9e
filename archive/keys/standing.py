"""Reads from the tables what the broker's rules decide on."""

from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy import orm

from archive import decisions
from archive.facts import DatasetFacts
from archive.keys.orders import Asking
from archive.keys.purposes import Kind
from archive.keys.rights import Standing
from archive.store import Dataset, DatasetProject, StoredObject
from strongroom import projects
from strongroom.database import now
from strongroom.errors import NotFound

AT_ONCE = 500
_SHARED = (
    sa.select(DatasetProject.id)
    .where(
        DatasetProject.dataset == Dataset.id,
        DatasetProject.project == sa.bindparam("project"),
        DatasetProject.since <= sa.bindparam("moment"),
        sa.or_(DatasetProject.until.is_(None), DatasetProject.until > sa.bindparam("moment")),
    )
    .exists()
)
# Made once: the broker asks it twice for each attempt.
_DATASETS = sa.select(Dataset.id, Dataset.deleted_at, Dataset.ancestors, _SHARED.label("shared")).where(
    Dataset.id.in_(sa.bindparam("names", expanding=True))
)


def standing_of(session: orm.Session, asking: Asking, rows: Collection[StoredObject]) -> Standing:
    """Return how an order's persons, project and datasets stand at this moment."""
    decision = decisions.decision_of(session, asking.decision)
    names = {name for row in rows for name in row.ancestors}
    if decision is not None:
        names |= set(decision.datasets)
    return Standing(
        decision=decision,
        project_open=is_open(session, asking.project),
        roles=projects.roles_of(session, asking.person, asking.project),
        ever_researcher=asking.kind is Kind.VIEW
        and projects.was_ever_researcher(session, asking.person, asking.project),
        datasets=dataset_facts(session, names, project=asking.project),
    )


def is_open(session: orm.Session, project: str) -> bool:
    """Say whether a project is in force."""
    try:
        projects.open_project(session, project)
    except NotFound:
        return False
    return True


def dataset_facts(session: orm.Session, names: Iterable[str], *, project: str) -> dict[str, DatasetFacts]:
    """Return these datasets and all that they were derived from, as seen from `project`."""
    known: dict[str, DatasetFacts] = {}
    waiting = set(names)
    while waiting:
        asked = {"names": sorted(waiting), "project": project, "moment": now()}
        for row in session.execute(_DATASETS, asked):
            known[row.id] = DatasetFacts(row.id, row.deleted_at is not None, row.shared, tuple(row.ancestors))
        found = {name for one in waiting if one in known for name in known[one].ancestors}
        waiting = found - set(known)
    return known


def stored_objects(session: orm.Session, ids: Collection[str]) -> list[StoredObject]:
    """Return the rows of these objects that exist."""
    wanted, rows = list(ids), list[StoredObject]()
    for start in range(0, len(wanted), AT_ONCE):
        part = wanted[start : start + AT_ONCE]
        rows += session.scalars(sa.select(StoredObject).where(StoredObject.id.in_(part)))
    return rows

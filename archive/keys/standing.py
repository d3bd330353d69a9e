"""Reads from the tables what the broker's rules decide on."""

from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy import orm

from archive.facts import DatasetFacts
from archive.keys.orders import Asking
from archive.keys.purposes import Kind
from archive.keys.rights import Standing
from archive.store import Dataset, DatasetProject, DecisionRecord, StoredObject
from strongroom import projects
from strongroom.database import now
from strongroom.errors import NotFound

AT_ONCE = 500


def standing_of(session: orm.Session, asking: Asking, rows: Collection[StoredObject]) -> Standing:
    """Return how an order's persons, project and datasets stand at this moment."""
    record = session.get(DecisionRecord, asking.decision)
    decision = record.facts() if record else None
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
        for row, shared in session.execute(_datasets_of(waiting, project)):
            deleted = row.deleted_at is not None
            known[row.id] = DatasetFacts(row.id, deleted, shared, tuple(row.ancestors))
        found = {name for one in waiting if one in known for name in known[one].ancestors}
        waiting = found - set(known)
    return known


def _datasets_of(names: Collection[str], project: str) -> sa.Select[Dataset, bool]:
    moment = now()
    shared = (
        sa.select(DatasetProject.id)
        .where(
            DatasetProject.dataset == Dataset.id,
            DatasetProject.project == project,
            DatasetProject.since <= moment,
            sa.or_(DatasetProject.until.is_(None), DatasetProject.until > moment),
        )
        .exists()
    )
    return sa.select(Dataset, shared).where(Dataset.id.in_(names))


def stored_objects(session: orm.Session, ids: Collection[str]) -> list[StoredObject]:
    """Return the rows of these objects that exist."""
    wanted, rows = list(ids), list[StoredObject]()
    for start in range(0, len(wanted), AT_ONCE):
        part = wanted[start : start + AT_ONCE]
        rows += session.scalars(sa.select(StoredObject).where(StoredObject.id.in_(part)))
    return rows

"""Reads from the tables what the broker's rules decide on."""

from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy import orm

from archive import decisions
from archive.facts import DatasetFacts
from archive.keys.orders import Asking
from archive.keys.purposes import Kind
from archive.keys.rights import Standing
from archive.store import Dataset, DatasetProject, DecisionRecord, StoredObject
from strongroom import projects
from strongroom.database import now, plainly
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
# Made once: the broker asks them twice for each attempt.
_STANDING = (
    sa.select(*decisions.COLUMNS, projects.Project.id.label("project_open"), projects.Membership.role)
    .select_from(DecisionRecord)
    .outerjoin(projects.Project, projects.IN_FORCE)
    .outerjoin(projects.Membership, projects.HELD)
    .where(DecisionRecord.run == sa.bindparam("run"))
)
_OBJECTS = sa.select(StoredObject).where(StoredObject.id.in_(sa.bindparam("ids", expanding=True)))
_DATASETS = sa.select(Dataset.id, Dataset.deleted_at, Dataset.ancestors, _SHARED.label("shared")).where(
    Dataset.id.in_(sa.bindparam("names", expanding=True))
)


def standing_of(session: orm.Session, asking: Asking, rows: Collection[StoredObject]) -> Standing:
    """Return how an order's persons, project and datasets stand at this moment."""
    asked = {"run": asking.decision, "project": asking.project, "person": asking.person, "moment": now()}
    held = plainly(session, _STANDING, asked).all()  # one for each role
    if not held:
        return Standing(None, project_open=False, roles=frozenset(), ever_researcher=False, datasets={})
    decision = decisions.decision_in(held[0])
    names = {name for row in rows for name in row.ancestors} | set(decision.datasets)
    return Standing(
        decision=decision,
        project_open=held[0].project_open is not None,
        roles=frozenset(projects.Role(row.role) for row in held if row.role is not None),
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
        for row in plainly(session, _DATASETS, asked):
            known[row.id] = DatasetFacts(row.id, row.deleted_at is not None, row.shared, tuple(row.ancestors))
        found = {name for one in waiting if one in known for name in known[one].ancestors}
        waiting = found - set(known)
    return known


def stored_objects(session: orm.Session, ids: Collection[str]) -> list[StoredObject]:
    """Return the rows of these objects that exist."""
    wanted, rows = list(ids), list[StoredObject]()
    for start in range(0, len(wanted), AT_ONCE):
        rows += session.scalars(_OBJECTS, {"ids": wanted[start : start + AT_ONCE]})
    return rows

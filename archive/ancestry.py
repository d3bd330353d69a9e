"""The door for access and airlock: what a dataset was derived from, and which projects use it."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy import orm

from archive.store import Dataset, DatasetProject
from strongroom.database import now

_LIVING = sa.select(Dataset.id).where(Dataset.deleted_at.is_(None))


def ancestry(session: orm.Session, names: Collection[str]) -> set[str]:
    """Return these datasets and all that they were derived from."""
    known: set[str] = set()
    waiting = set(names)
    while waiting:
        known |= waiting
        rows = session.scalars(sa.select(Dataset.ancestors).where(Dataset.id.in_(waiting)))
        waiting = {name for ancestors in rows for name in ancestors} - known
    return known


def is_there(session: orm.Session, dataset: str) -> bool:
    """Say whether there is a dataset of this id that is not deleted."""
    return session.scalar(_LIVING.where(Dataset.id == dataset)) is not None


def lock(session: orm.Session, dataset: str) -> bool:
    """Say the same, and keep its row from others until the commit."""
    return session.scalar(_LIVING.where(Dataset.id == dataset).with_for_update()) is not None


def used_by(session: orm.Session, dataset: str, *, ever: bool) -> set[str]:
    """Return the projects that a dataset is shared with now, or was `ever`, and the one it was made in."""
    shared = sa.select(DatasetProject.project).where(DatasetProject.dataset == dataset)
    if not ever:
        shared = shared.where(sa.or_(DatasetProject.until.is_(None), DatasetProject.until > now()))
    home = session.scalar(sa.select(Dataset.project).where(Dataset.id == dataset))
    return {*session.scalars(shared), *([home] if home else [])}

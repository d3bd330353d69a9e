"""Remembers the floors of datasets: thresholds of its DAC that projects may only make stricter (T7)."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.database import Base
from strongroom.signed import SignedThresholds


class DatasetFloors(SignedThresholds, Base):
    """One version of the floors of a dataset: some thresholds, signed by two of its DAC."""

    __tablename__ = "dataset_floors"

    dataset: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)


def floors_of(session: orm.Session, dataset: str) -> list[DatasetFloors]:
    """Return all versions of a dataset's floors, the newest first."""
    query = sa.select(DatasetFloors).where(DatasetFloors.dataset == dataset)
    return list(session.scalars(query.order_by(DatasetFloors.version.desc())))


def floors_in_force(session: orm.Session, datasets: Collection[str]) -> list[Mapping[str, int]]:
    """Return the thresholds in force of each of these datasets that has floors."""
    if not datasets:
        return []
    query = sa.select(DatasetFloors).where(DatasetFloors.dataset.in_(datasets), DatasetFloors.signed_by.is_not(None))
    newest = {row.dataset: row.thresholds for row in session.scalars(query.order_by(DatasetFloors.version))}
    return list(newest.values())

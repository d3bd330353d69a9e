"""Says how thresholds stand in a table that two persons sign: version by version, the newest signed one in force."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.database import Json, UtcTime


class SignedThresholds:
    """The columns of one version: proposed by one person, in force once another one signed it (J6)."""

    version: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    thresholds: orm.Mapped[dict[str, int]] = orm.mapped_column(Json)
    sha256: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    proposed_by: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    proposed: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    signed_by: orm.Mapped[str | None] = orm.mapped_column(sa.String(200))
    signed: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)


Version = TypeVar("Version", bound=SignedThresholds)


def newest_signed(rows: Sequence[Version]) -> Version | None:
    """Return the version in force of `rows`, the newest first; None where nobody signed one."""
    return next((row for row in rows if row.signed_by is not None), None)

"""Remembers which earlier release a file conflicts with, for those stewards alone who may read that one."""

from collections.abc import Iterable
from itertools import islice

import sqlalchemy as sa
from sqlalchemy import orm

from airlock.checks.codes import Code
from airlock.history import Near
from airlock.moves import asker
from airlock.store import IntakeFile, Release
from strongroom.database import Base

_MOST_KEPT = 200  # counts of one file


class Conflict(Base):
    """One count or cohort of an earlier release that a file, as it was checked last, conflicts with."""

    __tablename__ = "airlock_conflicts"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    file: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("airlock_files.id"), index=True)
    code: orm.Mapped[str] = orm.mapped_column(sa.String(40))
    row: orm.Mapped[int]  # of the file, 0 for none
    column: orm.Mapped[int]
    request: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("releases.request"))
    figure: orm.Mapped[int | None] = orm.mapped_column(sa.BigInteger)  # that left by it


def of(file: IntakeFile, near: Iterable[Near], requests: Iterable[str]) -> list[Conflict]:
    """Return what a file conflicts with: counts that are near, and the requests by which cohorts left."""
    counts = (
        Conflict(
            file=file.id,
            code=Code.DIFFERENCING.value,
            row=one.row,
            column=one.column,
            request=one.request,
            figure=one.released,
        )
        for one in islice(near, _MOST_KEPT)
    )
    code = Code.COHORT_DIFFERENCE.value
    cohorts = (Conflict(file=file.id, code=code, row=0, column=0, request=one, figure=None) for one in requests)
    return [*counts, *cohorts]


def remember(session: orm.Session, file: IntakeFile, conflicts: Iterable[Conflict]) -> None:
    """Write down what a file conflicts with, in place of what was known before."""
    session.execute(sa.delete(Conflict).where(Conflict.file == file.id))
    session.add_all(conflicts)


def readable(session: orm.Session, file: str, reader: str) -> list[tuple[Conflict, str | None]]:
    """Return what a file conflicts with, and the other release's project, None where it is not the reader's."""
    rows = session.execute(
        sa.select(Conflict, Release.project)
        .join(Release, Release.request == Conflict.request)
        .where(Conflict.file == file)
        .order_by(Conflict.id)
    ).all()
    entitled = {project: _is_steward(session, reader, project) for project in {project for _, project in rows}}
    return [(conflict, project if entitled[project] else None) for conflict, project in rows]


def _is_steward(session: orm.Session, reader: str, project: str) -> bool:
    who = asker(session, reader, project)
    return who.steward and not who.ever_researcher

"""Speaks HTTP for what stands beside a file under review: the last release of the same output."""

from dataclasses import replace

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy import orm

from airlock import celldiff, earlier, inspections, review
from airlock.answers import InspectionFailed, TableView
from airlock.api import act
from airlock.celldiff import Change, Compared, Sheet
from airlock.checks.promise import Kind
from airlock.earlier import Earlier
from airlock.inspections import Inspection
from airlock.store import ReleaseRequest
from strongroom.errors import Conflict
from strongroom.http import SignedIn
from strongroom.settings import Settings

router = APIRouter(prefix="/api/airlock/v1")


class CellBeside(BaseModel):
    """One cell as it is and as it was."""

    text: str
    before: str
    change: Change
    by: int | None


class RowBeside(BaseModel):
    """One row by its number in the table under review, or in the earlier one where it was removed."""

    number: int
    change: Change
    cells: list[CellBeside]


class ColumnBeside(BaseModel):
    """One column of either table."""

    name: str
    change: Change


class Beside(BaseModel):
    """A table under review beside its last release; not `whole` where more rows are than were compared."""

    path: str
    release: str
    released_path: str
    released: str
    whole: bool
    changed: int
    added: int
    removed: int
    columns: list[ColumnBeside]
    rows: list[RowBeside]


@router.get("/reviews/{request_id}/files/{file_id}/beside")
def view_beside(request: Request, response: Response, who: SignedIn, request_id: str, file_id: str) -> Beside:
    """Compare a table cell by cell with its last release; both are read inside walls, and nothing of it is kept."""
    response.headers["Cache-Control"] = "no-store"

    def look(session: orm.Session, row: ReleaseRequest) -> tuple[Inspection, Earlier, Inspection]:
        mine = review.look(session, row, who.id, file_id)
        return mine, *earlier.look(session, row, who.id, file_id)

    mine, found, theirs = act(request, who, request_id, look)
    settings = request.app.state.settings
    new, old = (_sheet(one, settings) for one in (replace(mine, rows=theirs.rows), theirs))
    compared = celldiff.compare(old, new, _keys(mine) | _keys(theirs))
    return _told(compared, found, path=mine.name)


def _keys(inspection: Inspection) -> set[str]:
    return {column["name"] for column in inspection.promise["columns"] if column["kind"] == Kind.KEY.value}


def _sheet(inspection: Inspection, settings: Settings) -> Sheet:
    shown = inspections.inspect(inspection, settings).view
    if shown is None:
        raise InspectionFailed("One of the two versions cannot be shown.")
    if not isinstance(shown, TableView):
        raise Conflict("Only tables are laid beside each other.")
    return Sheet(tuple(shown.columns), tuple(map(tuple, shown.rows)), not shown.truncated)


def _told(compared: Compared, found: Earlier, *, path: str) -> Beside:
    return Beside(
        path=path,
        release=found.request,
        released_path=found.path,
        released=found.released.replace(second=0, microsecond=0).isoformat(),
        whole=compared.whole,
        changed=compared.count(Change.CHANGED),
        added=compared.count(Change.ADDED),
        removed=compared.count(Change.REMOVED),
        columns=[ColumnBeside(name=name, change=change) for name, change in compared.columns],
        rows=[
            RowBeside(
                number=row.number,
                change=row.change,
                cells=[CellBeside(text=c.text, before=c.before, change=c.change, by=c.by) for c in row.cells],
            )
            for row in compared.rows
        ],
    )

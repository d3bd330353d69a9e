"""Shows comments, groups, draws, lifted blocks, stops and figures as one reader may see them."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import orm

from airlock import comments, conflicts, schemas
from airlock.conflicts import Conflict
from airlock.figures import Figures
from airlock.moves import asked, drawn
from airlock.release_requests import LIFTED, REMARKS, Audience, LiftReason, Remark, StopReason
from airlock.review_store import Comment, Lift, Stop, comments_of, groups_of
from airlock.store import ReleaseRequest, files_of


def comment(row: ReleaseRequest, made: Comment, reader: str) -> schemas.ShownComment:
    """Return one comment; a requester reads no steward's name."""
    mine = made.author == reader
    remark = Remark(made.remark) if made.remark else None
    told = made.text is not None and made.audience == Audience.REQUESTER.value and made.author != row.requester
    return schemas.ShownComment(
        id=made.id,
        turn=made.turn,
        file=made.file,
        author=made.author if mine or reader != row.requester else None,
        audience=Audience(made.audience),
        remark=remark,
        sentence=REMARKS[remark] if remark else None,
        text=comments.text_for(row, made, reader),
        waits=told and made.confirmed_by is None,
        time=_moment(made.time),
    )


def comments_for(session: orm.Session, row: ReleaseRequest, reader: str) -> list[schemas.ShownComment]:
    """Return the comments on a request that this person may read, oldest first; none that would be empty."""
    found = [comment(row, one, reader) for one in comments_of(session, row.id) if comments.readable(row, one, reader)]
    return [one for one in found if one.text is not None or one.remark is not None]


def groups_for(session: orm.Session, row: ReleaseRequest) -> list[schemas.ShownGroup]:
    """Return the file groups of a request."""
    files = files_of(session, row.id, with_split_off=True)
    return [
        schemas.ShownGroup(
            name=one.name,
            context=one.context,
            controls=one.controls,
            files=[file.path for file in files if file.group == one.name],
        )
        for one in groups_of(session, row.id)
    ]


def with_earlier(
    session: orm.Session, file: str, findings: list[schemas.Finding], reader: str
) -> list[schemas.Finding]:
    """Return a steward's findings with the releases that they conflict with: figures of own projects alone (O7)."""
    known = conflicts.readable(session, file, reader)
    return [
        finding.model_copy(
            update={
                "earlier": list(
                    dict.fromkeys(_earlier(one, project) for one, project in known if _is_about(finding, one))
                )
            }
        )
        for finding in findings
    ]


def _is_about(finding: schemas.Finding, one: Conflict) -> bool:
    place = (finding.place.get("row", 0), finding.place.get("column", 0))
    return (finding.code, *place) == (one.code, one.row, one.column)


def _earlier(one: Conflict, project: str | None) -> str:
    if project is None:
        return "An earlier release."
    figure = "" if one.figure is None else f", where it is {one.figure}"
    return f"Request {one.request} of project {project}{figure}."


def reviewers_for(session: orm.Session, row: ReleaseRequest, reader: str) -> tuple[list[str], list[str]]:
    """Return who reviews and who has an interest, to stewards; requesters learn no names (T28)."""
    if reader == row.requester:
        return [], []
    return sorted(drawn(session, row) or ()), sorted(asked(session, row).interested)


def lift(row: Lift) -> schemas.ShownLift:
    """Return one line of the register."""
    return schemas.ShownLift(
        request=row.request,
        project=row.project,
        file=row.file,
        body_sha256=row.body_sha256,
        codes=row.codes.split(),
        senior=row.senior,
        reason=LiftReason(row.reason),
        sentence=LIFTED[LiftReason(row.reason)],
        note=row.note,
        time=_moment(row.time),
    )


def stop(row: Stop, *, names: bool) -> schemas.ShownStop:
    """Return one emergency stop, with the names of persons or without."""
    return schemas.ShownStop(
        id=row.id,
        reason=StopReason(row.reason),
        stopped=_moment(row.stopped),
        stopped_by=row.stopped_by if names else None,
        first_lift_by=row.first_lift_by if names else None,
        lifted=_moment(row.lifted) if row.lifted else None,
    )


def figures(found: Figures) -> schemas.Figures:
    """Return figures as the wire has them."""
    return schemas.Figures.model_validate(asdict(found))


def _moment(time: datetime) -> str:
    # T4: times to the minute, for everybody alike.
    return time.replace(second=0, microsecond=0).isoformat()

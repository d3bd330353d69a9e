"""Speaks HTTP for what stands beside the votes: draws, interests, comments, lifted blocks, stops, figures."""

from typing import Annotated

from fastapi import APIRouter, Body, Request
from sqlalchemy import orm

from airlock import comments, drawing, figures, lifting, schemas, shown_review, stops
from airlock.api import act
from airlock.comments import Words
from airlock.review_store import stops_in_force
from airlock.store import ReleaseRequest
from strongroom.database import reading, transaction
from strongroom.http import SignedIn, SteppedUp

router = APIRouter(prefix="/api/airlock/v1")


@router.post("/reviews/{request_id}:decline")
def decline(request: Request, who: SignedIn, request_id: str) -> schemas.Done:
    """Have another steward drawn in one's place."""
    act(request, who, request_id, lambda session, row: drawing.decline(session, row, who.id))
    return schemas.Done()


@router.post("/reviews/{request_id}:interest")
def declare_interest(request: Request, who: SignedIn, request_id: str) -> schemas.Done:
    """Declare an interest of one's own: one is off the request for good, and one's votes are void (P8)."""
    act(request, who, request_id, lambda session, row: drawing.declare_interest(session, row, who.id))
    return schemas.Done()


@router.post("/reviews/{request_id}:comment", status_code=201)
def comment_as_steward(
    request: Request, who: SignedIn, request_id: str, form: Annotated[schemas.NewComment, Body()]
) -> schemas.ShownComment:
    """Comment on a request, for the other steward or for its requester (T14)."""
    return _comment(request, who, request_id, form)


@router.post("/requests/{request_id}:comment", status_code=201)
def comment_as_requester(
    request: Request, who: SignedIn, request_id: str, form: Annotated[schemas.NewComment, Body()]
) -> schemas.ShownComment:
    """Answer the stewards."""
    return _comment(request, who, request_id, form)


@router.post("/reviews/{request_id}:confirm")
def confirm_comment(
    request: Request, who: SteppedUp, request_id: str, form: Annotated[schemas.Confirmation, Body()]
) -> schemas.ShownComment:
    """Let the other steward's words reach the requester."""

    def confirm(session: orm.Session, row: ReleaseRequest) -> schemas.ShownComment:
        return shown_review.comment(row, comments.confirm(session, row, who.id, form.comment), who.id)

    return act(request, who, request_id, confirm)


@router.post("/requests/{request_id}:lift")
def lift_block(
    request: Request, who: SteppedUp, request_id: str, form: Annotated[schemas.NewLift, Body()]
) -> schemas.Done:
    """Lift what checks block (senior stewards); it stands in the register, and two votes are needed as ever."""

    def lift(session: orm.Session, row: ReleaseRequest) -> None:
        lifting.lift(session, row, who.id, files=form.files, reason=form.reason, note=form.note)

    act(request, who, request_id, lift)
    return schemas.Done()


@router.get("/register")
def register(request: Request, who: SignedIn) -> schemas.Register:
    """Return the register of lifted blocks of one's projects."""
    with reading(request.app.state.engine) as session:
        return schemas.Register(lifts=[shown_review.lift(row) for row in lifting.register_of(session, who.id)])


@router.get("/stops")
def list_stops(request: Request, who: SignedIn) -> schemas.Stops:
    """Return the emergency stops in force; everybody may know why nothing leaves."""
    with reading(request.app.state.engine) as session:
        names = stops.may_know_names(session, who.id)
        return schemas.Stops(stops=[shown_review.stop(row, names=names) for row in stops_in_force(session)])


@router.post("/stops", status_code=201)
def stop_releases(request: Request, who: SignedIn, form: Annotated[schemas.NewStop, Body()]) -> schemas.ShownStop:
    """Stop all releases at once; no second factor stands in the way of an emergency."""
    with transaction(request.app.state.engine) as session:
        return shown_review.stop(stops.stop(session, who.id, form.reason), names=True)


@router.post("/stops/{stop_id}:lift")
def lift_stop(request: Request, who: SteppedUp, stop_id: str) -> schemas.ShownStop:
    """Say that releases may go on; they do when a second steward has said so."""
    with transaction(request.app.state.engine) as session:
        return shown_review.stop(stops.lift(session, who.id, stop_id), names=True)


@router.get("/figures")
def get_figures(request: Request, who: SignedIn) -> schemas.Figures:
    """Return the figures of one's projects; operators and auditors get those of all (T24)."""
    with reading(request.app.state.engine) as session:
        return shown_review.figures(figures.figures_for(session, who.id))


def _comment(request: Request, who: SignedIn, request_id: str, form: schemas.NewComment) -> schemas.ShownComment:
    def say(session: orm.Session, row: ReleaseRequest) -> schemas.ShownComment:
        words = Words(form.audience, form.remark, form.text, form.file)
        return shown_review.comment(row, comments.say(session, row, who.id, words), who.id)

    return act(request, who, request_id, say)

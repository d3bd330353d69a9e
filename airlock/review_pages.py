"""Speaks HTML for what stands beside the votes: comments, interests, lifted blocks, figures and emergency stops."""

from fastapi import APIRouter, Request, Response

from airlock import beside_api, desk, review_api, schemas
from airlock.group_forms import written
from airlock.pages import TEMPLATES, as_wire
from airlock.release_requests import StopReason
from airlock.stops import MAY_LIFT, MAY_STOP
from strongroom.database import reading
from strongroom.errors import NotAllowed, StrongroomError
from strongroom.pages import Form, Here, HereSteppedUp, PageRoute, Sent, Visitor, go, page
from strongroom.projects import Role, held_roles

router = APIRouter(route_class=PageRoute, include_in_schema=False)
STOPPED_FOR = {
    StopReason.LEAK: "Something may have left that must not leave.",
    StopReason.STOLEN_CREDENTIALS: "Somebody may act with the credentials of another.",
    StopReason.SOFTWARE_FAULT: "The software may do what it must not.",
    StopReason.AUDIT: "The record has to be looked at first.",
}


@router.get("/reviews/{request_id}/files/{file_id}/beside")
def beside(request: Request, visitor: Here, request_id: str, file_id: str) -> Response:
    """Show a table beside its last release, cell by cell."""
    back = f"/reviews/{request_id}?file={file_id}"
    try:
        found = beside_api.view_beside(request, Response(), visitor.person, request_id, file_id)
    except StrongroomError as refused:
        if refused.status in (403, 404):
            raise
        return page(TEMPLATES, request, "beside.html", visitor, found=None, sentence=refused.sentence, back=back)
    numeric = desk.numbers([cell.text or cell.before for cell in row.cells] for row in found.rows)
    return page(TEMPLATES, request, "beside.html", visitor, found=found, numeric=numeric, back=back)


@router.post("/reviews/{request_id}/comment")
def comment(request: Request, visitor: Here, request_id: str, sent: Form) -> Response:
    """Say something to the other steward or to the requester."""
    form = as_wire(
        schemas.NewComment,
        audience=sent.one("audience"),
        remark=sent.one("remark") or None,
        text=written(sent, "text").strip() or None,
        file=sent.one("about") or None,
    )
    review_api.comment_as_steward(request, visitor.person, request_id, form)
    return _back(request_id, sent)


@router.post("/reviews/{request_id}/confirm")
def confirm(request: Request, visitor: HereSteppedUp, request_id: str, sent: Form) -> Response:
    """Let the other steward's words reach the requester."""
    form = as_wire(schemas.Confirmation, comment=sent.one("comment"))
    review_api.confirm_comment(request, visitor.person, request_id, form)
    return _back(request_id, sent)


@router.post("/reviews/{request_id}/interest")
def interest(request: Request, visitor: Here, request_id: str, _: Form) -> Response:
    """Declare an interest of one's own; the desk is closed to this steward from then on."""
    review_api.declare_interest(request, visitor.person, request_id)
    return go("/reviews")


@router.post("/reviews/{request_id}/decline")
def decline(request: Request, visitor: Here, request_id: str, _: Form) -> Response:
    """Have another steward drawn in one's place."""
    review_api.decline(request, visitor.person, request_id)
    return go("/reviews")


@router.post("/reviews/{request_id}/lift")
def lift(request: Request, visitor: HereSteppedUp, request_id: str, sent: Form) -> Response:
    """Lift what checks block in one file; it stands in the register."""
    form = as_wire(
        schemas.NewLift, files=sent.all("file"), reason=sent.one("reason"), note=written(sent, "note").strip()
    )
    review_api.lift_block(request, visitor.person, request_id, form)
    # A senior who is no steward reads a request while it is blocked or in review alone.
    return go("/figures#register")


@router.get("/figures")
def figures(request: Request, visitor: Here) -> Response:
    """Show how the airlock does in one's projects, and the register of lifted blocks."""
    roles = _held(request, visitor)
    if not roles & set(MAY_STOP):
        raise NotAllowed("Figures are for stewards, operators and auditors.")
    return page(
        TEMPLATES,
        request,
        "figures.html",
        visitor,
        found=review_api.get_figures(request, visitor.person),
        lifts=review_api.register(request, visitor.person).lifts,
        share=desk.share,
    )


@router.get("/stops")
def stops(request: Request, visitor: Here) -> Response:
    """Show the emergency stops in force; who may, stops everything here, or lets it go on."""
    roles = _held(request, visitor)
    return page(
        TEMPLATES,
        request,
        "stops.html",
        visitor,
        stops=review_api.list_stops(request, visitor.person).stops,
        reasons=STOPPED_FOR,
        may_stop=bool(roles & set(MAY_STOP)),
        may_lift=bool(roles & set(MAY_LIFT)),
        me=visitor.person.id,
    )


@router.post("/stops")
def stop(request: Request, visitor: Here, sent: Form) -> Response:
    """Stop all releases at once."""
    review_api.stop_releases(request, visitor.person, as_wire(schemas.NewStop, reason=sent.one("reason")))
    return go("/stops")


@router.post("/stops/{stop_id}/lift")
def lift_stop(request: Request, visitor: HereSteppedUp, stop_id: str, _: Form) -> Response:
    """Say that releases may go on."""
    review_api.lift_stop(request, visitor.person, stop_id)
    return go("/stops")


def _held(request: Request, visitor: Visitor) -> frozenset[Role]:
    with reading(request.app.state.engine) as session:
        return held_roles(session, visitor.person.id)


def _back(request_id: str, sent: Sent) -> Response:
    file = sent.one("file")
    known = len(file) == 32 and file.isalnum() and file.isascii()
    return go(f"/reviews/{request_id}?file={file}" if known else f"/reviews/{request_id}")

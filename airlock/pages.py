"""Speaks HTML for the airlock: the stewards' queue and desk, researchers' outputs, requests and releases."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic
from fastapi import APIRouter, Query, Request, Response

from airlock import api, desk, earlier, figures, group_forms, inspections, review_api, schemas
from airlock.checks.codes import Code
from airlock.checks.texts import TEXTS
from airlock.moves import find
from airlock.output_schemas import NewFix
from airlock.release_requests import IN_REVIEW, LIFTED, REASONS, REMARKS, RequestState
from strongroom import pages
from strongroom.database import reading
from strongroom.errors import BadRequest, NotAllowed, NotFound, StrongroomError
from strongroom.pages import Form, Here, HereSteppedUp, PageRoute, Place, Sent, Visitor, go, page
from strongroom.projects import Role

router = APIRouter(route_class=PageRoute, include_in_schema=False)
TEMPLATES = pages.environment(Path(__file__).resolve().parent / "templates")
PLACES = (
    Place("Reviews", "/reviews", Role.STEWARD),
    Place("Requests", "/requests", Role.RESEARCHER),
    Place("Releases", "/releases", Role.RESEARCHER),
    Place("Releases", "/releases", Role.STEWARD),
    Place("Manual", "/manual", Role.STEWARD),
    *(
        Place("Figures", "/figures", role)
        for role in (Role.STEWARD, Role.SENIOR_STEWARD, Role.OPERATOR, Role.AUDITOR)
    ),
    *(Place("Stops", "/stops", role) for role in (Role.STEWARD, Role.SENIOR_STEWARD, Role.OPERATOR, Role.AUDITOR)),
)
Word = Annotated[str, Query(max_length=64)]
S = RequestState
BUSY = frozenset({S.SCANNING.value, S.APPROVED.value, S.RELEASING.value})
# What a requester reads as the way that a request goes; other states lead back into it or out of it.
WAY = (S.DRAFT, S.SCANNING, S.READY, S.SUBMITTED, S.FIRST_REVIEW, S.CONSOLIDATING, S.APPROVED, S.RELEASED)
Wire = TypeVar("Wire", bound=pydantic.BaseModel)


@router.get("/reviews")
def review_queue(request: Request, visitor: Here, project: Word = "", turn: Word = "", worst: Word = "") -> Response:
    """Show what is in review in all of a steward's projects; the filter stays in sight and in the address."""
    with reading(request.app.state.engine) as session:
        waiting = desk.queue(session, visitor.person.id)
        blocked = desk.blocked(session, visitor.person.id)
    chosen = [
        one
        for one in waiting
        if project in ("", one.line.project) and turn in ("", one.turn.value) and worst in ("", one.worst)
    ]
    return page(
        TEMPLATES,
        request,
        "queue.html",
        visitor,
        waiting=chosen,
        blocked=blocked,
        total=len(waiting),
        yours=sum(one.turn is desk.Turn.YOURS for one in waiting),
        projects=sorted({one.line.project for one in waiting}),
        asked={"project": project, "turn": turn, "worst": worst},
    )


@router.get("/reviews/{request_id}")
def review_desk(request: Request, visitor: Here, request_id: str, file: Word = "") -> Response:
    """Show one request to a steward or senior: its files, one of them in full, and what this person may do."""
    shown = _on_the_desk(request, visitor, request_id)
    live = desk.leaving(shown.files)
    chosen = next((one for one in shown.files if one.id == file), None)
    if file and chosen is None:
        raise NotFound("There is no such file in this request.")
    with reading(request.app.state.engine) as session:
        row = find(session, request_id)
        facts: dict[str, Any] = {
            "outcomes": desk.outcomes(session, row, visitor.person.id),
            "may": desk.standing(session, row, visitor.person.id),
            "past": desk.past_turns(session, row),
        }
        facts["written_by"], facts["datasets"] = desk.origins(session, row)
    chosen = chosen or next((one for one in live if one.my_vote is None), None) or next(iter(shown.files), None)
    with reading(request.app.state.engine) as session:
        last = earlier.last_release(session, row, chosen.id, visitor.person.id) if chosen else None
    return page(
        TEMPLATES,
        request,
        "desk.html",
        visitor,
        shown=shown,
        live=live,
        chosen=chosen,
        last=last,
        in_review=RequestState(shown.state) in IN_REVIEW,
        likely=desk.likely_reason(chosen.findings) if chosen else None,
        reasons=REASONS,
        remarks=REMARKS,
        lifted=LIFTED,
        me=visitor.person.id,
        paths={file.id: file.path for file in shown.files},
        voted=sum(one.my_vote is not None for one in live),
        **facts,
    )


@router.get("/reviews/{request_id}/files/{file_id}")
def file_view(
    request: Request,
    visitor: Here,
    request_id: str,
    file_id: str,
    first: Annotated[int, Query(alias="from", ge=1, le=10**9)] = 1,
    number: Annotated[int | None, Query(alias="page", ge=1, le=10**9)] = None,
) -> Response:
    """Show rows of one file, or a page of a PDF in it; the rendering lives in this one answer (decision 15)."""
    whole = api.get_review(request, visitor.person, request_id)
    file = next((one for one in whole.files if one.id == file_id), None)
    if file is None:
        raise NotFound("There is no such file in this request.")
    try:
        shown = api.view_file(request, Response(), visitor.person, request_id, file_id, first, number)
    except StrongroomError as refused:
        return page(TEMPLATES, request, "view.html", visitor, shown=None, file=file, sentence=refused.sentence)
    return page(
        TEMPLATES,
        request,
        "view.html",
        visitor,
        shown=shown,
        file=file,
        here=f"/reviews/{request_id}/files/{file_id}",
        window=inspections.WINDOW,
        marks=lambda part: desk.marks(file.findings, part),
        numbers=desk.numbers,
        bars=desk.bars(shown.view.get("frequency_histogram", ())),
    )


@router.post("/reviews/{request_id}/vote")
def vote(request: Request, visitor: HereSteppedUp, request_id: str, sent: Form) -> Response:
    """Vote on one file, and go on to the next that waits for this steward."""
    one = {name: sent.one(name) for name in ("file", "vote", "body_sha256")}
    no = {"reason": sent.one("reason")} if one["vote"] == "no" else {}
    if not one["body_sha256"]:
        one.pop("body_sha256")
    shown = api.vote(request, visitor.person, request_id, as_wire(schemas.Votes, votes=[one | no]))
    waiting = [file.id for file in desk.leaving(shown.files) if file.my_vote is None]
    here = [file.id for file in shown.files]
    later = [file for file in waiting if here.index(file) > here.index(one["file"])]
    following = (later or waiting or [one["file"]])[0]
    return go(f"/reviews/{request_id}?file={following}")


@router.post("/reviews/{request_id}/decide")
def decide(request: Request, visitor: HereSteppedUp, request_id: str, sent: Form) -> Response:
    """Bring both reviews to one decision."""
    form = as_wire(schemas.Decision, outcome=sent.one("outcome"))
    api.consolidate(request, visitor.person, request_id, form)
    return go(f"/reviews/{request_id}")


@router.get("/outputs/{run}")
def outputs(request: Request, visitor: Here, run: str) -> Response:
    """Show what the airlock holds of a run, and the form of a release request for it."""
    held = api.outputs(request, visitor.person, run)
    facts: dict[str, Any] = {
        "kept": desk.kept(held.files),
        "ticked": desk.ticked(held.files),
        "groups": group_forms.slots([]),
    }
    return page(TEMPLATES, request, "outputs.html", visitor, held=held, **facts)


@router.post("/outputs/{run}/fix")
def fix_output(request: Request, visitor: Here, run: str, sent: Form) -> Response:
    """Make the chosen fixed copy of a table of a run."""
    held = api.outputs(request, visitor.person, run)
    file = next((one for one in held.files if one.id == sent.one("file")), None)
    chosen = sent.one("fix")
    fixes = {str(number): fix for number, fix in enumerate(file.may_fix)} if file is not None else {}
    if file is None or chosen not in fixes:
        raise BadRequest("Choose one of the fixes of the list.")
    fix = fixes[chosen]
    form = as_wire(NewFix, kind=fix.kind, column=fix.column, bands=fix.bands)
    api.fix_output(request, visitor.person, file.id, form)
    return go(f"/outputs/{run}")


@router.get("/requests")
def own_requests(request: Request, visitor: Here) -> Response:
    """List a researcher's own requests."""
    lines = api.list_requests(request, visitor.person).requests
    return page(TEMPLATES, request, "requests.html", visitor, lines=lines)


@router.post("/requests")
def new_request(request: Request, visitor: Here, sent: Form) -> Response:
    """Draft a request for chosen outputs of a run and have it scanned."""
    if not sent.all("files"):
        raise BadRequest("files: choose at least one file.")
    form = as_wire(
        schemas.NewRequest,
        run=sent.one("run"),
        files=sent.all("files"),
        purpose=group_forms.written(sent, "purpose"),
        **group_forms.read(sent),
    )
    return go(f"/requests/{api.create_request(request, visitor.person, form).id}")


@router.get("/requests/{request_id}")
def own_request(request: Request, visitor: Here, request_id: str) -> Response:
    """Show a request to its requester; a steward is led to the desk."""
    shown = api.get_request(request, visitor.person, request_id)
    if shown.requester != visitor.person.id:
        return go(f"/reviews/{request_id}")
    with reading(request.app.state.engine) as session:
        row = find(session, request_id)
        place = desk.place_in_queue(session, row)
        turnaround = figures.turnaround_in(session, row.project) if place else None
        until = desk.appeal_until(row, days=request.app.state.settings.airlock.appeal_days)
        keys = request.app.state.keys_of(session, visitor.person.id)
    others = []
    if RequestState.DRAFT.value in shown.may:
        here = {file.path for file in shown.files}
        others = [one for one in api.outputs(request, visitor.person, shown.run).files if one.path not in here]
    state = RequestState(shown.state)
    past = WAY.index(state) if state in WAY else -1
    files = [file for file in shown.files if not file.split_off]
    return page(
        TEMPLATES,
        request,
        "request.html",
        visitor,
        shown=shown,
        files=files,
        others=others,
        place=place,
        turnaround=turnaround,
        until=until,
        keys=keys,
        me=visitor.person.id,
        paths={file.id: file.path for file in shown.files},
        groups=group_forms.slots(shown.groups),
        stood=group_forms.stood(shown),
        busy=shown.state in BUSY,
        way=[(one.value, number < past, one is state) for number, one in enumerate(WAY)] if past >= 0 else [],
    )


@router.post("/requests/{request_id}/{act}")
def act_on_request(request: Request, visitor: Here, request_id: str, act: str, sent: Form) -> Response:
    """Do one of the things that a requester may do with a request."""
    _act(request, visitor, request_id, act, sent)
    return go(f"/requests/{request_id}")


def _act(request: Request, visitor: Visitor, request_id: str, act: str, sent: Sent) -> None:
    who = visitor.person
    match act:
        case "submit":
            api.submit_request(request, who, request_id, as_wire(schemas.Submission, key=sent.one("key") or None))
        case "appeal":
            api.appeal_request(request, who, request_id, as_wire(schemas.Submission, key=sent.one("key") or None))
        case "edit":
            if not sent.all("files"):
                raise BadRequest("files: choose at least one file.")
            form = as_wire(
                schemas.ChangedRequest,
                files=sent.all("files"),
                purpose=group_forms.written(sent, "purpose"),
                **group_forms.read(sent),
            )
            api.edit_request(request, who, request_id, form)
        case "comment":
            words = as_wire(schemas.NewComment, audience="stewards", text=group_forms.written(sent, "text"))
            review_api.comment_as_requester(request, who, request_id, words)
        case "scan":
            api.scan_request(request, who, request_id)
        case "withdraw":
            api.withdraw_request(request, who, request_id)
        case _:
            raise NotFound("There is nothing here.")


@router.get("/releases")
def releases(request: Request, visitor: Here) -> Response:
    """List releases of own requests, and of the projects that one is steward of."""
    lines = api.list_releases(request, visitor.person).requests
    return page(TEMPLATES, request, "releases.html", visitor, lines=lines, own=visitor.person.id)


@router.post("/releases/{request_id}/revoke")
def revoke(request: Request, visitor: Here, request_id: str, _: Form) -> Response:
    """Call a release back."""
    api.revoke(request, visitor.person, request_id)
    return go(f"/reviews/{request_id}")


@router.get("/manual")
def manual(request: Request, visitor: Here) -> Response:
    """Show what every finding means and what cures it, from the same table that the checks use."""
    sections = [(code.value, TEXTS[code]) for code in Code]
    return page(TEMPLATES, request, "manual.html", visitor, sections=sections)


def _on_the_desk(request: Request, visitor: Visitor, request_id: str) -> schemas.ShownRequest:
    """Return a request to whoever may decide on it, or on its blocks; nobody sees one of their own here."""
    shown = api.get_request(request, visitor.person, request_id)
    if shown.requester == visitor.person.id:
        raise NotAllowed("Nobody decides on a request of their own; another steward must.")
    return shown


def as_wire(wire: type[Wire], **fields: Any) -> Wire:
    """Return the same wire type that the API takes, or say which field is wrong."""
    try:
        return wire.model_validate(fields)
    except pydantic.ValidationError as error:
        places = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()[:8])
        raise BadRequest(places) from error

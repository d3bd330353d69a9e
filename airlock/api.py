"""Speaks HTTP for the airlock: outputs, release requests, reviews and releases."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import orm

from airlock import (
    downloads,
    fixing,
    ingress,
    inspections,
    intake,
    links,
    outward,
    release,
    replay,
    review,
    rules,
    schemas,
    submission,
)
from airlock.answers import InspectionFailed
from airlock.intake_files import IntakeState
from airlock.moves import asked, asker, find
from airlock.output_schemas import NewFix, Outputs
from airlock.places import OWN
from airlock.policy import stricter_policy
from airlock.release_requests import RequestState
from airlock.store import ReleaseRequest, deliveries_of, files_of, files_of_run
from airlock.submission import Recipient
from strongroom import audit, queue
from strongroom.audit import Entry, Event
from strongroom.database import now, reading, transaction
from strongroom.errors import BadRequest, NotAllowed
from strongroom.http import SignedIn, SteppedUp, signed_in, whoever
from strongroom.identity import Person
from strongroom.objects import open_store

router = APIRouter(prefix="/api/airlock/v1")
T = TypeVar("T")
PublicKeyOf = Callable[[orm.Session, str, str], str | None]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
Wire = Annotated[str, Query(pattern=r"^[0-9a-f]{32}$")]


@router.get("/outputs")
def outputs(request: Request, who: SignedIn, run: Wire) -> Outputs:
    """Return what the airlock holds of a run, with verdicts."""
    with reading(request.app.state.engine) as session:
        return outward.outputs(session, run, who.id)


@router.post("/outputs/{file_id}:fix")
def fix_output(request: Request, who: SignedIn, file_id: str, form: Annotated[NewFix, Body()]) -> Outputs:
    """Make a fixed copy of a table inside; it is an output of its run like the others."""
    state = request.app.state
    with transaction(state.engine) as session:
        copy = fixing.fix(session, file_id, who.id, form.fix(), settings=state.settings)
        held = outward.outputs(session, copy.run, who.id)
    wake_scans(state, held.run)
    return held


@router.post("/requests", status_code=201)
def create_request(
    request: Request, who: SignedIn, form: Annotated[schemas.NewRequest, Body()]
) -> schemas.ShownRequest:
    """Draft a release request and have it scanned; what may not leave is refused with the reason."""
    state = request.app.state
    try:
        with transaction(state.engine) as session:
            row = submission.create(
                session,
                who.id,
                run=form.run,
                paths=form.files,
                purpose=form.purpose,
                settings=state.settings,
                sorted_as=[one.group() for one in form.groups],
                supporting=form.supporting,
            )
            shown = outward.request(session, row, who.id, secret=None)
    except NotAllowed as refusal:
        _refused(state, who, subject=form.run, refusal=refusal)
        raise
    wake_scans(state, form.run)
    return shown


@router.get("/requests")
def list_requests(request: Request, who: SignedIn) -> schemas.Lines:
    """List own release requests."""
    with reading(request.app.state.engine) as session:
        return outward.own_requests(session, who.id)


@router.get("/requests/{request_id}")
def get_request(request: Request, who: SignedIn, request_id: str) -> schemas.ShownRequest:
    """Return one request; its requester gets download links once it is released."""
    with reading(request.app.state.engine) as session:
        return _shown(request, session, find(session, request_id), who)


@router.post("/requests/{request_id}:edit")
def edit_request(
    request: Request, who: SignedIn, request_id: str, form: Annotated[schemas.ChangedRequest, Body()]
) -> schemas.ShownRequest:
    """Take a request back to its draft, change it, and have it scanned again."""
    settings = request.app.state.settings

    def change(session: orm.Session, row: ReleaseRequest) -> None:
        submission.edit(
            session,
            row,
            who.id,
            paths=form.files,
            purpose=form.purpose,
            settings=settings,
            sorted_as=None if form.groups is None else [one.group() for one in form.groups],
            supporting=form.supporting,
        )

    return _act(request, who, request_id, change, wakes_scans=True)


@router.post("/requests/{request_id}:scan")
def scan_request(request: Request, who: SignedIn, request_id: str) -> schemas.ShownRequest:
    """Scan a request once more whose scan failed."""
    settings = request.app.state.settings

    def again(session: orm.Session, row: ReleaseRequest) -> None:
        submission.scan_again(session, row, who.id, settings=settings)

    return _act(request, who, request_id, again, wakes_scans=True)


@router.post("/requests/{request_id}:submit")
def submit_request(
    request: Request, who: SignedIn, request_id: str, form: Annotated[schemas.Submission, Body()]
) -> schemas.ShownRequest:
    """Hand a request to the stewards; the recipient's key is frozen here."""
    settings = request.app.state.settings
    recipient_of = _recipients(request, who, request_id, form)

    def hand_over(session: orm.Session, row: ReleaseRequest) -> None:
        recipient = recipient_of(session, row)
        places = form.deliver_to or (None if _is_federated(session, row) else {})
        submission.submit(session, row, who.id, recipient, settings=settings, places=places)

    return _act(request, who, request_id, hand_over)


@router.post("/requests/{request_id}:appeal")
def appeal_request(
    request: Request, who: SignedIn, request_id: str, form: Annotated[schemas.Submission, Body()]
) -> schemas.ShownRequest:
    """Ask two other stewards, once."""
    settings = request.app.state.settings
    recipient_of = _recipients(request, who, request_id, form)

    def appeal(session: orm.Session, row: ReleaseRequest) -> None:
        submission.appeal(session, row, who.id, recipient_of(session, row), settings=settings)

    return _act(request, who, request_id, appeal)


@router.post("/requests/{request_id}:withdraw")
def withdraw_request(request: Request, who: SignedIn, request_id: str) -> schemas.ShownRequest:
    """Take a request back for good."""
    return _act(request, who, request_id, lambda session, row: submission.withdraw(session, row, who.id))


@router.get("/reviews")
def list_reviews(request: Request, who: SignedIn) -> schemas.Lines:
    """List what waits for this steward."""
    with reading(request.app.state.engine) as session:
        return outward.queue_of(session, who.id)


@router.get("/reviews/{request_id}")
def get_review(request: Request, who: SignedIn, request_id: str) -> schemas.ShownRequest:
    """Return a request to a steward: all findings, own votes, and the other's once both are in."""
    with reading(request.app.state.engine) as session:
        row = find(session, request_id)
        rules.check_steward(asker(session, who.id, row.project), asked(session, row))
        return _shown(request, session, row, who)


@router.get("/reviews/{request_id}/files/{file_id}/view")
def view_file(
    request: Request,
    response: Response,
    who: SignedIn,
    request_id: str,
    file_id: str,
    first: Annotated[int, Query(ge=1, le=10**9)] = 1,
    page: Annotated[int | None, Query(ge=1, le=10**9)] = None,
) -> schemas.Shown:
    """Render rows of one file, or a page of its PDFs, inside walls; it lives in this one response (decision 15)."""
    response.headers["Cache-Control"] = "no-store"
    state = request.app.state
    try:
        with transaction(state.engine) as session:
            row = find(session, request_id)
            inspection = review.look(session, row, who.id, file_id)
            shown = next(f for f in files_of(session, row.id, with_supporting=True) if f.file == file_id)
            digest = shown.body_sha256 or ""
    except NotAllowed as refusal:
        _refused(state, who, subject=request_id, refusal=refusal)
        raise
    answer = inspections.inspect(replace(inspection, rows=(first, inspections.WINDOW), page=page), state.settings)
    if answer.view is None:
        raise InspectionFailed("This file cannot be shown; it can only be refused.")
    return schemas.Shown(
        file=file_id,
        path=inspection.name,
        body_sha256=digest,
        format=answer.format,
        facts=answer.facts,
        view=answer.view.model_dump(),
    )


@router.post("/reviews/{request_id}:vote")
def vote(
    request: Request, who: SteppedUp, request_id: str, form: Annotated[schemas.Votes, Body()]
) -> schemas.ShownRequest:
    """Vote on files of a request."""
    ballots = [review.Ballot(v.file, v.vote, v.reason, v.body_sha256) for v in form.votes]
    return _act(request, who, request_id, lambda session, row: review.vote(session, row, who.id, ballots))


@router.post("/reviews/{request_id}:consolidate")
def consolidate(
    request: Request, who: SteppedUp, request_id: str, form: Annotated[schemas.Decision, Body()]
) -> schemas.ShownRequest:
    """Bring both reviews to a decision; an approved request is released by a worker."""

    def decide(session: orm.Session, row: ReleaseRequest) -> None:
        review.consolidate(session, row, who.id, form.outcome)

    shown = _act(request, who, request_id, decide)
    if shown.state == RequestState.APPROVED.value:
        queue.enqueue(release.RELEASE, request_id)
    return shown


@router.post("/reviews/{request_id}:replay")
def replay_request(
    request: Request,
    who: SignedIn,
    request_id: str,
    policy: Annotated[dict[str, int], Body(embed=True, max_length=50)],
) -> schemas.Replay:
    """Say what a request would get under stricter thresholds; nothing changes."""
    state = request.app.state
    limits = stricter_policy(policy)
    with transaction(state.engine) as session:
        asked_files = replay.questions(session, find(session, request_id), who.id, limits)
    answers = [(one, replay.answer(one, state.settings)) for one in asked_files]
    with reading(state.engine) as session:
        found = replay.judged(session, find(session, request_id), answers, limits)
    return schemas.Replay(request=request_id, files=[schemas.Replayed(**asdict(one)) for one in found])


@router.get("/releases")
def list_releases(request: Request, who: SignedIn) -> schemas.Lines:
    """List releases of own requests, and of the projects that one is steward of."""
    with reading(request.app.state.engine) as session:
        return outward.released(session, who.id)


@router.post("/releases/{request_id}:revoke")
def revoke(request: Request, who: SignedIn, request_id: str) -> schemas.ShownRequest:
    """Call a release back."""
    return _act(request, who, request_id, lambda session, row: release.revoke(session, row, who.id))


@router.get("/releases/{request_id}/files/{file_id}")
def download(
    request: Request,
    request_id: str,
    file_id: str,
    bearer: Bearer,
    expires: Annotated[int | None, Query(ge=0, le=2**40)] = None,
    signature: Annotated[str | None, Query(max_length=64)] = None,
) -> StreamingResponse:
    """Send one released file, a whole Crypt4GH file for the requester's key, by signed link or to the requester."""
    state = request.app.state
    person = None
    if signature is not None and expires is not None:
        secret = links.read_secret(state.settings)
        links.check(secret, signature, request=request_id, file=file_id, expires=expires, moment=now())
    else:
        person = signed_in(whoever(request, bearer))
    with transaction(state.engine) as session:
        row = find(session, request_id)
        if person is not None:
            rules.check_may_download(asker(session, person.id, row.project), asked(session, row))
        actor = person.id if person is not None else downloads.BY_LINK
        going = downloads.open_download(session, row, file_id, actor=actor)
    return StreamingResponse(
        downloads.stream(open_store(state.settings), going),
        media_type="application/octet-stream",
        headers={
            "Content-Length": str(going.length),
            "Content-Disposition": f'attachment; filename="{_plain(going.name)}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _recipients(
    request: Request, who: Person, request_id: str, form: schemas.Submission
) -> Callable[[orm.Session, ReleaseRequest], Recipient]:
    """Return who names the recipient: the requester's key, or the dataset's, which the broker is asked for first."""
    state = request.app.state
    with reading(state.engine) as session:
        dataset = ingress.brought_into(session, find(session, request_id))
    if dataset is not None:
        if form.deliver_to:
            raise BadRequest("What is brought in goes to its dataset and to no other place.")
        own = ingress.recipient(state.settings, dataset)
        return lambda _session, _row: own
    key_of: PublicKeyOf = state.public_key_of
    key = form.key or ""
    return lambda session, _row: Recipient(key, key_of(session, who.id, key))


def _is_federated(session: orm.Session, row: ReleaseRequest) -> bool:
    return any(place.client != OWN for place in deliveries_of(session, row.id).values())


def _act(
    request: Request,
    who: Person,
    request_id: str,
    deed: Callable[[orm.Session, ReleaseRequest], Any],
    *,
    wakes_scans: bool = False,
) -> schemas.ShownRequest:
    def then_show(session: orm.Session, row: ReleaseRequest) -> tuple[str, schemas.ShownRequest]:
        deed(session, row)
        return row.run, _shown(request, session, row, who)

    run, shown = act(request, who, request_id, then_show)
    if wakes_scans:
        wake_scans(request.app.state, run)
    return shown


def act(request: Request, who: Person, request_id: str, deed: Callable[[orm.Session, ReleaseRequest], T]) -> T:
    """Do something with a request in one transaction; what is not the asker's to do is written into the log."""
    state = request.app.state
    try:
        with transaction(state.engine) as session:
            return deed(session, find(session, request_id))
    except NotAllowed as refusal:
        _refused(state, who, subject=request_id, refusal=refusal)
        raise


def _shown(request: Request, session: orm.Session, row: ReleaseRequest, who: Person) -> schemas.ShownRequest:
    needs_links = row.state == RequestState.RELEASED.value and row.requester == who.id
    secret = links.read_secret(request.app.state.settings) if needs_links else None
    return outward.request(session, row, who.id, secret=secret)


def _refused(state: Any, who: Person, *, subject: str, refusal: NotAllowed) -> None:
    """Write down that somebody known asked for what is not theirs to have."""
    with transaction(state.engine) as session:
        audit.append(session, Entry(Event.REQUEST_REFUSED, who.id, subject, None, {"reason": refusal.sentence}))


def wake_scans(state: Any, run: str) -> None:
    """Wake workers for the files of a run or an ingress that wait for a check."""
    with reading(state.engine) as session:
        waiting = [
            f.id
            for f in files_of_run(session, run)
            if f.state in (IntakeState.WAITING.value, IntakeState.REPACKED.value)
        ]
    for identifier in waiting:
        queue.enqueue(intake.TAKE, identifier)


def _plain(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)

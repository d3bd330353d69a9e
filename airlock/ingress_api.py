"""Speaks HTTP for what is brought in: a quarantine to open, and files to take out of the post."""

from typing import Annotated

from fastapi import APIRouter, Body, Request
from sqlalchemy import orm

from airlock import ingress, outward
from airlock.api import wake_scans
from airlock.ingress_schemas import Brought, NewIngress, ShownIngress
from airlock.store import IntakeRun
from strongroom.database import reading, transaction
from strongroom.http import SignedIn

router = APIRouter(prefix="/api/airlock/v1")


@router.post("/ingress", status_code=201)
def open_ingress(request: Request, who: SignedIn, form: Annotated[NewIngress, Body()]) -> ShownIngress:
    """Open a quarantine; its files are uploaded to the archive as those of the dataset, sealed to another key."""
    state = request.app.state
    with transaction(state.engine) as session:
        held = ingress.open_ingress(
            session, who.id, project=form.project, dataset=form.dataset, title=form.title, settings=state.settings
        )
        return _shown(session, held, who.id)


@router.get("/ingress/{ingress_id}")
def get_ingress(request: Request, who: SignedIn, ingress_id: str) -> ShownIngress:
    """Return what an ingress brought so far, with what the checks say."""
    with reading(request.app.state.engine) as session:
        return _shown(session, ingress.find(session, ingress_id), who.id)


@router.post("/ingress/{ingress_id}/files", status_code=201)
def bring_file(request: Request, who: SignedIn, ingress_id: str, form: Annotated[Brought, Body()]) -> ShownIngress:
    """Have an uploaded file checked; what is asked for by a request is what two stewards vote on."""
    state = request.app.state
    with transaction(state.engine) as session:
        held = ingress.find(session, ingress_id)
        ingress.bring(
            session,
            held,
            who.id,
            object_id=form.object,
            name=form.name,
            declared=form.declared,
            settings=state.settings,
        )
        shown = _shown(session, held, who.id)
    wake_scans(state, ingress_id)
    return shown


def _shown(session: orm.Session, held: IntakeRun, person: str) -> ShownIngress:
    there = outward.outputs(session, held.run, person)
    return ShownIngress(
        id=held.run,
        project=held.project,
        dataset=str(held.brought_into),
        settled=there.settled,
        files=there.files,
    )

"""Speaks HTTP for the crates of releases."""

from fastapi import APIRouter, Request, Response

from airlock import crates
from airlock.moves import append, find
from strongroom import audit
from strongroom.audit import Entry, Event
from strongroom.database import transaction
from strongroom.errors import NotAllowed
from strongroom.http import SignedIn

router = APIRouter(prefix="/api/airlock/v1")


@router.get("/releases/{request_id}/crate")
def get_crate(request: Request, who: SignedIn, request_id: str, full: bool = False) -> Response:
    """Return a release's Five Safes RO-Crate: a BagIt zip that anyone can verify without a server."""
    engine = request.app.state.engine
    try:
        with transaction(engine) as session:
            row = find(session, request_id)
            made = crates.crate(session, row, who.id, full=full)
            facts = {"full": full, "head": made.size, "sha512": made.sha512}
            append(session, Entry(Event.CRATE_EXPORTED, who.id, row.id, row.project, facts))
    except NotAllowed as refusal:
        with transaction(engine) as session:
            facts = {"reason": refusal.sentence}
            audit.append(session, Entry(Event.REQUEST_REFUSED, who.id, request_id[:200], None, facts))
        raise
    headers = {
        "Content-Disposition": f'attachment; filename="{made.name}.zip"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(made.content, media_type="application/zip", headers=headers)

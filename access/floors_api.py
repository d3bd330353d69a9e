"""Speaks HTTP for the floors of datasets: proposed by one of the DAC, signed by another."""

from fastapi import APIRouter, Request

from access import floors
from access.policy_api import Version
from access.schemas import FloorsSeen, NewPolicy, PolicySignature
from strongroom.database import reading, transaction
from strongroom.http import SignedIn, SteppedUp
from strongroom.signed import newest_signed

router = APIRouter(prefix="/api/access/v1", tags=["access"])


@router.get("/datasets/{dataset}/floors")
def list_floors(request: Request, dataset: str, who: SignedIn) -> list[FloorsSeen]:
    """List the versions of a dataset's floors, the newest first."""
    with reading(request.app.state.engine) as session:
        rows = floors.shown(session, who.id, dataset)
        force = newest_signed(rows)
        return [FloorsSeen.of(row, in_force=row is force) for row in rows]


@router.post("/datasets/{dataset}/floors", status_code=201)
def propose_floors(request: Request, dataset: str, new: NewPolicy, who: SteppedUp) -> FloorsSeen:
    """Propose the next version; DAC members."""
    floor = request.app.state.settings.airlock.min_count
    with transaction(request.app.state.engine) as session:
        return FloorsSeen.of(floors.propose(session, who.id, dataset, new.thresholds, floor=floor), in_force=False)


@router.post("/datasets/{dataset}/floors/{version}:sign")
def sign_floors(
    request: Request, dataset: str, version: Version, signature: PolicySignature, who: SteppedUp
) -> FloorsSeen:
    """Put the newest version in force; another DAC member than who proposed it."""
    with transaction(request.app.state.engine) as session:
        return FloorsSeen.of(floors.sign(session, who.id, dataset, version, sha256=signature.sha256), in_force=True)

"""Speaks HTTP for the policies of projects: proposed by one person, signed by another."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from access import policies
from access.schemas import NewPolicy, PolicySeen, PolicySignature
from strongroom.database import reading, transaction
from strongroom.http import SignedIn, SteppedUp

router = APIRouter(prefix="/api/access/v1", tags=["access"])
Version = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("/projects/{project}/policies")
def list_policies(request: Request, project: str, who: SignedIn) -> list[PolicySeen]:
    """List the versions of a project's policy, the newest first."""
    with reading(request.app.state.engine) as session:
        rows = policies.shown(session, who.id, project)
        force = next((row.version for row in rows if row.signed_by is not None), None)
        return [PolicySeen.of(row, in_force=row.version == force) for row in rows]


@router.post("/projects/{project}/policies", status_code=201)
def propose_policy(request: Request, project: str, new: NewPolicy, who: SteppedUp) -> PolicySeen:
    """Propose the next version; DAC members and senior stewards."""
    floor = request.app.state.settings.airlock.min_count
    with transaction(request.app.state.engine) as session:
        return PolicySeen.of(policies.propose(session, who.id, project, new.thresholds, floor=floor), in_force=False)


@router.post("/projects/{project}/policies/{version}:sign")
def sign_policy(
    request: Request, project: str, version: Version, signature: PolicySignature, who: SteppedUp
) -> PolicySeen:
    """Put the newest version in force; another DAC member or senior steward than who proposed it."""
    with transaction(request.app.state.engine) as session:
        return PolicySeen.of(policies.sign(session, who.id, project, version, sha256=signature.sha256), in_force=True)

"""Speaks HTTP for projects, roles and keys: /api/access/v1."""

import base64
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request

from access import addresses, keys, memberships, rules
from access.schemas import (
    CertificateSeen,
    Challenge,
    KeySeen,
    Me,
    NewCertificate,
    NewContact,
    NewKey,
    NewProject,
    ProjectSeen,
    Proof,
)
from access.store import ResearcherKey
from strongroom.database import joined_in, reading, transaction
from strongroom.http import SignedIn, SteppedUp
from strongroom.projects import PLATFORM, Certificate, Project, Role, Training, roles_of
from strongroom.settings import Settings

router = APIRouter(prefix="/api/access/v1", tags=["access"])


def _engine(request: Request) -> sa.Engine:
    engine: sa.Engine = request.app.state.engine
    return engine


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


Engine = Annotated[sa.Engine, Depends(_engine)]


@router.post("/projects", status_code=201)
def create_project(
    new: NewProject, who: SignedIn, engine: Engine, settings: Annotated[Settings, Depends(_settings)]
) -> ProjectSeen:
    """Create a project; operators only."""
    with transaction(engine) as session:
        rules.check_may_create_project(roles_of(session, who.id, PLATFORM))
        row = memberships.create_project(
            session,
            who.id,
            project=new.id,
            title=new.title,
            min_count=new.min_count,
            floor=settings.airlock.min_count,
            needs_training=new.needs_training,
        )
        return _seen(row, [])


@router.get("/projects")
def list_projects(who: SignedIn, engine: Engine) -> list[ProjectSeen]:
    """List the projects in which the one who asks holds a role; operators, auditors and DAC members see all."""
    with reading(engine) as session:
        own = memberships.roles_by_project(session, who.id)
        rows = session.scalars(sa.select(Project).order_by(Project.id))
        everything = rules.may_see_all_projects(frozenset(own.get(PLATFORM, ())))
        return [_seen(row, own.get(row.id, [])) for row in rows if everything or row.id in own]


@router.get("/me")
def me(who: SignedIn, engine: Engine) -> Me:
    """Say who asks and which roles they hold."""
    with reading(engine) as session:
        return Me(person=who.id, roles=memberships.roles_by_project(session, who.id))


@router.post("/keys", status_code=201)
def challenge_key(new: NewKey, who: SteppedUp, engine: Engine) -> Challenge:
    """Seal a nonce to a public key that the one who asks wants to register."""
    row, message = keys.new_challenge(who.id, public_key=new.public_key)
    with transaction(engine) as session:
        keys.remember(session, row)
    return Challenge(fingerprint=row.fingerprint, challenge=base64.b64encode(message).decode(), expires=row.expires)


@router.post("/keys/{fingerprint}:prove")
def prove_key(fingerprint: str, proof: Proof, who: SteppedUp, engine: Engine) -> KeySeen:
    """Register the key whose challenge was opened."""
    with transaction(engine) as session:
        return _key(keys.prove(session, who.id, fingerprint=fingerprint, nonce=proof.nonce))


@router.post("/certificates", status_code=201)
def record_certificate(new: NewCertificate, who: SteppedUp, engine: Engine) -> CertificateSeen:
    """Record a person's training; operators only, and never their own."""
    with transaction(engine) as session:
        rules.check_may_grant(
            roles_of(session, who.id, PLATFORM), who.id, person=new.person, joined=joined_in(session)
        )
        return _certificate(memberships.certify(session, who.id, new))


@router.get("/certificates")
def list_certificates(who: SignedIn, engine: Engine) -> list[CertificateSeen]:
    """List the certificates of the one who asks."""
    with reading(engine) as session:
        return [_certificate(row) for row in memberships.certificates_of(session, who.id)]


@router.post("/me:contact")
def set_contact(new: NewContact, who: SteppedUp, engine: Engine) -> NewContact:
    """Say where notices go; an empty address ends them, and the address before is told."""
    with transaction(engine) as session:
        addresses.change(session, who.id, new.email)
    return new


@router.get("/keys")
def list_keys(who: SignedIn, engine: Engine) -> list[KeySeen]:
    """List the proved keys of the one who asks."""
    with reading(engine) as session:
        return [_key(row) for row in keys.keys_of(session, who.id)]


def _seen(row: Project, roles: list[Role]) -> ProjectSeen:
    return ProjectSeen(
        id=row.id, title=row.title, min_count=row.min_count, created=row.created, ends=row.ends, roles=roles
    )


def _certificate(row: Certificate) -> CertificateSeen:
    return CertificateSeen(
        person=row.person,
        training=Training(row.training),
        issuer=row.issuer,
        sha256=row.sha256,
        since=row.since,
        until=row.until,
    )


def _key(row: ResearcherKey) -> KeySeen:
    return KeySeen(
        fingerprint=row.fingerprint, public_key=row.public_key, proved_at=row.proved_at, revoked_at=row.revoked_at
    )

"""Speaks HTTP for those who oversee: signed heads, inclusion and consistency proofs (RFC 9162 §2.1.3, §2.1.4)."""

from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from sqlalchemy import orm

from strongroom import audit_proofs
from strongroom.audit import AuditEvent, SignedHead
from strongroom.database import reading
from strongroom.dsse import Envelope
from strongroom.errors import NotFound
from strongroom.http import SignedIn
from strongroom.projects import PLATFORM, Role, check_role, roles_of

router = APIRouter(prefix="/api/audit/v1")
Size = Annotated[int, Query(ge=1, le=2**31 - 1)]


class Heads(BaseModel):
    """The last signed heads, newest first: DSSE envelopes over size and root."""

    heads: list[Envelope]


class Consistency(BaseModel):
    """Two signed heads and the proof (hex) that the log of the first begins that of the second."""

    old: Envelope
    new: Envelope
    proof: list[str]


class Inclusion(BaseModel):
    """One entry, its salt (hex), and its audit path (hex) in the tree of a signed head."""

    head: Envelope
    seq: int
    body: str
    salt: str
    path: list[str]


@router.get("/heads")
def heads(request: Request, who: SignedIn, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Heads:
    """Return signed heads (auditors: how fast the log grows is nobody else's to know, T24)."""
    with reading(request.app.state.engine) as session:
        check_role(session, who.id, project=PLATFORM, role=Role.AUDITOR)
        newest = sa.select(SignedHead.envelope).order_by(SignedHead.size.desc()).limit(limit)
        return Heads(heads=list(session.scalars(newest)))


@router.get("/consistency")
def consistency(request: Request, who: SignedIn, old: Size, new: Size | None = None) -> Consistency:
    """Return the proof that the log only grew between two signed heads (auditors)."""
    with reading(request.app.state.engine) as session:
        check_role(session, who.id, project=PLATFORM, role=Role.AUDITOR)
        before, after = audit_proofs.head_of(session, old), _head(session, new)
        return Consistency(old=before, new=after, proof=audit_proofs.consistency(session, before, after))


@router.get("/entries/{seq}")
def entry(request: Request, who: SignedIn, seq: int, head: Size | None = None) -> Inclusion:
    """Return one entry with its proof: to an auditor any, to everybody else what they did themselves."""
    with reading(request.app.state.engine) as session:
        row = session.get(AuditEvent, seq) if 0 <= seq < 2**31 else None
        mine = row is not None and row.actor == who.id
        if not mine and Role.AUDITOR not in roles_of(session, who.id, PLATFORM):
            raise NotFound("There is no entry of this number that you may read.")
        if row is None:
            raise NotFound("There is no entry of this number that you may read.")
        stated = audit_proofs.newest_head(session, covering=seq) if head is None else _head(session, head)
        proof = audit_proofs.prove(session, [seq], head=stated)
        (one,) = proof.entries
        return Inclusion(head=proof.head, seq=seq, body=one.body.decode(), salt=one.salt.hex(), path=list(one.path))


def _head(session: orm.Session, size: int | None) -> Envelope:
    return audit_proofs.newest_head(session) if size is None else audit_proofs.head_of(session, size)

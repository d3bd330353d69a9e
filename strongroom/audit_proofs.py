"""Proves entries of the log, and that it only grew, against heads that the signer signed."""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.audit import AuditEvent, SignedHead
from strongroom.audit_heads import stated_head
from strongroom.dsse import Envelope
from strongroom.errors import Conflict, NotFound
from strongroom.merkle import Tree


class LogDiffers(Conflict):
    """The log is not the one that was signed."""


class NotSignedYet(Conflict):
    """No signed head covers what is to be proved."""


@dataclass(frozen=True)
class Proven:
    """One entry with its audit path in the tree of a signed head."""

    seq: int
    body: bytes
    salt: bytes
    path: tuple[str, ...]


@dataclass(frozen=True)
class Proof:
    """Entries and the signed head that they are proved against."""

    head: Envelope
    entries: tuple[Proven, ...]


def newest_head(session: orm.Session, *, covering: int = -1) -> Envelope:
    """Return the newest signed head; raise `NotSignedYet` unless it covers entry `covering`."""
    row = session.scalars(sa.select(SignedHead).order_by(SignedHead.size.desc()).limit(1)).one_or_none()
    if row is None or row.size <= covering:
        raise NotSignedYet("The signer has not signed the log that far yet; ask again in a minute.")
    return row.envelope


def head_of(session: orm.Session, size: int) -> Envelope:
    """Return the signed head of exactly `size` entries."""
    row = session.get(SignedHead, size)
    if row is None:
        raise NotFound("No head of that size was signed; the list of heads says which were.")
    return row.envelope


def prove(session: orm.Session, seqs: Collection[int], *, head: Envelope) -> Proof:
    """Return the entries of these numbers with their paths below `head`."""
    stated = stated_head(head)
    tree = _tree(session, stated.size)
    if tree.size != stated.size or tree.root() != stated.root:
        raise LogDiffers("The log is not the one that was signed; an auditor must run `strongroom audit verify`.")
    rows = session.scalars(sa.select(AuditEvent).where(AuditEvent.seq.in_(seqs)).order_by(AuditEvent.seq)).all()
    if len(rows) != len(set(seqs)) or any(row.seq >= stated.size for row in rows):
        raise NotFound("There is no such entry below this head.")
    return Proof(
        head,
        tuple(Proven(r.seq, bytes(r.body), bytes(r.salt), tuple(tree.inclusion(r.seq))) for r in rows),
    )


def consistency(session: orm.Session, old: Envelope, new: Envelope) -> list[str]:
    """Return the proof that the log of head `old` begins the log of head `new` (RFC 9162 §2.1.4)."""
    before, after = stated_head(old), stated_head(new)
    tree = _tree(session, after.size)
    whole = tree.size == after.size and 0 <= before.size <= after.size
    if not whole or tree.root() != after.root or tree.root(before.size) != before.root:
        raise LogDiffers("The log is not the one that was signed; an auditor must run `strongroom audit verify`.")
    return tree.consistency(before.size)


def _tree(session: orm.Session, size: int) -> Tree:
    leaves = session.scalars(sa.select(AuditEvent.leaf).where(AuditEvent.seq < size).order_by(AuditEvent.seq))
    return Tree(list(leaves))

"""Remembers who began and who claimed each attempt on a cluster, so that it holds after a restart."""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom import audit
from strongroom.audit import Entry, Event
from strongroom.database import reading, transaction
from strongroom.errors import Conflict, NotAllowed, NotFound
from tes.claims import FIELDS
from tes.store import Attempt

ACTOR = "tes.dispatcher"
MOST_PASSES = 4096
# A launch is long, and nobody here changes it.
_SHORT = [orm.load_only(Attempt.id, Attempt.ended, Attempt.begun, Attempt.claim)]


@dataclass(frozen=True)
class Owner:
    """Whose job an attempt has: its project, and the attempt whose name the job has."""

    project: str
    job_of: str


@dataclass(frozen=True)
class Pledges:
    """The rows of attempts, as the door for nodes needs them; what never changes is remembered."""

    engine: sa.Engine
    _passes: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def owners(self, attempts: Collection[str]) -> Mapping[str, Owner]:
        """Return whose jobs these attempts have."""
        with reading(self.engine) as session:
            rows = session.execute(
                sa.select(Attempt.id, Attempt.project, Attempt.begun).where(Attempt.id.in_(attempts))
            )
            return {attempt: Owner(project, (begun or {}).get("job_of", attempt)) for attempt, project, begun in rows}

    def hand_in(self, attempt: str) -> None:
        """Note that a scheduler is about to be told of this attempt: from then on only it knows."""
        with transaction(self.engine) as session:
            row = _open(session, attempt)
            row.begun = row.begun or {"handed_in": True}

    def is_handed_in(self, attempt: str) -> bool:
        """Say whether a scheduler may know of this attempt."""
        return bool(self._begun(attempt))

    def is_begun(self, attempt: str) -> bool:
        """Say whether a node fetched the spec of this attempt."""
        return "node" in self._begun(attempt)

    def _begun(self, attempt: str) -> Mapping[str, Any]:
        with reading(self.engine) as session:
            return session.scalar(sa.select(Attempt.begun).where(Attempt.id == attempt)) or {}

    def begin(self, attempt: str, node: str, *, job_of: str | None = None) -> str:
        """Note that a node takes this attempt, and return its pass; whoever comes second is refused.

        `job_of`: the attempt whose job takes it on.
        """
        taken = secrets.token_hex(32)
        digest = _sha256(taken)
        with transaction(self.engine) as session:
            row = _open(session, attempt)
            if "node" in (row.begun or {}):
                # A scheduler may start a job twice; the second finds the lease taken and ends.
                raise Conflict("This attempt was begun before.")
            row.begun = {"node": node, "pass_sha256": digest, "job_of": job_of or attempt}
        self._passes[attempt] = digest
        if len(self._passes) > MOST_PASSES:
            self._passes.popitem(last=False)
        return taken

    def check_pass(self, attempt: str, given: object) -> None:
        """Raise `NotAllowed` unless `given` is the pass that the node of this attempt was handed."""
        known = self._passes.get(attempt) or str(self._begun(attempt).get("pass_sha256"))
        if not isinstance(given, str) or not hmac.compare_digest(known, _sha256(given)):
            raise NotAllowed("This is not the pass of that attempt.")

    def check_open(self, attempt: str) -> None:
        """Raise `NotAllowed` for an attempt that is over: its pass is good for nothing that would be kept."""
        with reading(self.engine) as session:
            ended = session.execute(sa.select(Attempt.ended).where(Attempt.id == attempt)).one_or_none()
        if ended is None or ended[0] is not None:
            raise NotAllowed("This attempt is over.")

    def launch(self, attempt: str) -> Mapping[str, Any]:
        """Return what an attempt was started with: long for many inputs, so only verbs that need it ask."""
        with reading(self.engine) as session:
            return session.scalar(sa.select(Attempt.launch).where(Attempt.id == attempt)) or {}

    def claim(self, attempt: str, claim: Mapping[str, Any]) -> None:
        """Remember the claim's keys; an attempt is claimed once (T1)."""
        with transaction(self.engine) as session:
            row = _open(session, attempt)
            if row.claim is not None:
                raise Conflict("This attempt was claimed before; an attempt is claimed once.")
            row.claim = {name: str(claim.get(name)) for name in FIELDS}

    def signing_key(self, attempt: str) -> str | None:
        """Return the key that the attempt's words are signed with, in base64."""
        with reading(self.engine) as session:
            claim = session.scalar(sa.select(Attempt.claim).where(Attempt.id == attempt))
            return claim["signing_key"] if claim is not None else None

    def refuse(self, attempt: str, node: str | None, *, times: int = 1) -> None:
        """Write down that somebody who is not where this attempt runs wanted it (T1), so many times by now."""
        with transaction(self.engine) as session:
            row = session.get(Attempt, attempt)
            project = row.project if row else None
            said = {"kind": "task", "node": node or "unknown", **({"times": times} if times > 1 else {})}
            audit.append(session, Entry(Event.CLAIM_REFUSED, ACTOR, attempt, project, said))


def _open(session: orm.Session, attempt: str) -> Attempt:
    row = session.get(Attempt, attempt, with_for_update=True, options=_SHORT)
    if row is None or row.ended is not None:
        raise NotFound("There is no such attempt, or it is over.")
    return row


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

"""Puts a release's crate together from the log: clean for its requester, full for those who oversee."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import rules
from airlock.bag import write_bag
from airlock.crate import EVENTS, FORMAT, HEAD, RECORD, TOLD, Story, is_clean
from airlock.crate_check import rendered
from airlock.moves import asked, asker
from airlock.observability import visible
from airlock.release_requests import RequestState
from airlock.store import IntakeFile, Release, ReleaseRequest, RequestFile, released_files
from strongroom.audit import AuditEvent
from strongroom.audit_heads import stated_head
from strongroom.audit_proofs import Proof, newest_head, prove
from strongroom.canonical import canonical
from strongroom.database import now
from strongroom.errors import Conflict, NotAllowed, NotFound
from strongroom.projects import PLATFORM, Role, roles_of

S = RequestState
TOOLS = ("strongroom", "cryptography", "sqlalchemy")


@dataclass(frozen=True)
class Crate:
    """A crate as it is sent: `size` is that of the signed head that proves it."""

    name: str
    content: bytes
    size: int

    @property
    def sha512(self) -> str:
        """The digest (hex) that the log keeps of what was handed out."""
        return hashlib.sha512(self.content).hexdigest()


def record_of(
    session: orm.Session, row: ReleaseRequest, files: Sequence[RequestFile], sha256: Mapping[str, str]
) -> dict[str, Any]:
    """Return what is frozen of a release beside its events: purpose, criteria, findings and tools (A9)."""
    told = [_file(file, session.get_one(IntakeFile, file.file), sha256[file.file]) for file in files]
    return {
        "format": FORMAT,
        "request": row.id,
        "run": row.run,
        "project": row.project,
        "requester": row.requester,
        "purpose": row.purpose,
        "turn": row.turn,
        "recipient": row.recipient_fingerprint,
        "contract_version": row.contract_version,
        "policy_version": row.policy_version,
        "reviewers_needed": rules.REVIEWERS,
        "released": now().isoformat(),
        "files": sorted(told, key=lambda file: str(file["path"])),
        "tools": {"python": platform.python_version(), **{name: version(name) for name in TOOLS}},
    }


def crate(session: orm.Session, row: ReleaseRequest, person: str, *, full: bool) -> Crate:
    """Return a release's crate; the same log and head give the same bytes."""
    _check_may_read(session, row, person, full=full)
    made = session.get(Release, row.id)
    if made is None:
        raise Conflict("This request is not released; a crate tells of what left.")
    if made.record is None:
        raise Conflict("This release was made before crates were; its events are in the log.")
    if made.revoked is not None and not full:
        raise Conflict("This release was called back; its crate is for stewards and auditors (A7).")
    proof = _proof(session, row, full=full)
    head = stated_head(proof.head)
    lines = [
        {"seq": e.seq, "salt": e.salt.hex(), "body": e.body.decode(), "path": list(e.path)} for e in proof.entries
    ]
    events = [_body(entry.body) for entry in proof.entries]
    payload = {
        **rendered(Story(made.record, events, head.size, head.root)),
        HEAD: canonical(proof.head),
        EVENTS: b"".join(canonical(line) + b"\n" for line in lines),
        RECORD: canonical(made.record),
    }
    name = f"release-{row.id}"
    info = {"External-Identifier": row.id, "Source-Organization": "Strongroom"}
    return Crate(name, write_bag(name, payload, info), head.size)


def _check_may_read(session: orm.Session, row: ReleaseRequest, person: str, *, full: bool) -> None:
    if Role.AUDITOR in roles_of(session, person, PLATFORM):
        return
    who, what = asker(session, person, row.project), asked(session, row)
    if not full:
        rules.check_may_read(who, what)
        return
    if person == row.requester:
        raise NotAllowed("The full crate is for stewards and auditors; leave out --full.")
    rules.check_steward(who, what)


def _proof(session: orm.Session, row: ReleaseRequest, *, full: bool) -> Proof:
    files = [file.file for file in released_files(session, row.id)]
    found = session.execute(
        sa.select(AuditEvent.seq, AuditEvent.body)
        .where(AuditEvent.subject.in_([row.id, row.run, *files]), AuditEvent.event.in_([e.value for e in TOLD]))
        .order_by(AuditEvent.seq)
    ).all()
    if not found:
        raise NotFound("The log tells nothing of this release.")
    release_seq = max(seq for seq, body in found if _body(body)["event"] in ("release.made", "request.state"))
    head = newest_head(session, covering=release_seq)
    size = stated_head(head).size
    wanted = [
        seq
        for seq, body in found
        if seq < size and _is_of(row.id, _body(body)) and (full or is_clean(_body(body), row.requester))
    ]
    return prove(session, wanted, head=head)


def _is_of(request: str, event: Mapping[str, Any]) -> bool:
    # A file may stand in several requests: looks at it for another one are not this release's.
    return str(event["facts"].get("request", request)) == request


def _file(file: RequestFile, source: IntakeFile, sha256: str) -> dict[str, Any]:
    return {
        "file": file.file,
        "path": file.path,
        "object": file.object,
        "body_sha256": file.body_sha256,
        "sha256": sha256,
        "size": file.size or 0,
        "verdict": file.verdict,
        "findings": sorted({finding["code"] for finding in visible(file.findings, coarse=False)}),  # T5
        "rule": source.rule,
        "promise": source.promise,
        "policy": source.policy,
        "policy_version": file.policy_version,
    }


def _body(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)
    return found

"""Takes a release request from its draft through the scan to the stewards, as its requester asks."""

import base64
import binascii
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import intake, rules
from airlock.intake_files import STEPS, IntakeState, Verdict
from airlock.moves import SYSTEM, append, asked, asker, move, state_entry
from airlock.observability import Scanned, scan_outcome
from airlock.release_requests import RequestState
from airlock.store import (
    IntakeFile,
    IntakeRun,
    ReleaseRequest,
    RequestFile,
    deliveries_of,
    files_of,
    files_of_run,
)
from strongroom.audit import Entry
from strongroom.database import now
from strongroom.errors import BadRequest, Conflict, NotAllowed, NotFound
from strongroom.projects import open_project
from strongroom.settings import Settings
from strongroom.states import step

S = RequestState
STAYS_INSIDE = "stays inside: the contract of this workflow does not release it."


@dataclass(frozen=True)
class Recipient:
    """The requester's registered Crypt4GH key; None where it is not registered."""

    fingerprint: str
    public_key: str | None


def create(
    session: orm.Session, person: str, *, run: str, paths: Sequence[str], purpose: str, settings: Settings
) -> ReleaseRequest:
    """Draft a request for files of a run (all that the airlock holds if none is named) and have them scanned."""
    held = session.get(IntakeRun, run)
    if held is None:
        raise NotFound("The airlock holds nothing of such a run.")
    who = asker(session, person, held.project)
    rules.check_may_request(who, held.person)
    open_project(session, held.project)
    files = _chosen(session, held, paths)
    row = ReleaseRequest(
        id=uuid.uuid4().hex,
        run=run,
        project=held.project,
        requester=person,
        purpose=purpose,
        state=S.DRAFT.value,
        turn=1,
        coarse=held.coarse,
        contract_version=held.contract_version,
        policy_version=held.policy_version,
        attempts=0,
        created=now(),
        changed=now(),
    )
    session.add(row)
    session.flush()
    _attach(session, row, files)
    drafted = state_entry(row, actor=person, before=None)
    append(session, drafted, *_scan(session, row, actor=person, settings=settings))
    return row


def edit(
    session: orm.Session,
    row: ReleaseRequest,
    person: str,
    *,
    paths: Sequence[str],
    purpose: str | None,
    settings: Settings,
) -> None:
    """Take a request back to its draft, change it, and have it scanned again; a returned one begins its next turn."""
    rules.check_step(asker(session, person, row.project), asked(session, row), S.DRAFT)
    returned = row.state == S.RETURNED.value
    drafted = move(row, S.DRAFT, actor=person)
    row.turn += 1 if returned else 0
    row.recipient = row.recipient_fingerprint = row.submitted_seq = None
    if purpose is not None:
        row.purpose = purpose
    wanted = paths or [file.path for file in files_of(session, row.id)]
    held = session.get_one(IntakeRun, row.run)
    session.execute(sa.delete(RequestFile).where(RequestFile.request == row.id))
    _attach(session, row, _chosen(session, held, wanted))
    append(session, drafted, *_scan(session, row, actor=person, settings=settings))


def scan_again(session: orm.Session, row: ReleaseRequest, person: str, *, settings: Settings) -> None:
    """Scan a request once more whose scan failed."""
    rules.check_step(asker(session, person, row.project), asked(session, row), S.SCANNING)
    append(session, *_scan(session, row, actor=person, settings=settings))


def submit(session: orm.Session, row: ReleaseRequest, person: str, recipient: Recipient) -> None:
    """Hand a request to the stewards: its files and the recipient's key are frozen in the log (T11, T20)."""
    who = asker(session, person, row.project)
    rules.check_may_submit(who, asked(session, row), has_key=recipient.public_key is not None)
    open_project(session, row.project)
    _freeze(row, recipient)
    row.submitted_seq = append(session, _submitted(session, row, person))


def appeal(session: orm.Session, row: ReleaseRequest, person: str, recipient: Recipient) -> None:
    """Ask two other stewards, once (O10)."""
    who = asker(session, person, row.project)
    rules.check_step(who, asked(session, row), S.APPEALED)
    if row.appealed_turn is not None:
        raise Conflict("A decision is appealed once; this one stands.")
    open_project(session, row.project)
    appealed = move(row, S.APPEALED, actor=person)
    row.appealed_turn, row.turn = row.turn, row.turn + 1
    rules.check_may_submit(who, asked(session, row), has_key=recipient.public_key is not None)
    _freeze(row, recipient)
    row.submitted_seq = append(session, appealed, _submitted(session, row, person)) + 1


def withdraw(session: orm.Session, row: ReleaseRequest, person: str) -> None:
    """Take a request back for good; possible until the first steward has voted."""
    rules.check_step(asker(session, person, row.project), asked(session, row), S.WITHDRAWN)
    append(session, move(row, S.WITHDRAWN, actor=person))


def settle_scans(session: orm.Session, run: str) -> list[Entry]:
    """Move the requests of a run whose last file got its verdict; return the audit entries."""
    waiting = session.scalars(
        sa.select(ReleaseRequest).where(ReleaseRequest.run == run, ReleaseRequest.state == S.SCANNING.value)
    )
    return [entry for row in waiting.all() for entry in _settle(session, row)]


def scanned(row: IntakeFile) -> Scanned:
    """Return what the scan's rules need to know of a file in intake."""
    return Scanned(IntakeState(row.state), Verdict(row.verdict) if row.verdict else None, tuple(row.findings))


def _chosen(session: orm.Session, held: IntakeRun, paths: Sequence[str]) -> list[IntakeFile]:
    there = {file.path: file for file in files_of_run(session, held.run)}
    wanted = list(dict.fromkeys(paths)) or sorted(there)
    if not wanted:
        raise NotAllowed("Nothing of this run can leave: the contract of its workflow keeps every file inside.")
    if len(wanted) > rules.MOST_FILES:
        raise BadRequest(f"A request holds at most {rules.MOST_FILES} files; a person has to read them all.")
    for path in wanted:
        # One answer for a file that stays inside and for one that never was: nobody learns which.
        if path not in there:
            raise NotAllowed(f"A file that you asked for {STAYS_INSIDE}")
    for path in wanted:
        for needed in there[path].promise.get("needs", ()):
            if needed in there and needed not in wanted:
                raise BadRequest(f"{path} can leave only together with {needed}, which holds its numbers.")
    return [there[path] for path in wanted]


def _attach(session: orm.Session, row: ReleaseRequest, files: Sequence[IntakeFile]) -> None:
    session.add_all(
        RequestFile(
            request=row.id,
            file=file.id,
            path=file.path,
            findings=[],
            policy_version=file.policy_version,
            split_off=False,
        )
        for file in files
    )
    session.flush()


def _scan(session: orm.Session, row: ReleaseRequest, *, actor: str, settings: Settings) -> list[Entry]:
    """Start the scan: what was inspected under the policy in force is not inspected again (decision 22)."""
    project = open_project(session, row.project)
    policy = intake.policy_of(project, settings)
    row.policy_version = policy.version
    for file in files_of(session, row.id):
        _refresh(session.get_one(IntakeFile, file.file), policy.as_json(), version=policy.version)
    session.flush()
    return [move(row, S.SCANNING, actor=actor), *_settle(session, row)]


def _refresh(file: IntakeFile, policy: dict[str, object], *, version: int) -> None:
    failed = scanned(file).settled and scanned(file).not_inspected
    if file.policy == policy and not failed:
        return
    file.policy, file.policy_version = policy, version
    if file.state == IntakeState.CHECKED.value:
        file.state = step(STEPS, IntakeState.CHECKED, IntakeState.REPACKED).value
    elif file.state == IntakeState.REFUSED.value:
        file.state = step(STEPS, IntakeState.REFUSED, IntakeState.WAITING).value
    else:
        return
    file.verdict, file.findings, file.settled = None, [], None
    file.attempts, file.next_try = 0, now()


def _settle(session: orm.Session, row: ReleaseRequest) -> list[Entry]:
    rows = files_of(session, row.id)
    intaken = {file.file: session.get_one(IntakeFile, file.file) for file in rows}
    to = scan_outcome([scanned(file) for file in intaken.values()], coarse=row.coarse)
    if to is S.SCANNING:
        return []
    for file in rows:
        source = intaken[file.file]
        file.object, file.body_sha256, file.size = source.clean, source.body_sha256, source.size
        file.verdict, file.findings = source.verdict, source.findings
        file.policy_version = source.policy_version
    return [move(row, to, actor=SYSTEM, policy_version=row.policy_version)]


def _freeze(row: ReleaseRequest, recipient: Recipient) -> None:
    try:
        raw = base64.b64decode(recipient.public_key or "", validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != 32:
        raise Conflict("This key cannot be used; register a Crypt4GH public key.")
    row.recipient, row.recipient_fingerprint = recipient.public_key, recipient.fingerprint


def _submitted(session: orm.Session, row: ReleaseRequest, person: str) -> Entry:
    files = [
        {"object": file.object, "body_sha256": file.body_sha256}
        for file in files_of(session, row.id)
        if file.object is not None
    ]
    # T29: where files go is frozen with the recipient; a presigned URL is a right, so the log has its digest.
    places = {file: row.url_sha256 for file, row in deliveries_of(session, row.id).items()}
    return move(
        row,
        S.SUBMITTED,
        actor=person,
        recipient=row.recipient,
        fingerprint=row.recipient_fingerprint,
        files=files,
        policy_version=row.policy_version,
        **({"deliveries": places} if places else {}),
    )

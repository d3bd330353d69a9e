"""Takes a release request from its draft through the scan to the stewards, as its requester asks."""

import base64
import binascii
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import drawing, fixing, groups, intake, keeping, rules
from airlock.groups import Group
from airlock.intake_files import STEPS, IntakeState, Verdict
from airlock.moves import SYSTEM, append, asked, asker, cast, move, reviewed, state_entry
from airlock.observability import Scanned, scan_outcome
from airlock.places import name_places
from airlock.release_requests import RequestState
from airlock.store import (
    FileVote,
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
    """Whom files are sealed to: the requester's registered Crypt4GH key, or the dataset that they come into.

    The key is None where it is not registered.
    """

    fingerprint: str
    public_key: str | None


def create(
    session: orm.Session,
    person: str,
    *,
    run: str,
    paths: Sequence[str],
    purpose: str,
    settings: Settings,
    sorted_as: Sequence[Group] = (),
    supporting: Sequence[str] = (),
) -> ReleaseRequest:
    """Draft a request for files of a run (all that the airlock holds if none is named) and have them scanned."""
    held = session.get(IntakeRun, run)
    if held is None:
        raise NotFound("The airlock holds nothing of such a run.")
    who = asker(session, person, held.project)
    rules.check_may_request(who, held.person)
    if held.brought_into is not None:
        check_not_closed(session, held)
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
    groups.sort(session, row, groups=sorted_as, supporting=supporting)
    _check_needs(session, row)
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
    sorted_as: Sequence[Group] | None = None,
    supporting: Sequence[str] | None = None,
) -> None:
    """Take a request back to its draft, change it, and have it scanned again; a returned one begins its next turn."""
    rules.check_step(asker(session, person, row.project), asked(session, row), S.DRAFT)
    returned = row.state == S.RETURNED.value
    drafted = move(row, S.DRAFT, actor=person)
    row.turn += 1 if returned else 0
    row.recipient = row.recipient_fingerprint = row.submitted_seq = row.trouble = None
    if purpose is not None:
        row.purpose = purpose
    before = files_of(session, row.id, with_supporting=True)
    wanted = list(paths) or [file.path for file in before]
    helping = [f.path for f in before if f.supporting and f.path in wanted] if supporting is None else supporting
    stood = {file.path: file.group for file in before}
    held = session.get_one(IntakeRun, row.run)
    session.execute(sa.delete(RequestFile).where(RequestFile.request == row.id))
    _attach(session, row, _chosen(session, held, wanted), stood=stood)
    groups.sort(session, row, groups=sorted_as, supporting=helping)
    _check_needs(session, row)
    append(session, drafted, *_scan(session, row, actor=person, settings=settings))


def scan_again(session: orm.Session, row: ReleaseRequest, person: str, *, settings: Settings) -> None:
    """Scan a request once more whose scan failed."""
    rules.check_step(asker(session, person, row.project), asked(session, row), S.SCANNING)
    append(session, *_scan(session, row, actor=person, settings=settings))


def submit(
    session: orm.Session,
    row: ReleaseRequest,
    person: str,
    recipient: Recipient,
    *,
    settings: Settings,
    places: Mapping[str, str] | None = None,
) -> None:
    """Hand a request to the stewards: files, the recipient's key and where files go are frozen in the log.

    `places` are presigned URLs of the requester's own storage by path; None leaves what a federated task named.
    """
    who = asker(session, person, row.project)
    rules.check_may_submit(who, asked(session, row), has_key=recipient.public_key is not None)
    open_project(session, row.project)
    _freeze(row, recipient)
    if places is not None:
        name_places(session, row, places, settings)
    _hand_over(session, row, person, settings=settings, before=[])


def appeal(
    session: orm.Session, row: ReleaseRequest, person: str, recipient: Recipient, *, settings: Settings
) -> None:
    """Ask two other stewards, once and within the days of grace (O10)."""
    who = asker(session, person, row.project)
    rules.check_step(who, asked(session, row), S.APPEALED)
    if row.appealed_turn is not None:
        raise Conflict("A decision is appealed once; this one stands.")
    if now() > row.changed + timedelta(days=settings.airlock.appeal_days):
        raise Conflict("The time for an appeal is over; ask with a new request.")
    open_project(session, row.project)
    appealed = move(row, S.APPEALED, actor=person)
    row.appealed_turn, row.turn = row.turn, row.turn + 1
    rules.check_may_submit(who, asked(session, row), has_key=recipient.public_key is not None)
    _freeze(row, recipient)
    _hand_over(session, row, person, settings=settings, before=[appealed])


def withdraw(session: orm.Session, row: ReleaseRequest, person: str) -> None:
    """Take a request back for good; possible until the first steward has voted."""
    rules.check_step(asker(session, person, row.project), asked(session, row), S.WITHDRAWN)
    append(session, move(row, S.WITHDRAWN, actor=person))


def check_not_closed(session: orm.Session, held: IntakeRun) -> None:
    """Raise if this quarantine was closed; until the commit, it is not."""
    session.refresh(held, with_for_update={"key_share": True})
    if held.closed is not None:
        raise Conflict(
            "What was brought in here and not let in has been deleted; bring it in again as another dataset."
        )


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
    wanted = list(dict.fromkeys(paths)) or sorted(path for path, file in there.items() if not file.fixed_from)
    if not wanted:
        raise NotAllowed("Nothing of this run can leave: the contract of its workflow keeps every file inside.")
    if len(wanted) > rules.MOST_FILES:
        raise BadRequest(f"A request holds at most {rules.MOST_FILES} files; a person has to read them all.")
    for path in wanted:
        # One answer for a file that stays inside and for one that never was: nobody learns which.
        if path not in there:
            raise NotAllowed(f"A file that you asked for {STAYS_INSIDE}")
    return [there[path] for path in wanted]


def _check_needs(session: orm.Session, row: ReleaseRequest) -> None:
    there = {file.path for file in files_of_run(session, row.run)}
    files = files_of(session, row.id)
    fixing.check_one_copy([session.get_one(IntakeFile, file.file) for file in files])
    leaving = {file.path for file in files}
    for file in files:
        for needed in session.get_one(IntakeFile, file.file).promise.get("needs", ()):
            if needed in there and needed not in leaving:
                raise BadRequest(f"{file.path} can leave only together with {needed}, which holds its numbers.")


def _attach(
    session: orm.Session, row: ReleaseRequest, files: Sequence[IntakeFile], *, stood: Mapping[str, str | None] = {}
) -> None:
    session.add_all(
        RequestFile(
            request=row.id,
            file=file.id,
            path=file.path,
            findings=[],
            policy_version=file.policy_version,
            split_off=False,
            group=stood.get(file.path),
        )
        for file in files
    )
    session.flush()


def _scan(session: orm.Session, row: ReleaseRequest, *, actor: str, settings: Settings) -> list[Entry]:
    """Start the scan: what was inspected under the policy in force is not inspected again (decision 22)."""
    policy = intake.policy_of_run(session, row.run, settings)
    row.policy_version = policy.version
    for file in files_of(session, row.id, with_supporting=True):
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
    rows = files_of(session, row.id, with_supporting=True)
    intaken = {file.file: session.get_one(IntakeFile, file.file) for file in rows}
    if not all(scanned(file).settled for file in intaken.values()):
        return []
    # What never leaves blocks nothing: it is there for stewards to read.
    leaving = [scanned(intaken[file.file]) for file in rows if not file.supporting]
    to = scan_outcome(leaving, coarse=row.coarse)
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


def _hand_over(
    session: orm.Session, row: ReleaseRequest, person: str, *, settings: Settings, before: list[Entry]
) -> None:
    """Freeze the request in the log, keep the votes that go on counting, and draw who reviews the rest."""
    fixing.check_no_other_left(
        session, row, [session.get_one(IntakeFile, file.file) for file in files_of(session, row.id)]
    )
    told = groups.check_complete(session, row)
    policy = _check_policy(session, row, settings)
    kept = keeping.kept_votes(session, row)
    last = keeping.reviewers_before(session, row)
    entries = [*before, _submitted(session, row, person, kept=kept, groups_sha256=told, policy=policy)]
    session.add_all(kept)
    session.flush()
    drawn = drawing.draw(session, row, keep=last) if settings.airlock.draw_stewards else []
    complete = rules.is_reviewed([reviewed(file) for file in files_of(session, row.id)], cast(session, kept))
    moves = [move(row, to, actor=SYSTEM) for to in (S.FIRST_REVIEW, S.CONSOLIDATING)] if complete else []
    row.submitted_seq = append(session, *entries, *drawn, *moves) + len(before)


def _check_policy(session: orm.Session, row: ReleaseRequest, settings: Settings) -> dict[str, int]:
    """Return the thresholds that every file was judged under; raise if others are in force by now (T11)."""
    policy = intake.policy_of_run(session, row.run, settings)
    judged = [session.get_one(IntakeFile, file.file).policy for file in files_of(session, row.id)]
    if row.policy_version != policy.version or any(one != policy.as_json() for one in judged):
        raise Conflict("The policy of the project or of its data has changed since the scan; have it scanned again.")
    return policy.as_json()


def _submitted(
    session: orm.Session,
    row: ReleaseRequest,
    person: str,
    *,
    kept: list[FileVote],
    groups_sha256: str,
    policy: dict[str, int],
) -> Entry:
    files = [
        {"object": file.object, "body_sha256": file.body_sha256}
        for file in files_of(session, row.id)
        if file.object is not None
    ]
    # T29: where files go is frozen with the recipient; a presigned URL is a right, so the log has its digest.
    places = {file: row.url_sha256 for file, row in deliveries_of(session, row.id).items()}
    into = session.get_one(IntakeRun, row.run).brought_into
    return move(
        row,
        S.SUBMITTED,
        actor=person,
        recipient=row.recipient,
        fingerprint=row.recipient_fingerprint,
        files=files,
        policy_version=row.policy_version,
        policy=policy,
        groups_sha256=groups_sha256,
        **keeping.facts_of(kept, {file.file: file.object or "" for file in files_of(session, row.id)}),
        **({"deliveries": places} if places else {}),
        **({"dataset": into} if into else {}),
    )

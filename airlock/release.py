"""Releases what two stewards approved: the broker seals each file's key to the frozen recipient, and nothing else."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import orm

from airlock import (
    answers,
    cohorts,
    crates,
    giving_back,
    history,
    ingress,
    inspections,
    letting_in,
    rules,
    site_growth,
    stops,
    taking,
    together,
)
from airlock.answers import Answer, InspectionFailed
from airlock.cohorts import Judged
from airlock.giving_back import Earlier, NearEarlierRelease
from airlock.moves import SYSTEM, append, asked, asker, cast, find, move, reviewed, votes_that_count
from airlock.policy import parse_policy
from airlock.release_requests import IDLE_ENDS, RequestState
from airlock.store import FileVote, IntakeFile, IntakeRun, Release, ReleasedFile, ReleaseRequest, files_of
from strongroom import audit_witness, queue
from strongroom.audit import Entry, Event
from strongroom.canonical import digest
from strongroom.database import now, reading, transaction
from strongroom.doors import Message, ask
from strongroom.errors import Conflict, NotAllowed, StrongroomError
from strongroom.objects import open_store
from strongroom.projects import open_project
from strongroom.queue import Context
from strongroom.settings import Settings

RELEASE = "airlock.release"
EXPIRE = "airlock.expire"
LEASE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(minutes=10)
LARGEST_HEADER = 4096
_HEX = re.compile(r"[0-9a-f]{64}")
S = RequestState
log = structlog.get_logger()


@dataclass(frozen=True)
class Approved:
    """One file that may leave: the object, and the digest of the bytes that two stewards saw."""

    file: str
    object: str
    body_sha256: str


@dataclass(frozen=True)
class Order:
    """What the broker is asked to export; it reads recipient and votes in the log by itself (T2, T11)."""

    request: str
    files: tuple[Approved, ...]
    question: Message
    dataset: str | None = None  # where files come in; None when they leave


@dataclass(frozen=True)
class Exported:
    """One file as it may leave."""

    file: str
    header: bytes
    sha256: str
    body_length: int


class BytesChanged(Conflict):
    """The stored bytes are not those that were reviewed (O6)."""


@queue.job(RELEASE)
def release(context: Context, request: str) -> None:
    """Take one approved request out, or in: a failure leaves it where it was, and a conflict gives it back."""
    try:
        order = begin(context, request)
        if order is None:
            return
        _show_witness(context, order)
        lengths = {file.file: check_bytes(context.settings, file) for file in order.files}
        if order.dataset is not None:
            letting_in.admit(context, order.request, order.question, dataset=order.dataset)
            return
        earlier = weigh(context, request, read_again(context, order))
        answer = ask(context.settings.sockets / "broker.sock", order.question)
        exported = [_exported(answer, file, lengths[file.file]) for file in order.files]
        try:
            finish(context, order, exported, earlier)
        except NearEarlierRelease:
            giving_back.give_back(context, request, earlier)
    except StrongroomError as error:
        log.warning("release.failed", request=request, reason=error.sentence, detail=error.detail)
        _put_back(context, request, error.sentence)


@queue.sweep
def due(context: Context) -> Iterator[tuple[str, str]]:
    """Find approved requests that nobody releases, and releases whose time is up."""
    moment = now()
    with reading(context.engine) as session:
        waiting = session.scalars(
            sa.select(ReleaseRequest.id).where(
                ReleaseRequest.state.in_([S.APPROVED.value, S.RELEASING.value]), ReleaseRequest.next_try <= moment
            )
        ).all()
        over = session.scalars(
            sa.select(Release.request)
            .join(ReleaseRequest, ReleaseRequest.id == Release.request)
            .where(ReleaseRequest.state == S.RELEASED.value, Release.expires <= moment)
        ).all()
        late = moment - timedelta(days=context.settings.airlock.request_days)
        idle = session.scalars(
            sa.select(ReleaseRequest.id).where(
                ReleaseRequest.state.in_([s.value for s in IDLE_ENDS]), ReleaseRequest.changed <= late
            )
        ).all()
    yield from ((RELEASE, identifier) for identifier in waiting)
    yield from ((EXPIRE, identifier) for identifier in [*over, *idle])


@queue.job(EXPIRE)
def expire(context: Context, request: str) -> None:
    """End a release whose time is up, or a request that its requester left lying."""
    with transaction(context.engine) as session:
        row, made = session.get(ReleaseRequest, request), session.get(Release, request)
        if row is None:
            return
        over = made is not None and row.state == S.RELEASED.value and made.expires <= now()
        late = now() - timedelta(days=context.settings.airlock.request_days)
        if over or (RequestState(row.state) in IDLE_ENDS and row.changed <= late):
            append(session, move(row, S.EXPIRED, actor=SYSTEM))


def revoke(session: orm.Session, row: ReleaseRequest, steward: str) -> None:
    """Call a release back: its links answer no more, what was only approved does not leave, what came in is shut."""
    rules.check_step(asker(session, steward, row.project), asked(session, row), S.REVOKED)
    made = session.get(Release, row.id)
    if made is not None:
        made.revoked, made.revoked_by = now(), steward
    append(session, *letting_in.take_back(session, row, actor=steward), move(row, S.REVOKED, actor=steward))


def begin(context: Context, request: str) -> Order | None:
    """Lease an approved request and decide once more; None when there is nothing to do for it now."""
    with transaction(context.engine) as session:
        row = session.get(ReleaseRequest, request)
        if row is None or row.state not in (S.APPROVED.value, S.RELEASING.value):
            return None
        if row.next_try is None or row.next_try > now():
            return None
        stops.check_running(session)
        files, votes = files_of(session, row.id), votes_that_count(session, row)
        requester = asker(session, row.requester, row.project)
        rules.check_may_release(requester, [reviewed(f) for f in files], cast(session, votes))
        open_project(session, row.project)
        row.next_try = now() + LEASE
        if row.state == S.APPROVED.value:
            append(session, move(row, S.RELEASING, actor=SYSTEM))
        approved = tuple(
            Approved(f.file, f.object, f.body_sha256) for f in files if f.object is not None and f.body_sha256
        )
        return Order(row.id, approved, _question(row, approved, votes), ingress.brought_into(session, row))


def _show_witness(context: Context, order: Order) -> None:
    """Show the witness a signed head that covers the votes: who rewrites them later is found out (T15)."""
    witness = context.settings.audit.witness
    if witness is not None:
        votes = [seq for seqs in order.question["votes"].values() for seq in seqs]
        with reading(context.engine) as session:
            audit_witness.show(session, witness, covering=max(votes))


def check_bytes(settings: Settings, file: Approved) -> int:
    """Return the length of a stored body; raise `BytesChanged` unless it is the reviewed one (O6)."""
    try:
        seen, length = inspections.body_digest(open_store(settings), file.object)
    except InspectionFailed as error:
        raise BytesChanged("A reviewed file is not there any more; nothing was released.") from error
    if seen != file.body_sha256:
        raise BytesChanged("The stored bytes are not those that were reviewed; nothing was released.")
    return length


def read_again(context: Context, order: Order) -> dict[str, Answer]:
    """Return what an inspection says of the reviewed bytes of each file that has figures, read once more."""
    with reading(context.engine) as session:
        rows = [session.get_one(IntakeFile, file.file) for file in order.files]
        asked = {row.id: taking.inspection_of(session, row) for row in rows if taking.has_figures(row)}
    return {file: inspections.inspect(one, context.settings) for file, one in asked.items()}


def weigh(context: Context, request: str, answered: dict[str, Answer]) -> Earlier:
    """Return what is held against earlier releases and against each other, before anything is locked for it."""
    counts = {file: cells for file, one in answered.items() if (cells := answers.counts(one)) is not None}
    sites = {file: sketch for file, one in answered.items() if (sketch := answers.sketch(one)) is not None}
    with reading(context.engine) as session:
        policy = parse_policy(session.get_one(IntakeFile, files_of(session, request)[0].file).policy)
    return Earlier(counts, sites, judge(context, request), together.findings(counts, least=policy.min_count))


def judge(context: Context, request: str) -> Judged:
    """Return what earlier releases say of the run's cohorts by now, under the policy that it was judged under."""
    with reading(context.engine) as session:
        row = find(session, request)
        files = [session.get_one(IntakeFile, one.file) for one in files_of(session, row.id)]
        return cohorts.judge(session, row.run, parse_policy(files[0].policy), files)


def finish(context: Context, order: Order, exported: list[Exported], earlier: Earlier) -> None:
    """Write down what leaves; links answer from this commit on."""
    with transaction(context.engine) as session:
        row = find(session, order.request)
        if row.state != S.RELEASING.value:
            return
        stops.check_running(session)
        history.wait_for_others(session)
        giving_back.check_history(session, row, earlier)
        lineage = session.get_one(IntakeRun, row.run).lineage
        expires = now() + timedelta(seconds=context.settings.airlock.link_seconds)
        by_file = {one.file: one for one in exported}
        plain = {one.file: one.sha256 for one in exported}
        record = crates.record_of(session, row, files_of(session, row.id), plain)
        session.add(
            Release(
                request=row.id,
                project=row.project,
                requester=row.requester,
                recipient_fingerprint=row.recipient_fingerprint,
                policy_version=row.policy_version,
                released=now(),
                expires=expires,
                record=record,
            )
        )
        session.flush()
        for file in files_of(session, row.id):
            one = by_file[file.file]
            session.add(
                ReleasedFile(
                    request=row.id,
                    file=file.file,
                    path=file.path,
                    object=file.object,
                    header=one.header,
                    sha256=one.sha256,
                    body_sha256=file.body_sha256,
                    body_length=one.body_length,
                    size=file.size or 0,
                    downloads=0,
                )
            )
            if file.file in earlier.counts:
                history.remember(session, lineage, earlier.counts[file.file], request=row.id, file=file.file)
        site_growth.remember(session, lineage, site_growth.together(earlier.sites.values()))
        cohorts.remember(session, row.run, earlier.cohorts, request=row.id)
        row.next_try, row.trouble = None, None
        append(
            session,
            _made(row, order, by_file, record),
            move(row, S.RELEASED, actor=SYSTEM, expires=expires.isoformat()),
        )


def _made(row: ReleaseRequest, order: Order, exported: dict[str, Exported], record: dict[str, Any]) -> Entry:
    files = [
        {"file": f.file, "object": f.object, "body_sha256": f.body_sha256, "sha256": exported[f.file].sha256}
        for f in order.files
    ]
    facts = {"turn": row.turn, "recipient": row.recipient_fingerprint, "files": files, "record": digest(record)}
    return Entry(Event.RELEASE_MADE, SYSTEM, row.id, row.project, facts)


def _question(row: ReleaseRequest, files: tuple[Approved, ...], votes: list[FileVote]) -> Message:
    return {
        "verb": "export",
        "request": row.id,
        "submitted": row.submitted_seq,
        "votes": {f.object: [v.audit_seq for v in votes if v.file == f.file][: rules.REVIEWERS] for f in files},
    }


def _exported(answer: Message, file: Approved, body_length: int) -> Exported:
    header, sha256 = _text(answer, "headers", file.object), _text(answer, "sha256", file.object)
    try:
        raw = base64.b64decode(header, validate=True)
    except binascii.Error:
        raw = b""
    if not raw.startswith(b"crypt4gh") or len(raw) > LARGEST_HEADER or not _HEX.fullmatch(sha256):
        raise NotAllowed("The key broker did not export this file.")
    return Exported(file.file, raw, sha256, body_length)


def _text(answer: Message, field: str, object_id: str) -> str:
    found: Any = answer.get(field)
    value = found.get(object_id) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""


def _put_back(context: Context, request: str, sentence: str) -> None:
    with transaction(context.engine) as session:
        row = session.get(ReleaseRequest, request)
        if row is None or row.state not in (S.APPROVED.value, S.RELEASING.value):
            return
        told_before = row.trouble == sentence
        row.attempts += 1
        row.next_try = now() + min(timedelta(seconds=2 ** min(row.attempts, 10)), LONGEST_PAUSE)
        row.trouble = sentence[:300]
        if not told_before:
            append(
                session,
                Entry(Event.REQUEST_REFUSED, SYSTEM, row.id, row.project, {"at": row.state, "reason": sentence}),
            )

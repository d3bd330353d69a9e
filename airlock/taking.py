"""Makes the clean copy of each file in intake, then has that copy checked: one leased job a file."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import orm

from airlock import answers, cohorts, conflicts, history, inspections, members, site_growth, submission
from airlock.answers import Answer, InspectionFailed
from airlock.checks.codes import Code
from airlock.fixing import root_of
from airlock.inspections import CleanCopy, Inspection
from airlock.intake import ACTOR, TAKE
from airlock.intake_files import SETTLED, STEPS, IntakeState, Verdict, worst
from airlock.moves import append
from airlock.policy import parse_policy
from airlock.store import IntakeFile, IntakeRun, files_of_run
from strongroom import queue
from strongroom.audit import Entry, Event
from strongroom.database import now, reading, transaction
from strongroom.errors import StrongroomError
from strongroom.queue import Context
from strongroom.settings import Settings
from strongroom.states import step

MOST_ATTEMPTS = 3
MOST_AT_ONCE = 32
BUSY_PAUSE = timedelta(seconds=2)
log = structlog.get_logger()


@dataclass(frozen=True)
class Lease:
    """One leased try at one file."""

    file: str
    token: str
    inspection: Inspection


@queue.job(TAKE)
def take(context: Context, file: str) -> None:
    """Bring a file as far as it goes: clean copy, check, verdict; then wake what waited for it."""
    while (lease := claim(context, file)) is not None:
        started = time.monotonic()
        try:
            if lease.inspection.kind == "repack":
                answer, clean = inspections.repack(lease.inspection, context.settings)
                keep_copy(context, lease, answer=answer, clean=clean)
            else:
                members.read(context, lease.inspection)
                keep_verdict(context, lease, inspections.inspect(lease.inspection, context.settings))
        except StrongroomError as error:
            busy = (
                error.status == 503
                and not isinstance(error, InspectionFailed)
                and time.monotonic() - started < context.settings.airlock.check_seconds
            )
            log.info("intake.failed", file=file, kind=lease.inspection.kind, busy=busy, detail=error.detail)
            put_back(context, lease, busy=busy)
            return
        _wake_others(context, lease.inspection.run)


@queue.sweep
def waiting(context: Context) -> Iterator[tuple[str, str]]:
    """Find files that nobody works on though their time has come."""
    with reading(context.engine) as session:
        due = session.scalars(
            sa.select(IntakeFile)
            .where(
                IntakeFile.state.in_([IntakeState.WAITING.value, IntakeState.REPACKED.value]),
                IntakeFile.next_try <= now(),
            )
            .order_by(IntakeFile.next_try)
            .limit(MOST_AT_ONCE)
        ).all()
        ready = [row.id for row in due if _is_ready(session, row)]
    for identifier in ready:
        yield TAKE, identifier


def claim(context: Context, file: str) -> Lease | None:
    """Lease a file that waits for its copy or its check; None when there is nothing to do for it now."""
    with transaction(context.engine) as session:
        row = session.get(IntakeFile, file)
        if row is None or IntakeState(row.state) in SETTLED or row.next_try > now() or not _is_ready(session, row):
            return None
        row.lease = uuid.uuid4().hex
        row.next_try = now() + _lease_time(context.settings)
        return Lease(file, row.lease, inspection_of(session, row))


def keep_copy(context: Context, lease: Lease, *, answer: Answer, clean: CleanCopy | None) -> None:
    """Write down the clean copy, or that there can be none."""
    with transaction(context.engine) as session:
        row = _leased(session, lease, IntakeState.WAITING)
        if row is None:
            return
        if clean is not None and answer.verdict is not Verdict.BLOCK:
            row.clean, row.size, row.body_sha256 = clean.object, clean.size, clean.body_sha256
            _move(row, IntakeState.REPACKED)
            row.attempts, row.next_try = 0, now()
            return
        row.findings = answers.stored(answer) or answers.not_inspected()
        _settle(session, row, IntakeState.REFUSED, Verdict.BLOCK)


def keep_verdict(context: Context, lease: Lease, answer: Answer) -> None:
    """Write down what the checks say of the clean copy, and what earlier releases say of its figures and persons."""
    policy = parse_policy(lease.inspection.policy)
    with reading(context.engine) as session:
        file = session.get_one(IntakeFile, lease.file)
        judged = cohorts.judge(session, file.run, policy, [file])
    with transaction(context.engine) as session:
        row = _leased(session, lease, IntakeState.REPACKED)
        if row is not None:
            run = session.get_one(IntakeRun, row.run)
            cells = answers.counts(answer)
            near = history.near_ones(session, run.lineage, cells, least=policy.min_count)
            grown = site_growth.findings(session, run.lineage, answers.sketch(answer), most=policy.max_sites)
            told = [*history.findings(near, cells), *judged.findings, *grown]
            row.findings = [*answers.stored(answer), *left_out(session, row, lease.inspection), *told]
            conflicts.remember(session, row, conflicts.of(row, near, judged.against))
            verdict = worst([answer.verdict, *(Verdict(f["severity"]) for f in row.findings)])
            _settle(session, row, IntakeState.CHECKED, verdict)


def put_back(context: Context, lease: Lease, *, busy: bool) -> None:
    """Let a file wait for another try; after too many it counts as not inspected, and that blocks."""
    with transaction(context.engine) as session:
        row = session.get(IntakeFile, lease.file)
        if row is None or row.lease != lease.token:
            return
        row.lease = None
        row.attempts += 0 if busy else 1
        if row.attempts < MOST_ATTEMPTS:
            row.next_try = now() + (BUSY_PAUSE if busy else timedelta(seconds=2**row.attempts))
            return
        row.findings = answers.not_inspected()
        state = IntakeState.REFUSED if row.state == IntakeState.WAITING.value else IntakeState.CHECKED
        _settle(session, row, state, Verdict.BLOCK)


def _settle(session: orm.Session, row: IntakeFile, to: IntakeState, verdict: Verdict) -> None:
    _move(row, to)
    row.verdict, row.settled = verdict.value, now()
    session.flush()
    moved = submission.settle_scans(session, row.run)
    facts = {
        "run": row.run,
        "object": row.clean,
        "body_sha256": row.body_sha256,
        "verdict": verdict.value,
        "codes": sorted({f["code"] for f in row.findings}),
        "policy_version": row.policy_version,
    }
    append(session, Entry(Event.FILE_CHECKED, ACTOR, row.id, row.project, facts), *moved)


def _move(row: IntakeFile, to: IntakeState) -> None:
    row.state, row.lease = step(STEPS, IntakeState(row.state), to).value, None


def _leased(session: orm.Session, lease: Lease, state: IntakeState) -> IntakeFile | None:
    row = session.get(IntakeFile, lease.file)
    # Somebody else took over after our lease ran out: their answer counts, ours is dropped.
    return row if row is not None and row.lease == lease.token and row.state == state.value else None


def _is_ready(session: orm.Session, row: IntakeFile) -> bool:
    """Say whether all that a check needs is there: the clean copies of the needed files come first."""
    if row.state == IntakeState.WAITING.value:
        return True
    needed = set(row.promise.get("needs", ()))
    return all(
        f.state != IntakeState.WAITING.value
        for f in files_of_run(session, row.run)
        if f.path in needed or (has_counts(row) and has_counts(f))
    )


def has_counts(row: IntakeFile) -> bool:
    """Say whether the contract promises a table or JSON: those of one run are compared with each other."""
    return row.promise.get("format") in ("tsv", "csv", "json")


def has_figures(row: IntakeFile) -> bool:
    """Say whether the contract promises what is held against earlier releases by its figures or places."""
    return has_counts(row) or row.promise.get("format") == "vcf"


def inspection_of(session: orm.Session, row: IntakeFile) -> Inspection:
    """Return the next question about a file: for its clean copy, or what the checks say of that copy."""
    fresh = row.state == IntakeState.WAITING.value
    needed = set() if fresh else set(row.promise.get("needs", ()))
    # A fixed copy is made of the output as it was promised; from then on it keeps to a promise of its own.
    output = session.get_one(IntakeFile, row.fixed_from) if fresh and row.fixed_from else row
    return Inspection(
        kind="repack" if fresh else "check",
        run=row.run,
        project=row.project,
        person=row.person,
        object=row.source if fresh or row.clean is None else row.clean,
        name=row.path,
        promise=output.promise,
        policy=row.policy,
        supporting={f.path: f.clean for f in files_of_run(session, row.run) if f.path in needed and f.clean},
        beside=() if fresh else counts_beside(session, row),
        fixes=tuple(row.fixes) if fresh else (),
    )


def left_out(session: orm.Session, row: IntakeFile, inspection: Inspection) -> list[dict[str, Any]]:
    """Return the finding of a file whose check did not hold it against its whole run: never a PASS.

    What leaves together is compared whole at its release.
    """
    if set(_others(session, row)) <= set(inspection.beside):
        return []
    return [{"code": Code.TABLES_NOT_COMPARED.value, "severity": Verdict.WARN.value, "place": {}}]


def counts_beside(session: orm.Session, row: IntakeFile) -> tuple[str, ...]:
    """Return the clean copies of the other tables and JSON of the run, as many as one check compares."""
    return _others(session, row)[: inspections.MOST_BESIDE]


def _others(session: orm.Session, row: IntakeFile) -> tuple[str, ...]:
    """Return the clean copies of the other tables and JSON of the run.

    Copies of one table never leave together; a fixed copy is held against those of other tables.
    """
    if not has_counts(row):
        return ()
    others = [
        one
        for one in files_of_run(session, row.run)
        if has_counts(one) and root_of(one) != root_of(row) and (row.fixed_from or not one.fixed_from)
    ]
    return tuple(f.clean for f in others if f.clean)


def _lease_time(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.airlock.check_seconds + inspections.PATIENCE + 30)


def _wake_others(context: Context, run: str) -> None:
    with reading(context.engine) as session:
        rows = [
            row.id
            for row in files_of_run(session, run)
            if row.state == IntakeState.REPACKED.value and row.lease is None and _is_ready(session, row)
        ]
    for identifier in rows:
        queue.enqueue(TAKE, identifier)

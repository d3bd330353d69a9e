"""The airlock's door for `wes`: takes what the contract of a COMPLETE run releases, and leaves the rest inside."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import cohorts
from airlock.contract import Contract, ContractRefused, OutputRule, check_no_laxer
from airlock.intake_files import IntakeState
from airlock.policy import Policy, above, project_policy, signed_policy
from airlock.release_requests import ENDED, RequestState
from airlock.store import IntakeFile, IntakeRun, Release, ReleasedFile, ReleaseRequest, files_of_run
from archive.ancestry import ancestry
from strongroom import audit, queue
from strongroom.audit import Entry, Event
from strongroom.database import now
from strongroom.floors import floors_in_force
from strongroom.projects import Project, open_project, policy_in_force
from strongroom.settings import Settings

TAKE = "airlock.take"
ACTOR = "airlock.intake"


@dataclass(frozen=True)
class OfferedFile:
    """One file of a run: path below /run/work, sealed object, and the engine's rule and task that wrote it last.

    With `stream` it is what the task printed there, or the engine, which has no rule.
    """

    path: str
    object: str
    rule: str
    task: str
    stream: str = ""


@dataclass(frozen=True)
class Whereabouts:
    """Where a file of a run is: in the airlock, and its link if a request of it is released."""

    link: str | None


def policy_of(session: orm.Session, project: Project, settings: Settings, *, datasets: Collection[str]) -> Policy:
    """Return the thresholds in force for what a project makes of `datasets`: those that two persons signed for it.

    They are never laxer than the platform's floor, nor than what a DAC set for one of the data or an ancestor (T7).
    """
    least = max(project.min_count, settings.airlock.min_count)
    signed = policy_in_force(session, project.id)
    policy = (
        project_policy(version=project.policy_version, min_count=least)
        if signed is None
        else signed_policy(signed.thresholds, version=signed.version, min_count=least)
    )
    return above(policy, floors_in_force(session, ancestry(session, datasets)))


def policy_of_run(session: orm.Session, run: str, settings: Settings) -> Policy:
    """Return the thresholds in force for a run that was offered; raises `NotFound` if its project is not open."""
    held = session.get_one(IntakeRun, run)
    return policy_of(session, open_project(session, held.project), settings, datasets=held.datasets)


def offer(
    session: orm.Session,
    *,
    run: str,
    project: str,
    person: str,
    workflow: str,
    datasets: Sequence[str],
    lineage: Sequence[str],
    coarse: bool,
    contract: Contract,
    policy: Policy,
    files: Iterable[OfferedFile],
) -> int:
    """Take the files of a COMPLETE run that its contract releases; return how many. Offering twice changes nothing.

    Called near the end of the caller's transaction, because it appends to the audit log; `wake` follows the commit.
    """
    if session.get(IntakeRun, run) is not None:
        return len(files_of_run(session, run))
    taken, left = [], 0
    files = list(files)
    for file in files:
        rule = releasing_rule(contract, file, policy=policy)
        if rule is None:
            left += 1
            continue
        taken.append(_row(file, rule, run=run, project=project, person=person, policy=policy))
    session.add(
        IntakeRun(
            run=run,
            project=project,
            person=person,
            workflow=workflow,
            coarse=coarse,
            datasets=sorted(datasets),
            lineage=sorted(lineage),
            contract_version=contract.version,
            policy_version=policy.version,
            left_inside=left,
            created=now(),
        )
    )
    for row in taken:
        row.contract_version, row.policy_version = contract.version, policy.version
    session.flush()
    session.add_all(taken)
    session.add_all(cohorts.promised(run, contract, _lists_of_members(contract, files)))
    session.flush()
    facts = {"policy_version": policy.version, "contract_version": contract.version}
    audit.append(
        session,
        Entry(Event.INTAKE_TAKEN, ACTOR, run, project, facts | {"files": len(taken)}),
        Entry(Event.INTAKE_LEFT, ACTOR, run, project, facts | {"files": left}),
    )
    return len(taken)


def releasing_rule(contract: Contract, file: OfferedFile, *, policy: Policy) -> OutputRule | None:
    """Return the contract's rule that lets this file out, if its own engine rule wrote it last (T16)."""
    rule = contract.rule_for_stream(file.stream, rule=file.rule) if file.stream else contract.rule_for(file.path)
    if rule is None or rule.promise is None or rule.rule != file.rule:
        return None
    try:
        # The project's policy may have become stricter than the contract was vetted for.
        check_no_laxer(Contract((rule,), contract.version), policy)
    except ContractRefused:
        return None
    return rule


def _lists_of_members(contract: Contract, files: Iterable[OfferedFile]) -> dict[str, str | None]:
    """Return the object of each list by its path; None of one that another rule wrote last: it is not read (T16)."""
    rules = {file: contract.rule_for(file.path) for file in files if not file.stream}
    return {
        file.path: file.object if rule.rule == file.rule else None
        for file, rule in rules.items()
        if rule and rule.members
    }


def where_is(session: orm.Session, run: str, *, path: str, task: str | None) -> Whereabouts | None:
    """Return where a file is that intake took of a task of a run, or of its engine (None); None if it took none."""
    # What an engine printed is of no rule, as no file of a workflow is that intake takes.
    whose = IntakeFile.task == task if task is not None else IntakeFile.rule == ""
    mine = (IntakeFile.run == run, IntakeFile.path == path, whose)
    file = session.scalar(sa.select(IntakeFile.id).where(*mine))
    if file is None:
        return None
    request = session.scalar(
        sa.select(ReleasedFile.request)
        .join(Release, Release.request == ReleasedFile.request)
        .join(ReleaseRequest, ReleaseRequest.id == ReleasedFile.request)
        .where(ReleasedFile.file == file, ReleaseRequest.state == RequestState.RELEASED.value)
        .where(Release.revoked.is_(None), Release.expires > now())
        .order_by(Release.expires.desc())
        .limit(1)
    )
    # No signature: whoever follows it shows who they are, and the download is counted as theirs.
    return Whereabouts(None if request is None else f"/api/airlock/v1/releases/{request}/files/{file}")


def is_asked_for(
    run: sa.ColumnElement[str] | orm.InstrumentedAttribute[str], *, since: datetime
) -> sa.ColumnElement[bool]:
    """Return the condition that a request for outputs of `run` is open, or changed since then: it may be appealed."""
    open_ = ReleaseRequest.state.not_in([state.value for state in ENDED])
    return sa.or_(
        sa.exists().where(ReleaseRequest.run == run, open_),
        sa.exists().where(ReleaseRequest.run == run, ReleaseRequest.changed > since),
    )


def wake(session: orm.Session, run: str) -> None:
    """Wake workers for what waits of a run; a lost message costs a second, because the sweep sees the table."""
    for row in files_of_run(session, run):
        if row.state == IntakeState.WAITING.value:
            queue.enqueue(TAKE, row.id)


def _row(file: OfferedFile, rule: OutputRule, *, run: str, project: str, person: str, policy: Policy) -> IntakeFile:
    moment = now()
    return IntakeFile(
        id=uuid.uuid4().hex,
        run=run,
        project=project,
        person=person,
        path=file.path,
        rule=file.rule,
        task=file.task,
        source=file.object,
        promise=rule.as_request(),
        policy=policy.as_json(),
        state=IntakeState.WAITING.value,
        findings=[],
        attempts=0,
        next_try=moment,
        created=moment,
    )

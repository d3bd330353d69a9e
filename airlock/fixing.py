"""Asks for fixed copies of tables, and lets one copy of a table leave at most (T5)."""

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import intake, rules
from airlock.checks.fixes import Fix, FixRefused, offers, parse_fixes, promise_after
from airlock.checks.promise import Promise, Promised, parse_promise
from airlock.intake_files import IntakeState
from airlock.moves import append, asker
from airlock.release_requests import IN_REVIEW, RequestState
from airlock.store import IntakeFile, ReleasedFile, ReleaseRequest, RequestFile, files_of_run
from strongroom.audit import Entry, Event
from strongroom.database import now
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.settings import Settings

MOST_COPIES = 12  # of one table
LONGEST_PATH = 500
_ON_ITS_WAY = [state.value for state in (*IN_REVIEW, RequestState.APPROVED, RequestState.RELEASING)]


def fix(session: orm.Session, file: str, person: str, wanted: Fix, *, settings: Settings) -> IntakeFile:
    """Ask for a copy with one more fix; the same copy twice is one.

    Nothing here reads a value or a verdict: what is answered rests on the contract alone (T5).
    """
    given = session.get(IntakeFile, file)
    if given is None:
        raise NotFound("The airlock holds nothing of such a run.")
    rules.check_may_request(asker(session, person, given.project), given.person)
    if "brought" in given.promise:
        raise BadRequest("fix: what is brought in comes in as it is; bring another file.")
    policy = intake.policy_of_run(session, given.run, settings)
    output = session.get_one(IntakeFile, root_of(given))
    try:
        fixes = parse_fixes([*given.fixes, wanted.as_json()])
        promise = promise_after(parse_promise(output.promise), fixes)
    except FixRefused as refused:
        raise BadRequest(f"fix: {refused}") from refused
    copies = [one for one in files_of_run(session, output.run) if one.fixed_from == output.id]
    told = [one.as_json() for one in fixes]
    for one in copies:
        if one.fixes == told:
            return one
    if len(copies) >= MOST_COPIES:
        raise Conflict(f"There are {MOST_COPIES} fixed copies of this table; choose one of them.")
    row = _row(output, promise, told, path=_free_path(session, output))
    row.policy, row.policy_version = policy.as_json(), policy.version
    session.add(row)
    session.flush()
    facts = {"run": row.run, "of": output.id, "path": row.path, "fixes": told}
    append(session, Entry(Event.COPY_FIXED, person, row.id, row.project, facts))
    return row


def root_of(file: IntakeFile) -> str:
    """Return the output that a file is a copy of, or the file itself."""
    return file.fixed_from or file.id


def offered(file: IntakeFile) -> list[Fix]:
    """Return the fixes that fit what the contract promises of this file."""
    if file.promise.get("format") not in (Promised.TSV.value, Promised.CSV.value):
        return []
    return offers(parse_promise(file.promise))


def check_one_copy(files: Sequence[IntakeFile]) -> None:
    """Raise if two copies of one table would leave together: side by side they tell more than each alone."""
    seen: dict[str, str] = {}
    for file in files:
        other = seen.setdefault(root_of(file), file.path)
        if other != file.path:
            raise BadRequest(f"{file.path} and {other} are copies of one table; ask for one of them.")


def check_no_other_left(session: orm.Session, row: ReleaseRequest, files: Sequence[IntakeFile]) -> None:
    """Raise if another copy of one of these tables has left, or is with the stewards in another request."""
    for file in files:
        family = [
            one.id for one in files_of_run(session, file.run) if root_of(one) == root_of(file) and one.id != file.id
        ]
        left = sa.select(ReleasedFile.file).where(ReleasedFile.file.in_(family))
        going = (
            sa.select(RequestFile.file)
            .join(ReleaseRequest, ReleaseRequest.id == RequestFile.request)
            .where(RequestFile.file.in_(family), ReleaseRequest.state.in_(_ON_ITS_WAY), ReleaseRequest.id != row.id)
            .where(RequestFile.split_off.is_(False), RequestFile.supporting.is_(False))
        )
        if family and session.scalar(sa.union_all(left, going).limit(1)) is not None:
            raise Conflict(f"Another copy of the table in {file.path} has left or is in review; ask for that one.")


def _free_path(session: orm.Session, output: IntakeFile) -> str:
    taken = {one.path for one in files_of_run(session, output.run)}
    folder, slash, name = output.path.rpartition("/")
    stem, dot, endings = name.partition(".")
    numbered = (f"{folder}{slash}{stem}.fixed-{number}{dot}{endings}" for number in range(1, len(taken) + 2))
    path = next(one for one in numbered if one not in taken)
    if len(path) > LONGEST_PATH:
        raise BadRequest("fix: the name of this output is too long for a copy beside it.")
    return path


def _row(output: IntakeFile, promise: Promise, fixes: list[dict[str, object]], *, path: str) -> IntakeFile:
    moment = now()
    return IntakeFile(
        id=uuid.uuid4().hex,
        run=output.run,
        project=output.project,
        person=output.person,
        path=path,
        rule=output.rule,
        task=output.task,
        source=output.source,
        fixed_from=output.id,
        fixes=fixes,
        promise=promise.as_json(),
        contract_version=output.contract_version,
        state=IntakeState.WAITING.value,
        findings=[],
        attempts=0,
        next_try=moment,
        created=moment,
    )

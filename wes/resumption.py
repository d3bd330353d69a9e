"""Resumes a run for its owner: every check of a submit is made again, then the same run waits for an engine (T19)."""

import posixpath

import sqlalchemy as sa
from sqlalchemy import orm

from archive import decisions
from strongroom import audit
from strongroom.audit import Entry, Event
from strongroom.errors import Conflict
from strongroom.identity import Person
from strongroom.settings import Settings
from wes import retention, views
from wes.runs import RESUMABLE, RunState
from wes.schemas import Form
from wes.store import Run, RunFile, move
from wes.submission import Admitted, admit


def resume(session: orm.Session, person: Person, run: Run, *, settings: Settings) -> None:
    """Put a run that ended, and not as COMPLETE, back into the queue; what its tasks finished is not done again."""
    state = views.state_of(run)  # of a quiet run no answer tells more (T6)
    if state is RunState.COMPLETE:
        raise Conflict("This run is COMPLETE: there is nothing to resume. Submit it again to have it made anew.")
    if state not in RESUMABLE:
        raise Conflict("This run has not ended. Wait for its end or cancel it; then it can be resumed.")
    retention.check_kept(run)
    admitted = admit(session, person, asked_of(run), workflow=(run.workflow, run.version), settings=settings)
    check_same(session, run, admitted)
    run.coarse = run.coarse or admitted.coarse
    run.quiet = run.quiet or admitted.quiet
    run.policy_version = admitted.project.policy_version
    run.resumed += 1
    again = decisions.reopen(
        session,
        run.id,
        envelope=admitted.vetted.envelope,
        policy_version=run.policy_version,
        seconds=settings.wes.run_seconds,
    )
    if run.quiet:
        decisions.keep_quiet(session, run.id)
    facts = {"workflow": f"{run.workflow}/{run.version}", "digest": run.digest, "times": run.resumed}
    resumed = Entry(Event.RUN_RESUMED, person.id, run.id, run.project, facts)
    audit.append(session, resumed, move(run, RunState.QUEUED, actor=person.id), *again)


def asked_of(run: Run) -> Form:
    """Return the request of a run with its inputs as they were chosen: what a dataset got since is not in it."""
    form = Form(**run.request)
    inputs = {}
    for slot, given in form.workflow_params.get("inputs", {}).items():
        dataset = given if isinstance(given, str) else given["dataset"]
        files = [_name(path, slot) for path in run.config["inputs"][slot]]
        inputs[slot] = {"dataset": dataset, "files": files}
    form.workflow_params = {**form.workflow_params, "inputs": inputs}
    return form


def check_same(session: orm.Session, run: Run, admitted: Admitted) -> None:
    """Raise unless what would run now is what ran before: else finished and new tasks would not fit together."""
    if admitted.vetted.statement.digest != run.digest:
        raise Conflict("This workflow's content is another one now; submit the run again.")
    if admitted.config != run.config:
        raise Conflict("The rules of this project have changed since this run was submitted; submit it again.")
    if {one.path: one.object for one in admitted.chosen} != _inputs(session, run):
        raise Conflict("A file of this run's datasets is another one now; submit the run again.")


def _name(path: str, slot: str) -> str:
    """Return the name in its dataset of a file; in a folder that a manifest names there is none with a slash."""
    first = f"inputs/{slot}/"
    return path.removeprefix(first) if path.startswith(first) else posixpath.basename(path)


def _inputs(session: orm.Session, run: Run) -> dict[str, str | None]:
    rows = session.execute(
        sa.select(RunFile.path, RunFile.object)
        .where(RunFile.run == run.id, RunFile.rule.is_(None))
        .order_by(RunFile.path)
    )
    return {path: found for path, found in rows}

"""Stops a revoked version at once: its audit event, and what becomes of its runs."""

import sqlalchemy as sa
from sqlalchemy import orm

from archive import decisions
from strongroom import audit
from strongroom.audit import Entry, Event
from wes.runs import TERMINAL, RunState
from wes.store import Run, move


def record(session: orm.Session, name: str, version: str, *, key: str, reason: str, cancel: bool) -> list[str]:
    """Write down that a version was revoked, and cancel its runs if asked; return the runs that must be woken."""
    runs = _live(session, name, version)
    facts = {"key": key, "reason": reason, "runs": len(runs), "canceled": cancel}
    audit.append(session, Entry(Event.WORKFLOW_REVOKED, "vetting", f"{name}/{version}", None, facts))
    return [run.id for run in runs if _cancel(session, run)] if cancel else []


def _live(session: orm.Session, name: str, version: str) -> list[Run]:
    ended = [state.value for state in TERMINAL]
    of_version = (Run.workflow == name, Run.version == version)
    return list(session.scalars(sa.select(Run).where(*of_version, Run.state.not_in(ended)).order_by(Run.number)))


def _cancel(session: orm.Session, run: Run) -> bool:
    """Cancel a run as its owner would; one that a supervisor is just taking up ends when it finds the revocation."""
    state = RunState(run.state)
    if state is RunState.QUEUED and run.lease_owner is None:
        moved = move(run, RunState.CANCELED, actor="vetting", reason="The workflow was revoked.")
        audit.append(session, moved, *decisions.close(session, run.id, "canceled"))
    elif state in (RunState.INITIALIZING, RunState.RUNNING):
        audit.append(session, move(run, RunState.CANCELING, actor="vetting"))
    return True

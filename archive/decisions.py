"""The door for wes: records what was decided for a run, and closes it at the run's end (decision 12)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from archive.facts import COMPLETE, Decision
from archive.store import Dataset, DecisionRecord
from strongroom.audit import Entry, Event
from strongroom.database import now
from strongroom.errors import NotAllowed

__all__ = ["COMPLETE", "Decision", "close", "open_decision", "record", "sensitivity"]
ACTOR = "wes"


def record(
    session: orm.Session,
    *,
    run: str,
    person: str,
    project: str,
    workflow: str,
    version: str,
    workflow_digest: str,
    envelope: Mapping[str, Any],
    images: Mapping[str, str],
    datasets: Sequence[str],
    policy_version: int,
    seconds: int,
) -> list[Entry]:
    """Write down that this run may use these datasets for `seconds`; return the entries for the caller to append."""
    moment = now()
    session.add(
        DecisionRecord(
            run=run,
            person=person,
            project=project,
            workflow=workflow,
            version=version,
            workflow_digest=workflow_digest,
            envelope=dict(envelope),
            images=dict(images),
            datasets=sorted(set(datasets)),
            policy_version=policy_version,
            created=moment,
            expires=moment + timedelta(seconds=seconds),
            closed_at=None,
            closed_as=None,
        )
    )
    said = {
        "person": person,
        "workflow": f"{workflow}/{version}",
        "digest": workflow_digest,
        "images": dict(images),
        "datasets": sorted(set(datasets)),
        "policy_version": policy_version,
    }
    return [Entry(Event.DECISION_RECORDED, ACTOR, run, project, said)]


def close(session: orm.Session, run: str, reason: str) -> list[Entry]:
    """Close the decision of a run: from this commit on no task of it gets keys; the first reason stays."""
    found = session.get(DecisionRecord, run)
    if found is None or found.closed_at is not None:
        return []
    found.closed_at, found.closed_as = now(), reason
    return [Entry(Event.DECISION_CLOSED, ACTOR, run, found.project, {"as": reason})]


def sensitivity_of_run(session: orm.Session, run: str) -> str:
    """Return the highest sensitivity of what a run might use, ended or not; an unknown run counts as high."""
    found = session.get(DecisionRecord, run)
    return "high" if found is None else sensitivity(session, found.facts())


def sensitivity(session: orm.Session, decision: Decision) -> str:
    """Return the highest sensitivity of what a run may use; a dataset that nobody knows any more counts as high."""
    rows = session.scalars(sa.select(Dataset.sensitivity).where(Dataset.id.in_(decision.datasets))).all()
    known = len(rows) == len(decision.datasets)
    return "standard" if known and all(row == "standard" for row in rows) else "high"


def open_decision(session: orm.Session, run: str) -> Decision:
    """Return the decision of a run on which tasks may still start; raise `NotAllowed` otherwise."""
    found = session.get(DecisionRecord, run)
    if found is None or not found.facts().is_open(now()):
        raise NotAllowed("This run has ended or its permission has expired; submit it again.")
    return found.facts()

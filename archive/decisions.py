"""The door for wes: records what was decided for a run, and closes it at the run's end (decision 12)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from archive.facts import COMPLETE, Decision
from archive.labels import hashed
from archive.store import Dataset, DecisionRecord, Query, StoredObject
from strongroom.audit import Entry, Event
from strongroom.database import now, plainly
from strongroom.errors import Conflict, NotAllowed

__all__ = [
    "COLUMNS",
    "COMPLETE",
    "Decision",
    "called_for",
    "close",
    "decision_in",
    "decision_of",
    "expired",
    "follow_data",
    "followed",
    "following",
    "keep_quiet",
    "open_decision",
    "record",
    "reopen",
    "sensitivity",
]
ACTOR = "wes"
# Made once: each task asks for them.
COLUMNS = tuple(DecisionRecord.metadata.tables["decisions"].c[one.name] for one in fields(Decision))
_RECORD = sa.select(*COLUMNS).where(DecisionRecord.run == sa.bindparam("run"))
_SENSITIVITY = sa.select(Dataset.sensitivity).where(Dataset.id.in_(sa.bindparam("datasets", expanding=True)))
_LIVE = (DecisionRecord.closed_at.is_(None), DecisionRecord.follows_data.is_not(None))
_Run = orm.InstrumentedAttribute[str]
_Moment = orm.InstrumentedAttribute[datetime] | orm.InstrumentedAttribute[datetime | None]


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


def reopen(
    session: orm.Session, run: str, *, envelope: Mapping[str, Any], policy_version: int, seconds: int
) -> list[Entry]:
    """Open the decision of a run that did not come to its good end, for `seconds` from now; return the entries.

    What it allows stays what it was: the same person, project, content and datasets. The caller checked them again.
    """
    found = session.get(DecisionRecord, run)
    if found is None or found.closed_as == COMPLETE or found.closed_at is None:
        # T16: what left or may leave by a COMPLETE run is never added to.
        raise Conflict("Only a run that ended, and not as COMPLETE, can be resumed.")
    found.envelope, found.policy_version = dict(envelope), policy_version
    found.expires = now() + timedelta(seconds=seconds)
    found.closed_at = found.closed_as = None
    _outcome(session, run, None)
    said = {
        "person": found.person,
        "workflow": f"{found.workflow}/{found.version}",
        "digest": found.workflow_digest,
        "images": dict(found.images),
        "datasets": found.datasets,
        "policy_version": policy_version,
        "again": True,
    }
    return [Entry(Event.DECISION_RECORDED, ACTOR, run, found.project, said)]


def close(session: orm.Session, run: str, reason: str) -> list[Entry]:
    """Close the decision of a run: from this commit on no task of it gets keys; the first reason stays."""
    found = session.get(DecisionRecord, run)
    if found is None or found.closed_at is not None:
        return []
    found.closed_at, found.closed_as = now(), reason
    _outcome(session, run, reason)
    return [Entry(Event.DECISION_CLOSED, ACTOR, run, found.project, {"as": reason})]


def expired(session: orm.Session, runs: Collection[str]) -> set[str]:
    """Return those of these runs whose time is over, ended or not."""
    if not runs:
        return set()
    over = (DecisionRecord.run.in_(runs), DecisionRecord.expires <= now())
    return set(session.scalars(sa.select(DecisionRecord.run).where(*over)))


def follow_data(session: orm.Session, run: str, *, since: datetime) -> None:
    """Write down since when a run's plan follows data, for whoever shows its tasks (T4); the first moment stays."""
    first = (DecisionRecord.run == run, DecisionRecord.follows_data.is_(None))
    session.execute(sa.update(DecisionRecord).where(*first).values(follows_data=since))


def keep_quiet(session: orm.Session, run: str) -> None:
    """Write down that a run is about few persons: nobody is told how its tasks go on (T6)."""
    session.execute(sa.update(DecisionRecord).where(DecisionRecord.run == run).values(quiet=True))


def called_for(run: _Run, created: _Moment) -> sa.ColumnElement[bool]:
    """Return whether data called for what was made of a run at `created` (T4), or all of it is kept quiet (T6)."""
    hidden = sa.or_(DecisionRecord.quiet, DecisionRecord.follows_data < created)
    return sa.exists().where(DecisionRecord.run == run, hidden)


def followed(run: _Run, ended: _Moment) -> sa.ColumnElement[bool]:
    """Return whether a run that has not ended followed data before `ended`, which may hang on it then (T4)."""
    late = sa.or_(ended.is_(None), DecisionRecord.follows_data < ended)
    return sa.exists().where(DecisionRecord.run == run, *_LIVE, late)


def following(session: orm.Session, runs: Collection[str]) -> dict[str, datetime]:
    """Return since when each of these runs follows data, of those that do so and have not ended."""
    found = session.scalars(sa.select(DecisionRecord).where(DecisionRecord.run.in_(runs), *_LIVE))
    return {one.run: one.follows_data for one in found if one.follows_data is not None}


def _outcome(session: orm.Session, run: str, outcome: str | None) -> None:
    session.execute(sa.update(Query).where(Query.run == run).values(outcome=outcome))


def sensitivity_of_run(session: orm.Session, run: str) -> str:
    """Return the highest sensitivity of what a run might use, ended or not; an unknown run counts as high."""
    found = decision_of(session, run)
    return "high" if found is None else sensitivity(session, found)


def people_of_run(session: orm.Session, run: str, *, key: bytes) -> dict[str, str] | None:
    """Return the labels of all persons in a run's datasets as hashes under a key of this one question (D5)."""
    found = decision_of(session, run)
    if found is None:
        return None
    rows = session.scalars(
        sa.select(StoredObject.persons).where(StoredObject.purpose == "store", StoredObject.owner.in_(found.datasets))
    )
    return hashed((label for labels in rows for label in labels), key)


def sensitivity(session: orm.Session, decision: Decision) -> str:
    """Return the highest sensitivity of what a run may use; a dataset that nobody knows any more counts as high."""
    if not decision.datasets:
        return "standard"
    rows = plainly(session, _SENSITIVITY, {"datasets": decision.datasets}).scalars().all()
    known = len(rows) == len(decision.datasets)
    return "standard" if known and all(row == "standard" for row in rows) else "high"


def open_decision(session: orm.Session, run: str) -> Decision:
    """Return the decision of a run on which tasks may still start; raise `NotAllowed` otherwise."""
    found = decision_of(session, run)
    if found is None or not found.is_open(now()):
        raise NotAllowed("This run has ended or its permission has expired; submit it again.")
    return found


def decision_of(session: orm.Session, run: str) -> Decision | None:
    """Return the decision of a run, open or not."""
    found = plainly(session, _RECORD, {"run": run}).one_or_none()
    return None if found is None else decision_in(found)


def decision_in(row: Sequence[Any]) -> Decision:
    """Return the decision that a row begins with, of which `COLUMNS` were asked first."""
    said = {column.name: value for column, value in zip(COLUMNS, row, strict=False)}
    return Decision(**{**said, "datasets": tuple(said["datasets"])})

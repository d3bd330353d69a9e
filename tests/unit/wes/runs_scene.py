"""Runs in a database of their own, for tests that need no engine."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from wes.runs import RunState
from wes.store import Run, RunTag

RUTH, RITA = "ruth@development", "rita@development"
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST = {
    "workflow_params": {},
    "workflow_type": "SMK",
    "workflow_type_version": "9.27.1",
    "tags": {"project": "cohort"},
    "workflow_engine": "snakemake",
    "workflow_engine_version": "9.27.1",
    "workflow_engine_parameters": {},
    "workflow_url": "cohort-frequencies/1.0.0",
}


def a_run(number: int, **changes: Any) -> Run:
    """Return a run that is COMPLETE, or whatever `changes` say."""
    tags = changes.pop("tags", {"project": "cohort"})
    facts: dict[str, Any] = {
        "id": f"{number:032x}",
        "state": RunState.COMPLETE.value,
        "project": "cohort",
        "person": RUTH,
        "name": "cohort-frequencies/1.0.0",
        "tags": tags,
        "coarse": False,
        "workflow": "cohort-frequencies",
        "version": "1.0.0",
        "digest": "sha256:" + "0" * 64,
        "contract_schema": 1,
        "policy_version": 1,
        "request": REQUEST | {"tags": tags},
        "config": {},
        "datasets": [],
        "created": BEGUN + timedelta(minutes=number),
        "started": BEGUN + timedelta(minutes=number, seconds=7),
        "ended": BEGUN + timedelta(minutes=number, seconds=44),
        "launches": 1,
        "resumed": 0,
    }
    return Run(number=number, **facts | changes)


def add(session: orm.Session, *runs: Run) -> None:
    """Add runs with their tags."""
    for run in runs:
        session.add(run)
        session.flush()
        session.add_all(RunTag(number=run.number, key=k, value=v, person=run.person) for k, v in run.tags.items())


def plan_of(engine: sa.Engine, query: sa.Select[Any]) -> list[str]:
    """Return how SQLite would answer."""
    compiled = query.compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as connection:
        return [row[3] for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {compiled}"))]

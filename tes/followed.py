"""Keeps from a person what data called for in a coarse run, and how its other tasks went on since (T4)."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm

from archive import decisions
from tes.store import Task


def is_shown() -> sa.ColumnElement[bool]:
    """Return whether a person may see a task at all: none that data called for, unless all data is open."""
    return sa.or_(Task.coarse.is_(False), ~decisions.called_for(Task.run, Task.created))


def is_settled() -> sa.ColumnElement[bool]:
    """Return whether a person may see the state of a task, and lists by state may answer with it."""
    return sa.or_(Task.coarse.is_(False), ~decisions.followed(Task.run, Task.ended))


def may_see(session: orm.Session, task: Task) -> bool:
    """Say whether a person may see a task at all."""
    return not task.coarse or session.scalar(sa.select(Task.id).where(Task.id == task.id, is_shown())) is not None


def unsettled(session: orm.Session, tasks: Sequence[Task]) -> dict[str, datetime]:
    """Return the tasks that just run, as far as a person may know, and since when their runs follow data."""
    runs = {task.run for task in tasks if task.coarse}
    live = decisions.following(session, runs) if runs else {}
    return {
        task.id: live[task.run]
        for task in tasks
        if task.coarse and task.run in live and (task.ended is None or task.ended > live[task.run])
    }

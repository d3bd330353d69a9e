"""Finds one page of tasks: what is asked for, in an order that an index gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.sql.base import ExecutableOption

from strongroom.paging import after_all_with, zipped
from tes import followed
from tes.store import Task, TaskTag
from tes.tasks import TaskState

__all__ = ["Wanted", "after_all_with", "page", "queries", "zipped"]


@dataclass(frozen=True)
class Wanted:
    """A filter of GET /tasks; the parts hold together. `person` is None for our own services, who see all."""

    person: str | None
    name_prefix: str = ""
    state: TaskState | None = None
    tags: tuple[tuple[str, str], ...] = ()  # an empty value is any value
    own_tags: bool = False  # a federated client's tags are its own words, and nothing of ours

    def listing(self) -> dict[str, Any]:
        """Return what a page token is bound to."""
        return {
            "of": "tasks",
            "name_prefix": self.name_prefix,
            "state": self.state or "",
            "tags": [list(tag) for tag in self.tags],
        }


def page(
    session: orm.Session, wanted: Wanted, *, after: Task | None, most: int, options: Sequence[ExecutableOption] = ()
) -> list[Task]:
    """Return the first `most` tasks that come after `after`: by name if one is asked for, else the newest first."""
    found: list[Task] = []
    for query in queries(wanted, after):
        found += session.scalars(query.limit(most - len(found)).options(*options))
    return found


def queries(wanted: Wanted, after: Task | None) -> list[sa.Select[Task]]:
    """Return the queries whose answers make the list, one after the other; each enters its index at one place."""
    if wanted.name_prefix:
        found = _by_name(wanted, after)
    elif wanted.tags and wanted.person is not None:
        found = [_by_tag(wanted, wanted.person, after)]
    else:
        found = [_by_number(wanted, after)]
    if wanted.tags and wanted.person is not None and not wanted.own_tags:
        # T4: their tags are not shown, so no list answers guesses.
        found = [query.where(Task.coarse.is_(False)) for query in found]
    if wanted.person is not None:
        # T4: nor does any list tell what data called for, or how other tasks went on beside it.
        of_person = [followed.is_shown(), *([followed.is_settled()] if wanted.state is not None else [])]
        found = [query.where(*of_person) for query in found]
    return found


def _by_number(wanted: Wanted, after: Task | None) -> sa.Select[Task]:
    query = _tagged(sa.select(Task), wanted.tags)
    if wanted.person is not None:
        query = query.where(Task.person == wanted.person)
    if wanted.state is not None:
        query = query.where(Task.state == wanted.state.value)
    if after is not None:
        query = query.where(Task.number < after.number)
    return query.order_by(Task.number.desc())


def _by_name(wanted: Wanted, after: Task | None) -> list[sa.Select[Task]]:
    query = _tagged(sa.select(Task), wanted.tags)
    if wanted.person is not None:
        query = query.where(Task.person == wanted.person)
    if wanted.state is not None:
        query = query.where(_aside(Task.state) == wanted.state.value)
    query = query.order_by(Task.name, Task.number)
    beyond = after_all_with(wanted.name_prefix)
    within = query.where(Task.name < beyond) if beyond is not None else query
    if after is None:
        return [within.where(Task.name >= wanted.name_prefix)]
    # Many tasks may have one name: first the rest of those.
    return [query.where(Task.name == after.name, Task.number > after.number), within.where(Task.name > after.name)]


def _by_tag(wanted: Wanted, person: str, after: Task | None) -> sa.Select[Task]:
    (key, value), *others = wanted.tags
    query = sa.select(Task).join(TaskTag, TaskTag.number == Task.number)
    query = query.where(TaskTag.person == person, TaskTag.key == key)
    if value:
        query = query.where(TaskTag.value == value)
    if wanted.state is not None:
        query = query.where(Task.state == wanted.state.value)
    if after is not None:
        # Said of both sides of the join: PostgreSQL may enter at either.
        query = query.where(TaskTag.number < after.number, Task.number < after.number)
    return _tagged(query, tuple(others)).order_by(TaskTag.number.desc())


def _tagged(query: sa.Select[Task], tags: tuple[tuple[str, str], ...]) -> sa.Select[Task]:
    for key, value in tags:
        other = orm.aliased(TaskTag)
        has = sa.select(other.number).where(other.number == Task.number, other.key == key)
        query = query.where((has.where(other.value == value) if value else has).exists())
    return query


def _aside(column: orm.InstrumentedAttribute[str]) -> sa.ColumnElement[str]:
    # Hides the column from the planner: it must walk the index that gives the order, for a sort would read all rows.
    return column + ""

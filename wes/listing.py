"""Finds one page of a person's runs: what is asked for, in an order that an index gives."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.sql.base import ExecutableOption

from strongroom.paging import after_all_with
from wes.runs import RunState
from wes.store import Run, RunTag

# All that a line of the list and a place in it need: requests and configurations are long, and stay where they are.
LINE: tuple[ExecutableOption, ...] = (
    orm.load_only(
        Run.number,
        Run.id,
        Run.state,
        Run.person,
        Run.name,
        Run.tags,
        Run.coarse,
        Run.started,
        Run.ended,
        Run.quiet,
        Run.told,
    ),
)


@dataclass(frozen=True)
class Wanted:
    """A filter of GET /runs; the parts hold together, and an empty one asks for nothing."""

    person: str
    name_prefix: str = ""
    state: RunState | None = None
    tags: tuple[tuple[str, str], ...] = ()  # an empty value is any value
    workflow: tuple[str, str] = ("", "")  # name and version; without a version, any
    created_after: datetime | None = None
    created_before: datetime | None = None

    def listing(self) -> dict[str, Any]:
        """Return what a page token is bound to."""
        moments = (self.created_after, self.created_before)
        return {
            "of": "runs",
            "name_prefix": self.name_prefix,
            "state": self.state or "",
            "tags": [list(tag) for tag in self.tags],
            "workflow": list(self.workflow),
            "created": [moment.isoformat() if moment else "" for moment in moments],
        }


def page(session: orm.Session, wanted: Wanted, *, after: Run | None, most: int) -> list[Run]:
    """Return the first `most` runs that come after `after`: by name if one is asked for, else the newest first."""
    found: list[Run] = []
    older = _last_before(session, wanted.person, wanted.created_after) if wanted.created_after else None
    newest = _last_before(session, wanted.person, wanted.created_before) if wanted.created_before else None
    if wanted.created_before and newest is None:
        return found
    for query in queries(wanted, after, older=older, newest=newest):
        found += session.scalars(query.limit(most - len(found)).options(*LINE))
    return found


def queries(
    wanted: Wanted, after: Run | None, *, older: int | None = None, newest: int | None = None
) -> list[sa.Select[Run]]:
    """Return the queries whose answers make the list, one after the other; each enters its index at one place.

    Numbers grow with time, so times are numbers here: runs beyond `older` and up to `newest` are of the list.
    """
    if wanted.name_prefix:
        return _by_name(wanted, after, older=older, newest=newest)
    query = _by_tag(wanted) if wanted.tags else _filtered(sa.select(Run), wanted, wanted.tags)
    # Said of both sides of a join: PostgreSQL may enter at either.
    places = [RunTag.number, Run.number] if wanted.tags else [Run.number]
    for place in places:
        if older is not None:
            query = query.where(place > older)
        if after is not None and (newest is None or after.number <= newest):
            query = query.where(place < after.number)
        elif newest is not None:
            query = query.where(place <= newest)
    return [query.order_by(places[0].desc())]


def _by_name(wanted: Wanted, after: Run | None, *, older: int | None, newest: int | None) -> list[sa.Select[Run]]:
    query = _filtered(sa.select(Run), wanted, wanted.tags, aside=True).order_by(Run.name, Run.number)
    if older is not None:
        query = query.where(Run.number + 0 > older)
    if newest is not None:
        query = query.where(Run.number + 0 <= newest)
    beyond = after_all_with(wanted.name_prefix)
    within = query.where(Run.name < beyond) if beyond is not None else query
    if after is None:
        return [within.where(Run.name >= wanted.name_prefix)]
    # Many runs may have one name: first the rest of those.
    return [query.where(Run.name == after.name, Run.number > after.number), within.where(Run.name > after.name)]


def _by_tag(wanted: Wanted) -> sa.Select[Run]:
    (key, value), *others = wanted.tags
    query = sa.select(Run).join(RunTag, RunTag.number == Run.number)
    query = query.where(RunTag.person == wanted.person, RunTag.key == key)
    if value:
        query = query.where(RunTag.value == value)
    return _filtered(query, wanted, tuple(others), aside=True)


def _filtered(
    query: sa.Select[Run], wanted: Wanted, tags: tuple[tuple[str, str], ...], *, aside: bool = False
) -> sa.Select[Run]:
    name, version = wanted.workflow
    query = query.where(Run.person == wanted.person)
    if wanted.state is not None:
        hidden = sa.and_(Run.quiet, Run.started.is_not(None))  # T6: no list by state tells how such a run ended
        told = sa.case((hidden, ""), else_=Run.state)
        query = query.where(told == wanted.state.value)
        if not aside and not name:
            query = query.where(Run.state == wanted.state.value)  # the same once more, for an index
    if name:
        query = query.where((_aside(Run.workflow) if aside else Run.workflow) == name)
    if version:
        query = query.where(Run.version == version)
    for key, value in tags:
        other = orm.aliased(RunTag)
        has = sa.select(other.number).where(other.number == Run.number, other.key == key)
        query = query.where((has.where(other.value == value) if value else has).exists())
    return query


def _last_before(session: orm.Session, person: str, moment: datetime) -> int | None:
    before = sa.select(Run.number).where(Run.person == person, Run.created < moment)
    return session.scalar(before.order_by(Run.created.desc()).limit(1))


def _aside(column: orm.InstrumentedAttribute[str]) -> sa.ColumnElement[str]:
    # Hides the column from the planner: it must walk the index that gives the order, for a sort would read all rows.
    return column + ""

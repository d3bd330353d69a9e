"""Lets two of a dataset's DAC sign its floors: thresholds that projects may only make stricter (T7)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import orm

from access.rules import check_may_set_floors, may_see_all_projects
from access.two_persons import countersign, facts_of, proposed
from archive import ancestry
from strongroom.audit import Entry, Event, append
from strongroom.database import joined_in
from strongroom.errors import NotFound
from strongroom.floors import DatasetFloors, floors_of
from strongroom.projects import PLATFORM, roles_of, was_ever_researcher
from strongroom.thresholds import floor_of, some_floors

NOT_THERE = "There is no such dataset."


def propose(
    session: orm.Session, actor: str, dataset: str, thresholds: Mapping[str, Any], *, floor: int
) -> DatasetFloors:
    """Write down the next version, nowhere laxer than the platform's floor; it waits for a second person."""
    _check_may_set(session, actor, dataset)
    limits = some_floors(thresholds, floor_of(floor))
    made = DatasetFloors(dataset=dataset, **proposed(actor, limits, floors_of(session, dataset), least=0))
    session.add(made)
    session.flush()
    append(session, Entry(Event.FLOORS_PROPOSED, actor, dataset, None, facts_of(made)))
    return made


def sign(session: orm.Session, actor: str, dataset: str, version: int, *, sha256: str) -> DatasetFloors:
    """Put the newest version in force, as a second person who says by its digest which thresholds they read."""
    _check_may_set(session, actor, dataset)
    newest = next(iter(floors_of(session, dataset)), None)
    facts = countersign(newest, actor, version, sha256=sha256, joined=joined_in(session))
    assert newest is not None
    append(session, Entry(Event.FLOORS_SIGNED, actor, dataset, None, facts))
    return newest


def shown(session: orm.Session, actor: str, dataset: str) -> list[DatasetFloors]:
    """Return all versions, for who sees every project and for the people of projects that use the dataset now."""
    platform = roles_of(session, actor, PLATFORM)
    mine = any(roles_of(session, actor, one) > platform for one in ancestry.used_by(session, dataset, ever=False))
    if not ancestry.is_there(session, dataset) or not (mine or may_see_all_projects(platform)):
        raise NotFound(NOT_THERE)
    return floors_of(session, dataset)


def _check_may_set(session: orm.Session, actor: str, dataset: str) -> None:
    projects = ancestry.used_by(session, dataset, ever=True)
    ever = any(was_ever_researcher(session, actor, project) for project in projects)
    check_may_set_floors(roles_of(session, actor, PLATFORM), ever_researcher=ever)
    # Locked, so that of two proposals made at once the second one sees the first.
    if not ancestry.lock(session, dataset):
        raise NotFound(NOT_THERE)

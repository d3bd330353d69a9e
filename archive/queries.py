"""The door for wes to a dataset's ledger of queries: who asked about which persons, how, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from archive import rules
from archive.datasets import asker_of, find
from archive.query_rules import Budget, Spent, check_budget, check_size, fewest, is_near
from archive.store import Dataset, Query, QueryAllowance, StoredObject
from strongroom import projects
from strongroom.audit import Entry, Event, append
from strongroom.canonical import digest
from strongroom.database import now
from strongroom.settings import Settings

__all__ = ["Population", "allow", "are_few", "check", "populations", "record"]
DAY = timedelta(days=1)
AT_ONCE = 500


@dataclass(frozen=True)
class Population:
    """The persons of one dataset that a run reads, and whether they were asked about in this way before."""

    dataset: str
    members: tuple[str, ...]
    near: bool = False

    @property
    def sha256(self) -> str:
        """The population's name: the same persons have the same."""
        return digest(list(self.members))


def populations(session: orm.Session, chosen: Mapping[str, Sequence[str]]) -> list[Population]:
    """Return whose data these objects hold, by dataset; an object of nobody counts as one person."""
    found = []
    for dataset, objects in sorted(chosen.items()):
        members = set[str]()
        for first in range(0, len(objects), AT_ONCE):
            some = StoredObject.id.in_(objects[first : first + AT_ONCE])
            for identifier, persons in session.execute(sa.select(StoredObject.id, StoredObject.persons).where(some)):
                members |= set(persons) or {f"object:{identifier}"}
        found.append(Population(dataset, tuple(sorted(members))))
    return found


def check(session: orm.Session, asked: Sequence[Population], *, project: str, settings: Settings) -> list[Population]:
    """Return what is asked, each with whether it is near to an earlier population; raise for what may not be asked.

    Only for runs whose outputs may leave. The same population again is no new question.
    """
    checked = []
    for one in asked:
        least = _least(session, one, settings)
        check_size(len(one.members), least=least)
        if least == 0 or _is_known(session, one):
            checked.append(one)  # data of nobody, or a population of earlier
            continue
        near = _is_near(session, one, k=settings.airlock.min_count)
        check_budget(
            _spent(session, one.dataset, project), _budget(session, one.dataset, project, settings), near=near
        )
        checked.append(Population(one.dataset, one.members, near))
    return checked


def are_few(session: orm.Session, asked: Sequence[Population], *, settings: Settings) -> bool:
    """Say whether a population is smaller than what may leave must be about."""
    return any(len(one.members) < _least(session, one, settings) for one in asked)


def record(
    session: orm.Session,
    asked: Sequence[Population],
    *,
    run: str,
    person: str,
    project: str,
    workflow: str,
    parameters: Mapping[str, Any],
    leaves: bool,
) -> None:
    """Write a run into the ledger of each dataset that it reads; its outcome follows when its decision is closed."""
    session.add_all(
        Query(
            run=run,
            dataset=one.dataset,
            person=person,
            project=project,
            workflow=workflow,
            parameters=dict(parameters),
            population=one.sha256,
            size=len(one.members),
            members=list(one.members),
            near=one.near,
            leaves=leaves,
            outcome=None,
            asked=now(),
        )
        for one in asked
    )


def allow(session: orm.Session, actor: str, dataset: str, *, project: str, queries: int) -> None:
    """Let a project ask so many more questions of a dataset today; a member of the DAC decides that."""
    find(session, dataset)
    rules.check_may_allow(asker_of(session, actor, None))
    projects.open_project(session, project)
    session.add(QueryAllowance(dataset=dataset, project=project, queries=queries, allowed_by=actor, since=now()))
    session.flush()
    append(session, Entry(Event.QUERIES_ALLOWED, actor, dataset, project, {"queries": queries}))


def _least(session: orm.Session, one: Population, settings: Settings) -> int:
    return fewest(session.get_one(Dataset, one.dataset).min_population, k=settings.airlock.min_count)


def _is_known(session: orm.Session, one: Population) -> bool:
    same = sa.select(Query.number).where(Query.dataset == one.dataset, Query.population == one.sha256, Query.leaves)
    return session.scalar(same.limit(1)) is not None


def _is_near(session: orm.Session, one: Population, *, k: int) -> bool:
    # Whoever asked and whenever: what left then can be compared with what leaves now.
    size = len(one.members)
    sizes = Query.size.between(size - k + 1, size + k - 1)
    query = sa.select(Query.population, Query.members).where(Query.dataset == one.dataset, sizes, Query.leaves)
    seen = set[str]()
    for name, members in session.execute(query.execution_options(yield_per=50)):
        if name not in seen and is_near(one.members, members, k=k):
            return True
        seen.add(name)
    return False


def _spent(session: orm.Session, dataset: str, project: str) -> Spent:
    new = Query.dataset == dataset, Query.project == project, Query.leaves, Query.asked > now() - DAY
    count = sa.select(sa.func.count(Query.population.distinct())).where(*new)
    near = sa.select(sa.func.count(Query.population.distinct())).where(*new, Query.near)
    return Spent(session.scalar(count) or 0, session.scalar(near) or 0)


def _budget(session: orm.Session, dataset: str, project: str, settings: Settings) -> Budget:
    since = QueryAllowance.since > now() - DAY
    given = sa.select(sa.func.sum(QueryAllowance.queries)).where(
        QueryAllowance.dataset == dataset, QueryAllowance.project == project, since
    )
    more = session.scalar(given) or 0
    return Budget(settings.wes.populations_a_day + more, settings.wes.near_populations_a_day + more)

"""The ledger of queries: too few persons, too many populations a day, and those that differ by too few (T6)."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from archive import decisions, queries
from archive.query_rules import Budget, BudgetSpent, Spent, check_budget, check_size, fewest, is_near
from archive.store import Dataset, Query, StoredObject
from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.errors import NotAllowed
from strongroom.projects import PLATFORM, Membership, Project, Role
from strongroom.settings import Settings

PEOPLE = [f"person{n:02}" for n in range(40)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, wes={"populations_a_day": 6, "near_populations_a_day": 2})


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    engine = open_database("sqlite://")
    Base.metadata.create_all(engine)
    with transaction(engine) as session:
        for name, least in (("d", None), ("large", 30), ("nobody", 0), ("other", None)):
            shape = {"title": name, "observability": "open", "sensitivity": "standard", "ancestors": []}
            session.add(
                Dataset(id=name, **shape, created_by="o", created=now(), policy_version=1, min_population=least)
            )
        for project in ("p", "q"):
            session.add(Project(id=project, title=project, min_count=5, policy_version=1, created=now()))
        for person, role in (("dan@development", Role.DAC_MEMBER), ("olga@development", Role.OPERATOR)):
            session.add(Membership(project=PLATFORM, person=person, role=role.value, since=now()))
    yield engine
    engine.dispose()


def ask(
    session: orm.Session, people: Sequence[str], settings: Settings, *, dataset: str = "d", project: str = "p"
) -> bool:
    """Ask about these persons as a run whose outputs may leave; return whether that was near to another question."""
    asked = [queries.Population(dataset, tuple(sorted(people)))]
    (checked,) = queries.check(session, asked, project=project, settings=settings)
    number = session.scalar(sa.select(sa.func.count()).select_from(Query))
    queries.record(
        session,
        [checked],
        run=f"{number:032x}",
        person="r",
        project=project,
        workflow="w/1.0.0",
        parameters={},
        leaves=True,
    )
    session.flush()
    return checked.near


@pytest.mark.parametrize(("asked", "least"), [(None, 5), (0, 0), (1, 5), (4, 5), (5, 5), (20, 20)])
def test_a_dataset_may_ask_for_more_than_k_and_never_for_less_unless_nobody_is_in_it(
    asked: int | None, least: int
) -> None:
    assert fewest(asked, k=5) == least


def test_t6_too_few_persons_are_refused_with_the_reason() -> None:
    check_size(5, least=5)
    check_size(0, least=0)
    with pytest.raises(NotAllowed, match=r"4 persons .* for 5 or more"):
        check_size(4, least=5)


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("abcdef", "abcdef", False),
        ("abcdef", "abcde", True),
        ("abcdef", "abcdeg", True),
        ("abcdefg", "abhijklmn", False),
    ],
)
def test_populations_are_near_if_they_differ_by_fewer_than_k(one: str, other: str, near: bool) -> None:
    assert is_near(one, other, k=5) is near
    assert is_near(other, one, k=5) is near


def test_the_budget_says_what_to_do() -> None:
    check_budget(Spent(5, 2), Budget(6, 3), near=True)
    check_budget(Spent(5, 9), Budget(6, 3), near=False)
    for spent, near in ((Spent(6, 0), False), (Spent(0, 3), True)):
        with pytest.raises(BudgetSpent, match="DAC") as refusal:
            check_budget(spent, Budget(6, 3), near=near)
        assert refusal.value.status == 409


def test_t6_a_series_that_narrows_on_one_person_is_stopped(engine: sa.Engine, settings: Settings) -> None:
    with transaction(engine) as session:
        assert not ask(session, PEOPLE, settings)
        assert ask(session, PEOPLE[1:], settings)  # everybody but one: the difference is that person
        assert ask(session, PEOPLE[2:], settings)
        for narrower in (PEOPLE[3:], PEOPLE[:39], [*PEOPLE[1:], "somebody else"]):
            with pytest.raises(BudgetSpent, match="differ by very few"):
                ask(session, narrower, settings)
        # A friend in another project spends that project's own, and then none is left there either.
        friend = [[person for person in PEOPLE if person != PEOPLE[n + 10]] for n in range(3)]
        assert ask(session, friend[0], settings, project="q")
        assert ask(session, friend[1], settings, project="q")
        with pytest.raises(BudgetSpent):
            ask(session, friend[2], settings, project="q")


def test_t6_the_same_population_again_is_no_new_question(engine: sa.Engine, settings: Settings) -> None:
    with transaction(engine) as session:
        for _ in range(20):
            assert not ask(session, PEOPLE, settings)


def test_t6_different_populations_of_a_day_are_counted(engine: sa.Engine, settings: Settings) -> None:
    with transaction(engine) as session:
        for n in range(6):
            assert not ask(session, PEOPLE[5 * n : 5 * n + 5], settings)
        with pytest.raises(BudgetSpent, match="as many different populations"):
            ask(session, PEOPLE[30:35], settings)
        assert not ask(session, PEOPLE[30:35], settings, dataset="other")
        session.execute(sa.update(Query).values(asked=now() - timedelta(days=2)))
        assert not ask(session, PEOPLE[30:35], settings)


def test_t6_yesterdays_populations_are_near_still(engine: sa.Engine, settings: Settings) -> None:
    with transaction(engine) as session:
        ask(session, PEOPLE, settings)
        session.execute(sa.update(Query).values(asked=now() - timedelta(days=300)))
        assert ask(session, PEOPLE[1:], settings)


def test_t6_the_dac_alone_allows_more(engine: sa.Engine, settings: Settings) -> None:
    with transaction(engine) as session:
        for people in (PEOPLE, PEOPLE[1:], PEOPLE[2:]):
            ask(session, people, settings)
        with pytest.raises(NotAllowed, match="DAC member"):
            queries.allow(session, "olga@development", "d", project="p", queries=1)
        queries.allow(session, "dan@development", "d", project="p", queries=1)
        assert ask(session, PEOPLE[3:], settings)
        with pytest.raises(BudgetSpent):
            ask(session, PEOPLE[4:], settings)


def test_t6_each_dataset_has_its_own_fewest(engine: sa.Engine, settings: Settings) -> None:
    with transaction(engine) as session:
        with pytest.raises(NotAllowed, match="30 or more"):
            ask(session, PEOPLE[:29], settings, dataset="large")
        assert not ask(session, PEOPLE[:30], settings, dataset="large")
        assert not ask(session, ["object:reference"], settings, dataset="nobody")


def test_an_object_of_nobody_counts_as_one_person(engine: sa.Engine) -> None:
    facts = {"purpose": "store", "owner": "d", "kind": "task", "role": "output", "ancestors": [], "version": 1}
    facts |= {"size": 1, "plaintext_hmac": "", "body_length": 1, "body_sha256": "", "segments": 1, "key_version": 1}
    facts |= {"header_sha256": "", "policy_version": 1, "signature": b"", "created": now()}
    with transaction(engine) as session:
        session.add(StoredObject(id="a", persons=["p1", "p2"], **facts))
        session.add(StoredObject(id="b", persons=["p2"], **facts))
        session.add(StoredObject(id="c", persons=[], **facts))
        session.flush()
        (found,) = queries.populations(session, {"d": ["a", "b", "c"]})
    assert found.members == ("object:c", "p1", "p2")


def test_the_outcome_follows_the_decision(engine: sa.Engine, settings: Settings) -> None:
    with transaction(engine) as session:
        ask(session, PEOPLE, settings)
        run = session.scalar(sa.select(Query.run))
        assert run is not None
        decisions.record(
            session,
            run=run,
            person="r",
            project="p",
            workflow="w",
            version="1",
            workflow_digest="",
            envelope={},
            images={},
            datasets=["d"],
            policy_version=1,
            seconds=60,
        )
        session.flush()
        decisions.close(session, run, "executor_error")
    with reading(engine) as session:
        assert session.scalar(sa.select(Query.outcome)) == "executor_error"

"""Which tasks a list shows: TES 1.1's own table of tags, filters that add up, pages without gap or repeat."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.errors import BadRequest
from tes.listing import Filter, query, zipped
from tes.store import Task, TaskTag
from tes.tasks import TaskState

ALL = Filter(None, "", None, ())


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'd.db'}")
    Base.metadata.create_all(made)
    yield made
    made.dispose()


def add(
    session: orm.Session, number: int, *, name: str = "qc", state: str = "COMPLETE", person: str = "ruth", **tags: str
) -> None:
    task = Task(
        number=number,
        id=f"{number:032x}",
        seq=number,
        state=state,
        client="test",
        idempotency_key=str(number),
        body_digest="",
        run="a" * 32,
        project="cohort",
        person=person,
        coarse=False,
        name=name,
        request={},
        plan={},
        policy_version=1,
        created=now(),
        attempts=0,
    )
    session.add(task)
    session.flush()
    session.add_all(TaskTag(number=number, key=key, value=value) for key, value in tags.items())


def shown(engine: sa.Engine, wanted: Filter, *, before: int | None = None, most: int = 100) -> list[int]:
    with reading(engine) as session:
        return [task.number for task in session.scalars(query(wanted, before=before, most=most))]


@pytest.mark.parametrize(
    ("asked", "tags", "match"),
    [  # the table of the specification, line by line
        ({"foo": "bar"}, {"foo": "bar"}, True),
        ({"foo": "bar"}, {"foo": "bat"}, False),
        ({"foo": ""}, {"foo": ""}, True),
        ({"foo": "bar", "baz": "bat"}, {"foo": "bar", "baz": "bat"}, True),
        ({"foo": "bar"}, {"foo": "bar", "baz": "bat"}, True),
        ({"foo": "bar", "baz": "bat"}, {"foo": "bar"}, False),
        ({"foo": ""}, {"foo": "bar"}, True),
        ({"foo": ""}, {}, False),
    ],
)
def test_tags_match_as_the_specification_says(
    engine: sa.Engine, asked: dict[str, str], tags: dict[str, str], match: bool
) -> None:
    with transaction(engine) as session:
        add(session, 1, **tags)
    assert shown(engine, Filter(None, "", None, tuple(asked.items()))) == [1] * match


def test_filters_add_up_and_pages_have_no_gap(engine: sa.Engine) -> None:
    with transaction(engine) as session:
        for number in range(1, 101):
            add(
                session,
                number,
                name=f"{'qc' if number % 2 else 'call_%'}-{number}",
                state="COMPLETE" if number % 3 else "RUNNING",
                person="ruth" if number % 5 else "otto",
                batch=str(number % 7),
            )
    wanted = Filter("ruth", "call_%", TaskState.COMPLETE, (("batch", "2"),))
    right = [n for n in range(100, 0, -1) if n % 2 == 0 and n % 3 and n % 5 and n % 7 == 2]
    assert shown(engine, wanted) == right != []
    assert shown(engine, Filter("ruth", "call_x", None, ())) == []  # _ and % are letters here
    seen: list[int] = []
    while page := shown(engine, ALL, before=seen[-1] if seen else None, most=7):
        seen += page
    assert seen == list(range(100, 0, -1))


@pytest.mark.parametrize(
    "wanted",
    [
        ALL,
        Filter("ruth", "", None, ()),
        Filter("ruth", "", TaskState.COMPLETE, ()),
        Filter("ruth", "", None, (("batch", "2"),)),
    ],
)
def test_a_page_walks_an_index_and_sorts_nothing(engine: sa.Engine, wanted: Filter) -> None:
    made = query(wanted, before=500_000, most=257).compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as connection:
        plan = [row[-1] for row in connection.exec_driver_sql(f"explain query plan {made}")]
    assert plan[0].startswith("SEARCH tasks USING"), plan
    assert not any("TEMP B-TREE" in line or line.startswith("SCAN") for line in plan), plan


def test_keys_and_values_are_zipped() -> None:
    assert zipped(["a", "b"], ["x"]) == (("a", "x"), ("b", ""))
    assert zipped([], []) == ()
    for keys, values in ((["a"], ["x", "y"]), (["a", "a"], ["x", "y"]), ([str(n) for n in range(17)], [])):
        with pytest.raises(BadRequest, match="tag_"):
            zipped(keys, values)

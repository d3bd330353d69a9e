"""Lists of tasks: every filter, full pages without gap or repeat, and always by an index that gives the order."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import orm

from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.errors import BadRequest
from strongroom.identity import Person
from tes.api import PLACE
from tes.listing import Wanted, after_all_with, page, queries, zipped
from tes.store import Task, TaskTag, attempts_of
from tes.tasks import TaskState
from tes.views import shown

RUTH, RITA = "ruth@development", "rita@development"
STATES = [TaskState.COMPLETE, TaskState.EXECUTOR_ERROR, TaskState.COMPLETE, TaskState.QUEUED]


def a_task(number: int, **changes: Any) -> Task:
    facts: dict[str, Any] = {
        "id": f"{number:032x}",
        "seq": number,
        "state": STATES[number % 4].value,
        "client": "wes.gateway",
        "idempotency_key": str(number),
        "body_digest": "0" * 64,
        "run": "r" * 32,
        "project": "p",
        "person": RUTH,
        "coarse": False,
        "name": f"{'align' if number % 3 else 'Align'}-{number}",
        "request": {},
        "plan": {},
        "policy_version": 1,
        "created": now(),
        "attempts": 0,
    }
    return Task(number=number, **facts | changes)


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    engine = open_database("sqlite://")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def filled(engine: sa.Engine) -> sa.Engine:
    """Sixty tasks of two persons, interleaved, with tags."""
    with transaction(engine) as session:
        for number in range(1, 61):
            person = RITA if number % 5 == 0 else RUTH
            session.add(a_task(number, person=person))
            session.flush()
            session.add(TaskTag(number=number, key="parity", value="odd" if number % 2 else "even", person=person))
            if number % 7 == 0:
                session.add(TaskTag(number=number, key="seven", value="", person=person))
    return engine


def walk(session: orm.Session, wanted: Wanted, size: int) -> list[list[int]]:
    """Return the numbers on each page, as the API walks them."""
    pages, after = list[list[int]](), None
    while True:
        rows = page(session, wanted, after=after, most=size + 1)
        pages.append([row.number for row in rows[:size]])
        if len(rows) <= size:
            return pages
        after = rows[size - 1]


FILTERS: dict[str, tuple[Wanted, Callable[[int], bool]]] = {
    "all of a person": (Wanted(RUTH), lambda n: n % 5 != 0),
    "of another": (Wanted(RITA), lambda n: n % 5 == 0),
    "of our services": (Wanted(None), lambda n: True),
    "a state": (Wanted(RUTH, state=TaskState.EXECUTOR_ERROR), lambda n: n % 5 != 0 and n % 4 == 1),
    "a name": (Wanted(RUTH, name_prefix="align"), lambda n: n % 5 != 0 and n % 3 != 0),
    "a longer name": (Wanted(RUTH, name_prefix="align-1"), lambda n: n % 5 != 0 and n % 3 != 0 and str(n)[0] == "1"),
    "a tag": (Wanted(RUTH, tags=(("parity", "odd"),)), lambda n: n % 5 != 0 and n % 2 == 1),
    "any value": (Wanted(RUTH, tags=(("seven", ""),)), lambda n: n % 5 != 0 and n % 7 == 0),
    "two tags": (Wanted(RUTH, tags=(("parity", "even"), ("seven", ""))), lambda n: n % 5 != 0 and n % 14 == 0),
    "no such tag": (Wanted(RUTH, tags=(("parity", "none"),)), lambda n: False),
    "all together": (
        Wanted(RUTH, "Al", TaskState.COMPLETE, (("parity", "even"),)),
        lambda n: n % 5 != 0 and n % 3 == 0 and n % 2 == 0 and n % 4 in (0, 2),
    ),
    "a tag and a state": (
        Wanted(RUTH, state=TaskState.QUEUED, tags=(("parity", "odd"),)),
        lambda n: n % 5 != 0 and n % 4 == 3,
    ),
}


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize("name", FILTERS)
def test_filters_hold_together_and_pages_are_full(filled: sa.Engine, name: str, size: int) -> None:
    wanted, holds = FILTERS[name]
    with reading(filled) as session:
        pages = walk(session, wanted, size)
    found = [number for page in pages for number in page]
    assert sorted(found) == [n for n in range(1, 61) if holds(n)]
    assert all(len(page) == size for page in pages[:-1])
    if not wanted.name_prefix:
        assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_tasks_of_one_name_are_all_found(engine: sa.Engine, size: int) -> None:
    with transaction(engine) as session:
        session.add_all(a_task(n, name="same" if n % 2 else f"same-{n}") for n in range(1, 13))
    with reading(engine) as session:
        pages = walk(session, Wanted(RUTH, name_prefix="same"), size)
    assert [n for one in pages for n in one] == [1, 3, 5, 7, 9, 11, 10, 12, 2, 4, 6, 8]


@pytest.mark.parametrize(("prefix", "numbers"), [("call_%", [1]), ("call_", [1]), ("call_x", []), ("%", [])])
def test_a_prefix_is_letters_only(engine: sa.Engine, prefix: str, numbers: list[int]) -> None:
    with transaction(engine) as session:
        session.add_all([a_task(1, name="call_%-1"), a_task(2, name="callx-2")])
    with reading(engine) as session:
        assert [row.number for row in page(session, Wanted(RUTH, prefix), after=None, most=10)] == numbers


def test_tasks_that_come_between_pages_neither_repeat_nor_shift(filled: sa.Engine) -> None:
    with transaction(filled) as session:
        first = page(session, Wanted(RUTH), after=None, most=10)
        session.add_all(a_task(number) for number in range(61, 81))
        session.flush()
        rest = page(session, Wanted(RUTH), after=first[-1], most=100)
    assert [row.number for row in first + rest] == [n for n in range(60, 0, -1) if n % 5]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(RUTH), "ix_tasks_person_number"),
        (Wanted(RUTH, state=TaskState.QUEUED), "ix_tasks_person_state_number"),
        (Wanted(None, state=TaskState.QUEUED), "ix_tasks_state_number"),
        (Wanted(None, state=TaskState.QUEUED, tags=(("k", "v"),)), "ix_tasks_state_number"),
        (Wanted(None, name_prefix="a"), "ix_tasks_name_number"),
        (Wanted(None, name_prefix="a", state=TaskState.QUEUED), "ix_tasks_name_number"),
        (Wanted(RUTH, name_prefix="a"), "ix_tasks_person_name_number"),
        (Wanted(RUTH, name_prefix="a", state=TaskState.QUEUED), "ix_tasks_person_name_number"),
        (Wanted(RUTH, name_prefix="a", tags=(("k", "v"),)), "ix_tasks_person_name_number"),
        (Wanted(RUTH, tags=(("k", "v"),)), "ix_task_tags_person_key_value_number"),
        (Wanted(RUTH, tags=(("k", ""),)), "ix_task_tags_person_key_number"),
        (Wanted(RUTH, tags=(("k", "v"), ("l", "")), state=TaskState.QUEUED), "ix_task_tags_person_key_value_number"),
    ],
)
@pytest.mark.parametrize("following", [False, True])
def test_each_list_walks_an_index_and_sorts_nothing(
    engine: sa.Engine, wanted: Wanted, index: str, following: bool
) -> None:
    # What a page costs does not grow with the table: an index is entered where the last page ended, and walked.
    for query in queries(wanted, a_task(500_000) if following else None):
        compiled = query.limit(257).compile(engine, compile_kwargs={"literal_binds": True})
        with reading(engine) as session:
            plan = [row[3] for row in session.execute(sa.text(f"EXPLAIN QUERY PLAN {compiled}"))]
        assert index in plan[0], plan
        assert not following or re.search(r"(number|name)[<>]\?", plan[0]), plan
        assert not any("SCAN" in step or "TEMP B-TREE" in step for step in plan), plan


# TES 1.1, GET /tasks, tag_key: the table as it stands there.
TABLE = [
    ({"foo": "bar"}, {"foo": "bar"}, True),
    ({"foo": "bar"}, {"foo": "bat"}, False),
    ({"foo": ""}, {"foo": ""}, True),
    ({"foo": "bar", "baz": "bat"}, {"foo": "bar", "baz": "bat"}, True),
    ({"foo": "bar"}, {"foo": "bar", "baz": "bat"}, True),
    ({"foo": "bar", "baz": "bat"}, {"foo": "bar"}, False),
    ({"foo": ""}, {"foo": "bar"}, True),
    ({"foo": ""}, {}, False),
]


@pytest.mark.parametrize("person", [RUTH, None])
@pytest.mark.parametrize(("asked", "tags", "match"), TABLE)
def test_the_table_of_the_specification(
    engine: sa.Engine, asked: dict[str, str], tags: dict[str, str], match: bool, person: str | None
) -> None:
    with transaction(engine) as session:
        session.add(a_task(1))
        session.flush()
        session.add_all(TaskTag(number=1, key=key, value=value, person=RUTH) for key, value in tags.items())
    with reading(engine) as session:
        wanted = Wanted(person, tags=zipped(list(asked), list(asked.values())))
        assert (page(session, wanted, after=None, most=10) != []) is match


@pytest.mark.parametrize(
    ("keys", "values", "tags"),
    [
        (["a", "b"], ["1", "2"], (("a", "1"), ("b", "2"))),
        (["a", "b"], ["1"], (("a", "1"), ("b", ""))),
        (["a"], [], (("a", ""),)),
        ([], [], ()),
    ],
)
def test_keys_and_values_are_zipped(keys: list[str], values: list[str], tags: object) -> None:
    assert zipped(keys, values) == tags


@pytest.mark.parametrize(
    ("keys", "values"),
    [([], ["1"]), (["a"], ["1", "2"]), (["a", "a"], ["1", "2"]), ([str(n) for n in range(17)], [])],
)
def test_tags_that_contradict_each_other_are_refused(keys: list[str], values: list[str]) -> None:
    with pytest.raises(BadRequest, match="tag_"):
        zipped(keys, values)


def test_tags_of_coarse_tasks_answer_no_question_of_a_person(engine: sa.Engine) -> None:
    with transaction(engine) as session:
        session.add_all([a_task(1, coarse=True), a_task(2)])
        session.flush()
        session.add_all(TaskTag(number=n, key="carrier", value="yes", person=RUTH) for n in (1, 2))
    with reading(engine) as session:
        for wanted, numbers in (
            (Wanted(RUTH, tags=(("carrier", "yes"),)), [2]),
            (Wanted(RUTH, name_prefix="a", tags=(("carrier", ""),)), [2]),
            (Wanted(None, tags=(("carrier", "yes"),)), [2, 1]),
        ):
            assert [row.number for row in page(session, wanted, after=None, most=10)] == numbers


letters = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4)


@given(letters, letters)
def test_the_end_of_a_prefix_parts_what_has_it_from_what_has_not(prefix: str, text: str) -> None:
    beyond = after_all_with(prefix)
    assert text.startswith(prefix) == (prefix <= text and (beyond is None or text < beyond))
    assert prefix <= prefix + text
    assert beyond is None or prefix + text < beyond


def test_a_minimal_list_reads_no_request_and_no_plan(filled: sa.Engine) -> None:
    statements: list[str] = []
    sa.event.listen(filled, "before_cursor_execute", lambda *a: statements.append(a[2]))
    with reading(filled) as session:
        rows = page(session, Wanted(RUTH), after=None, most=10, options=PLACE)
        assert [shown(row, [], view="MINIMAL", who=Person(RUTH))["id"] for row in rows]
    assert [one for one in statements if "SELECT" in one]
    assert not any(column in one for one in statements for column in ("request", "plan", "body_digest"))


def test_attempts_are_read_for_a_whole_page_at_once(engine: sa.Engine) -> None:
    statements: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    with reading(engine) as session:
        assert attempts_of(session, ["a", "b"]) == {"a": [], "b": []}
    assert sum("FROM attempts" in one for one in statements) == 1

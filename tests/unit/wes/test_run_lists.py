"""Lists of runs: every filter, full pages without gap or repeat, and always by an index that gives the order."""

import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.database import Base, open_database, reading, transaction
from wes.listing import Wanted, page, queries
from wes.runs import RunState

sys.path.append(str(Path(__file__).parent))
from runs_scene import BEGUN, RITA, RUTH, a_run, add, plan_of

STATES = [RunState.COMPLETE, RunState.EXECUTOR_ERROR, RunState.COMPLETE, RunState.QUEUED]


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    engine = open_database("sqlite://")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def filled(engine: sa.Engine) -> sa.Engine:
    """Sixty runs of two persons, interleaved, with tags."""
    with transaction(engine) as session:
        for number in range(1, 61):
            tags = {"project": "cohort", "parity": "odd" if number % 2 else "even"}
            if number % 7 == 0:
                tags["seven"] = ""
            run = a_run(
                number,
                person=RITA if number % 5 == 0 else RUTH,
                state=STATES[number % 4].value,
                name=f"{'chr' if number % 3 else 'Chr'}-{number}",
                workflow="a" if number % 2 else "b",
                version="1.0.0" if number % 4 < 2 else "2.0.0",
                tags=tags,
            )
            add(session, run)
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


def minute(number: int) -> timedelta:
    return timedelta(minutes=number)


FILTERS: dict[str, tuple[Wanted, Callable[[int], bool]]] = {
    "all of a person": (Wanted(RUTH), lambda n: True),
    "a state": (Wanted(RUTH, state=RunState.EXECUTOR_ERROR), lambda n: n % 4 == 1),
    "a name": (Wanted(RUTH, name_prefix="chr"), lambda n: n % 3 != 0),
    "a longer name": (Wanted(RUTH, name_prefix="chr-1"), lambda n: n % 3 != 0 and str(n)[0] == "1"),
    "a tag": (Wanted(RUTH, tags=(("parity", "odd"),)), lambda n: n % 2 == 1),
    "any value": (Wanted(RUTH, tags=(("seven", ""),)), lambda n: n % 7 == 0),
    "two tags": (Wanted(RUTH, tags=(("parity", "even"), ("seven", ""))), lambda n: n % 14 == 0),
    "a workflow": (Wanted(RUTH, workflow=("a", "")), lambda n: n % 2 == 1),
    "a version": (Wanted(RUTH, workflow=("a", "2.0.0")), lambda n: n % 4 == 3),
    "since": (Wanted(RUTH, created_after=BEGUN + minute(20)), lambda n: n >= 20),
    "until": (Wanted(RUTH, created_before=BEGUN + minute(20)), lambda n: n < 20),
    "between": (
        Wanted(RUTH, created_after=BEGUN + minute(11), created_before=BEGUN + minute(41)),
        lambda n: 11 <= n < 41,
    ),
    "before all": (Wanted(RUTH, created_before=BEGUN), lambda n: False),
    "after all": (Wanted(RUTH, created_after=BEGUN + minute(99)), lambda n: False),
    "a tag and a time": (
        Wanted(RUTH, tags=(("parity", "odd"),), created_before=BEGUN + minute(30)),
        lambda n: n % 2 == 1 and n < 30,
    ),
    "all together": (
        Wanted(
            RUTH, "chr", RunState.COMPLETE, (("parity", "even"),), ("b", ""), BEGUN + minute(5), BEGUN + minute(50)
        ),
        lambda n: n % 3 != 0 and n % 2 == 0 and 5 <= n < 50,
    ),
}


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize("name", FILTERS)
def test_filters_hold_together_and_pages_are_full(filled: sa.Engine, name: str, size: int) -> None:
    wanted, holds = FILTERS[name]
    with reading(filled) as session:
        pages = walk(session, wanted, size)
    found = [number for page in pages for number in page]
    assert sorted(found) == [n for n in range(1, 61) if n % 5 != 0 and holds(n)]
    assert all(len(page) == size for page in pages[:-1])
    if not wanted.name_prefix:
        assert found == sorted(found, reverse=True)


def test_runs_that_come_between_pages_neither_repeat_nor_shift(filled: sa.Engine) -> None:
    with transaction(filled) as session:
        first = page(session, Wanted(RUTH), after=None, most=10)
        add(session, *(a_run(number) for number in range(61, 81)))
        rest = page(session, Wanted(RUTH), after=first[-1], most=100)
    assert [row.number for row in first + rest] == [n for n in range(60, 0, -1) if n % 5]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(RUTH), "ix_runs_person_number"),
        (Wanted(RUTH, state=RunState.QUEUED), "ix_runs_person_state_number"),
        (Wanted(RUTH, name_prefix="a"), "ix_runs_person_name_number"),
        (Wanted(RUTH, name_prefix="a", state=RunState.QUEUED), "ix_runs_person_name_number"),
        (Wanted(RUTH, name_prefix="a", workflow=("a", "")), "ix_runs_person_name_number"),
        (Wanted(RUTH, workflow=("a", "1.0.0")), "ix_runs_person_workflow_number"),
        (Wanted(RUTH, workflow=("a", ""), state=RunState.QUEUED), "ix_runs_person_workflow_number"),
        (Wanted(RUTH, tags=(("k", "v"),)), "ix_run_tags_person_key_value_number"),
        (Wanted(RUTH, tags=(("k", ""),)), "ix_run_tags_person_key_number"),
        (
            Wanted(RUTH, tags=(("k", "v"), ("l", "")), state=RunState.QUEUED, workflow=("a", "")),
            "ix_run_tags_person_key_value_number",
        ),
    ],
)
@pytest.mark.parametrize("following", [False, True])
@pytest.mark.parametrize("between", [(None, None), (5, 900_000)])
def test_each_list_walks_an_index_and_sorts_nothing(
    engine: sa.Engine, wanted: Wanted, index: str, following: bool, between: tuple[int | None, int | None]
) -> None:
    # What a page costs does not grow with the table: an index is entered where the last page ended, and walked.
    older, newest = between
    for query in queries(wanted, a_run(500_000) if following else None, older=older, newest=newest):
        plan = plan_of(engine, query.limit(257))
        assert index in plan[0], plan
        assert not following or re.search(r"(number|name)[<>]\?", plan[0]), plan
        assert not any("SCAN" in step or "TEMP B-TREE" in step for step in plan), plan


def test_a_line_reads_no_request_and_no_configuration(filled: sa.Engine) -> None:
    from wes.views import line

    statements: list[str] = []
    sa.event.listen(filled, "before_cursor_execute", lambda *a: statements.append(a[2]))
    with reading(filled) as session:
        assert [line(row)["run_id"] for row in page(session, Wanted(RUTH), after=None, most=10)]
    assert [one for one in statements if "SELECT" in one]
    assert not any(column in one for one in statements for column in ("request", "config", "digest"))

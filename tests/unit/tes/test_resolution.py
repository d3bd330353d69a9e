"""What inputs name is looked up in the run's own records and its datasets, and what leads to nothing is said."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from archive.facts import Decision
from archive.store import DatasetFile
from strongroom.database import Base, now, open_database, transaction
from strongroom.errors import NotFound
from tes.resolution import resolved
from tes.store import TaskOutput, record_outputs

RUN, OTHER = "a" * 32, "b" * 32
DECISION = Decision(
    run=RUN,
    person="ruth",
    project="p",
    workflow="w",
    version="1.0.0",
    workflow_digest="",
    envelope={},
    images={},
    datasets=("hapmap",),
    policy_version=1,
    created=now(),
    expires=now(),
)
OUTPUTS = {"d/one": "1", "d/deep/two": "2", "dd": "3", "d0": "4", "D/x": "5", "d-e/x": "6", "%/x": "7"}


@pytest.fixture
def session() -> Iterator[orm.Session]:
    engine = open_database("sqlite://")
    Base.metadata.create_all(engine)
    with transaction(engine) as session:
        session.execute(sa.text("PRAGMA defer_foreign_keys = ON"))
        outputs = [{"path": f"/run/work/{path}", "object": one, "role": "output"} for path, one in OUTPUTS.items()]
        logs = [{"path": "/run/work/.strongroom/stdout.0", "object": "log", "role": "stdout"}]
        record_outputs(session, RUN, {"outputs": outputs + logs})
        record_outputs(session, OTHER, {"outputs": [{"path": "/run/work/d/foreign", "object": "f"}]})
        for dataset, name in (
            ("hapmap", "x.vcf"),
            ("hapmap", "2020/y.vcf"),
            ("hapmap", "2020/z.vcf"),
            ("secret", "s"),
        ):
            session.add(DatasetFile(dataset=dataset, name=name, object=f"{dataset}:{name}"))
        session.flush()
        yield session
        session.rollback()


def given(of: str, owner: str, name: str, kind: str = "DIRECTORY", path: str = "/run/work/in") -> dict[str, Any]:
    return {"path": path, "type": kind, "of": of, "owner": owner, "name": name}


def found(session: orm.Session, *inputs: dict[str, Any]) -> dict[str, str]:
    return {one["path"].removeprefix("/run/work/"): one["object"] for one in resolved(session, inputs, DECISION)}


@pytest.mark.parametrize(
    ("asked", "files"),
    [
        (given("run", RUN, "d"), {"in/one": "1", "in/deep/two": "2"}),
        (given("run", RUN, "d/deep"), {"in/two": "2"}),
        (given("run", RUN, "%"), {"in/x": "7"}),
        (given("run", RUN, "dd", "FILE"), {"in": "3"}),
        (given("run", RUN, ""), {f"in/{path}": one for path, one in OUTPUTS.items()}),
        (given("dataset", "hapmap", "2020"), {"in/y.vcf": "hapmap:2020/y.vcf", "in/z.vcf": "hapmap:2020/z.vcf"}),
        (given("dataset", "hapmap", "x.vcf", "FILE"), {"in": "hapmap:x.vcf"}),
    ],
)
def test_a_directory_is_what_lies_below_it(
    session: orm.Session, asked: dict[str, Any], files: dict[str, str]
) -> None:
    assert found(session, asked) == files


@pytest.mark.parametrize(
    "asked",
    [
        given("run", RUN, "nothing"),
        given("run", RUN, "dd"),  # a file is no directory
        given("run", RUN, "d", "FILE"),
        given("run", RUN, "d/foreign", "FILE"),
        given("run", RUN, ".strongroom/stdout.0", "FILE"),
        given("dataset", "hapmap", "2021"),
        given("dataset", "hapmap", "X.VCF", "FILE"),
        given("dataset", "secret", ""),  # not of this run
        given("dataset", "secret", "s", "FILE"),
    ],
)
def test_what_leads_to_nothing_is_said_with_its_field(session: orm.Session, asked: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match=r"inputs\[1\]") as refused:
        found(session, {"path": "/run/work/a", "object": "a"}, asked)
    assert "secret" not in refused.value.sentence


def test_of_one_path_the_last_output_counts(session: orm.Session) -> None:
    session.add(TaskOutput(run=RUN, path="dd", object="newer"))
    session.flush()
    assert found(session, given("run", RUN, "dd", "FILE")) == {"in": "newer"}


def test_what_is_known_already_stays_as_it_is(session: orm.Session) -> None:
    known = [{"path": "/run/work/a", "object": "a"}, {"path": "/run/work/b", "content": "eA=="}]
    assert resolved(session, known, DECISION) == known


@pytest.mark.parametrize("path", ["/run/work/in/one", "/run/work/in/deep", "/run/work/in/one/x"])
def test_a_file_of_a_directory_gets_in_no_other_inputs_way(session: orm.Session, path: str) -> None:
    other = {"path": path, "object": "a"}
    with pytest.raises(NotFound, match="inputs"):
        found(session, other, given("run", RUN, "d"))


def test_directories_are_found_by_an_index(session: orm.Session) -> None:
    asked: list[tuple[str, Any]] = []
    sa.event.listen(session.get_bind(), "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
    assert found(session, given("run", RUN, "d"))
    ((statement, parameters),) = asked
    plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    assert any("ix_task_outputs_run_path" in row[3] for row in plan)

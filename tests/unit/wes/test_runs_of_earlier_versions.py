"""Runs that were there before lists had filters are found by them after the migration, and going back loses none."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from strongroom.database import open_database, reading
from strongroom.settings import SOURCE
from wes.listing import Wanted, page
from wes.views import line

OLD = """
insert into runs (id, state, project, person, coarse, workflow, version, digest, contract_schema, policy_version,
                  request, config, datasets, created, started, launches)
values (:id, 'COMPLETE', 'p', 'ruth', 0, 'w', '1.0.0', 'd', 1, 1,
        :request, '{}', '[]', '2026-01-01 00:00:00.000000', '2026-01-01 00:00:09.000000', 1)
"""


@pytest.fixture
def to(tmp_path: Path) -> Callable[[str], None]:
    """Bring a database to a revision, up or down."""
    config = Config()
    config.set_main_option("script_location", str(SOURCE / "migrations"))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{tmp_path / 'old.db'}")

    def go(revision: str) -> None:
        (command.downgrade if revision == "0007" and (tmp_path / "old.db").exists() else command.upgrade)(
            config, revision
        )

    return go


def test_what_was_there_is_found_by_name_and_tag(to: Callable[[str], None], tmp_path: Path) -> None:
    to("0007")
    engine = open_database(f"sqlite:///{tmp_path / 'old.db'}")
    with engine.begin() as connection:
        for number, tags in enumerate(({"project": "p"}, {"project": "p", "name": "figure 2"})):
            connection.execute(sa.text(OLD), {"id": str(number), "request": json.dumps({"tags": tags})})
    to("head")
    with reading(engine) as session:
        rows = page(session, Wanted("ruth"), after=None, most=10)
        assert [(row.id, row.name, line(row)["tags"]) for row in rows] == [
            ("1", "figure 2", {"project": "p", "name": "figure 2"}),
            ("0", "w/1.0.0", {"project": "p"}),
        ]
        assert [row.id for row in page(session, Wanted("ruth", tags=(("name", ""),)), after=None, most=10)] == ["1"]
        assert [row.id for row in page(session, Wanted("ruth", name_prefix="w/"), after=None, most=10)] == ["0"]
        assert session.execute(sa.text("select count(*) from runs where turn = started")).scalar() == 2
    engine.dispose()
    to("0007")
    with open_database(f"sqlite:///{tmp_path / 'old.db'}").connect() as connection:
        assert connection.execute(sa.text("select count(*) from runs")).scalar() == 2

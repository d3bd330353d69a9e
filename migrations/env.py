"""Runs Alembic against the tables of all rooms."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from sqlalchemy import create_engine

import access.store
import airlock.cohorts
import airlock.conflicts
import airlock.history
import airlock.review_store
import airlock.site_growth
import airlock.store
import archive.store
import strongroom.audit
import strongroom.contacts
import strongroom.floors
import strongroom.notices
import strongroom.projects
import strongroom.sessions
import tes.store
import wes.store
from strongroom.database import Base, UtcTime, open_database

FLOOR = (
    strongroom.audit,
    strongroom.contacts,
    strongroom.floors,
    strongroom.notices,
    strongroom.projects,
    strongroom.sessions,
)
ROOMS = (access.store, airlock.review_store, airlock.store, archive.store, tes.store, wes.store)


def plain_type(kind: str, column_type: Any, context_: Any) -> str | Literal[False]:
    """Write our column types down as SQLAlchemy's own, so that old migrations never depend on today's code."""
    if kind == "type" and isinstance(column_type, UtcTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(column_type, sa.JSON):
        context_.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def run() -> None:
    """Bring the database that Alembic was pointed at up to date."""
    url = context.config.get_main_option("sqlalchemy.url")
    assert url is not None
    engine = open_database(url) if url.startswith("sqlite") else create_engine(url)
    with engine.connect() as connection:
        context.configure(
            connection=connection, target_metadata=Base.metadata, render_as_batch=True, render_item=plain_type
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    engine.dispose()


run()

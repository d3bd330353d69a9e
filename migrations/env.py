"""Runs Alembic against the tables of all rooms."""

from alembic import context
from sqlalchemy import create_engine

import access.store
import airlock.store
import archive.store
import strongroom.audit
import strongroom.projects
import tes.store
import wes.store
from strongroom.database import Base, open_database

ROOMS = (access.store, airlock.store, archive.store, strongroom.audit, strongroom.projects, tes.store, wes.store)


def run() -> None:
    """Bring the database that Alembic was pointed at up to date."""
    url = context.config.get_main_option("sqlalchemy.url")
    assert url is not None
    engine = open_database(url) if url.startswith("sqlite") else create_engine(url)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    engine.dispose()


run()

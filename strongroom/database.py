"""Opens the one database of all rooms: SQLite in WAL mode or PostgreSQL, by URL."""

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import orm
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.types import TypeDecorator

from strongroom.persons import NOBODY, Joined
from strongroom.settings import SOURCE


class Turns:
    """Lets writers of one SQLite file wait for each other in the kernel; SQLite itself sleeps and tries again."""

    def __init__(self, database: str) -> None:
        self._threads = threading.Lock()
        self._file = _turn_file(database)

    @contextmanager
    def mine(self) -> Iterator[None]:
        """Wait until no other thread and no other process writes."""
        with self._threads:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file; a turn that is being taken in another process goes on."""
        os.close(self._file)


def _turn_file(database: str) -> int:
    """Open the file beside the database that turns are locks of; a new one gets the database's owner and mode.

    Never the database itself: closing that would drop SQLite's own locks.
    """
    path, flags = f"{database}-turn", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o660)
    except FileExistsError:
        return os.open(path, flags)  # whoever made it, and no link of theirs
    with contextlib.suppress(OSError):
        like = Path(database).stat()
        os.fchmod(file, like.st_mode & 0o777)
        os.fchown(file, like.st_uid, like.st_gid)
    return file


_TURNS: dict[str, Turns] = {}


def _forget_turns() -> None:
    # A child takes turns of its own; what it inherited could outlive the parent's turn.
    for turns in _TURNS.values():
        turns.close()
    _TURNS.clear()


os.register_at_fork(after_in_child=_forget_turns)


class Base(orm.DeclarativeBase):
    """Mother of all tables; constraints have names, so that migrations can speak of them."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC times, stored the same way in SQLite and PostgreSQL."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        """Refuse naive times at the door."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        """Give times back with their zone."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


Json = sa.JSON().with_variant(sa.dialects.postgresql.JSONB(), "postgresql")


def letters(length: int) -> sa.String:
    """Return a column type that is compared letter by letter everywhere: an index finds ranges of it."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def index_where(condition: str, name: str, *columns: str) -> sa.Index:
    """Return an index of the rows alone for which `condition` holds, on SQLite and on PostgreSQL."""
    return sa.Index(name, *columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))


def now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)


class _Connection(sqlite3.Connection):
    """A connection that knows whether its next transaction only reads."""

    reading = False


class _Sqlite(SQLiteDialect_pysqlite):
    """SQLite whose transactions say at their beginning whether they write.

    An engine with a listener for that would look for listeners at every statement.
    """

    supports_statement_cache = True

    def set_connection_execution_options(self, connection: sa.Connection, opts: Mapping[str, Any]) -> None:
        """Take note of `reading` for the transaction to come."""
        super().set_connection_execution_options(connection, opts)
        connection.connection.dbapi_connection.reading = opts.get("reading", False)  # type: ignore[union-attr]

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin; a transaction that reads and only then writes would fail at once with "database is locked"."""
        reading, dbapi_connection.reading = dbapi_connection.reading, False
        dbapi_connection.execute("BEGIN" if reading else "BEGIN IMMEDIATE")


sa.dialects.registry.register("sqlite.strongroom", __name__, _Sqlite.__name__)


def open_database(url: str, *, joined: Joined = NOBODY) -> sa.Engine:
    """Return the engine for `url`; the schema is `migrate`'s business.

    `joined` goes with every session of it, so that no question about a person forgets their other identities (T28).
    """
    # What fails is logged without its values (T14, T29): among them are URLs that hold a right, and persons' words.
    options: dict[str, Any] = {"execution_options": {"joined": joined}, "hide_parameters": True}
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_pre_ping=True, **options)
    kept = {"timeout": 30, "check_same_thread": False, "factory": _Connection}
    ours = sa.make_url(url).set(drivername="sqlite+strongroom")
    engine = sa.create_engine(ours, connect_args=kept, pool_size=8, **options)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def joined_in(session: orm.Session) -> Joined:
    """Return which identities are one person, by the settings of the process that opened this session."""
    found: Joined = session.get_bind().get_execution_options().get("joined", NOBODY)
    return found


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[orm.Session]:
    """Open a writing transaction; commit at the end, roll back on any error."""
    with _turn(engine), orm.Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def _turn(engine: sa.Engine) -> Iterator[None]:
    database = engine.url.database
    if engine.dialect.name != "sqlite" or not database:
        yield
        return
    turns = _TURNS.get(database) or _TURNS.setdefault(database, Turns(database))
    with turns.mine():
        yield


@contextmanager
def reading(engine: sa.Engine) -> Iterator[orm.Session]:
    """Open a transaction that only reads."""
    with orm.Session(engine, expire_on_commit=False) as session:
        session.connection(execution_options={"reading": True})
        yield session


Facts = Mapping[str, Any]


def plainly(session: orm.Session, statement: sa.Executable, facts: Facts | Sequence[Facts]) -> sa.CursorResult[Any]:
    """Run a statement that was made once, for rows and not for objects: what each task asks costs half as much so.

    What the session has in hand is written first, as it is before it asks for objects.
    """
    session.flush()
    return session.connection().execute(statement, facts)


def migrate(url: str) -> None:
    """Bring the schema at `url` up to date."""
    if url.startswith("sqlite:///"):
        database = url.removeprefix("sqlite:///")
        Path(database).parent.mkdir(parents=True, exist_ok=True)
        Turns(database).close()  # now: whoever starts us gives both files to all our users
    config = Config()
    config.set_main_option("script_location", str(SOURCE / "migrations"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(config, "head")
